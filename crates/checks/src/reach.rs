//! From what a user asks about to what each source is to try, and back to attempts with what came of them.

mod control;
mod egress;
mod fold;
mod host_ports;
mod own;
mod own_service;
pub(crate) mod ring;
mod services;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use netprobe::{Kind, Outcome, Plan, Probe, Retry, Sample, WIRE_VERSION};
use observation::{Attempt, Cell, Expected, Mesh, Purpose, Source};
use report::{Family, Subject};

use crate::plan::RETRY_GAP_MS;

pub use control::plan_control_plane;
pub use egress::{EgressTarget, plan_egress};
pub use fold::fold_reach;
pub use host_ports::plan_host_ports;
pub use own::{plan_controls, plan_performance};
pub use own_service::plan_own_service;
pub use services::{ServiceDepth, dns_service, plan_outside, plan_services, ready_endpoints};
pub(crate) use services::{belongs, first_of_each_family};

/// How hard sources try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachOptions {
    /// How often a Service is tried from each source: each time a backend is chosen anew.
    pub count: u32,
    /// In how many series the tries of the same are made side by side. A series ends with its first failure, so that what is
    /// silent does not cost a timeout for each try; it goes on when a second try is answered.
    pub series: u32,
    /// How many endpoints of one Service are tried by themselves from each source.
    pub endpoints: usize,
    /// To how many other nodes a source goes where all of them would be too many.
    pub neighbours: usize,
    /// How long one try may take, in milliseconds. Below 4000 an unresolved neighbour looks like silence.
    pub timeout_ms: u64,
    /// How long a connection is watched for a reset, in milliseconds.
    pub linger_ms: u64,
    /// How many tries of one source may be under way at once.
    pub concurrency: u32,
    /// How many failed tries of one source are made again, each alone, a second apart.
    pub retries: u32,
    /// Where the agents listen.
    pub tcp_port: u16,
    /// As `tcp_port`, for UDP.
    pub udp_port: u16,
    /// The domain of the cluster's names, as `cluster.local`.
    pub cluster_domain: String,
}

impl Default for ReachOptions {
    fn default() -> Self {
        Self {
            count: 10,
            series: 3,
            endpoints: 10,
            neighbours: 3,
            timeout_ms: 4000,
            linger_ms: 50,
            // A burst of connections overruns the queue of a small server, which then drops some for a second.
            concurrency: 12,
            retries: 6,
            tcp_port: 7410,
            udp_port: 7410,
            cluster_domain: "cluster.local".to_owned(),
        }
    }
}

/// Something to try from some sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// From where; `None` for every source in the cluster.
    pub source: Option<Source>,
    /// What it shows.
    pub purpose: Purpose,
    /// What it is about.
    pub subject: Subject,
    /// Where it goes.
    pub address: SocketAddr,
    /// How it is tried.
    pub kind: Kind,
    /// What is right.
    pub expected: Expected,
    /// How often it is tried.
    pub tries: u32,
}

/// What is to be tried by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachPlan {
    /// For each source that has something to try.
    pub sources: BTreeMap<Source, SourceTries>,
}

/// What one source is to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTries {
    /// For the agent.
    pub plan: Plan,
    /// What is tried; without samples.
    pub attempts: Vec<Attempt>,
    /// For each probe, by its id, the attempt that it belongs to.
    pub attempt_of: Vec<usize>,
}

/// A place to try from, with the addresses that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which one.
    pub source: Source,
    /// Its own addresses: what is of another family is not tried from there.
    pub addresses: Vec<IpAddr>,
    /// How hard it tries.
    pub effort: Effort,
}

/// How hard one source tries, which depends on what is known of its ways before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// As the options say.
    #[default]
    Full,
    /// Much of what it tries is going to be silent, for a reason that is known: so few times that silence costs one
    /// timeout, and nothing again.
    Brief,
}

impl Effort {
    /// How hard the probe pod of a node is to try after the mesh: whoever heard nothing of some pod there, or of whom
    /// nothing is known, is not sent to wait for the same silence again behind every Service.
    pub fn after(mesh: &Mesh, node: &str) -> Self {
        let is_silent = |cell: &Cell| {
            let silent = |sample: &Sample| matches!(sample.outcome, Outcome::TimedOut { .. });
            cell.source == node
                && matches!(cell.kind, Kind::Tcp)
                && !cell.samples.is_empty()
                && cell.samples.iter().all(silent)
        };
        if mesh.cells.iter().any(is_silent) {
            Self::Brief
        } else {
            Self::Full
        }
    }

    /// The options of a source.
    fn of(self, options: &ReachOptions) -> ReachOptions {
        match self {
            Self::Full => options.clone(),
            Self::Brief => ReachOptions {
                count: options.count.min(BRIEF_TRIES),
                series: BRIEF_TRIES,
                concurrency: options.concurrency.max(BRIEF_CONCURRENCY),
                retries: 0,
                ..options.clone()
            },
        }
    }
}

/// So often does a source try that expects silence: once could meet the one endpoint that it does not reach.
const BRIEF_TRIES: u32 = 2;
/// So many such tries may be under way at once: what is silent overruns nobody.
const BRIEF_CONCURRENCY: u32 = 48;

/// Puts together what each source is to try. Tries of the same are a few series side by side.
/// The same input always gives the same plan.
pub fn assemble(run: &str, places: &[Place], wanted: &[Wanted], options: &ReachOptions) -> ReachPlan {
    let mut sources = BTreeMap::new();
    for place in places {
        let has = |family| place.addresses.iter().any(|own| Family::of(*own) == family);
        let options = &place.effort.of(options);
        let mut attempts = Vec::new();
        let mut probes = Vec::new();
        let mut attempt_of = Vec::new();
        for want in wanted {
            let is_outside = place.source == Source::Outside;
            let concerns = want
                .source
                .as_ref()
                .map_or(!is_outside, |source| *source == place.source);
            // Nothing is known of the addresses of the machine outside: it tries both families.
            if !concerns || !(is_outside || has(Family::of(want.address.ip()))) {
                continue;
            }
            let tries = match place.effort {
                Effort::Full => want.tries,
                Effort::Brief => want.tries.min(BRIEF_TRIES),
            };
            let tries = tries.max(least_tries(&want.kind));
            let series = tries.clamp(1, options.series.max(1));
            for _ in 0..series {
                let Ok(id) = u32::try_from(probes.len()) else {
                    break;
                };
                probes.push(Probe {
                    id,
                    target: want.address,
                    kind: want.kind.clone(),
                    count: tries.div_ceil(series).max(1),
                    timeout_ms: options.timeout_ms,
                });
                attempt_of.push(attempts.len());
            }
            attempts.push(Attempt {
                source: place.source.clone(),
                purpose: want.purpose.clone(),
                subject: want.subject.clone(),
                address: want.address,
                kind: want.kind.clone(),
                expected: want.expected,
                samples: Vec::new(),
            });
        }
        if !attempts.is_empty() {
            let plan = agent_plan(run, probes, options);
            let tries = SourceTries {
                plan,
                attempts,
                attempt_of,
            };
            sources.insert(place.source.clone(), tries);
        }
    }
    ReachPlan { sources }
}

/// One datagram may get lost on the best of networks, and nobody sends it again as TCP does.
fn least_tries(kind: &Kind) -> u32 {
    if is_datagram(kind) { 2 } else { 1 }
}

/// Whether a try of this kind is one datagram there and one back.
pub(crate) fn is_datagram(kind: &Kind) -> bool {
    matches!(kind, Kind::Udp | Kind::Icmp | Kind::Dns { tcp: false, .. })
}

fn agent_plan(run: &str, probes: Vec<Probe>, options: &ReachOptions) -> Plan {
    let concurrency = options.concurrency.max(1);
    let count = u32::try_from(probes.len()).unwrap_or(u32::MAX);
    let rounds = u64::from(count.div_ceil(concurrency));
    Plan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        concurrency,
        // Every try may run into its timeout, in as many rounds as it takes; then the retries.
        deadline_ms: (rounds + 1) * options.timeout_ms + u64::from(options.retries) * RETRY_GAP_MS + 2000,
        gap_ms: 0,
        retry: (options.retries > 0).then_some(Retry {
            gap_ms: RETRY_GAP_MS,
            most: options.retries,
        }),
        probes,
    }
}

/// TCP to whatever listens there.
pub(crate) fn connect(options: &ReachOptions) -> Kind {
    Kind::Connect {
        linger_ms: options.linger_ms,
    }
}

/// The type of record that holds an address of this family.
fn record_type(address: IpAddr) -> u16 {
    if address.is_ipv4() { 1 } else { 28 }
}

#[cfg(test)]
mod tests;
