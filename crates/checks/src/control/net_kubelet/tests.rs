use observation::{Attempt, Observation, Purpose, Topic};
use report::{Severity, Subject};

use super::CHECK;
use crate::reach::plan_control_plane;
use crate::shown;
use crate::tries::scene::{Scene, is_from, silence};

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.topics = vec![Topic::ControlPlane];
    scene.more = plan_control_plane(
        scene.services.first(),
        &scene.slices,
        &scene.node_objects(),
        &scene.places(),
        &scene.options,
    );
    scene
}

fn is_kubelet(attempt: &Attempt, of: &str) -> bool {
    matches!(&attempt.purpose, Purpose::Kubelet { node } if node == of)
}

fn without_answers(mut observation: Observation) -> Observation {
    for attempt in &mut observation.reach.as_mut().unwrap().attempts {
        attempt.samples.clear();
    }
    observation
}

#[test]
fn a_control_plane_that_is_reached_passes() {
    shown::passes(&CHECK, &scene().observe(|_, _| None));
}

#[test]
fn sources_that_did_not_answer_are_unknown() {
    shown::cannot_tell(&CHECK, &without_answers(scene().observe(|_, _| None)));
}

#[test]
fn pods_of_one_node_that_do_not_reach_the_api_server_are_that_node_s_matter() {
    let observation =
        scene().observe(|it, _| (it.purpose == Purpose::ApiServer && is_from(it, "node2")).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings[0].subject, Subject::node("node2"));
    assert_eq!(
        findings[0].summary,
        "the API server 172.30.0.1:6443 does not answer to pods of node2"
    );
}

#[test]
fn a_kubelet_that_is_closed_to_pods_is_a_note_while_the_api_server_reaches_it() {
    let observation = scene().observe(|it, _| is_kubelet(it, "node3").then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!((findings.len(), findings[0].severity), (1, Severity::Note));
}
