use netprobe::Outcome;
use observation::{Attempt, Purpose};
use report::{Observed, Subject};

use super::CHECK;
use crate::endpoints::fixture::Fixture;
use crate::shown;
use crate::tries::scene::{Scene, forbidden, is_from, reset, silence};

fn is_cluster_ip(attempt: &Attempt) -> bool {
    attempt.purpose == Purpose::ClusterIp
}

fn is_of(attempt: &Attempt, service: &str) -> bool {
    matches!(&attempt.subject, Subject::Object { name, .. } if name == service)
}

fn summaries(observation: &observation::Observation) -> Vec<String> {
    let findings = shown::finds(&CHECK, observation);
    findings.into_iter().map(|finding| finding.summary).collect()
}

#[test]
fn services_that_answer_everywhere_pass() {
    shown::passes(&CHECK, &Scene::new().observe(|_, _| None));
}

#[test]
fn services_that_may_not_be_read_are_unknown() {
    shown::cannot_tell(&CHECK, &forbidden(Scene::new().observe(|_, _| None)));
}

#[test]
fn a_source_without_answers_is_unknown_and_not_well() {
    let mut observation = Scene::new().observe(|_, _| None);
    for attempt in &mut observation.reach.as_mut().unwrap().attempts {
        if is_from(attempt, "node2") {
            attempt.samples.clear();
        }
    }
    shown::cannot_tell(&CHECK, &observation);
}

#[test]
fn a_node_from_which_no_cluster_ip_works_is_the_matter() {
    let observation = Scene::new().observe(|it, _| (is_cluster_ip(it) && is_from(it, "node2")).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].subject, Subject::node("node2"));
    assert!(
        findings[0]
            .summary
            .starts_with("no ClusterIP works from pods of node2")
    );
}

#[test]
fn services_that_were_tried_only_to_compare_with_count_for_a_node() {
    let mut observation =
        Scene::new().observe(|it, _| (is_cluster_ip(it) && is_from(it, "node2")).then(silence));
    observation
        .reach
        .as_mut()
        .unwrap()
        .attempts
        .retain(|it| is_of(it, "web") || !matches!(it.purpose, Purpose::Endpoint { .. }));
    assert_eq!(
        shown::finds(&CHECK, &observation)[0].subject,
        Subject::node("node2")
    );
}

#[test]
fn cluster_ips_that_work_from_nowhere_are_the_cluster_s_matter() {
    let observation = Scene::new().observe(|it, _| is_cluster_ip(it).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].subject, Subject::Cluster);
}

#[test]
fn one_service_that_fails_from_one_node_is_that_service_s_rules() {
    let observation = Scene::new()
        .observe(|it, _| (is_cluster_ip(it) && is_of(it, "web") && is_from(it, "node3")).then(silence));
    assert_eq!(
        summaries(&observation),
        [
            "service/web -n shop does not answer by its ClusterIP from node3, though its endpoints answer there"
        ]
    );
}

#[test]
fn a_service_whose_deployment_is_scaled_to_nothing_has_no_fault() {
    let mut scene = Scene::new();
    scene.slice("web").endpoints.clear();
    let mut observation = scene.observe(|_, _| None);
    assert_eq!(shown::finds(&CHECK, &observation).len(), 1);
    let scaled = Fixture::shop().pods(Vec::clear).with(|backends| {
        if let Observed::Seen(workloads) = &mut backends.workloads {
            workloads[0].wanted = 0;
        }
    });
    observation.backends = scaled.observe().backends;
    shown::passes(&CHECK, &observation);
}

#[test]
fn a_service_without_a_ready_endpoint_is_told_why() {
    let mut scene = Scene::new();
    scene
        .slice("web")
        .endpoints
        .iter_mut()
        .for_each(|endpoint| endpoint.ready = false);
    let findings = shown::finds(&CHECK, &scene.observe(|_, _| None));
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].summary, "service/web -n shop has no ready endpoint");
    assert_eq!(
        findings[0].evidence[0].fact,
        "2 endpoints are listed, and none of them is ready"
    );
    scene.slice("web").endpoints.clear();
    let findings = shown::finds(&CHECK, &scene.observe(|_, _| None));
    assert_eq!(
        findings[0].evidence[0].fact,
        "no pod with an address matches its selector app=web"
    );
}

#[test]
fn a_port_that_no_pod_has_is_told_from_a_service_without_endpoints() {
    let mut scene = Scene::new();
    let mut port = scene.service("web").ports[0].clone();
    (port.name, port.port, port.target_port) = ("metrics".into(), 90, "metrics".into());
    scene.service("web").ports.push(port);
    assert_eq!(
        summaries(&scene.observe(|_, _| None)),
        ["port 90 of service/web -n shop has no ready endpoint, though other ports have"]
    );
}

#[test]
fn an_application_that_does_not_listen_is_told_from_the_network() {
    let observation = Scene::new().observe(|it, _| is_of(it, "web").then(reset));
    assert_eq!(
        summaries(&observation),
        ["nothing listens on port 8080 of any endpoint of service/web -n shop"]
    );
}

#[test]
fn a_rule_that_turns_away_is_told_from_an_application() {
    let rejected = || Outcome::Refused {
        offender: Some([10, 244, 1, 1].into()),
        after_us: 400,
    };
    let observation = Scene::new()
        .observe(|it, _| (is_of(it, "web") && !matches!(it.purpose, Purpose::Name { .. })).then(rejected));
    assert_eq!(
        summaries(&observation),
        [
            "connections to every endpoint of service/web -n shop are turned away by a rule before they reach the pod"
        ]
    );
}

#[test]
fn endpoints_that_are_all_silent_are_told_as_such() {
    let observation = Scene::new()
        .observe(|it, _| (is_of(it, "web") && !matches!(it.purpose, Purpose::Name { .. })).then(silence));
    assert_eq!(
        summaries(&observation),
        ["no endpoint of service/web -n shop can be reached: each does not answer"]
    );
}

#[test]
fn a_reply_that_takes_a_short_cut_within_the_node_is_recognized() {
    let observation = Scene::new()
        .observe(|it, _| (is_cluster_ip(it) && is_of(it, "api") && is_from(it, "node2")).then(silence));
    let summaries = summaries(&observation);
    assert_eq!(summaries.len(), 1);
    assert!(
        summaries[0].contains("from node2, where its endpoint is on the same node"),
        "{summaries:?}"
    );
}

#[test]
fn a_silence_that_the_service_asks_for_is_no_fault() {
    let mut scene = Scene::new();
    scene.service("api").internal_local = true;
    shown::passes(&CHECK, &scene.observe(|_, _| None));
}
