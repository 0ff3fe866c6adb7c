//! Cilium's nodes, a row each.

use report::Table;

use super::{Scene, usage};
use crate::product::share;
use crate::view::View;

const COLUMNS: [&str; 5] = ["node", "agent", "ready", "range", "addresses"];

/// What a reader looks at before the findings, where Cilium was asked about.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(cni) = view.observation.cni.as_deref() else {
        return Vec::new();
    };
    let Some(cilium) = cni.cilium.as_deref() else {
        return Vec::new();
    };
    let scene = Scene::new(view, cni, cilium);
    let mut table = Table::new("Cilium's nodes", &COLUMNS);
    let usages = usage::of_nodes(&scene);
    for node in cilium.nodes.seen().into_iter().flatten() {
        let agent = scene.agent_of(&node.name);
        let used = usages.iter().find(|usage| usage.node.name == node.name);
        let range = match node.pool {
            Some(size) if node.pod_cidrs.is_empty() => format!("{size} of the cloud"),
            _ if node.pod_cidrs.is_empty() => "-".to_owned(),
            _ => node.pod_cidrs.join(" "),
        };
        table.rows.push(vec![
            Some(node.name.clone()),
            cilium
                .agents
                .seen()
                .map(|_| agent.map_or("-", |agent| &agent.name).to_owned()),
            agent.map(|agent| if agent.ready { "yes" } else { "no" }.to_owned()),
            Some(range),
            used.map(|usage| share(usage.used, usage.size)),
        ]);
    }
    if table.rows.is_empty() {
        Vec::new()
    } else {
        vec![table]
    }
}
