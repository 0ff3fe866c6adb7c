//! Calico's pools and the sessions of its nodes, a row each.

use report::Table;

use super::bgp::sessions;
use super::scene::Scene;
use super::usage::of_pools;
use crate::product::share;
use crate::view::View;

const POOLS: [&str; 8] = [
    "pool",
    "range",
    "block",
    "encapsulation",
    "NAT",
    "for nodes",
    "addresses",
    "blocks",
];
const SESSIONS: [&str; 4] = ["node", "peer", "state", "why"];

/// What a reader looks at before the findings, where Calico was asked about.
pub(crate) fn tables(view: &View<'_>) -> Vec<Table> {
    let Some(cni) = view.observation.cni.as_deref() else {
        return Vec::new();
    };
    let Some(calico) = cni.calico.as_deref() else {
        return Vec::new();
    };
    let scene = Scene::new(view, cni, calico);
    if scene.is_left_over() {
        return Vec::new();
    }
    let all = [pools(&scene), bgp(&scene)];
    all.into_iter().filter(|table| !table.rows.is_empty()).collect()
}

fn pools(scene: &Scene<'_>) -> Table {
    let mut table = Table::new("Calico's pools", &POOLS);
    let are_seen = scene.calico.blocks.seen().is_some();
    for usage in of_pools(scene) {
        let pool = &usage.pool;
        let taken = format!("{} of {}", usage.blocks.len(), pool.blocks());
        let encapsulation = if pool.pool.disabled {
            format!("{}, disabled", pool.encapsulation().name())
        } else {
            pool.encapsulation().name().to_owned()
        };
        table.rows.push(vec![
            Some(pool.pool.name.clone()),
            Some(pool.cidr.to_string()),
            Some(format!("/{}", pool.block_prefix())),
            Some(encapsulation),
            Some(if pool.pool.nat_outgoing { "yes" } else { "no" }.to_owned()),
            Some(
                pool.pool
                    .node_selector
                    .clone()
                    .unwrap_or_else(|| "all()".to_owned()),
            ),
            are_seen.then(|| share(usage.used, pool.size())),
            are_seen.then_some(taken),
        ]);
    }
    table
}

fn bgp(scene: &Scene<'_>) -> Table {
    let mut table = Table::new("BGP sessions", &SESSIONS);
    if scene.without_bgp().is_some() {
        return table;
    }
    for session in sessions(scene).0 {
        let peer = match session.peer_node {
            Some(node) => format!("{node} {}", session.peer),
            None => session.peer.clone(),
        };
        table.rows.push(vec![
            Some(session.node.to_owned()),
            Some(peer),
            Some(session.state),
            Some(if session.info.is_empty() {
                "-".to_owned()
            } else {
                session.info
            }),
        ]);
    }
    table
}
