use observation::NameClass;
use report::{Evidence, Finding, Gap, GapReason, Severity};

use super::judged;
use super::names::server_name;
use super::place::pod_of;
use super::series::time;
use super::table::Table;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// The same name outside, asked of one DNS pod again and again: from the second time on it has the answer.
pub(crate) static CHECK: Check = Check {
    id: "dns-cache-effect",
    claim: "DNS pods keep answers from outside: the second lookup is quicker than the first",
    needs: &[Need::Lookups],
    judge,
};

/// Upstreams that are quicker than this leave nothing to gain.
const WORTH_IT_US: u64 = 5_000;

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| {
        if table.lookups.pace.is_none() {
            return Judgement::not_asked();
        }
        let compared = compared(table);
        if compared.is_empty() {
            return Judgement {
                gaps: vec![Gap {
                    what: "what the cache of DNS pods does".to_owned(),
                    why: GapReason::Failed,
                    message: "no name outside was answered twice by the same pod".to_owned(),
                    hint: None,
                }],
                ..Judgement::default()
            };
        }
        let slow = compared
            .into_iter()
            .filter(|(_, first, then)| *first >= WORTH_IT_US && *then * 5 > *first);
        Judgement {
            findings: slow
                .map(|(server, first, then)| finding(table, &server, first, then))
                .collect(),
            ..Judgement::default()
        }
    })
}

/// Of each pod the first and the median later answer for a name outside, of whoever asked it first.
fn compared(table: &Table<'_>) -> Vec<(String, u64, u64)> {
    let mut all: Vec<(String, u64, u64)> = Vec::new();
    for row in table.rows.iter().filter(|row| {
        let lookup = row.lookup;
        lookup.measured && lookup.class == NameClass::External && !lookup.is_tcp()
    }) {
        if pod_of(&row.lookup.server).is_none() {
            continue;
        }
        let mut times = row
            .lookup
            .samples
            .iter()
            .filter_map(|sample| sample.outcome.rtt_us());
        let Some(first) = times.next() else { continue };
        let mut later: Vec<u64> = times.collect();
        later.sort_unstable();
        let Some(median) = later.get(later.len() / 2) else {
            continue;
        };
        let server = server_name(&row.lookup.server);
        match all.iter_mut().find(|(known, ..)| *known == server) {
            // The slowest first answer is the one that came from outside.
            Some(known) if first > known.1 => *known = (server, first, *median),
            Some(_) => {}
            None => all.push((server, first, *median)),
        }
    }
    all
}

fn finding(table: &Table<'_>, server: &str, first: u64, then: u64) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        table.service(),
        format!(
            "{server} takes {} for a name outside that it was asked before, and {} the first time",
            time(then),
            time(first)
        ),
        Evidence::probe(
            format!("the first answer took {}, later ones {}", time(first), time(then)),
            format!("dns → {server}"),
        ),
    );
    finding.hint = Some(
        "see whether the Corefile has a cache for the zone: `kubectl get configmap coredns -n kube-system -o yaml`".to_owned(),
    );
    finding
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use super::*;
    use crate::lookups::fixture::{Scene, after, unanswered_series};
    use crate::shown;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.rounds = Some(10);
        scene
    }

    #[test]
    fn a_pod_that_asks_outside_each_time_is_told() {
        let observation =
            scene().observe(|lookup| (lookup.class == NameClass::External).then(|| after(lookup, 40_000)));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Note);
        assert!(findings[0].summary.contains("40ms"), "{}", findings[0].summary);
    }

    #[test]
    fn quick_upstreams_and_answers_that_are_kept_pass() {
        shown::passes(&CHECK, &scene().observe(|_| None));
        let asked = RefCell::new(BTreeSet::new());
        let kept = scene().observe(|lookup| {
            if lookup.class != NameClass::External {
                return None;
            }
            let of = (lookup.address, lookup.source.clone(), lookup.is_tcp());
            let is_first = asked.borrow_mut().insert(of);
            Some(after(lookup, if is_first { 40_000 } else { 300 }))
        });
        shown::passes(&CHECK, &kept);
    }

    #[test]
    fn without_answers_nothing_is_told() {
        shown::cannot_tell(&CHECK, &unanswered_series());
    }
}
