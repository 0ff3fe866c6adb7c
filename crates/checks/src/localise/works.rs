//! What still works, and which causes that excludes.

use report::{Protocol, Scope, Severity};

use super::direction::back_works;
use super::{Fault, sentence};
use crate::view::{Key, View};

pub(super) fn still_works(view: &View<'_>, fault: &Fault) -> Vec<String> {
    let mut works = Vec::new();
    if fault.severity == Severity::Error {
        works.extend(other_family(view, fault));
        works.extend(other_protocols(view, fault));
    }
    works.extend(elsewhere(view, fault));
    works
}

/// Whether the same that fails was seen to work on some such pairs, and on all of them that were seen.
fn same_works(view: &View<'_>, fault: &Fault, holds: impl Fn(&Key<'_>) -> bool) -> bool {
    let mut seen = false;
    for (key, entry) in &view.entries {
        let in_question = fault.protocols.contains(&key.protocol) && fault.families.contains(&key.family);
        if in_question && key.protocol != Protocol::Icmp && holds(key) {
            if !entry.state.is_ok() {
                return false;
            }
            seen = true;
        }
    }
    seen
}

fn other_family(view: &View<'_>, fault: &Fault) -> Option<String> {
    let others: Vec<_> = view
        .families()
        .into_iter()
        .filter(|family| !fault.families.contains(family))
        .collect();
    let mut seen = false;
    for (key, entry) in &view.entries {
        let inside = fault
            .pairs
            .contains(&(key.source.to_owned(), key.target.to_owned()));
        if inside && others.contains(&key.family) && fault.protocols.contains(&key.protocol) {
            if !entry.state.is_ok() {
                return None;
            }
            seen = true;
        }
    }
    let name = others.first()?;
    seen.then(|| format!("{name} between the same pods: nodes, links and pods are up"))
}

fn other_protocols(view: &View<'_>, fault: &Fault) -> Option<String> {
    let passes = |protocol: Protocol| {
        let mut states = view.entries.iter().filter(|(key, _)| {
            key.protocol == protocol
                && fault.families.contains(&key.family)
                && fault
                    .pairs
                    .contains(&(key.source.to_owned(), key.target.to_owned()))
        });
        !fault.protocols.contains(&protocol)
            && states.clone().next().is_some()
            && states.all(|(_, entry)| entry.state.is_ok())
    };
    let has = |protocol| fault.protocols.contains(&protocol);
    let carrying = [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .filter(|protocol| passes(*protocol))
        .collect();
    let names = sentence::protocols(&carrying);
    if !has(Protocol::Tcp) && !has(Protocol::Udp) {
        return match (has(Protocol::Bulk), names.is_empty()) {
            (_, true) => None,
            (true, false) => Some(format!(
                "small packets over {names} on the same pairs: routes, neighbours and rules are right, it goes by size"
            )),
            (false, false) => Some(format!(
                "{names} on the same pairs: ICMP is filtered, which is no fault"
            )),
        };
    }
    if !names.is_empty() {
        return Some(format!(
            "{names} on the same pairs: routes, neighbours and tunnels are right, it goes by protocol (a rule or a policy)"
        ));
    }
    passes(Protocol::Icmp).then(|| {
        "ICMP echo on the same pairs: packets find their way there and back, a rule or a policy drops the rest".to_owned()
    })
}

fn elsewhere(view: &View<'_>, fault: &Fault) -> Vec<String> {
    let same_node = |node: &str| same_works(view, fault, |key| key.source == node && key.target == node);
    let between = |without: &[&str]| {
        same_works(view, fault, |key| {
            key.source != key.target && !without.contains(&key.source) && !without.contains(&key.target)
        })
    };
    let others_with = |node: &str, except: &str| {
        same_works(view, fault, |key| {
            key.source != key.target
                && (key.source == node || key.target == node)
                && key.source != except
                && key.target != except
        })
    };
    let mut works = Vec::new();
    match &fault.scope {
        Scope::CrossNode | Scope::Zones { .. } => {
            if same_works(view, fault, |key| key.source == key.target) {
                works.push(
                    "pods of the same node with each other: pods and their local network are up".to_owned(),
                );
            }
        }
        Scope::EverySameNode | Scope::SameNode { .. } => {
            if same_works(view, fault, |key| key.source != key.target) {
                works.push(
                    "pods of different nodes with each other: pods, addresses and routes are right, it lies within the node"
                        .to_owned(),
                );
            }
        }
        Scope::Node { node } | Scope::NodeAndItself { node } => {
            if same_node(node) {
                works.push(format!(
                    "pods of {node} with each other: the node is up, and so is its local pod network"
                ));
            }
            if between(&[node]) {
                works.push(
                    "the other nodes with each other: the network between nodes works as such".to_owned(),
                );
            }
        }
        Scope::Outgoing { .. } | Scope::Incoming { .. } | Scope::OneWay { .. } => {
            works.extend(asymmetric(view, fault));
            if let Scope::OneWay { from, to } = &fault.scope {
                works.extend(ends(from, to, others_with(from, to), others_with(to, from)));
            }
        }
        Scope::Pair { a, b } => {
            works.extend(ends(a, b, others_with(a, b), others_with(b, a)));
            if works.is_empty() && same_node(a) && same_node(b) {
                works.push(
                    "pods of each of the two with each other: pods and their local networks are up"
                        .to_owned(),
                );
            }
        }
        Scope::Everything | Scope::Scattered { .. } => {}
    }
    works
}

/// Answers take the failing way, too: where they arrive, packets do.
fn asymmetric(view: &View<'_>, fault: &Fault) -> Option<String> {
    if fault.severity != Severity::Error || !back_works(view, fault) {
        return None;
    }
    if fault.protocols.iter().all(|protocol| *protocol == Protocol::Bulk) {
        return Some("large packets the other way: only one direction loses them".to_owned());
    }
    Some(
        "what the other side begins, whose answers take this way: packets pass, only new connections are turned away (a \
         rule or a policy), so it is no route, neighbour or tunnel"
            .to_owned(),
    )
}

fn ends(a: &str, b: &str, a_works: bool, b_works: bool) -> Option<String> {
    match (a_works, b_works) {
        (true, true) => Some(format!(
            "{a} and {b} with all others: both nodes are up, it lies between these two"
        )),
        (true, false) => Some(format!("{a} with all others: {a} is up")),
        (false, true) => Some(format!("{b} with all others: {b} is up")),
        (false, false) => None,
    }
}
