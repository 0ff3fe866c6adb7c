//! What kube-proxy of nodes says of itself, through probe pods in their networks.

use std::time::Duration;

use observation::{KubeProxy, Place, Placement, ProxyLooks};
use plugin::{Failure, Spinner};
use probe::{ProbeRun, ProxyAddresses, Tier};
use report::Observed;

use crate::open::{NodeChoice, Session};

/// How long apart it is asked twice.
const APART: Duration = Duration::from_secs(5);

/// Starts a pod without any right in the network of each node of the choice, asks kube-proxy there, twice, where its configuration says
/// that it listens, and takes the pods away again. A node that was to have one and has none is a gap.
///
/// # Errors
/// As [`Session::with_pods`].
pub async fn ask_hosts(
    session: &mut Session<'_>,
    choice: NodeChoice<'_>,
    facts: &mut KubeProxy,
) -> Result<Placement, Failure> {
    let work = async |hosts: &ProbeRun, spinner: &Spinner| {
        spinner.say("asking kube-proxy of each node");
        ask(hosts, Tier::HostNetwork, facts).await;
    };
    let (placement, asked) = Box::pin(session.with_host_pods(Tier::HostNetwork, choice, work)).await?;
    if asked.is_none() {
        for (node, place) in &placement.nodes {
            if let Place::Failed(gap) = place {
                facts.nodes.insert(node.clone(), Observed::Unseen(gap.clone()));
            }
        }
    }
    Ok(placement)
}

/// Asks kube-proxy of every node that has a privileged pod, as [`ask_hosts`] does with others.
pub async fn ask_privileged(session: &Session<'_>, hosts: Option<&ProbeRun>, facts: &mut KubeProxy) {
    if let Some(hosts) = hosts {
        session.spinner.say("asking kube-proxy of each node");
        ask(hosts, Tier::Privileged, facts).await;
    }
}

async fn ask(hosts: &ProbeRun, tier: Tier, facts: &mut KubeProxy) {
    let config = facts.config.seen().and_then(Option::as_ref);
    let at = ProxyAddresses::of(config);
    let ask = async || {
        hosts
            .on_each(async |node| hosts.ask_kube_proxy(node, tier, at).await)
            .await
    };
    let mut first = ask().await;
    tokio::time::sleep(APART).await;
    let mut second = ask().await;
    facts.nodes = hosts.placement().outcomes(|node| {
        let second = second.remove(node).and_then(|look| look.seen().cloned());
        Some(first.remove(node)?.map(|first| ProxyLooks { first, second }))
    });
}
