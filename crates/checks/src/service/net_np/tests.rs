use netprobe::Outcome;
use observation::{Attempt, Purpose, Service, Source, Topic};

use super::CHECK;
use crate::reach::plan_outside;
use crate::shown;
use crate::tries::scene::{Scene, forbidden, reset, silence};

fn scene() -> Scene {
    let mut scene = Scene::new();
    scene.service("web").ports[0].node_port = Some(30080);
    scene
}

/// The same, tried from this machine too.
fn outside(scene: &mut Scene) {
    scene.topics = vec![Topic::External];
    let services: Vec<&Service> = scene.services.iter().collect();
    let (wanted, _) = plan_outside(&services, &scene.slices, &scene.node_objects(), &scene.options);
    scene.more = wanted;
    scene.outside = true;
}

fn from_outside(attempt: &Attempt) -> bool {
    attempt.source == Source::Outside
}

#[test]
fn a_firewall_before_one_node_is_told_from_its_rules() {
    let mut scene = scene();
    outside(&mut scene);
    let observation = scene.observe(|it, _| (from_outside(it) && is_node_port(it, "node2")).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(
        findings[0].summary,
        "the node port 30080 of service/web -n shop does not answer on node2 from outside, though it answers from inside \
         the cluster"
    );
    let rules = scene.observe(|it, _| is_node_port(it, "node2").then(reset));
    let findings = shown::finds(&CHECK, &rules);
    assert!(
        findings[0]
            .summary
            .ends_with("on node2, though its ClusterIP answers"),
        "{findings:#?}"
    );
    shown::passes(&CHECK, &scene.observe(|_, _| None));
}

#[test]
fn a_firewall_before_all_nodes_is_one_finding() {
    let mut scene = scene();
    outside(&mut scene);
    let ports = |it: &Attempt| matches!(it.purpose, Purpose::NodePort { .. });
    let observation = scene.observe(|it, _| (from_outside(it) && ports(it)).then(silence));
    let findings = shown::finds(&CHECK, &observation);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0]
            .summary
            .contains("does not answer on any node from outside")
    );
}

#[test]
fn a_machine_that_reaches_nothing_at_all_could_not_look() {
    let mut scene = scene();
    outside(&mut scene);
    let gaps = shown::cannot_tell(&CHECK, &scene.observe(|it, _| from_outside(it).then(silence)));
    assert!(
        gaps.iter().any(|gap| gap.what == "the cluster from this machine"),
        "{gaps:?}"
    );
}

#[test]
fn a_proxy_that_answers_for_everybody_is_not_taken_for_the_cluster() {
    let mut scene = scene();
    outside(&mut scene);
    let observation = scene.observe(|it, _| {
        from_outside(it).then_some(Outcome::Ok {
            rtt_us: 900,
            peer: None,
        })
    });
    let gaps = shown::cannot_tell(&CHECK, &observation);
    assert!(
        gaps.iter()
            .any(|gap| gap.message.contains("answers for any port")),
        "{gaps:?}"
    );
}

#[test]
fn silence_by_policy_is_right_from_outside_too() {
    let mut scene = scene();
    scene.service("web").external_local = true;
    outside(&mut scene);
    shown::passes(&CHECK, &scene.observe(|_, _| None));
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
fn a_node_on_which_the_ports_of_all_services_refuse_is_one_finding() {
    let mut scene = scene();
    let mut other = scene.service("web").clone();
    other.name = "shop".to_owned();
    other.ports[0].node_port = Some(30081);
    other.cluster_ips = vec![[10, 96, 0, 99].into()];
    let mut slice = scene.slice("web").clone();
    slice.service = Some("shop".to_owned());
    scene.services.push(other);
    scene.slices.push(slice);
    let findings = shown::finds(
        &CHECK,
        &scene.observe(|it, _| is_node_port(it, "node3").then(reset)),
    );
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!(findings[0].subject, report::Subject::node("node3"));
    assert_eq!(
        findings[0].summary,
        "the node port of every Service (2 were tried) refuses connections on node3, though their ClusterIPs answer"
    );
    let one = scene.observe(|it, _| {
        (is_node_port(it, "node3") && it.subject.to_string().contains("service/shop")).then(reset)
    });
    let findings = shown::finds(&CHECK, &one);
    assert!(findings[0].summary.contains("of service/shop"), "{findings:#?}");
}

#[test]
fn a_local_policy_may_refuse_instead_of_dropping() {
    let mut scene = scene();
    scene.service("web").external_local = true;
    let observation = scene.observe(|it, _| (it.expected == observation::Expected::Silence).then(reset));
    shown::passes(&CHECK, &observation);
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
