//! `kubectl epcheck proxy`: whether kube-proxy runs, what configures it, and whether it keeps up.

use checks::{Need, Selection};
use cluster::ConnectionArgs;
use observation::{BackendsQuestion, Observation};
use plugin::{Failure, Run};
use report::Observed;
use session::node_reading::Around;
use session::{Look, NodeReading, Session, kube_proxy, node_reading};

use crate::svc::{again, backends};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct ProxyArgs {
    #[command(flatten)]
    reading: NodeReading,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &ProxyArgs, run: &Run) -> Result<u8, Failure> {
    let observe = Box::pin(observe(connection, wanted, run));
    wanted
        .look
        .conclude_selected("proxy", &selection(), run, observe)
        .await
}

/// kube-proxy itself, its rules where they were read, and whether its release fits.
fn selection() -> Selection {
    Selection::of(|check| {
        check.needs.contains(&Need::KubeProxy)
            || check.id == "net-server-version"
            || (check.id.starts_with("ep-rule") && check.needs.contains(&Need::NodeAccess))
    })
}

async fn observe(connection: &ConnectionArgs, wanted: &ProxyArgs, run: &Run) -> Result<Observation, Failure> {
    let look = &wanted.look;
    let mut session = Session::open(connection, &look.pods, &look.output, run).await?;
    let only = look.chosen(&session)?;
    let cluster = session.cluster.clone();
    let read = cluster.kube_proxy(only.as_deref(), crate::svc::now());
    let mut facts = session
        .observe("reading kube-proxy's pods", Box::pin(read))
        .await?;
    facts.only = only;
    if !wanted.reading.node_access {
        let mut placement = None;
        if wanted.reading.host_network {
            let ask = kube_proxy::ask_hosts(&mut session, look.choice(), &mut facts);
            placement = Some(Box::pin(ask).await?);
        }
        let mut observation = session.finish(placement)?;
        observation.kube_proxy = Some(Box::new(facts));
        return Ok(observation);
    }
    let first = backends(&mut session, BackendsQuestion::default(), true).await?;
    let asking = &mut facts;
    let ask = async |session: &mut Session<'_>, hosts: Option<&_>| {
        kube_proxy::ask_privileged(session, hosts, asking).await;
        Ok(())
    };
    let around = Around {
        nodes: look.choice(),
        reading: &wanted.reading,
        pods: false,
        probes: None,
    };
    let looked = node_reading::around(&mut session, around, ask);
    let (read, ()) = Box::pin(looked).await?;
    let backends = again(&mut session, first, true).await?;
    let mut observation = session.finish(None)?;
    if let Observed::Unseen(gap) = &read.reading {
        let names = facts.only.clone().unwrap_or_else(|| names(&observation));
        let unasked = |node: String| (node, Observed::Unseen(gap.clone()));
        facts.nodes = names.into_iter().map(unasked).collect();
    }
    read.note(&mut observation);
    observation.backends = Some(Box::new(backends));
    observation.kube_proxy = Some(Box::new(facts));
    Ok(observation)
}

fn names(observation: &Observation) -> Vec<String> {
    let nodes = observation.nodes.seen().into_iter().flatten();
    nodes.map(|node| node.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_of_kube_proxy_and_of_its_rules_are_made_and_no_others() {
        let selection = selection();
        for id in ["ep-kp-ds", "ep-kp-restart", "ep-rule-stale", "net-server-version"] {
            assert!(selection.has(id), "{id}");
        }
        for id in ["ep-sel", "net-mesh", "net-ct-full"] {
            assert!(!selection.has(id), "{id}");
        }
    }
}
