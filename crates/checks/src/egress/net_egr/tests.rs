use observation::{Attempt, Observation, Purpose, Source, Topic};
use report::Subject;

use super::CHECK;
use crate::egress::net_egr_ip;
use crate::reach::{EgressTarget, dns_service, plan_egress};
use crate::shown;
use crate::tries::scene::{Scene, dns, is_from, silence};

fn scene(hosts: bool) -> Scene {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::Egress];
    scene.hosts = hosts;
    let targets = [
        EgressTarget::Address("198.51.100.80:80".parse().unwrap()),
        EgressTarget::Upstream,
    ];
    scene.more = plan_egress(
        &targets,
        dns_service(&scene.services),
        &scene.slices,
        &scene.options,
    );
    scene
}

fn is_pod_outside(attempt: &Attempt) -> bool {
    attempt.purpose == Purpose::AddressOutside && matches!(attempt.source, Source::Pod { .. })
}

fn without_answers(mut observation: Observation) -> Observation {
    for attempt in &mut observation.reach.as_mut().unwrap().attempts {
        attempt.samples.clear();
    }
    observation
}

#[test]
fn pods_that_reach_what_their_nodes_reach_pass() {
    shown::passes(&CHECK, &scene(true).observe(|_, _| None));
}

#[test]
fn sources_that_did_not_answer_are_unknown() {
    shown::cannot_tell(&CHECK, &without_answers(scene(true).observe(|_, _| None)));
}

#[test]
fn pods_that_do_not_reach_what_their_node_does_are_found_by_node() {
    let observation = scene(true).observe(|it, _| (is_pod_outside(it) && is_from(it, "node2")).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].subject, Subject::node("node2"));
    assert_eq!(
        findings[0].summary,
        "pods of node2 do not reach what lies outside; the node itself does"
    );
    shown::passes(&net_egr_ip::CHECK, &observation);
    let everywhere = scene(true).observe(|it, _| is_pod_outside(it).then(silence));
    assert_eq!(shown::finds(&CHECK, &everywhere)[0].subject, Subject::Cluster);
}

#[test]
fn an_upstream_that_fails_is_told_from_a_dns_that_does_not_answer() {
    let is_name = |it: &Attempt| {
        matches!(
            it.purpose,
            Purpose::NameOutside | Purpose::NameOutsideByPod { .. }
        )
    };
    let upstream = scene(false).observe(|it, _| is_name(it).then(|| dns(2, vec![])));
    let findings = shown::finds(&CHECK, &upstream);
    assert!(
        findings[0].summary.contains("no upstream that answers"),
        "{findings:#?}"
    );
    let rules = scene(false).observe(|it, _| {
        (it.address.ip() == std::net::IpAddr::from([10, 96, 0, 10]) && is_from(it, "node1")).then(silence)
    });
    let findings = shown::finds(&CHECK, &rules);
    assert_eq!(
        findings[0].summary,
        "the DNS Service does not answer from node1, though its pods do"
    );
}

#[test]
fn a_name_that_does_not_exist_outside_is_nobody_s_fault() {
    let observation =
        scene(false).observe(|it, _| (it.purpose == Purpose::NameOutside).then(|| dns(3, vec![])));
    shown::passes(&CHECK, &observation);
}
