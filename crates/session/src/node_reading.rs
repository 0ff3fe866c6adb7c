//! Reads nodes before and after what is done between: starting a pod in the pod network can repair a node, so that the
//! first look comes before that.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Instant;

use cluster::Cluster;
use futures::future::join_all;
use observation::{NodeEvidence, NodePod, NodeReads, NodeTier, Place, PodNetworks};
use plugin::Failure;
use probe::{NodeTarget, ProbeError, ProbeRun, Tier};
use report::{Gap, GapReason, Observed};

use crate::args::NodeReading;
use crate::open::{NodeChoice, Session, phase, select, target};

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

/// Reads the chosen nodes, does the work, and reads them again. The work is done whether or not they can be read; where
/// they can, it may let the probes in the nodes' networks try something too. With `pods` the networks of their pods are
/// read as well, where the tier allows it.
///
/// # Errors
/// Those of the work, and when the user stopped it.
pub async fn around<T>(
    session: &mut Session<'_>,
    choice: NodeChoice<'_>,
    wanted: &NodeReading,
    pods: bool,
    work: impl AsyncFnOnce(&mut Session<'_>, Option<&ProbeRun>) -> Result<T, Failure>,
) -> Result<(NodesRead, T), Failure> {
    let nothing = |reading| NodesRead {
        reading,
        evidence: BTreeMap::new(),
        pods: None,
    };
    let targets: Vec<NodeTarget> = match &session.nodes {
        Observed::Seen(reads) => select(reads, choice)?.into_iter().map(target).collect(),
        Observed::Unseen(gap) => {
            let reading = Observed::Unseen(gap.clone());
            return Ok((nothing(reading), work(session, None).await?));
        }
    };
    let tier = match tier(wanted) {
        Observed::Seen(tier) => tier,
        Observed::Unseen(gap) => return Ok((nothing(Observed::Unseen(gap)), work(session, None).await?)),
    };
    let options = session.options.clone().on_host(tier);
    let (cluster, spinner) = (session.cluster.clone(), session.spinner.clone());
    let token = session.run.interrupt.token();
    let pods = pods && tier == Tier::Privileged;
    let names: Vec<String> = targets.iter().map(|target| target.name.clone()).collect();
    let mut work = Some(work);
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
        let value = work(session, Some(hosts)).await;
        spinner.say("reading the nodes' networks again");
        let after = read_all(hosts, tier).await;
        (before, after, networks, value)
    });
    match finished.await {
        Ok(finished) => {
            plugin::report_removal(&finished.removal);
            let (before, after, networks, value) = finished.value;
            let mut evidence = evidence(&finished.placement.nodes, tier, before, after);
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

/// The nodes with a probe pod that runs.
fn ready(hosts: &ProbeRun) -> impl Iterator<Item = &String> {
    let places = hosts.placement().nodes.iter();
    places
        .filter(|(_, place)| matches!(place, Place::Ready(_)))
        .map(|(node, _)| node)
}

async fn read_all(hosts: &ProbeRun, tier: Tier) -> BTreeMap<String, Observed<NodeReads>> {
    let reads = ready(hosts).map(|node| async move { (node.clone(), hosts.read_node(node, tier).await) });
    join_all(reads).await.into_iter().collect()
}

/// The networks of the pods of all nodes, and the pods that were there all the while.
async fn read_pods(
    cluster: &Cluster,
    hosts: &ProbeRun,
    nodes: &[String],
) -> (Observed<Vec<NodePod>>, BTreeMap<String, Observed<PodNetworks>>) {
    let before = cluster.node_pods(nodes).await;
    let reads = ready(hosts).map(|node| async move { (node.clone(), hosts.read_pods(node).await) });
    let networks = join_all(reads).await.into_iter().collect();
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
    places: &BTreeMap<String, Place>,
    tier: Tier,
    mut before: BTreeMap<String, Observed<NodeReads>>,
    mut after: BTreeMap<String, Observed<NodeReads>>,
) -> BTreeMap<String, Observed<NodeEvidence>> {
    let tier = match tier {
        Tier::Privileged => NodeTier::Privileged,
        Tier::Pod | Tier::HostNetwork => NodeTier::HostNetwork,
    };
    let of_node = |(node, place): (&String, &Place)| {
        let seen = match place {
            Place::LeftOut { .. } => return None,
            Place::Failed(gap) => Observed::Unseen(gap.clone()),
            Place::Ready(_) => before.remove(node)?.map(|before| NodeEvidence {
                tier,
                before,
                after: after.remove(node).and_then(|after| after.seen().cloned()),
                pods: None,
            }),
        };
        Some((node.clone(), seen))
    };
    places.iter().filter_map(of_node).collect()
}
