//! Who listens where a Service sends its connections: by the sockets of the pods behind it, and by trying.

use std::collections::{BTreeMap, BTreeSet};

use netprobe::Outcome;
use observation::{BackendPod, Listener, PodNetwork, Purpose, ServicePort};
use report::{Evidence, Finding, Observed};

use super::case::Case;
use super::expected::target_port;
use crate::check::Judgement;
use crate::service::label;
use crate::shell::on_node;
use crate::tries::rows;
use crate::view::View;

/// What the sockets of a pod are to a port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Something listens there for others.
    Open,
    /// Something listens there, for the pod itself only.
    Loopback,
    /// Something listens on the number, with another protocol.
    OtherProtocol(&'static str),
    /// Nothing listens there.
    Nobody,
}

/// A pod whose sockets were read.
#[derive(Clone, Debug)]
pub(super) struct Listening<'a> {
    pub(super) pod: &'a BackendPod,
    /// The port at which the Service sends to it.
    pub(super) number: u16,
    pub(super) heard: Heard,
    /// Where it listens for others with the protocol of the Service.
    pub(super) elsewhere: BTreeSet<u16>,
    process: u32,
}

impl Listening<'_> {
    /// The sockets, and how to see them.
    pub(super) fn evidence(&self, fact: impl Into<String>) -> Evidence {
        let node = self.pod.node.as_deref().unwrap_or_default();
        let command = format!("nsenter -t {} -n ss -lntu", self.process);
        Evidence::command(fact, on_node(node, &[&command]))
    }
}

/// A port of a Service, and the pods behind it whose sockets were read.
pub(super) struct Heeding<'c, 'a> {
    pub(super) case: &'c Case<'a>,
    /// Of the Service's ports.
    pub(super) index: usize,
    pub(super) port: &'a ServicePort,
    pub(super) pods: Vec<Listening<'a>>,
}

impl Heeding<'_, '_> {
    /// Whether this is so of every pod, of which there are some.
    pub(super) fn all(&self, is: impl Fn(&Heard) -> bool) -> bool {
        !self.pods.is_empty() && self.pods.iter().all(|pod| is(&pod.heard))
    }
}

/// Judges each port of each Service that selects pods. Without anything tried and without any pod's sockets nobody asked.
pub(super) fn each_port(view: &View<'_>, judge: impl Fn(&Heeding<'_, '_>) -> Option<Finding>) -> Judgement {
    let Some(scene) = &view.backends else {
        return Judgement::not_asked();
    };
    let observation = view.observation;
    if observation.reach.is_none() && observation.node_pods.is_none() {
        return Judgement::not_asked();
    }
    let needs = [super::scene::Part::Pods];
    let mut judgement = Judgement {
        gaps: super::lint::gaps(view, scene, &needs),
        ..Judgement::default()
    };
    if observation.node_pods.is_none() {
        return Judgement::skipped(
            "it takes a privileged pod on each node to read the sockets of pods: --node-access allows it",
        );
    }
    let networks = networks(view, &mut judgement);
    for case in scene.cases.iter().filter(|case| case.is_selecting()) {
        for (index, port) in case.service.ports.iter().enumerate() {
            let heeding = Heeding {
                case,
                index,
                port,
                pods: listening(case, port, &networks),
            };
            judgement.findings.extend(judge(&heeding));
        }
    }
    judgement
}

/// The networks of pods that were read, by uid.
fn networks<'a>(view: &View<'a>, judgement: &mut Judgement) -> BTreeMap<&'a str, &'a PodNetwork> {
    let mut networks = BTreeMap::new();
    for evidence in view.observation.node_evidence.values() {
        match evidence {
            Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
            Observed::Seen(evidence) => match &evidence.pods {
                None => {}
                Some(Observed::Unseen(gap)) => judgement.gaps.push(gap.clone()),
                Some(Observed::Seen(read)) => {
                    judgement.gaps.extend(read.partial.clone());
                    networks.extend(read.pods.iter().map(|it| (it.uid.as_str(), it)));
                }
            },
        }
    }
    networks
}

fn listening<'a>(
    case: &Case<'a>,
    port: &ServicePort,
    networks: &BTreeMap<&'a str, &'a PodNetwork>,
) -> Vec<Listening<'a>> {
    let heard = |pod: &'a BackendPod| {
        let network = networks.get(pod.uid.as_str())?;
        let listeners = network.listeners.seen()?;
        let number = target_port(pod, port)?;
        Some(Listening {
            pod,
            number,
            heard: heard(listeners, &port.protocol, number),
            elsewhere: open(listeners, &port.protocol).map(|it| it.port).collect(),
            process: network.process,
        })
    };
    // A pod that is not ready yet may be about to listen.
    let settled = case
        .staying()
        .into_iter()
        .filter(|pod| pod.ready && !pod.host_network);
    settled.filter_map(heard).collect()
}

fn heard(listeners: &[Listener], protocol: &str, number: u16) -> Heard {
    if open(listeners, protocol).any(|it| it.port == number) {
        return Heard::Open;
    }
    let own = protocol.to_ascii_lowercase();
    if listeners.iter().any(|it| it.port == number && it.protocol == own) {
        return Heard::Loopback;
    }
    let other = if protocol == "UDP" { "TCP" } else { "UDP" };
    if open(listeners, other).any(|it| it.port == number) {
        return Heard::OtherProtocol(other);
    }
    Heard::Nobody
}

/// What others reach.
fn open<'l>(listeners: &'l [Listener], protocol: &str) -> impl Iterator<Item = &'l Listener> {
    let own = protocol.to_ascii_lowercase();
    listeners
        .iter()
        .filter(move |it| it.protocol == own && !it.address.to_canonical().is_loopback())
}

/// What was tried of the endpoints of a port, where all of them refused by their own word and none ever answered.
pub(super) fn refusals(view: &View<'_>, heeding: &Heeding<'_, '_>) -> Vec<Evidence> {
    let Some(reach) = &view.observation.reach else {
        return Vec::new();
    };
    let subject = heeding.case.service.subject();
    let numbers: BTreeSet<u16> = heeding.pods.iter().map(|pod| pod.number).collect();
    let mut evidence = Vec::new();
    for row in rows(reach) {
        let of_port = row.sample.subject == subject
            && matches!(row.sample.purpose, Purpose::Endpoint { .. })
            && numbers.contains(&row.sample.address.port());
        if !of_port {
            continue;
        }
        for (source, cell) in &row.from {
            let is_refusal = |outcome: &Outcome| matches!(outcome, Outcome::Refused { offender: None, .. });
            let samples = &cell.attempt.samples;
            if samples.iter().any(|sample| sample.outcome.is_ok()) {
                return Vec::new();
            }
            if !samples.is_empty() && samples.iter().all(|sample| is_refusal(&sample.outcome)) {
                evidence.push(Evidence::probe(
                    "connection refused by the pod itself",
                    label(&row, source),
                ));
            }
        }
    }
    evidence
}
