//! Reads nodes before and after what is done between: starting a pod in the pod network can repair a node, so that the
//! first look comes before that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::Cluster;
use futures::future::Either;
use observation::{NodeEvidence, NodePod, NodeReads, NodeTier, Observation, Placement, PodNetworks};
use plugin::Failure;
use probe::{Gate, NodeTarget, ProbeError, ProbeRun, Tier};
use report::{Gap, GapReason, Observed};
use tokio::sync::{OnceCell, oneshot};

use crate::args::NodeReading;
use crate::early::early;
use crate::open::{NodeChoice, Session, phase};

/// What nodes showed, or why none was looked at.
#[derive(Debug)]
pub struct NodesRead {
    /// Whether nodes were to be read.
    pub reading: Observed<()>,
    /// By their names.
    pub evidence: BTreeMap<String, Observed<NodeEvidence>>,
    /// The pods of the nodes, where their networks were to be read.
    pub pods: Option<Observed<Vec<NodePod>>>,
}

impl NodesRead {
    /// Puts it where an observation holds it.
    pub fn note(self, observation: &mut Observation) {
        observation.node_reading = Some(self.reading);
        observation.node_evidence = self.evidence;
        observation.node_pods = self.pods;
    }
}

/// The tier that the user allows, or why none.
pub fn tier(wanted: &NodeReading) -> Observed<Tier> {
    if wanted.node_access {
        Observed::Seen(Tier::Privileged)
    } else if wanted.host_network {
        Observed::Seen(Tier::HostNetwork)
    } else {
        Observed::Unseen(Gap {
            what: "the network of the nodes themselves".to_owned(),
            why: GapReason::TierNotAllowed,
            message: "--host-network=false leaves the nodes alone".to_owned(),
            hint: None,
        })
    }
}

/// Which nodes are read around some work, and how far.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// The nodes.
    pub nodes: NodeChoice<'a>,
    /// What of them may be looked at.
    pub reading: &'a NodeReading,
    /// Whether the networks of their pods are read as well, where the tier allows it.
    pub pods: bool,
    /// Where the work will start probe pods, if it will: what they need is made meanwhile.
    pub probes: Option<NodeChoice<'a>>,
}

/// Reads the chosen nodes, does the work, and reads them again. The work is done whether or not they can be read; where
/// they can, it may let the probes in the nodes' networks try something too, until its work among probe pods is done
/// ([`Session::with_pods`]): then nodes are read again and those probes are removed, while the others are.
///
/// A node's probe pods are started as soon as it was read, whatever others are about.
///
/// # Errors
/// Those of the work, and when the user stopped it.
pub async fn around<T>(
    session: &mut Session<'_>,
    around: Around<'_>,
    work: impl AsyncFnOnce(&mut Session<'_>, Option<&ProbeRun>) -> Result<T, Failure>,
) -> Result<(NodesRead, T), Failure> {
    let nothing = |reading| NodesRead {
        reading,
        evidence: BTreeMap::new(),
        pods: None,
    };
    if let Observed::Unseen(gap) = &session.nodes {
        let reading = Observed::Unseen(gap.clone());
        return Ok((nothing(reading), work(session, None).await?));
    }
    let targets = session.targets(around.nodes)?;
    let tier = match tier(around.reading) {
        Observed::Seen(tier) => tier,
        Observed::Unseen(gap) => return Ok((nothing(Observed::Unseen(gap)), work(session, None).await?)),
    };
    let options = session.options.clone().on_host(tier);
    let (cluster, spinner) = (session.cluster.clone(), session.spinner.clone());
    let token = session.run.interrupt.token();
    let (opener, gate) = Gate::closed();
    let making = match around.probes {
        Some(choice) => {
            let (options, places) = (session.options.clone(), session.targets(choice)?);
            let (early, making) = early(cluster.clone(), options, places, gate, token, spinner.clone());
            session.early = Some(early);
            Either::Left(making)
        }
        None => Either::Right(std::future::ready(())),
    };
    let pods = Pods::new(&cluster, around.pods && tier == Tier::Privileged, &targets);
    let worked = Arc::clone(&session.worked);
    let (lend, borrowed) = oneshot::channel::<ProbeRun>();
    let reading = async {
        let first = async |hosts: &ProbeRun, node: &str| {
            spinner.say("reading the nodes' networks");
            let began = Instant::now();
            let before = hosts.read_node(node, tier).await;
            let networks = pods.networks(hosts, node).await;
            opener.open(node);
            First {
                before,
                networks,
                took: began.elapsed(),
            }
        };
        let between = async |hosts: &ProbeRun, firsts: BTreeMap<String, First>| {
            opener.open_all();
            let listed = pods.lasting().await;
            // Whoever does the work waits for it.
            let _ = lend.send(hosts.clone());
            worked.notified().await;
            let after = read_all(hosts, tier).await;
            (firsts, listed, after)
        };
        probe::with_probes_first(&cluster, &options, &targets, token, &spinner, first, between).await
    };
    let doing = async {
        // Not sent where nothing could be prepared, and where the user stopped it: the work says so itself.
        let hosts = borrowed.await.ok();
        let value = work(session, hosts.as_ref()).await;
        // Whoever did not need the pods by now never will.
        session.early = None;
        session.worked.notify_one();
        value
    };
    let reading = async {
        let finished = Box::pin(reading).await;
        opener.open_all();
        finished
    };
    let (finished, value, ()) = tokio::join!(reading, Box::pin(doing), making);
    match finished {
        Ok(finished) => {
            plugin::report_removal(&finished.removal);
            let (firsts, pods, after) = finished.value;
            let slowest = firsts.values().map(|first| first.took).max();
            session
                .phases
                .push(phase("read nodes", slowest.unwrap_or_default()));
            let read = NodesRead {
                reading: Observed::Seen(()),
                evidence: evidence(&finished.placement, tier, firsts, after),
                pods,
            };
            Ok((read, value?))
        }
        Err(ProbeError::NotPrepared { gap, removal }) => {
            plugin::report_removal(&removal);
            Ok((nothing(Observed::Unseen(gap)), value?))
        }
        Err(error @ ProbeError::Cancelled { .. }) => {
            spinner.clear();
            Err(Failure::new(format!("error: interrupted: {}", error.removal())))
        }
    }
}

/// What one node showed before anything was started there in the pod network.
struct First {
    before: Observed<NodeReads>,
    /// Where they were to be read.
    networks: Option<Observed<PodNetworks>>,
    took: Duration,
}

async fn read_all(hosts: &ProbeRun, tier: Tier) -> BTreeMap<String, Observed<NodeReads>> {
    hosts
        .on_each(async |node| hosts.read_node(node, tier).await)
        .await
}

/// The pods of the nodes, where their networks are to be read.
struct Pods<'a> {
    cluster: &'a Cluster,
    /// `None` where they are not.
    nodes: Option<Vec<String>>,
    /// As they were before the first of their networks was read.
    listed: OnceCell<Observed<Vec<NodePod>>>,
}

impl<'a> Pods<'a> {
    fn new(cluster: &'a Cluster, wanted: bool, targets: &[NodeTarget]) -> Self {
        let names = || targets.iter().map(|target| target.name.clone()).collect();
        Self {
            cluster,
            nodes: wanted.then(names),
            listed: OnceCell::new(),
        }
    }

    async fn networks(&self, hosts: &ProbeRun, node: &str) -> Option<Observed<PodNetworks>> {
        let nodes = self.nodes.as_ref()?;
        self.listed.get_or_init(|| self.cluster.node_pods(nodes)).await;
        Some(hosts.read_pods(node).await)
    }

    /// Those that were there all the while.
    async fn lasting(&self) -> Option<Observed<Vec<NodePod>>> {
        let nodes = self.nodes.as_ref()?;
        let after = self.cluster.node_pods(nodes).await;
        let before = self.listed.get().cloned().unwrap_or_else(|| after.clone());
        Some(match (before, after) {
            (Observed::Seen(before), Observed::Seen(after)) => Observed::Seen(lasting(before, &after)),
            (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Observed::Unseen(gap),
        })
    }
}

/// Those of the first list that are in the second, with the same addresses.
fn lasting(before: Vec<NodePod>, after: &[NodePod]) -> Vec<NodePod> {
    let still: BTreeSet<(&str, &[IpAddr])> = after
        .iter()
        .map(|pod| (pod.uid.as_str(), pod.addresses.as_slice()))
        .collect();
    let mut pods = before;
    pods.retain(|pod| still.contains(&(pod.uid.as_str(), pod.addresses.as_slice())));
    pods
}

fn evidence(
    placement: &Placement,
    tier: Tier,
    mut firsts: BTreeMap<String, First>,
    mut after: BTreeMap<String, Observed<NodeReads>>,
) -> BTreeMap<String, Observed<NodeEvidence>> {
    let tier = match tier {
        Tier::Privileged => NodeTier::Privileged,
        Tier::Pod | Tier::HostNetwork => NodeTier::HostNetwork,
    };
    placement.outcomes(|node| {
        let first = firsts.remove(node)?;
        let evidence = first.before.map(|before| NodeEvidence {
            tier,
            before,
            after: after.remove(node).and_then(|after| after.seen().cloned()),
            pods: first.networks,
        });
        Some(evidence)
    })
}
