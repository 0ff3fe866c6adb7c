use netprobe::{Kind, Outcome};
use observation::{Attempt, Observation, Purpose, Source};
use report::{Severity, Subject};

use super::CHECK;
use crate::shown;
use crate::tries::scene::{reset, silence};
use crate::underlay::scene::{observe, observe_from, unanswered};

fn is_of(attempt: &Attempt, node: &str) -> bool {
    attempt.source.node() == Some(node)
}

fn from_pod(attempt: &Attempt) -> bool {
    matches!(attempt.source, Source::Pod { .. })
}

fn to_gateway(attempt: &Attempt) -> bool {
    matches!(attempt.purpose, Purpose::Gateway { .. })
}

fn within(attempt: &Attempt) -> bool {
    from_pod(attempt) || matches!(attempt.purpose, Purpose::ProbePod { .. })
}

#[test]
fn pods_that_reach_their_node_pass() {
    shown::passes(&CHECK, &observe(3, |_| None));
}

#[test]
fn a_gateway_that_answers_nobody_is_no_matter_while_the_node_is_reached() {
    let observation = observe(3, |it| {
        to_gateway(it).then(|| Outcome::NotPermitted {
            what: "the gateway 169.254.1.1 is link-local".into(),
        })
    });
    shown::passes(&CHECK, &observation);
    shown::passes(&CHECK, &observe(3, |it| to_gateway(it).then(silence)));
}

#[test]
fn a_node_that_drops_what_pods_send_and_their_answers_filters() {
    let observation = observe(3, |it| {
        (is_of(it, "node1") && within(it) && it.kind != Kind::Icmp).then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].severity, &findings[0].subject),
        (Severity::Error, &Subject::node("node1"))
    );
    assert_eq!(
        findings[0].summary,
        "node1 does not answer its own pods, and does not reach them, though they get on from there"
    );
}

#[test]
fn a_node_that_only_refuses_new_connections_of_pods_is_a_warning() {
    let observation = observe(3, |it| {
        (is_of(it, "node1") && from_pod(it) && it.kind != Kind::Icmp).then(silence)
    });
    assert_eq!(shown::finds(&CHECK, &observation)[0].severity, Severity::Warning);
}

#[test]
fn a_kubelet_that_is_closed_to_pods_is_a_note_where_nothing_else_was_tried() {
    let observation = observe_from(
        3,
        |_| false,
        |it| (is_of(it, "node1") && it.address.port() == 10250).then(silence),
    );
    assert_eq!(shown::finds(&CHECK, &observation)[0].severity, Severity::Note);
}

#[test]
fn a_pod_that_reaches_nothing_at_all_has_no_way_out() {
    let observation = observe(3, |it| (is_of(it, "node2") && within(it)).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "pods of node2 reach neither their gateway nor node2 itself"
    );
}

#[test]
fn pods_that_get_on_to_other_nodes_have_a_gateway() {
    let mut observation = observe(3, |it| {
        (is_of(it, "node2") && within(it) && from_pod(it)).then(silence)
    });
    let healthy = include_str!("../../../cases/healthy/observation.json");
    observation.mesh = Observation::from_bundle(healthy).unwrap().mesh;
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "node2 does not answer its own pods, though they get on from there"
    );
}

#[test]
fn a_node_that_does_not_reach_its_pods_is_found_while_they_reach_it() {
    let observation = observe(3, |it| {
        (is_of(it, "node3") && within(it) && !from_pod(it)).then(silence)
    });
    assert_eq!(
        shown::finds(&CHECK, &observation)[0].summary,
        "node3 does not reach its own pods"
    );
}

#[test]
fn a_refusal_is_a_sign() {
    shown::passes(&CHECK, &observe(3, |it| (it.kind != Kind::Icmp).then(reset)));
}

#[test]
fn pods_that_did_not_answer_are_a_gap() {
    shown::cannot_tell(&CHECK, &unanswered(observe(3, |_| None), "node1"));
}
