use netprobe::{Kind, Outcome};
use observation::{Attempt, Expected, Observation, Purpose};
use report::{Gap, GapReason, Observed, Severity, Subject};

use super::CHECK;
use crate::shown;
use crate::tries::scene::{reset, silence};
use crate::underlay::scene::{observe, observe_from, unanswered};

fn to(attempt: &Attempt, node: &str) -> bool {
    matches!(&attempt.purpose, Purpose::Node { node: of } if of == node)
}

fn unresolved() -> Outcome {
    Outcome::HostUnreachable {
        offender: None,
        code: None,
        after_us: 3_060_000,
    }
}

/// A node whose uplink is down: nobody reaches it, and no probe runs there.
fn down(node: &str) -> Observation {
    let mut observation = observe_from(3, |it| it != node, |it| to(it, node).then(unresolved));
    let gap = Gap {
        what: format!("probe pod on {node}"),
        why: GapReason::NotStarted,
        message: "it did not become ready in 20s".into(),
        hint: None,
    };
    observation
        .node_evidence
        .insert(node.into(), Observed::Unseen(gap));
    observation
}

#[test]
fn nodes_that_reach_each_other_pass() {
    shown::passes(&CHECK, &observe(3, |_| None));
    // A kubelet that listens elsewhere refuses, and a filter that drops pings is no matter.
    let odd = observe(3, |it| match it.kind {
        Kind::Icmp => Some(silence()),
        Kind::Connect { .. } => Some(reset()),
        _ => None,
    });
    shown::passes(&CHECK, &odd);
}

#[test]
fn one_open_port_is_enough() {
    let observation = observe(3, |it| {
        (it.expected == Expected::Sign && it.address.port() != 10250).then(silence)
    });
    shown::passes(&CHECK, &observation);
}

#[test]
fn a_node_that_nobody_reaches_is_named_with_what_its_neighbours_say() {
    let findings = shown::finds(&CHECK, &down("node2"));
    assert_eq!(findings.len(), 1);
    let finding = &findings[0];
    assert_eq!(
        (finding.severity, &finding.subject),
        (Severity::Error, &Subject::node("node2"))
    );
    assert_eq!(
        finding.summary,
        "no other node reaches node2, even without the pod network"
    );
    let facts: Vec<&str> = finding.evidence.iter().map(|it| it.fact.as_str()).collect();
    assert_eq!(
        facts,
        [
            "no route to host, says the source's own kernel after 3.0s",
            "no route to host, says the source's own kernel after 3.0s",
            "answers"
        ]
    );
}

#[test]
fn in_a_cluster_of_two_a_node_that_cannot_be_read_is_the_one() {
    let mut observation = down("node2");
    if let Some(underlay) = &mut observation.underlay {
        underlay
            .attempts
            .retain(|it| it.source.node() != Some("node3") && !to(it, "node3"));
    }
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].subject, Subject::node("node2"));
}

#[test]
fn a_pair_that_is_silent_is_a_pair() {
    let observation = observe(3, |it| {
        let from = it.source.node()?;
        (from == "node1" && to(it, "node3") || from == "node3" && to(it, "node1")).then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "node1 and node3 do not reach each other, even without the pod network"
    );
    assert_eq!(findings.len(), 1);
}

#[test]
fn a_node_that_hears_nobody_is_the_node_and_not_its_pairs() {
    let observation = observe(3, |it| {
        let from = it.source.node()?;
        (from == "node2" && !to(it, "node2")).then(silence)
    });
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        (findings.len(), &findings[0].subject),
        (1, &Subject::node("node2"))
    );
}

#[test]
fn a_ping_that_is_answered_makes_it_a_filter() {
    let observation = observe(3, |it| (it.kind != Kind::Icmp && to(it, "node2")).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(
        findings[0].summary,
        "node2 answers other nodes' pings, and nothing else that they send"
    );
    assert_eq!(findings[0].severity, Severity::Warning);
}

#[test]
fn nodes_that_are_shielded_while_their_pods_talk_are_a_note() {
    let mut observation = observe(3, |it| (it.expected == Expected::Sign).then(silence));
    let healthy = include_str!("../../../cases/healthy/observation.json");
    observation.mesh = Observation::from_bundle(healthy).unwrap().mesh;
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Note));
    assert_eq!(findings[0].subject, Subject::Cluster);
}

#[test]
fn a_node_that_did_not_answer_is_a_gap() {
    shown::cannot_tell(&CHECK, &unanswered(observe(3, |_| None), "node1"));
}
