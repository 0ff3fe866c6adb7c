use netprobe::{Kind, Outcome};
use observation::{Attempt, Observation, Topic};
use report::Severity;

use super::CHECK;
use crate::reach::{ReachOptions, plan_performance};
use crate::shown;
use crate::tries::scene::{Scene, is_from, silence};

fn seen(outcome: impl Fn(&Attempt, usize) -> Option<Outcome>) -> Observation {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::Performance];
    scene.services.clear();
    scene.slices.clear();
    scene.options = ReachOptions {
        series: u32::MAX,
        ..ReachOptions::default()
    };
    let places = scene.places();
    scene.more = plan_performance(&places, &[], 40, 1 << 20, &scene.options);
    scene.observe(outcome)
}

fn is_way(attempt: &Attempt, from: &str, to: &str) -> bool {
    is_from(attempt, from) && attempt.subject.to_string() == format!("node/{to}")
}

#[test]
fn quick_pairs_that_lose_nothing_pass() {
    let observation = seen(|_, _| None);
    shown::passes(&CHECK, &observation);
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].severity, Severity::Note);
    assert!(
        findings[0]
            .evidence
            .iter()
            .any(|it| it.fact.contains("p99 0.30ms")),
        "{findings:#?}"
    );
}

#[test]
fn sources_that_did_not_answer_are_unknown() {
    let mut observation = seen(|_, _| None);
    for attempt in &mut observation.reach.as_mut().unwrap().attempts {
        attempt.samples.clear();
    }
    shown::cannot_tell(&CHECK, &observation);
}

#[test]
fn loss_is_told_with_its_share() {
    let observation =
        seen(|it, at| (it.kind == Kind::Udp && is_way(it, "node1", "node2") && at % 10 == 0).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(
        findings[0].summary.starts_with("4 of 40 datagrams node1 → node2"),
        "{findings:#?}"
    );
}

#[test]
fn a_pair_that_is_much_slower_than_the_others_is_a_warning() {
    let observation = seen(|it, _| {
        (it.kind == Kind::Tcp && is_way(it, "node3", "node1")).then_some(Outcome::Ok {
            rtt_us: 9_000,
            peer: None,
        })
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].severity, Severity::Warning);
    assert_eq!(
        findings[0].summary,
        "requests node3 → node1 take 9.00ms, where 0.30ms is usual"
    );
}
