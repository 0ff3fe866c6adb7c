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
        Scope::Pair { a, b } => {
            let routes = [route(view, fault, a, b), route(view, fault, b, a)];
            let mut looks: Vec<LookNext> = routes.into_iter().flatten().collect();
            looks.extend([neighbours(a), neighbours(b)]);
            looks
        }
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
    let mut looks = vec![
        look(
            format!("{node}: conditions, addresses, taints, events"),
            format!("kubectl describe node {}", word(node)),
        ),
        pods_of(node),
    ];
    looks.extend(peer.and_then(|peer| route(view, fault, node, peer)));
    looks.push(look(
        format!("on {node}: whether it forwards at all"),
        on_node(node, "sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding"),
    ));
    looks
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

fn route(view: &View<'_>, fault: &Fault, from: &str, to: &str) -> Option<LookNext> {
    let address = address_of(view, fault, from, to)?;
    Some(look(
        format!("on {from}: which way it sends to pods of {to}"),
        on_node(from, &format!("ip route get {address}")),
    ))
}

fn neighbours(node: &str) -> LookNext {
    look(
        format!("on {node}: neighbours that do not resolve"),
        on_node(node, "ip neigh show nud failed nud incomplete"),
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
    for node in nodes {
        looks.push(look(
            format!("on {node}: rules whose counters rise while it is probed"),
            on_node(node, "iptables-save -c"),
        ));
        looks.push(look(
            format!("on {node}: rules that iptables-save does not show"),
            on_node(node, "nft list ruleset"),
        ));
    }
    looks
}

fn sizes(view: &View<'_>, fault: &Fault) -> Vec<LookNext> {
    let mut looks = Vec::new();
    let mut nodes: Vec<&String> = match &fault.scope {
        Scope::Pair { a, b } => vec![a, b],
        Scope::OneWay { from, to } => vec![from, to],
        _ => example(fault).into_iter().collect(),
    };
    nodes.dedup();
    for node in &nodes {
        looks.push(look(
            format!("on {node}: MTU of uplink, tunnel and bridge; pods need the uplink's less the tunnel's overhead"),
            on_node(node, "ip link show"),
        ));
    }
    let pair = fault.pairs.iter().find(|(from, to)| from != to);
    if let Some((from, to)) = pair
        && let Some(address) = address_of(view, fault, from, to).or_else(|| address_of(view, fault, to, from))
    {
        looks.push(look(
            format!("on {from}: what it has learnt about the path's MTU"),
            on_node(from, &format!("ip route get {address}")),
        ));
    }
    looks
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
            on_node(node, "ip route show"),
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
            on_node(node, "ip address show"),
        )
    }));
    looks.push(look(
        "policies, of any namespace",
        "kubectl get networkpolicies -A".to_owned(),
    ));
    looks
}
