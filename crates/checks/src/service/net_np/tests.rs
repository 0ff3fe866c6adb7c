use observation::{Attempt, Purpose};

use super::CHECK;
use crate::shown;
use crate::tries::scene::{Scene, forbidden, reset, silence};

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.service("web").ports[0].node_port = Some(30080);
    scene
}

fn is_node_port(attempt: &Attempt, of: &str) -> bool {
    matches!(&attempt.purpose, Purpose::NodePort { node } if node == of)
}

#[test]
fn node_ports_that_answer_everywhere_pass() {
    shown::passes(&CHECK, &scene().observe(|_, _| None));
}

#[test]
fn services_that_may_not_be_read_are_unknown() {
    shown::cannot_tell(&CHECK, &forbidden(scene().observe(|_, _| None)));
}

#[test]
fn one_node_whose_port_refuses_is_named() {
    let observation = scene().observe(|it, _| is_node_port(it, "node3").then(reset));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        findings[0].summary,
        "the node port 30080 of service/web -n shop refuses connections on node3, though its ClusterIP answers"
    );
}

#[test]
fn ports_that_are_silent_on_every_node_are_one_finding() {
    let observation = scene().observe(|it, _| matches!(it.purpose, Purpose::NodePort { .. }).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].summary.contains("on any node"), "{findings:#?}");
}

#[test]
fn a_local_policy_silences_nodes_without_endpoint_and_that_is_no_fault() {
    let mut scene = scene();
    scene.service("web").external_local = true;
    shown::passes(&CHECK, &scene.observe(|_, _| None));
}

#[test]
fn where_the_service_itself_fails_its_node_port_is_no_news() {
    let observation = scene().observe(|it, _| {
        let web = it.subject.to_string().contains("web");
        (web && !matches!(it.purpose, Purpose::Name { .. })).then(silence)
    });
    shown::passes(&CHECK, &observation);
}
