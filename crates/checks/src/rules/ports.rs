//! What the rules of nodes make of Services, side by side.

use std::collections::BTreeMap;

use netmodel::rules::{NodeRules, ServicePort, service_ports};

use crate::firewall::{Firewall, restart};
use crate::view::View;

/// So many other nodes must agree before one that differs from them is the one that is wrong.
const AGREEING: usize = 2;
/// So many others are asked at most.
const ASKED: usize = 4;

/// The Service ports of a node, by address, protocol and port.
pub(super) type Ports = BTreeMap<(String, Option<u8>, Option<u16>), ServicePort>;

/// The Service ports of every node whose rules were read.
pub(super) fn of_nodes<'v, 'a>(view: &'v View<'a>) -> Vec<(&'v Firewall<'a>, Ports)> {
    let nodes = view.firewalls.iter();
    nodes.map(|firewall| (firewall, ports(&firewall.rules))).collect()
}

/// Service ports whose endpoints must be the same on every node: without those that serve only what is on the node itself.
pub(super) fn ports(rules: &NodeRules) -> Ports {
    let ports = rules.sets.iter().flat_map(service_ports);
    let shared =
        ports.filter(|port| !port.chain.starts_with("KUBE-SVL-") && !port.chain.starts_with("local-"));
    let keyed = shared.filter_map(|port| Some(((port.address?.to_string(), port.protocol, port.port), port)));
    keyed.collect()
}

/// A node's own Service ports and those of some of its like; `None` where there are too few to say who is wrong. Nodes of one
/// zone are alike: kube-proxy may keep traffic within a zone.
pub(super) fn beside_others<'p, 'v, 'a>(
    firewall: &Firewall<'_>,
    all: &'p [(&'v Firewall<'a>, Ports)],
) -> Option<(&'p Ports, Vec<&'p (&'v Firewall<'a>, Ports)>)> {
    let node = firewall.name();
    let own = all
        .iter()
        .find(|(known, _)| known.name() == node)
        .map(|(_, ports)| ports)?;
    let is_alike = |other: &Firewall<'_>| other.name() != node && other.node.zone == firewall.node.zone;
    let alike: Vec<&(&Firewall<'_>, Ports)> = all
        .iter()
        .filter(|(other, ports)| is_alike(other) && !ports.is_empty())
        .take(ASKED)
        .collect();
    (alike.len() >= AGREEING).then_some((own, alike))
}

/// How kube-proxy of a node comes to write its rules anew.
pub(super) fn rewritten(node: &str) -> String {
    format!(
        "kube-proxy of {node} writes all chains when it starts; see that it can reach the API, then restart it: `{}`",
        restart(node)
    )
}
