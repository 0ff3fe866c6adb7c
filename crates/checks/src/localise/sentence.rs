//! What fails, in one sentence.

use std::collections::BTreeSet;

use report::{FailureClass, Protocol, Scope, Severity};

use super::Fault;
use crate::view::View;

pub(super) fn sentence(view: &View<'_>, fault: &Fault) -> String {
    let families: Vec<String> = fault.families.iter().map(ToString::to_string).collect();
    let family = if fault.families.len() < view.families().len() {
        format!(" over {}", families.join(" and "))
    } else {
        String::new()
    };
    format!("{}{family} {}", what(view, fault), whence(fault))
}

fn what(view: &View<'_>, fault: &Fault) -> String {
    let protocols = protocols(&fault.protocols);
    if fault.severity == Severity::Warning {
        return format!("some {protocols} probes get lost");
    }
    let has = |protocol| fault.protocols.contains(&protocol);
    let classes = classes(view, fault);
    let all = |class| classes.len() == 1 && classes.contains(&class);
    if !has(Protocol::Tcp) && !has(Protocol::Udp) {
        return if has(Protocol::Bulk) {
            "only small packets get through".to_owned()
        } else {
            "ICMP echo is not answered".to_owned()
        };
    }
    if all(FailureClass::Refused) {
        return format!("{protocols} is refused");
    }
    if all(FailureClass::WrongPeer) {
        return format!("{protocols} reaches the wrong pod");
    }
    let untouched = |protocol| !view.was_planned(protocol) || has(protocol);
    if has(Protocol::Tcp) && has(Protocol::Udp) && untouched(Protocol::Icmp) {
        return "nothing gets through".to_owned();
    }
    let verb = if has(Protocol::Tcp) && has(Protocol::Udp) {
        "do"
    } else {
        "does"
    };
    format!("{protocols} {verb} not get through")
}

/// The protocols as a reader names them. Bulk data goes over TCP and is not named beside it.
pub(super) fn protocols(protocols: &BTreeSet<Protocol>) -> String {
    let tcp = protocols.contains(&Protocol::Tcp);
    let carrying = tcp || protocols.contains(&Protocol::Udp);
    let names: Vec<&str> = protocols
        .iter()
        .filter_map(|protocol| match protocol {
            Protocol::Tcp => Some("TCP"),
            Protocol::Udp => Some("UDP"),
            Protocol::Bulk => (!tcp).then_some("bulk"),
            Protocol::Icmp => (!carrying).then_some("ICMP"),
        })
        .collect();
    names.join(" and ")
}

/// In which ways the carrying protocols fail.
fn classes(view: &View<'_>, fault: &Fault) -> BTreeSet<FailureClass> {
    let entries = view.entries.iter().filter(|(key, _)| {
        matches!(key.protocol, Protocol::Tcp | Protocol::Udp)
            && fault.protocols.contains(&key.protocol)
            && fault.families.contains(&key.family)
            && fault
                .pairs
                .contains(&(key.source.to_owned(), key.target.to_owned()))
    });
    entries
        .filter_map(|(_, entry)| entry.state.failure())
        .map(|failure| failure.class)
        .collect()
}

fn whence(fault: &Fault) -> String {
    match &fault.scope {
        Scope::Everything => "between any pods, not even on the same node".to_owned(),
        Scope::CrossNode => "between pods of different nodes".to_owned(),
        Scope::EverySameNode => "between pods of the same node, on every node".to_owned(),
        Scope::Zones { a, b } => format!("between nodes of zone {a} and of zone {b}"),
        Scope::NodeAndItself { node } => format!("from and to pods of {node}, not even among themselves"),
        Scope::Node { node } => format!("between {node} and the other nodes"),
        Scope::Outgoing { node } => format!("from {node} to the other nodes"),
        Scope::Incoming { node } => format!("from the other nodes to {node}"),
        Scope::Pair { a, b } => format!("between {a} and {b}"),
        Scope::OneWay { from, to } => format!("from {from} to {to}"),
        Scope::SameNode { node } => format!("between pods of {node}"),
        Scope::Scattered { pairs } => format!("on {pairs} pairs that have no node in common"),
    }
}
