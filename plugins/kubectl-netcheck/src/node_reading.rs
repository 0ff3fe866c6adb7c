//! Reads nodes before and after what is done between: starting a pod in the pod network can repair a node, so that the
//! first look comes before that.

use std::collections::BTreeMap;
use std::time::Instant;

use futures::future::join_all;
use observation::{NodeEvidence, NodeReads, NodeTier, Place};
use plugin::Failure;
use probe::{NodeTarget, ProbeError, ProbeRun, Tier};
use report::{Gap, GapReason, Observed};

use crate::args::NodeReading;
use crate::session::{NodeChoice, Session, phase, select, target};

/// What nodes showed, or why none was looked at.
#[derive(Debug)]
pub(crate) struct NodesRead {
    /// Whether nodes were to be read.
    pub(crate) reading: Observed<()>,
    /// By their names.
    pub(crate) evidence: BTreeMap<String, Observed<NodeEvidence>>,
}

/// The tier that the user allows, or why none.
pub(crate) fn tier(wanted: &NodeReading) -> Observed<Tier> {
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

/// Reads the chosen nodes, does the work, and reads them again. The work is done whether or not they can be read.
///
/// # Errors
/// Those of the work, and when the user stopped it.
pub(crate) async fn around<T>(
    session: &mut Session<'_>,
    choice: NodeChoice<'_>,
    wanted: &NodeReading,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<(NodesRead, T), Failure> {
    let nothing = |reading| NodesRead {
        reading,
        evidence: BTreeMap::new(),
    };
    let targets: Vec<NodeTarget> = match &session.nodes {
        Observed::Seen(reads) => select(reads, choice)?.into_iter().map(target).collect(),
        Observed::Unseen(gap) => {
            let reading = Observed::Unseen(gap.clone());
            return Ok((nothing(reading), work(session).await?));
        }
    };
    let tier = match tier(wanted) {
        Observed::Seen(tier) => tier,
        Observed::Unseen(gap) => return Ok((nothing(Observed::Unseen(gap)), work(session).await?)),
    };
    let options = session.options.clone().on_host(tier);
    let (cluster, spinner) = (session.cluster.clone(), session.spinner.clone());
    let token = session.run.interrupt.token();
    let mut work = Some(work);
    let finished = probe::with_probes(&cluster, &options, &targets, token, &spinner, async |hosts| {
        spinner.say("reading the nodes' networks");
        let began = Instant::now();
        let before = read_all(hosts, tier).await;
        session.phases.push(phase("read nodes", began.elapsed()));
        let work = work.take().expect("the work is done once");
        let value = work(session).await;
        spinner.say("reading the nodes' networks again");
        let after = read_all(hosts, tier).await;
        (before, after, value)
    });
    match finished.await {
        Ok(finished) => {
            plugin::report_removal(&finished.removal);
            let (before, after, value) = finished.value;
            let evidence = evidence(&finished.placement.nodes, tier, before, after);
            let read = NodesRead {
                reading: Observed::Seen(()),
                evidence,
            };
            Ok((read, value?))
        }
        Err(ProbeError::NotPrepared { gap, removal }) => {
            plugin::report_removal(&removal);
            let work = work.take().expect("nothing was prepared, so nothing was done");
            Ok((nothing(Observed::Unseen(gap)), work(session).await?))
        }
        Err(error @ ProbeError::Cancelled { .. }) => {
            spinner.clear();
            Err(Failure::new(format!("error: interrupted: {}", error.removal())))
        }
    }
}

async fn read_all(hosts: &ProbeRun, tier: Tier) -> BTreeMap<String, Observed<NodeReads>> {
    let there = hosts
        .placement()
        .nodes
        .iter()
        .filter(|(_, place)| matches!(place, Place::Ready(_)));
    let reads = there.map(|(node, _)| async move { (node.clone(), hosts.read_node(node, tier).await) });
    join_all(reads).await.into_iter().collect()
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
            }),
        };
        Some((node.clone(), seen))
    };
    places.iter().filter_map(of_node).collect()
}
