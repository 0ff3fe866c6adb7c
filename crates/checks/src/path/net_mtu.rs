use report::{CellState, Evidence, Finding, Protocol, Severity, Subject};

use super::of_faults;
use crate::check::{Check, Judgement, Need};
use crate::view::{Entry, Key, View};

/// Much data stalls where small requests pass: packets above some size vanish in silence.
pub(crate) static CHECK: Check = Check {
    id: "net-mtu",
    claim: "large packets pass in both directions between pods of every probed pair",
    needs: &[Need::Mesh],
    judge,
};

/// A transfer crawls when it takes longer than this and more than [`CRAWLING_ROUND_TRIPS`] small requests of the same
/// pair. A window that opens as it should needs about ten round trips for each direction.
const CRAWLING_US: u64 = 2_000_000;
/// See [`CRAWLING_US`].
const CRAWLING_ROUND_TRIPS: u64 = 50;

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = of_faults(view, CHECK.id, &[Protocol::Bulk]);
    judgement.findings.extend(crawling(view));
    judgement
}

/// Data that arrives, but only after most packets were sent again and again: some large ones are lost, not all.
fn crawling(view: &View<'_>) -> Option<Finding> {
    let mut slow: Vec<(u64, &Key<'_>, &Entry<'_>)> = view
        .entries
        .iter()
        .filter(|(key, _)| key.protocol == Protocol::Bulk)
        .filter_map(|(key, entry)| Some((crawls(view, key, entry)?, key, entry)))
        .collect();
    slow.sort_by_key(|(took, ..)| std::cmp::Reverse(*took));
    let (took, key, entry) = slow.first()?;
    let subject = |slow: &[(u64, &Key<'_>, &Entry<'_>)]| {
        let common = |node: &str| {
            slow.iter()
                .all(|(_, key, _)| key.source == node || key.target == node)
        };
        let node = [key.source, key.target].into_iter().find(|node| common(node));
        match (slow, node) {
            ([_], _) => Subject::NodePair {
                from: key.source.to_owned(),
                to: key.target.to_owned(),
                both: false,
            },
            (_, Some(node)) => Subject::node(node),
            (_, None) => Subject::Cluster,
        }
    };
    let summary = match slow.len() {
        1 => format!("much data crawls from {} to {} and back", key.source, key.target),
        pairs => format!("much data crawls between {pairs} pairs"),
    };
    let seconds = |us: u64| format!("{}.{}s", us / 1_000_000, us % 1_000_000 / 100_000);
    let fact = format!(
        "{} → {}, {}: the transfer took {}, and small requests are quick",
        key.source,
        key.target,
        entry.cell.address,
        seconds(*took)
    );
    let probe = format!("large {} → {}", key.source, key.target);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        subject(&slow),
        summary,
        Evidence::probe(fact, probe),
    );
    finding.hint = Some(
        "some large packets are lost: look for rules that match a length, for MTUs that differ, and for drops in `ip -s \
         link` of the tunnel on both nodes"
            .to_owned(),
    );
    Some(finding)
}

/// How long the transfer took, in microseconds, if it crawled.
fn crawls(view: &View<'_>, key: &Key<'_>, entry: &Entry<'_>) -> Option<u64> {
    let CellState::Ok { median_us: took, .. } = entry.state else {
        return None;
    };
    let small = view.entries.get(&Key {
        protocol: Protocol::Tcp,
        ..*key
    })?;
    let CellState::Ok {
        median_us: round_trip,
        ..
    } = small.state
    else {
        return None;
    };
    (took > CRAWLING_US && took > round_trip.saturating_mul(CRAWLING_ROUND_TRIPS)).then_some(took)
}

#[cfg(test)]
mod tests {
    use netprobe::{Kind, Outcome};
    use observation::Observation;

    use super::*;

    /// The recorded run of a healthy pair, with the transfers between two nodes slowed down.
    fn slowed(to_us: u64, small_us: u64) -> Observation {
        let text = include_str!("../../cases/healthy/observation.json");
        let mut observation = Observation::from_bundle(text).unwrap();
        for cell in &mut observation.mesh.as_mut().unwrap().cells {
            let between = (cell.source.as_str(), cell.target.as_str());
            if !matches!(between, ("node1", "node2") | ("node2", "node1")) {
                continue;
            }
            for sample in &mut cell.samples {
                if let Outcome::Ok { rtt_us, .. } = &mut sample.outcome {
                    *rtt_us = if matches!(cell.kind, Kind::Bulk { .. }) {
                        to_us
                    } else {
                        small_us
                    };
                }
            }
        }
        observation
    }

    #[test]
    fn a_transfer_that_crawls_is_a_warning() {
        let observation = slowed(12_000_000, 2_000);
        let judgement = judge(&View::new(&observation));
        let [finding] = judgement.findings.as_slice() else {
            panic!("{:?}", judgement.findings)
        };
        assert_eq!(finding.severity, Severity::Warning);
        assert_eq!(finding.summary, "much data crawls between 2 pairs");
    }

    #[test]
    fn a_long_way_is_not_a_crawl() {
        let observation = slowed(4_000_000, 200_000);
        assert_eq!(judge(&View::new(&observation)).findings, []);
    }
}
