use std::collections::BTreeMap;

use observation::LookupServer;
use report::{Evidence, Finding, Gap, GapReason, Severity, Subject};

use super::judged;
use super::names::server_name;
use super::place::pod_of;
use super::series::{Figures, floor, series, time, together};
use super::table::{Table, is_of_cluster, is_own};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// How long answers to names of the cluster take, of each server by itself.
pub(crate) static CHECK: Check = Check {
    id: "dns-lat",
    claim: "names of the cluster are answered within 100 ms",
    needs: &[Need::Lookups],
    judge,
};

/// Of fewer answers no percentile is told.
const LEAST: usize = 10;
const SLOW_US: u64 = 100_000;
const VERY_SLOW_US: u64 = 1_000_000;

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| {
        if table.lookups.pace.is_none() {
            return Judgement::not_asked();
        }
        let series = series(table);
        let by_server = together(&series, |of| {
            (!of.tcp && is_own(of.server) && is_of_cluster(of.class)).then_some(of.server)
        });
        let mut judgement = Judgement::default();
        for (server, figures) in &by_server {
            if figures.times.len() < LEAST {
                judgement.gaps.push(Gap {
                    what: format!("how long {} takes", server_name(server)),
                    why: GapReason::Failed,
                    message: format!(
                        "{} of {} lookups were answered, and {LEAST} are needed",
                        figures.times.len(),
                        figures.asked
                    ),
                    hint: None,
                });
            }
        }
        // Of a prober that waits for its own CPU all times are too long by as much.
        let own = floor(table)
            .and_then(|own| own.percentile(99))
            .unwrap_or_default();
        if own > SLOW_US {
            judgement.gaps.push(Gap {
                what: "how long answers take".to_owned(),
                why: GapReason::Failed,
                message: format!(
                    "probe pods take up to {} for themselves: their nodes are busy",
                    time(own)
                ),
                hint: Some("measure again when the nodes have CPU to spare".to_owned()),
            });
        }
        judgement.findings = findings(table, &by_server, own);
        judgement
    })
}

fn findings(table: &Table<'_>, by_server: &BTreeMap<&LookupServer, Figures>, own: u64) -> Vec<Finding> {
    let known: Vec<(&LookupServer, &Figures, u64)> = by_server
        .iter()
        .filter(|(_, figures)| figures.times.len() >= LEAST)
        .filter_map(|(server, figures)| Some((*server, figures, figures.percentile(99)?)))
        .collect();
    let limit = SLOW_US.max(own * 2);
    let slow: Vec<_> = known.iter().filter(|(.., p99)| *p99 > limit).collect();
    let pods = slow.iter().filter(|(server, ..)| pod_of(server).is_some());
    let all_pods = known.iter().filter(|(server, ..)| pod_of(server).is_some());
    // One that is slow beside others is its own matter; the Service leads to all of them.
    let single = pods.clone().count() > 0 && pods.clone().count() < all_pods.count();
    let told: Vec<_> = if single {
        pods.collect()
    } else {
        slow.iter().max_by_key(|(.., p99)| *p99).into_iter().collect()
    };
    told.into_iter()
        .map(|(server, figures, p99)| {
            let severity = if *p99 > VERY_SLOW_US {
                Severity::Error
            } else {
                Severity::Warning
            };
            let subject = pod_of(server)
                .filter(|_| single)
                .unwrap_or_else(|| table.service());
            finding(severity, subject, server, figures, *p99)
        })
        .collect()
}

fn finding(
    severity: Severity,
    subject: Subject,
    server: &LookupServer,
    figures: &Figures,
    p99: u64,
) -> Finding {
    let name = server_name(server);
    let at = |percent| figures.percentile(percent).map(time).unwrap_or_default();
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject,
        format!(
            "{name} answers one of a hundred lookups of names of the cluster only after {}",
            time(p99)
        ),
        Evidence::probe(
            format!(
                "of {} lookups, {} were lost; half took up to {}, 95% up to {}, the longest {}",
                figures.asked,
                figures.lost(),
                at(50),
                at(95),
                at(100)
            ),
            format!("dns → {name}"),
        ),
    );
    finding.hint = Some(
        "see whether DNS pods lack CPU; more of them, or a cache on each node, take load away: `kubectl top pods -n kube-system -l k8s-app=kube-dns`"
            .to_owned(),
    );
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, after, is_pod, silence, unanswered_series};
    use crate::shown;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.rounds = Some(20);
        scene
    }

    #[test]
    fn the_pod_that_is_slow_beside_another_is_named() {
        let observation =
            scene().observe(|lookup| is_pod(lookup, "coredns-2").then(|| after(lookup, 300_000)));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.to_string(), "pod/coredns-2 -n kube-system");
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn seconds_everywhere_are_an_error_of_the_service() {
        let observation = scene().observe(|lookup| Some(after(lookup, 1_500_000)));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(findings[0].subject.to_string(), "service/kube-dns -n kube-system");
    }

    #[test]
    fn a_prober_that_is_slow_itself_blames_nobody() {
        let mut observation = scene().observe(|lookup| Some(after(lookup, 300_000)));
        for sample in observation
            .lookups
            .iter_mut()
            .flat_map(|all| &mut all.floor)
            .flat_map(|own| &mut own.samples)
        {
            sample.outcome = netprobe::Outcome::Ok {
                rtt_us: 250_000,
                peer: None,
            };
        }
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn quick_answers_pass_and_too_few_of_them_are_a_gap() {
        shown::passes(&CHECK, &scene().observe(|_| None));
        shown::cannot_tell(&CHECK, &scene().observe(|_| Some(silence())));
        shown::cannot_tell(&CHECK, &unanswered_series());
    }
}
