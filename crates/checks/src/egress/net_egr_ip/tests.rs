use observation::{Observation, Purpose, Topic};
use report::Subject;

use super::CHECK;
use crate::reach::{EgressTarget, plan_egress};
use crate::shown;
use crate::tries::scene::{Scene, is_from, silence};

fn scene(hosts: bool) -> Scene {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::Egress];
    scene.hosts = hosts;
    let target = EgressTarget::Address("198.51.100.80:80".parse().unwrap());
    scene.more = plan_egress(&[target], None, &scene.slices, &scene.options);
    scene
}

fn without_answers(mut observation: Observation) -> Observation {
    for attempt in &mut observation.reach.as_mut().unwrap().attempts {
        attempt.samples.clear();
    }
    observation
}

#[test]
fn an_address_that_answers_passes() {
    shown::passes(&CHECK, &scene(false).observe(|_, _| None));
}

#[test]
fn sources_that_did_not_answer_are_unknown() {
    shown::cannot_tell(&CHECK, &without_answers(scene(false).observe(|_, _| None)));
}

#[test]
fn an_address_that_nobody_reaches_is_told_with_what_was_not_seen() {
    let silent = scene(false).observe(|it, _| (it.purpose == Purpose::AddressOutside).then(silence));
    let findings = shown::finds(&CHECK, &silent);
    assert_eq!(
        findings[0].summary,
        "198.51.100.80:80 does not answer from anywhere in the cluster"
    );
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("was not seen"))
    );
    let with_hosts = scene(true).observe(|it, _| (it.purpose == Purpose::AddressOutside).then(silence));
    let findings = shown::finds(&CHECK, &with_hosts);
    assert!(
        findings[0]
            .hint
            .as_ref()
            .is_some_and(|hint| hint.contains("nodes do not reach it either"))
    );
}

#[test]
fn one_node_without_a_way_out_is_named() {
    let observation = scene(false)
        .observe(|it, _| (it.purpose == Purpose::AddressOutside && is_from(it, "node3")).then(silence));
    assert_eq!(
        shown::finds(&CHECK, &observation)[0].subject,
        Subject::node("node3")
    );
}
