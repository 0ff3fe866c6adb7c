//! What people look at before they read: who runs the network, node by node; and for an outage one page.

use observation::{CniPod, Node};
use report::Table;

use super::room::room;
use super::triage::{
    Share, between_nodes, between_pods, controllers, names, networks, not_ready, out_of_addresses,
};
use super::{Cnis, few};
use crate::view::View;

/// The tables of the CNI, where it was asked about.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(Ok(scene)) = Cnis::of(view) else {
        return Vec::new();
    };
    let all = [
        Some(of_controllers(&scene)),
        by_node(view, &scene),
        page(view, &scene),
    ];
    all.into_iter()
        .flatten()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

fn of_controllers(scene: &Cnis<'_>) -> Table {
    let mut table = Table::new(
        "CNI",
        &[
            "CNI",
            "daemonset",
            "namespace",
            "image",
            "desired",
            "updated",
            "ready",
        ],
    );
    for controller in scene.controllers() {
        let image = controller
            .images
            .first()
            .map(|image| image.rsplit('/').next().unwrap_or(image).to_owned());
        table.rows.push(vec![
            Some(controller.product.to_string()),
            Some(controller.name.clone()),
            Some(controller.namespace.clone()),
            image,
            Some(controller.desired.to_string()),
            Some(controller.updated.to_string()),
            Some(controller.ready.to_string()),
        ]);
    }
    table
}

fn by_node(view: &View<'_>, scene: &Cnis<'_>) -> Option<Table> {
    if scene.nodes.is_empty() {
        return None;
    }
    let columns = [
        "node",
        "CNI pod",
        "state",
        "restarts",
        "network",
        "pod range",
        "pods",
        "addresses used",
    ];
    let mut table = Table::new("Nodes", &columns);
    for node in &scene.nodes {
        let pod = scene.pods_on(&node.name).find(|pod| !pod.product.is_meta());
        let are_seen = scene.facts.pods.seen().is_some();
        let cluster_pods = scene.facts.cluster_pods.seen();
        let room = cluster_pods
            .filter(|_| scene.uses_pod_cidrs())
            .and_then(|_| room(view, scene, node));
        let restarts = |pod: &CniPod| pod.containers.iter().map(|it| it.restarts).sum::<u32>();
        table.rows.push(vec![
            Some(node.name.clone()),
            match pod {
                Some(pod) => Some(pod.name.clone()),
                None => are_seen.then(|| "-".to_owned()),
            },
            pod.map(state).or_else(|| are_seen.then(|| "-".to_owned())),
            pod.map(|pod| restarts(pod).to_string()),
            Some(network(scene, node)),
            Some(node.pod_cidrs.join(" "))
                .filter(|text| !text.is_empty())
                .or_else(|| Some("-".to_owned())),
            cluster_pods.map(|_| scene.pods_of(&node.name).count().to_string()),
            room.map(|room| format!("{} of {} ({} %)", room.used(), room.usable, room.share())),
        ]);
    }
    Some(table)
}

fn state(pod: &CniPod) -> String {
    if pod.ready {
        return "ready".to_owned();
    }
    let waiting = pod.containers.iter().find_map(|it| it.waiting.as_ref());
    match waiting.or(pod.refused.as_ref()) {
        Some(waiting) => format!("not ready: {}", waiting.reason),
        None => format!("not ready: {}", pod.phase),
    }
}

fn network(scene: &Cnis<'_>, node: &Node) -> String {
    let unavailable = scene
        .state(&node.name)
        .and_then(|state| state.network_unavailable.as_ref());
    let is_unavailable = unavailable.is_some_and(|it| it.status == "True");
    match &node.ready {
        Some(ready) if ready.status == "Unknown" => "does not report".to_owned(),
        Some(ready) if super::cni_node_cond::is_network(ready) && ready.status != "True" => {
            "not ready".to_owned()
        }
        _ if is_unavailable => "unavailable".to_owned(),
        Some(ready) if ready.status != "True" => format!("ready; node {}", ready.reason),
        _ => "ready".to_owned(),
    }
}

/// The page for the first minutes, worst first. Only where names were looked at too: that is what such a look has and others have not.
fn page(view: &View<'_>, scene: &Cnis<'_>) -> Option<Table> {
    view.observation.dns.as_ref()?;
    let mut rows: Vec<(u8, [String; 3])> = Vec::new();
    let mut add = |what: &str, share: Option<Share>, priority: &str| {
        let (weight, state) = match share {
            None => (1, "?".to_owned()),
            Some(share) if share.is_whole() => (2, format!("well: {share}")),
            Some(share) if share.is_none() => (0, format!("DOWN: {share}")),
            Some(share) => (0, format!("in part: {share}")),
        };
        rows.push((weight, [what.to_owned(), state, priority.to_owned()]));
    };
    let pods = between_pods(view);
    add("CNI pods ready, by node", controllers(scene), "P0");
    add("nodes whose network is ready", Some(networks(scene)), "P0");
    add("DNS pods ready", names(view), "P0");
    add("node to node", between_nodes(view), "P1");
    add(
        "pod to pod, across nodes",
        pods.map(|(across, _)| across).filter(|it| it.all > 0),
        "P1",
    );
    add(
        "pod to pod, within a node",
        pods.map(|(_, within)| within).filter(|it| it.all > 0),
        "P1",
    );
    let full = out_of_addresses(view, scene);
    let addresses = if full.is_empty() {
        (2, "well".to_owned())
    } else {
        (0, format!("OUT: {}", few(&full)))
    };
    rows.push((
        addresses.0,
        ["pod addresses left".to_owned(), addresses.1, "P1".to_owned()],
    ));
    for (reason, pods) in not_ready(scene) {
        rows.push((
            1,
            [
                format!("pods not ready: {reason}"),
                pods.len().to_string(),
                "-".to_owned(),
            ],
        ));
    }
    rows.sort_by_key(|(weight, _)| *weight);
    let mut table = Table::new("Triage", &["what", "state", "priority"]);
    table.rows = rows.into_iter().map(|(_, row)| row.map(Some).into()).collect();
    Some(table)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no};
    use super::*;

    fn rows(fixture: &Fixture, title: &str) -> Vec<Vec<String>> {
        let observation = fixture.observe();
        let tables = tables(&View::new(&observation));
        let table = tables.into_iter().find(|table| table.title == title).unwrap();
        let cells = |row: Vec<Option<String>>| {
            row.into_iter()
                .map(|cell| cell.unwrap_or_else(|| "?".into()))
                .collect()
        };
        table.rows.into_iter().map(cells).collect()
    }

    #[test]
    fn a_row_for_each_node_has_its_pod_its_range_and_what_is_used_of_it() {
        let all = rows(&Fixture::healthy(), "Nodes");
        assert_eq!(
            all[1],
            [
                "node2",
                "kube-flannel-ds-node2",
                "ready",
                "0",
                "ready",
                "10.244.2.0/24",
                "1",
                "1 of 253 (0 %)"
            ]
        );
    }

    #[test]
    fn what_was_not_seen_is_a_question() {
        let fixture = Fixture::healthy().change(|cni| {
            cni.pods = no("pods");
            cni.cluster_pods = no("pods");
        });
        assert_eq!(
            rows(&fixture, "Nodes")[0][1..],
            ["?", "?", "?", "ready", "10.244.1.0/24", "?", "?"]
        );
    }
}
