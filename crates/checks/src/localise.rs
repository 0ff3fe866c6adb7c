//! Where failures lie: the smallest places of the source × target matrix that account for what failed.
//!
//! Each protocol of each family is localised by itself, and equal places are put together again. What was not seen
//! neither supports a place nor contradicts it; one pair that works contradicts every place that contains it.

mod cover;
mod direction;
mod grid;
mod look;
mod place;
mod sentence;
mod works;

use std::collections::{BTreeMap, BTreeSet};

use report::{Family, Protocol, Scope, Severity};

use crate::view::View;
use grid::Grid;
pub(crate) use place::{deciding_check, explained_checks, place};

/// A failure with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) scope: Scope,
    pub(crate) severity: Severity,
    pub(crate) protocols: BTreeSet<Protocol>,
    pub(crate) families: BTreeSet<Family>,
    /// The ordered pairs of nodes in the place that do not work.
    pub(crate) pairs: BTreeSet<(String, String)>,
}

/// Every failure of the mesh, worst and largest first.
pub(crate) fn localise(view: &View<'_>) -> Vec<Fault> {
    let nodes = view.nodes();
    let zones: BTreeMap<&str, &str> = nodes
        .iter()
        .filter_map(|(name, node)| Some((*name, node.zone.as_deref()?)))
        .collect();
    let mut found: BTreeMap<(Scope, Severity, Family), Fault> = BTreeMap::new();
    for family in view.families() {
        for protocol in view.protocols() {
            let grid = Grid::of(view, family, protocol);
            for (failed, grid) in [(true, grid.clone()), (false, grid.flaky())] {
                for (scope, pairs) in cover::cover(&grid, &zones) {
                    let severity = severity(view, protocol, failed);
                    let fault = found
                        .entry((scope.clone(), severity, family))
                        .or_insert_with(|| Fault {
                            scope,
                            severity,
                            protocols: BTreeSet::new(),
                            families: BTreeSet::from([family]),
                            pairs: BTreeSet::new(),
                        });
                    fault.protocols.insert(protocol);
                    fault
                        .pairs
                        .extend(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())));
                }
            }
        }
    }
    let mut faults: Vec<Fault> = found
        .into_values()
        .map(|fault| with_followers(view, fault))
        .collect();
    faults = join_families(faults);
    faults.sort_by_key(|fault| {
        (
            std::cmp::Reverse(fault.severity),
            std::cmp::Reverse(fault.pairs.len()),
        )
    });
    faults
}

/// ICMP alone is filtered in many healthy networks and is no fault while anything else was tried.
fn severity(view: &View<'_>, protocol: Protocol, failed: bool) -> Severity {
    let informational = view.was_planned(Protocol::Tcp) || view.was_planned(Protocol::Udp);
    match (protocol, failed) {
        (Protocol::Icmp, _) if informational => Severity::Note,
        (Protocol::Icmp, _) | (_, false) => Severity::Warning,
        (_, true) => Severity::Error,
    }
}

/// Bulk data and ICMP are not localised where TCP or UDP fails already; they fail along with it.
fn with_followers(view: &View<'_>, mut fault: Fault) -> Fault {
    if fault.severity == Severity::Error {
        for follower in [Protocol::Bulk, Protocol::Icmp] {
            let states = view.entries.iter().filter(|(key, _)| {
                key.protocol == follower
                    && fault.families.contains(&key.family)
                    && fault
                        .pairs
                        .contains(&(key.source.to_owned(), key.target.to_owned()))
            });
            let states: Vec<_> = states.map(|(_, entry)| &entry.state).collect();
            let carries = |protocol| fault.protocols.contains(&protocol);
            let leads = carries(Protocol::Tcp) || (follower == Protocol::Icmp && carries(Protocol::Udp));
            if leads
                && states.iter().any(|state| state.is_failed())
                && !states.iter().any(|state| state.is_ok())
            {
                fault.protocols.insert(follower);
            }
        }
    }
    fault
}

/// The same failure in both families is one.
fn join_families(faults: Vec<Fault>) -> Vec<Fault> {
    let mut joined: Vec<Fault> = Vec::new();
    for fault in faults {
        let same = joined.iter_mut().find(|other| {
            other.scope == fault.scope
                && other.severity == fault.severity
                && other.protocols == fault.protocols
        });
        match same {
            Some(same) => {
                same.families.extend(fault.families);
                same.pairs.extend(fault.pairs);
            }
            None => joined.push(fault),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
