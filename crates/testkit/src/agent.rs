//! A probe agent that answers from a function instead of from a network.

use std::net::{IpAddr, SocketAddr};

use netprobe::{Answer, End, Hello, Kind, Line, Outcome, Peer, Plan, Sample, WIRE_VERSION};

use crate::config::Connectivity;

/// One sample of one probe, of which a test says how it ends.
#[derive(Clone, Copy, Debug)]
pub struct Path<'a> {
    /// The node of the pod that probes.
    pub source: &'a str,
    /// The address of the pod that probes.
    pub source_ip: IpAddr,
    /// The node of the pod that has the address of the target; `None` when no pod has it.
    pub target: Option<&'a str>,
    /// The name of that pod.
    pub target_pod: Option<&'a str>,
    /// What that pod's agent calls itself.
    pub target_name: Option<&'a str>,
    /// Address and port.
    pub address: SocketAddr,
    /// How it is tried.
    pub kind: &'a Kind,
    /// How long the sample may take, in milliseconds.
    pub timeout_ms: u64,
    /// Which sample of the series this is, from zero.
    pub sample: u32,
    /// Whether it is made again, alone, after a failure.
    pub retry: bool,
}

impl Path<'_> {
    /// Whether the probe goes from one node to the other.
    pub fn is(&self, source: &str, target: &str) -> bool {
        self.source == source && self.target == Some(target)
    }

    /// What a healthy network does: an answer after a plausible time, which is always the same for the same pair. An
    /// address that no pod has stays silent.
    pub fn ok(&self) -> Outcome {
        let Some(target) = self.target else {
            return self.timed_out();
        };
        let (floor, spread) = if self.source == target {
            (40, 60)
        } else {
            (220, 500)
        };
        let hash = [self.source, target]
            .iter()
            .flat_map(|name| name.bytes())
            .fold(2_166_136_261_u32, |hash, byte| {
                (hash ^ u32::from(byte)).wrapping_mul(16_777_619)
            });
        let rtt = floor + u64::from(hash) % spread + u64::from(self.sample) * 3;
        let rtt_us = match self.kind {
            Kind::Bulk { bytes } => rtt * 4 + bytes / 500,
            Kind::Tcp
            | Kind::Udp
            | Kind::Icmp
            | Kind::Connect { .. }
            | Kind::Dns { .. }
            | Kind::Http { .. }
            | Kind::Train { .. }
            | Kind::Size => rtt,
        };
        let peer = (*self.kind != Kind::Icmp).then(|| Peer {
            name: self.target_name.unwrap_or(target).to_owned(),
            saw: self.source_ip,
        });
        Outcome::Ok { rtt_us, peer }
    }

    /// Silence for as long as the sample may take.
    pub fn timed_out(&self) -> Outcome {
        Outcome::TimedOut {
            after_us: self.timeout_ms * 1000,
        }
    }
}

/// Where an agent runs.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) node: String,
    /// What the agent calls itself.
    pub(crate) name: String,
    pub(crate) addresses: Vec<IpAddr>,
}

/// The pod that has an address.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) node: String,
    pub(crate) pod: String,
    pub(crate) name: String,
}

/// What the agent writes, line by line.
pub(crate) fn answer(
    plan: &Plan,
    place: &Place,
    connectivity: &Connectivity,
    resolve: impl Fn(IpAddr) -> Option<Target>,
) -> Vec<Line> {
    let mut clock = 0;
    let mut retries = plan.retry.as_ref().map_or(0, |retry| retry.most);
    let mut lines = vec![Line::Hello(Hello {
        version: WIRE_VERSION,
        name: place.name.clone(),
        addresses: place.addresses.clone(),
        gateways: Vec::new(),
    })];
    let mut answers = Vec::new();
    for probe in &plan.probes {
        let target = resolve(probe.target.ip());
        let source_ip = place
            .addresses
            .iter()
            .copied()
            .find(|address| address.is_ipv4() == probe.target.is_ipv4())
            .unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let path = Path {
            source: &place.node,
            source_ip,
            target: target.as_ref().map(|target| target.node.as_str()),
            target_pod: target.as_ref().map(|target| target.pod.as_str()),
            target_name: target.as_ref().map(|target| target.name.as_str()),
            address: probe.target,
            kind: &probe.kind,
            timeout_ms: probe.timeout_ms,
            sample: 0,
            retry: false,
        };
        let mut samples = Vec::new();
        for sample in 0..probe.count.max(1) {
            let outcome = connectivity(&Path { sample, ..path });
            let ends = !outcome.is_ok();
            samples.push(Sample {
                at_us: clock,
                retry: false,
                outcome,
            });
            clock += 50;
            if ends {
                break;
            }
        }
        let failed = samples.last().is_some_and(|sample| !sample.outcome.is_ok());
        if failed && retries > 0 {
            retries -= 1;
            let outcome = connectivity(&Path { retry: true, ..path });
            samples.push(Sample {
                at_us: clock + 1_000_000,
                retry: true,
                outcome,
            });
        }
        answers.push(Line::Answer(Answer {
            id: probe.id,
            samples,
        }));
    }
    let count = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    lines.append(&mut answers);
    lines.push(Line::End(End {
        answers: count,
        took_us: clock,
        cut_short: None,
    }));
    lines
}
