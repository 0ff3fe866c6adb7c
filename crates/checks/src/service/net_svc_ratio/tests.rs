use netprobe::Outcome;
use observation::{Attempt, Purpose};

use super::*;
use crate::shown;
use crate::tries::scene::{Scene, forbidden, is_from, reset, silence};

fn is_endpoint(attempt: &Attempt, pod: &str) -> bool {
    matches!(&attempt.purpose, Purpose::Endpoint { pod: Some(it), .. } if it == pod)
}

#[test]
fn endpoints_that_answer_pass() {
    shown::passes(&CHECK, &Scene::new().observe(|_, _| None));
}

#[test]
fn services_that_may_not_be_read_are_unknown() {
    shown::cannot_tell(&CHECK, &forbidden(Scene::new().observe(|_, _| None)));
}

#[test]
fn one_endpoint_of_two_that_refuses_is_named() {
    let observation = Scene::new().observe(|it, at| {
        let share = it.purpose == Purpose::ClusterIp && it.subject.to_string().contains("web") && at % 2 == 0;
        (is_endpoint(it, "web-1") || share).then(reset)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        findings[0].summary,
        "pod/web-1, which is one of 2 endpoints of service/web -n shop, refuses port 8080"
    );
    assert_eq!(findings[0].subject.to_string(), "pod/web-1 -n shop");
}

#[test]
fn an_endpoint_that_answers_on_its_own_node_only_points_at_policies() {
    let observation =
        Scene::new().observe(|it, _| (is_endpoint(it, "web-2") && !is_from(it, "node2")).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0].summary.ends_with("does not answer from node1, node3"),
        "{findings:#?}"
    );
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("networkpolicies"))
    );
}

#[test]
fn a_refusal_by_somebody_else_is_told_from_an_application() {
    let observation = Scene::new().observe(|it, _| {
        is_endpoint(it, "web-2").then(|| Outcome::Refused {
            offender: Some([172, 30, 0, 12].into()),
            after_us: 400,
        })
    });
    let findings = shown::finds(&CHECK, &observation);
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("172.30.0.12 turns it away"))
    );
}

#[test]
fn tries_that_fail_though_each_endpoint_answers_are_a_warning() {
    let observation = Scene::new().observe(|it, at| {
        (it.purpose == Purpose::ClusterIp && it.subject.to_string().contains("web") && at % 4 == 0)
            .then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].severity, report::Severity::Warning);
    assert!(
        findings[0]
            .summary
            .contains("tries of service/web -n shop by its ClusterIP fail")
    );
}

#[test]
fn a_single_try_that_is_lost_blames_nobody() {
    let lost = std::cell::Cell::new(false);
    let observation = Scene::new().observe(|it, _| {
        let is_it = it.purpose == Purpose::ClusterIp && it.subject.to_string().contains("web");
        (is_it && !lost.replace(true)).then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    let severities: Vec<report::Severity> = findings.iter().map(|it| it.severity).collect();
    assert_eq!(severities, [report::Severity::Note]);
}

#[test]
fn the_share_of_an_endpoint_that_is_gone_is_told_from_loss() {
    assert!(is_share_of_one(10, 30, 2));
    assert!(is_share_of_one(5, 30, 2));
    assert!(!is_share_of_one(2, 30, 2));
    assert!(!is_share_of_one(1, 30, 30));
    assert!(is_share_of_one(2, 30, 20));
}
