//! Terway's nodes, a row each.

use report::Table;

use super::cni_terway::usage;
use crate::product::share;
use crate::view::View;

const COLUMNS: [&str; 6] = ["node", "zone", "type", "interfaces", "vSwitches", "addresses"];

/// What a reader looks at before the findings, where Terway was asked about.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let terway = view
        .observation
        .cni
        .as_deref()
        .and_then(|cni| cni.terway.as_deref());
    let nodes = terway.and_then(|terway| terway.nodes.seen());
    let mut table = Table::new("Terway's nodes", &COLUMNS);
    for node in nodes.into_iter().flatten() {
        table.rows.push(vec![
            Some(node.name.clone()),
            node.zone.clone(),
            node.instance_type.clone(),
            Some(node.interfaces.len().to_string()),
            Some(node.vswitches.join(" ")),
            usage(node).map(|(used, most)| share(used, most)),
        ]);
    }
    if table.rows.is_empty() {
        Vec::new()
    } else {
        vec![table]
    }
}
