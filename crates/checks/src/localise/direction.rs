//! In which direction packets are lost.
//!
//! Every probe needs an answer, so one lossy direction fails both cells of a pair, over every protocol. The direction is
//! known only where something says it: data that stalled one way, an error that one end's own side sent, or probes
//! that work when the other end begins.

use std::net::IpAddr;

use netprobe::Outcome;
use report::{Direction, Protocol, Scope};

use super::Fault;
use crate::view::{Entry, Key, View};

pub(super) fn direction(view: &View<'_>, fault: &Fault) -> Option<Direction> {
    let known = |from: Option<&String>, to: Option<&String>, known_by: &str| {
        Some(Direction {
            from: from.cloned(),
            to: to.cloned(),
            known_by: known_by.to_owned(),
        })
    };
    let begun = if fault.protocols.iter().all(|protocol| *protocol == Protocol::Bulk) {
        "data stalls on this way and not on the way back"
    } else {
        "what the other side begins works"
    };
    match &fault.scope {
        Scope::OneWay { from, to } => back_works(view, fault)
            .then(|| known(Some(from), Some(to), begun))
            .flatten(),
        Scope::Outgoing { node } => back_works(view, fault)
            .then(|| known(Some(node), None, begun))
            .flatten(),
        Scope::Incoming { node } => back_works(view, fault)
            .then(|| known(None, Some(node), begun))
            .flatten(),
        Scope::Pair { a, b } => {
            let [there, back] = [
                sender_errors(view, fault, a, Some(b)),
                sender_errors(view, fault, b, Some(a)),
            ];
            match (there, back) {
                (true, false) => known(Some(a), Some(b), &own_error(a)),
                (false, true) => known(Some(b), Some(a), &own_error(b)),
                (true, true) | (false, false) => None,
            }
        }
        Scope::Node { node } => {
            let others: Vec<&String> = fault
                .pairs
                .iter()
                .map(|(from, _)| from)
                .filter(|from| *from != node)
                .collect();
            let outgoing = sender_errors(view, fault, node, None);
            let incoming = others
                .iter()
                .any(|other| sender_errors(view, fault, other, Some(node)));
            match (outgoing, incoming) {
                (true, false) => known(Some(node), None, &own_error(node)),
                (false, true) => known(
                    None,
                    Some(node),
                    "the other nodes themselves say that they have no way there",
                ),
                (true, true) | (false, false) => None,
            }
        }
        Scope::Everything
        | Scope::CrossNode
        | Scope::EverySameNode
        | Scope::Zones { .. }
        | Scope::NodeAndItself { .. }
        | Scope::SameNode { .. }
        | Scope::Scattered { .. } => None,
    }
}

fn own_error(node: &str) -> String {
    format!("{node} itself says that it has no way there; the other side only hears nothing")
}

/// Whether the cells the other way round were seen and all work, or for bulk data are not at fault.
pub(super) fn back_works(view: &View<'_>, fault: &Fault) -> bool {
    let mut seen = false;
    for (source, target) in &fault.pairs {
        for (key, entry) in &view.entries {
            if key.source == target && key.target == source && in_question(fault, key) {
                let bulk_there = key.protocol == Protocol::Bulk && stalls_only_back(entry);
                if !entry.state.is_ok() && !bulk_there {
                    return false;
                }
                seen = true;
            }
        }
    }
    seen
}

fn stalls_only_back(entry: &Entry<'_>) -> bool {
    super::grid::stalled(&entry.cell.samples) == Some(netprobe::Direction::FromTarget)
}

fn in_question(fault: &Fault, key: &Key<'_>) -> bool {
    fault.families.contains(&key.family) && fault.protocols.contains(&key.protocol)
}

/// Whether the side of `from` sent an error for a probe towards `to`, or towards anybody.
fn sender_errors(view: &View<'_>, fault: &Fault, from: &str, to: Option<&String>) -> bool {
    view.entries.iter().any(|(key, entry)| {
        fault.families.contains(&key.family)
            && key.source == from
            && key.target != from
            && to.is_none_or(|to| key.target == to)
            && fault
                .pairs
                .contains(&(key.source.to_owned(), key.target.to_owned()))
            && entry
                .cell
                .samples
                .iter()
                .any(|sample| is_own_error(view, from, &sample.outcome))
    })
}

fn is_own_error(view: &View<'_>, node: &str, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::LocalError { .. } => true,
        Outcome::NetUnreachable { offender, .. } | Outcome::HostUnreachable { offender, .. } => {
            offender.is_none_or(|offender| belongs_to(view, node, offender))
        }
        Outcome::Ok { .. }
        | Outcome::Dns { .. }
        | Outcome::Http { .. }
        | Outcome::Train { .. }
        | Outcome::Size { .. }
        | Outcome::Refused { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Stalled { .. }
        | Outcome::Reset { .. }
        | Outcome::WrongPeer { .. }
        | Outcome::NotPermitted { .. } => false,
    }
}

/// Whether an address is one of the node's own, or of its pods.
fn belongs_to(view: &View<'_>, node: &str, address: IpAddr) -> bool {
    let nodes = view.nodes();
    let Some(node) = nodes.get(node) else { return false };
    node.internal_ips.contains(&address) || node.pod_cidrs.iter().any(|cidr| contains(cidr, address))
}

fn contains(cidr: &str, address: IpAddr) -> bool {
    let Some((network, length)) = cidr.split_once('/') else {
        return false;
    };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else {
        return false;
    };
    let (network, address, width) = match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            (u128::from(network.to_bits()), u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => (network.to_bits(), address.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let Some(host) = u32::checked_sub(width, length) else {
        return false;
    };
    network.checked_shr(host).unwrap_or(0) == address.checked_shr(host).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::contains;

    #[test]
    fn an_address_belongs_to_the_range_that_contains_it() -> Result<(), std::net::AddrParseError> {
        assert!(contains("10.244.2.0/24", "10.244.2.1".parse()?));
        assert!(!contains("10.244.2.0/24", "10.244.3.1".parse()?));
        assert!(contains("fd00:10:244:2::/64", "fd00:10:244:2::1".parse()?));
        assert!(contains("0.0.0.0/0", "192.0.2.1".parse()?));
        assert!(!contains("10.244.2.0/40", "10.244.2.1".parse()?));
        assert!(!contains("nonsense", "10.244.2.1".parse()?));
        Ok(())
    }
}
