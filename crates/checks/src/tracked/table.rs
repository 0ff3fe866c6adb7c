//! The tables of nodes, and what they track to Services.

use std::collections::BTreeMap;

use observation::{NodeEvidence, TrackedFlow, TrackedNode};
use report::{Observed, Table};

use super::scene::Scene;
use crate::node::rise::tracked as rose;
use crate::view::View;

const NODES: [&str; 7] = [
    "node",
    "tracked",
    "maximum",
    "dropped",
    "insert failed",
    "close wait",
    "memory when full",
];
const FLOWS: [&str; 7] = [
    "node", "service", "protocol", "endpoint", "state", "entries", "clients",
];
/// So many clients of an endpoint are named.
const MOST_CLIENTS: usize = 3;

/// A row for each node, and one for each endpoint that connections lead to; none where they were not asked about.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(Ok(scene)) = Scene::of(view) else {
        return Vec::new();
    };
    let mut nodes = Table::new("nodes", &NODES);
    let mut flows = Table::new("connections to Services", &FLOWS);
    for (node, seen) in &scene.tracked.nodes {
        let evidence = view.observation.node_evidence.get(node).and_then(Observed::seen);
        nodes.rows.push(of_node(node, evidence, seen.seen()));
        if let Observed::Seen(seen) = seen {
            flows.rows.extend(of_flows(&scene, node, seen));
        }
    }
    vec![nodes, flows]
}

fn of_node(node: &str, evidence: Option<&NodeEvidence>, seen: Option<&TrackedNode>) -> Vec<Option<String>> {
    let table = evidence.and_then(|evidence| evidence.before.conntrack.seen());
    let meanwhile = |name: &str| {
        let rose = rose(node, evidence?, name);
        rose.seen().map(u64::to_string)
    };
    let waiting = evidence.and_then(|evidence| {
        let connections = evidence.before.kernel.connections.seen()?;
        let count = connections.by_state.get("tcp CLOSE_WAIT").copied().unwrap_or(0);
        // What a count left out may be in any state.
        (!connections.more).then(|| count.to_string())
    });
    let memory = table
        .zip(seen.and_then(|seen| seen.memory_kib.seen()))
        .map(|(table, memory)| {
            let most = table.max.saturating_mul(super::ep_ct::ENTRY_BYTES) / (1024 * 1024);
            format!("{most} of {} MiB", memory / 1024)
        });
    vec![
        Some(node.to_owned()),
        table.map(|table| {
            format!(
                "{} ({} %)",
                table.count,
                table.count.saturating_mul(100) / table.max.max(1)
            )
        }),
        table.map(|table| table.max.to_string()),
        meanwhile("drop"),
        meanwhile("insert_failed"),
        waiting,
        memory,
    ]
}

fn of_flows(scene: &Scene<'_>, node: &str, seen: &TrackedNode) -> Vec<Vec<Option<String>>> {
    let last = seen.second.as_ref().unwrap_or(&seen.first);
    let mut groups: BTreeMap<(String, &str, String, &str), Vec<&TrackedFlow>> = BTreeMap::new();
    for flow in last.flows.seen().into_iter().flatten() {
        let Some(of) = scene.meant(flow) else { continue };
        let endpoint = if flow.reply_source == flow.destination {
            "none: not translated".to_owned()
        } else if scene.endpoints(of).contains(&flow.reply_source) {
            flow.reply_source.to_string()
        } else {
            format!("{} (gone)", flow.reply_source)
        };
        let state = match (&flow.state, flow.replied, flow.assured) {
            (Some(state), _, _) => state.as_str(),
            (None, false, _) => "unanswered",
            (None, true, false) => "answered",
            (None, true, true) => "to and fro",
        };
        let key = (of.name(), flow.protocol.as_str(), endpoint, state);
        groups.entry(key).or_default().push(flow);
    }
    let row =
        |((service, protocol, endpoint, state), flows): ((String, &str, String, &str), Vec<&TrackedFlow>)| {
            let mut clients: Vec<String> = flows
                .iter()
                .take(MOST_CLIENTS)
                .map(|flow| flow.source.to_string())
                .collect();
            if flows.len() > MOST_CLIENTS {
                clients.push("…".to_owned());
            }
            let cells = [
                node.to_owned(),
                service,
                protocol.to_owned(),
                endpoint,
                state.to_owned(),
                flows.len().to_string(),
                clients.join(","),
            ];
            cells.into_iter().map(Some).collect()
        };
    groups.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;

    #[test]
    fn each_endpoint_has_a_row_and_who_is_gone_is_marked() {
        let observation = Fixture::healthy()
            .udp("node1", "10.244.1.5:4000", "10.244.9.9:53", 118)
            .observe();
        let tables = tables(&View::new(&observation));
        let rows: Vec<Vec<&str>> = tables[1]
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.as_deref().unwrap_or("?")).collect())
            .collect();
        assert!(
            rows.contains(&vec![
                "node1",
                "kube-system/kube-dns:dns",
                "udp",
                "10.244.9.9:53 (gone)",
                "to and fro",
                "1",
                "10.244.1.5:4000"
            ]),
            "{rows:?}"
        );
        assert_eq!(tables[0].rows.len(), 3);
    }
}
