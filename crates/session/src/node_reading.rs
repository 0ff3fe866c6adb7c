//! Reads nodes before and after what is done between: starting a pod in the pod network can repair a node, so that the
//! first look comes before that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use cluster::Cluster;
use futures::future::Either;
use observation::{NodeEvidence, NodePod, NodeReads, NodeTier, Observation, Placement, PodNetworks};
use plugin::Failure;
use probe::{ProbeError, ProbeRun, Tier};
use report::{Gap, GapReason, Observed};

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
/// they can, it may let the probes in the nodes' networks try something too. They are read again as soon as the work among probe pods is
/// done, while those are removed.
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
    let pods = around.pods && tier == Tier::Privileged;
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let mut work = Some(work);
    let (early, making) = match around.probes {
        Some(choice) => {
            let places = session.targets(choice)?;
            let (early, making) = early(cluster.clone(), session.options.clone(), places, token.clone());
            (Some(early), Either::Left(making))
        }
        None => (None, Either::Right(std::future::ready(()))),
    };
    session.early = early;
    let worked = Arc::clone(&session.worked);
    let reading = async {
        let finished = probe::with_probes(&cluster, &options, &targets, token, &spinner, async |hosts| {
            spinner.say("reading the nodes' networks");
            let began = Instant::now();
            let before = read_all(hosts, tier).await;
            let networks = if pods {
                Some(read_pods(&cluster, hosts, &names).await)
            } else {
                None
            };
            session.phases.push(phase("read nodes", began.elapsed()));
            let work = work.take().expect("the work is done once");
            let value = async {
                let value = work(session, Some(hosts)).await;
                worked.notify_one();
                value
            };
            // While the pods of the work are being removed.
            let after = async {
                worked.notified().await;
                read_all(hosts, tier).await
            };
            let (value, after) = tokio::join!(value, after);
            (before, after, networks, value)
        });
        let finished = finished.await;
        // Whoever did not need the place by now never will.
        session.early = None;
        finished
    };
    let (finished, ()) = tokio::join!(reading, making);
    match finished {
        Ok(finished) => {
            plugin::report_removal(&finished.removal);
            let (before, after, networks, value) = finished.value;
            let mut evidence = evidence(&finished.placement, tier, before, after);
            let (pods, networks) = networks.unzip();
            for (node, networks) in networks.into_iter().flatten() {
                if let Some(Observed::Seen(evidence)) = evidence.get_mut(&node) {
                    evidence.pods = Some(networks);
                }
            }
            let read = NodesRead {
                reading: Observed::Seen(()),
                evidence,
                pods,
            };
            Ok((read, value?))
        }
        Err(ProbeError::NotPrepared { gap, removal }) => {
            plugin::report_removal(&removal);
            let work = work.take().expect("nothing was prepared, so nothing was done");
            Ok((nothing(Observed::Unseen(gap)), work(session, None).await?))
        }
        Err(error @ ProbeError::Cancelled { .. }) => {
            spinner.clear();
            Err(Failure::new(format!("error: interrupted: {}", error.removal())))
        }
    }
}

async fn read_all(hosts: &ProbeRun, tier: Tier) -> BTreeMap<String, Observed<NodeReads>> {
    hosts
        .on_each(async |node| hosts.read_node(node, tier).await)
        .await
}

/// The networks of the pods of all nodes, and the pods that were there all the while.
async fn read_pods(
    cluster: &Cluster,
    hosts: &ProbeRun,
    nodes: &[String],
) -> (Observed<Vec<NodePod>>, BTreeMap<String, Observed<PodNetworks>>) {
    let before = cluster.node_pods(nodes).await;
    let networks = hosts.on_each(async |node| hosts.read_pods(node).await).await;
    let after = cluster.node_pods(nodes).await;
    let pods = match (before, after) {
        (Observed::Seen(before), Observed::Seen(after)) => Observed::Seen(lasting(before, &after)),
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Observed::Unseen(gap),
    };
    (pods, networks)
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
    mut before: BTreeMap<String, Observed<NodeReads>>,
    mut after: BTreeMap<String, Observed<NodeReads>>,
) -> BTreeMap<String, Observed<NodeEvidence>> {
    let tier = match tier {
        Tier::Privileged => NodeTier::Privileged,
        Tier::Pod | Tier::HostNetwork => NodeTier::HostNetwork,
    };
    placement.outcomes(|node| {
        let evidence = before.remove(node)?.map(|before| NodeEvidence {
            tier,
            before,
            after: after.remove(node).and_then(|after| after.seen().cloned()),
            pods: None,
        });
        Some(evidence)
    })
}
