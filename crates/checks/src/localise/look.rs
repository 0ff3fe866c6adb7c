//! Where to look next: commands that run as printed, most telling first.

use std::net::IpAddr;

use report::{LookNext, Protocol, Scope};

use super::Fault;
use crate::shell::{on_node, word};
use crate::view::View;

pub(super) fn look_next(view: &View<'_>, fault: &Fault) -> Vec<LookNext> {
    let has = |protocol| fault.protocols.contains(&protocol);
    let carrying = has(Protocol::Tcp) || has(Protocol::Udp);
    if !carrying && !has(Protocol::Bulk) {
        return Vec::new();
    }
    if !carrying {
        return sizes(view, fault);
    }
    if has(Protocol::Tcp) != has(Protocol::Udp) {
        return rules(fault);
    }
    match &fault.scope {
        Scope::Node { node } | Scope::NodeAndItself { node } => whole_node(view, fault, node),
        Scope::Pair { a, b } => vec![route(view, fault, a, b), route(view, fault, b, a)],
        Scope::OneWay { .. } | Scope::Outgoing { .. } | Scope::Incoming { .. } => rules(fault),
        Scope::Everything | Scope::CrossNode | Scope::Zones { .. } | Scope::Scattered { .. } => {
            everywhere(fault)
        }
        Scope::EverySameNode | Scope::SameNode { .. } => within_node(fault),
    }
}

fn look(what: impl Into<String>, command: String) -> LookNext {
    LookNext {
        what: what.into(),
        command,
    }
}

/// One node that stands for the place.
fn example(fault: &Fault) -> Option<&String> {
    match &fault.scope {
        Scope::Node { node }
        | Scope::NodeAndItself { node }
        | Scope::Outgoing { node }
        | Scope::Incoming { node }
        | Scope::SameNode { node } => Some(node),
        Scope::OneWay { to, .. } => Some(to),
        Scope::Pair { a, .. } => Some(a),
        Scope::Everything
        | Scope::CrossNode
        | Scope::EverySameNode
        | Scope::Zones { .. }
        | Scope::Scattered { .. } => fault.pairs.first().map(|(source, _)| source),
    }
}

fn whole_node(view: &View<'_>, fault: &Fault, node: &str) -> Vec<LookNext> {
    let peer = fault
        .pairs
        .iter()
        .find_map(|(from, to)| (from == node && to != node).then_some(to));
    let route = peer.and_then(|peer| Some(format!("ip route get {}", address_of(view, fault, node, peer)?)));
    let mut commands: Vec<&str> = route.iter().map(String::as_str).collect();
    commands.extend([
        "ip -br link",
        "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding",
    ]);
    vec![
        look(
            format!("{node}: conditions, addresses, taints, events"),
            format!("kubectl describe node {}", word(node)),
        ),
        pods_of(node),
        look(
            format!("on {node}: the way to the others' pods, links, forwarding"),
            on_node(node, &commands),
        ),
    ]
}

fn pods_of(node: &str) -> LookNext {
    look(
        format!("pods of {node}: are its CNI and kube-proxy running, without restarts?"),
        format!(
            "kubectl get pods -A -o wide --field-selector spec.nodeName={}",
            word(node)
        ),
    )
}

fn route(view: &View<'_>, fault: &Fault, from: &str, to: &str) -> LookNext {
    let route = address_of(view, fault, from, to).map(|address| format!("ip route get {address}"));
    let mut commands: Vec<&str> = route.iter().map(String::as_str).collect();
    commands.push("ip neigh show nud failed");
    look(
        format!("on {from}: the way to pods of {to}, neighbours that do not resolve"),
        on_node(from, &commands),
    )
}

fn address_of(view: &View<'_>, fault: &Fault, from: &str, to: &str) -> Option<IpAddr> {
    let mut entries = view.entries.iter();
    let found = entries
        .find(|(key, _)| key.source == from && key.target == to && fault.families.contains(&key.family));
    found.map(|(_, entry)| entry.cell.address)
}

fn rules(fault: &Fault) -> Vec<LookNext> {
    let mut looks = vec![look(
        "policies, of any namespace",
        "kubectl get networkpolicies -A".to_owned(),
    )];
    let mut nodes: Vec<&String> = example(fault).into_iter().collect();
    if let Scope::OneWay { from, .. } = &fault.scope {
        nodes.push(from);
    }
    looks.extend(nodes.into_iter().map(|node| {
        look(
            format!("on {node}: rules that drop or reject, with their counters"),
            on_node(
                node,
                &[
                    "iptables-save -c | grep -E \"DROP|REJECT\"",
                    "nft list ruleset | grep -E \"drop|reject\"",
                ],
            ),
        )
    }));
    looks
}

fn sizes(view: &View<'_>, fault: &Fault) -> Vec<LookNext> {
    let ends: Vec<(&str, Option<&str>)> = match &fault.scope {
        Scope::Pair { a, b } | Scope::OneWay { from: a, to: b } => vec![(a, Some(b)), (b, Some(a))],
        Scope::Everything
        | Scope::CrossNode
        | Scope::EverySameNode
        | Scope::Zones { .. }
        | Scope::NodeAndItself { .. }
        | Scope::Node { .. }
        | Scope::Outgoing { .. }
        | Scope::Incoming { .. }
        | Scope::SameNode { .. }
        | Scope::Scattered { .. } => example(fault)
            .map(|node| (node.as_str(), None))
            .into_iter()
            .collect(),
    };
    let mtu = |(node, peer): (&str, Option<&str>)| {
        let peer = peer.or_else(|| {
            fault
                .pairs
                .iter()
                .find_map(|(from, to)| (from == node).then_some(to.as_str()))
        });
        let address = peer.and_then(|peer| address_of(view, fault, node, peer));
        let learnt = address.map(|address| format!("ip route get {address}"));
        let commands: Vec<&str> = ["ip -d link show"].into_iter().chain(learnt.as_deref()).collect();
        look(
            format!("on {node}: MTU of uplink, tunnel and bridge, and what it learnt of the path's"),
            on_node(node, &commands),
        )
    };
    ends.into_iter().map(mtu).collect()
}

fn everywhere(fault: &Fault) -> Vec<LookNext> {
    let mut looks = vec![
        look(
            "the CNI's and kube-proxy's DaemonSets: is every pod ready?",
            "kubectl get daemonsets -A".to_owned(),
        ),
        look(
            "addresses of the nodes: right family, right network?",
            "kubectl get nodes -o wide".to_owned(),
        ),
    ];
    looks.extend(example(fault).map(|node| {
        look(
            format!("on {node}: routes to other nodes' pods, tunnels"),
            on_node(node, &["ip route show", "ip -br link"]),
        )
    }));
    looks
}

fn within_node(fault: &Fault) -> Vec<LookNext> {
    let node = example(fault);
    let mut looks: Vec<LookNext> = node.map(|node| pods_of(node)).into_iter().collect();
    looks.extend(node.map(|node| {
        look(
            format!("on {node}: the bridge or the routes that join its pods"),
            on_node(node, &["ip -br address", "ip route show"]),
        )
    }));
    looks.push(look(
        "policies, of any namespace",
        "kubectl get networkpolicies -A".to_owned(),
    ));
    looks
}
