//! Services that refuse by themselves, beside something below them that is broken.

use netprobe::Outcome;
use observation::{Purpose, Source};
use report::{CellState, Family, Finding, Protocol};

use crate::tries::rows;
use crate::view::{Key, View};

/// Whether what a finding says of a Service has nothing to do with the way to it: every endpoint that was tried refused by its own word,
/// none ever answered, and at least one of them did so over a way on which the probes of the mesh were answered. What is broken below
/// makes silence, or an error of some node between; a reset of the pod itself says that packets came there and back.
pub(super) fn by_itself(view: &View<'_>, finding: &Finding) -> bool {
    if finding.id != "net-svc" {
        return false;
    }
    let Some(reach) = &view.observation.reach else {
        return false;
    };
    let mut is_over_an_open_way = false;
    for row in rows(reach) {
        let Purpose::Endpoint {
            node: Some(target), ..
        } = &row.sample.purpose
        else {
            continue;
        };
        if row.sample.subject != finding.subject {
            continue;
        }
        for (source, cell) in &row.from {
            let samples = &cell.attempt.samples;
            let answered = samples.iter().any(|sample| sample.outcome.is_ok());
            if answered {
                return false;
            }
            let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { offender: None, .. });
            let is_refused = !samples.is_empty() && samples.iter().all(|sample| refused(&sample.outcome));
            if let Source::Pod { node } = source {
                is_over_an_open_way |= is_refused && is_open(view, node, target, cell.attempt.address.ip());
            }
        }
    }
    is_over_an_open_way
}

/// Whether the probe pods of two nodes reach each other.
fn is_open(view: &View<'_>, source: &str, target: &str, address: std::net::IpAddr) -> bool {
    let key = Key {
        family: Family::of(address),
        protocol: Protocol::Tcp,
        source,
        target,
    };
    let entry = view.entries.get(&key);
    entry.is_some_and(|entry| matches!(entry.state, CellState::Ok { .. }))
}
