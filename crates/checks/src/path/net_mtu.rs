use std::collections::BTreeSet;

use netprobe::Kind;
use report::{CellState, Evidence, Finding, Protocol, Severity, Subject};

use super::of_faults;
use crate::check::{Check, Judgement, Need};
use crate::localise::{Fault, deciding_check};
use crate::measured::{self, Size, sizes};
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
    let faults = view
        .faults
        .iter()
        .filter(|fault| deciding_check(fault) == CHECK.id);
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (finding, fault) in judgement.findings.iter_mut().zip(faults) {
        told.extend(with_sizes(view, finding, fault));
    }
    judgement.findings.extend(crawling(view));
    judgement.findings.extend(holes(view, &told));
    judgement.gaps.extend(
        measured::gaps(view, |kind| *kind == Kind::Size)
            .into_iter()
            .flatten(),
    );
    judgement
}

/// Adds the sizes that were found to a fault, and returns the directions that it tells of.
fn with_sizes<'a>(view: &View<'a>, finding: &mut Finding, fault: &Fault) -> Vec<(&'a str, &'a str)> {
    let is_of = |size: &Size<'_>, (from, to): &(String, String)| {
        let ends = (size.source, size.target);
        ends == (from, to) || ends == (to, from)
    };
    let sizes: Vec<Size<'a>> = sizes(view)
        .filter(|size| fault.pairs.iter().any(|pair| is_of(size, pair)))
        .collect();
    let mut narrow: Vec<&Size<'_>> = sizes.iter().filter(|size| size.has_hole()).collect();
    narrow.sort_by_key(|size| size.passes);
    let Some(least) = narrow.first() else {
        return Vec::new();
    };
    let whole = sizes.iter().filter(|size| size.passes == size.sends);
    finding
        .evidence
        .extend(narrow.iter().take(3).map(|size| size.evidence()));
    finding.evidence.extend(whole.take(1).map(Size::evidence));
    finding.hint = Some(format!(
        "find what drops longer packets between these nodes, or set the MTU of pods to {} in the CNI's configuration and \
         create them anew",
        least.passes
    ));
    narrow.iter().map(|size| (size.source, size.target)).collect()
}

/// Sizes that vanish where much data arrives: something keeps TCP below them, and other protocols meet the hole.
fn holes(view: &View<'_>, told: &BTreeSet<(&str, &str)>) -> Option<Finding> {
    let carries = |size: &Size<'_>| {
        let key = Key {
            family: size.family,
            protocol: Protocol::Bulk,
            source: size.source,
            target: size.target,
        };
        view.entries
            .get(&key)
            .is_none_or(|entry| !entry.state.is_failed())
    };
    let silent: Vec<Size<'_>> = sizes(view)
        .filter(|size| size.has_hole() && carries(size) && !told.contains(&(size.source, size.target)))
        .collect();
    let first = silent.iter().min_by_key(|size| size.passes)?;
    let summary = format!(
        "datagrams of more than {} bytes vanish in {}, while TCP keeps below that",
        first.passes,
        if silent.len() == 1 {
            "one direction".to_owned()
        } else {
            format!("{} directions", silent.len())
        }
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::Cluster,
        summary,
        first.evidence(),
    );
    finding.evidence = silent.iter().take(3).map(Size::evidence).collect();
    Some(finding)
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
    use netprobe::Outcome;
    use observation::Observation;

    use super::*;
    use crate::measured::scene::{observe, sized, unanswered};
    use crate::shown;

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
    fn sizes_that_vanish_while_much_data_arrives_are_a_note() {
        let observation = observe(&[Kind::Size], |source, target, _| {
            ((source, target) == ("node1", "node2")).then(|| sized(1350, 1450))
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Note));
        assert_eq!(
            findings[0].evidence[0].fact,
            "packets of up to 1350 bytes arrive, those of 1351 to 1450 vanish"
        );
    }

    #[test]
    fn a_narrow_way_that_says_so_is_no_hole() {
        let told = |_: &str, _: &str, _: &Kind| {
            Some(Outcome::Size {
                rtt_us: 400,
                passes: 1400,
                sends: 1450,
                told: Some(netprobe::TooLong { by: None, mtu: 1400 }),
            })
        };
        shown::passes(&CHECK, &observe(&[Kind::Size], told));
        shown::passes(&CHECK, &observe(&[Kind::Size], |_, _, _| None));
    }

    #[test]
    fn sizes_that_nobody_answered_for_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &unanswered(observe(&[Kind::Size], |_, _, _| None), "node2"),
        );
    }

    #[test]
    fn what_stalls_is_told_with_the_size_that_still_passes() {
        let text = include_str!("../../cases/large-one-way/observation.json");
        let mut observation = Observation::from_bundle(text).unwrap();
        let measured = observe(&[Kind::Size], |source, target, _| {
            ((source, target) == ("node1", "node3")).then(|| sized(1350, 1450))
        });
        observation.measured = measured.measured;
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Error));
        let facts: Vec<&str> = findings[0].evidence.iter().map(|it| it.fact.as_str()).collect();
        assert!(
            facts.contains(&"packets of up to 1350 bytes arrive, those of 1351 to 1450 vanish"),
            "{facts:?}"
        );
        assert!(facts.contains(&"packets of all 1450 bytes arrive"), "{facts:?}");
    }

    #[test]
    fn a_long_way_is_not_a_crawl() {
        let observation = slowed(4_000_000, 200_000);
        assert_eq!(judge(&View::new(&observation)).findings, []);
    }
}
