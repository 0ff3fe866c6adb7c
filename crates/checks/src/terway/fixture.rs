//! A made-up cluster of three nodes with Terway.

use std::collections::BTreeMap;

use observation::{
    Condition, InterfaceCondition, Observation, PodEnis, Terway, TerwayConfig, TerwayInterface, TerwayNode,
};
use report::Observed;

use crate::calico::fixture::agent;
use crate::node_scene::Scene;

pub(crate) fn interface(used: u32) -> TerwayInterface {
    TerwayInterface {
        id: "eni-1".into(),
        status: "InUse".into(),
        vswitch: Some("vsw-1".into()),
        kind: Some("Secondary".into()),
        addresses: used + 2,
        used,
        conditions: BTreeMap::new(),
    }
}

pub(crate) fn healthy() -> Terway {
    let nodes = ["node1", "node2", "node3"];
    let enough = Condition {
        status: "True".into(),
        reason: "SufficientIP".into(),
        message: "node has sufficient IP".into(),
        since: None,
    };
    Terway {
        agents: Observed::Seen(nodes.iter().map(|node| agent("terway-eniip", node)).collect()),
        config: Observed::Seen(Some(TerwayConfig {
            vswitches: BTreeMap::from([("zone-a".into(), vec!["vsw-1".into()])]),
            ..TerwayConfig::default()
        })),
        nodes: Observed::Seen(
            nodes
                .iter()
                .map(|node| TerwayNode {
                    name: (*node).into(),
                    adapters: Some(3),
                    ipv4_per_adapter: Some(10),
                    interfaces: vec![interface(4)],
                    ..TerwayNode::default()
                })
                .collect(),
        ),
        sufficient: Observed::Seen(
            nodes
                .iter()
                .map(|node| ((*node).into(), enough.clone()))
                .collect(),
        ),
        networkings: Observed::Seen(Vec::new()),
        pod_enis: Observed::Seen(PodEnis::default()),
    }
}

pub(crate) fn observe(change: impl FnOnce(&mut Terway)) -> Observation {
    let mut terway = healthy();
    change(&mut terway);
    let mut scene = Scene::healthy(3);
    for node in ["node1", "node2", "node3"] {
        scene = scene.change_object(node, |node| node.zone = Some("zone-a".into()));
    }
    let mut observation = scene.observation();
    let mut cni = crate::product::bare();
    cni.terway = Some(Box::new(terway));
    observation.cni = Some(Box::new(cni));
    observation
}

pub(crate) fn node(terway: &mut Terway) -> &mut TerwayNode {
    match &mut terway.nodes {
        Observed::Seen(nodes) => &mut nodes[1],
        Observed::Unseen(_) => panic!("seen"),
    }
}

/// The vSwitch of the second node has no address left.
pub(crate) fn insufficient(terway: &mut Terway) {
    let condition = InterfaceCondition {
        message: "vsw-1 ip is not enough".into(),
        at: None,
    };
    node(terway).interfaces[0]
        .conditions
        .insert("InsufficientIP".into(), condition);
}

/// As [`insufficient`], and the node has none left either.
pub(crate) fn out_of_addresses(terway: &mut Terway) {
    insufficient(terway);
    if let Observed::Seen(all) = &mut terway.sufficient {
        let condition = all.get_mut("node2").expect("the node has the condition");
        condition.status = "False".into();
        condition.reason = "InsufficientIP".into();
        condition.message = "node has insufficient IP".into();
    }
}
