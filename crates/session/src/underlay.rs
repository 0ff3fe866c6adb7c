//! Tries what the pod network stands on: nodes among each other, and pods and their own node.

use std::collections::{BTreeMap, BTreeSet};

use crate::tries::{execute_all, given, host_places, pod_places, try_all};
use checks::{ReachOptions, ReachPlan, assemble};
use observation::{Attempt, Node, SourceState, Underlay};
use plugin::Spinner;
use probe::ProbeRun;

/// What a node tries of another is one packet there and one back; a second try takes place only where that failed.
fn options(base: &ReachOptions, ports: (u16, u16)) -> ReachOptions {
    ReachOptions {
        series: 1,
        linger_ms: 0,
        concurrency: 64,
        retries: 16,
        tcp_port: ports.0,
        udp_port: ports.1,
        ..base.clone()
    }
}

/// From each node to the others, without any pod network. `ports` are those of the probes in the nodes' networks.
pub async fn nodes(
    hosts: &ProbeRun,
    nodes: &[Node],
    base: &ReachOptions,
    spinner: &Spinner,
) -> (Vec<SourceState>, Vec<Attempt>) {
    let options = options(base, hosts.ports());
    let places = host_places(hosts.placement(), nodes);
    let wanted = checks::plan_nodes(nodes, &places, &options);
    let plan = assemble(&hosts.placement().run, &places, &wanted, &options);
    try_all(hosts, &plan, spinner).await
}

/// Between each probe pod and its own node, in both directions where a probe runs in the node's network.
pub async fn own(
    pods: &ProbeRun,
    hosts: Option<&ProbeRun>,
    nodes: &[Node],
    base: &ReachOptions,
    spinner: &Spinner,
) -> Underlay {
    let options = options(base, pods.ports());
    let places = pod_places(pods.placement());
    let host_places = hosts
        .map(|hosts| host_places(hosts.placement(), nodes))
        .unwrap_or_default();
    let agents: BTreeSet<String> = host_places
        .iter()
        .filter_map(|place| Some(place.source.node()?.to_owned()))
        .collect();
    let port = hosts.map_or(0, |hosts| hosts.ports().0);
    let wanted = checks::plan_own_nodes(nodes, &places, &agents, port, &options);
    let plan = assemble(&pods.placement().run, &places, &wanted, &options);
    let back = async {
        let Some(hosts) = hosts else {
            return (Vec::new(), Vec::new());
        };
        let wanted = checks::plan_own_pods(&host_places, &places, &options);
        let plan = assemble(&hosts.placement().run, &host_places, &wanted, &options);
        try_all(hosts, &plan, spinner).await
    };
    let (there, back) = tokio::join!(from_pods(pods, &plan, spinner), back);
    let mut underlay = Underlay::default();
    underlay.add(there);
    underlay.add(back);
    underlay
}

/// What the pods try, with the gateways that they turn out to have.
async fn from_pods(pods: &ProbeRun, plan: &ReachPlan, spinner: &Spinner) -> (Vec<SourceState>, Vec<Attempt>) {
    let executed = execute_all(pods, plan, spinner).await;
    let gateways: BTreeMap<_, _> = executed
        .iter()
        .filter_map(|(source, executed)| Some((source.clone(), executed.hello.as_ref()?.gateways.clone())))
        .collect();
    let answers = executed
        .into_iter()
        .map(|(source, executed)| (source, given(executed)));
    let (states, mut attempts) = checks::fold_reach(plan, &answers.collect());
    checks::name_gateways(&mut attempts, &gateways);
    (states, attempts)
}
