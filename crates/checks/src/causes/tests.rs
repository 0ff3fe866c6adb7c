use report::{Confidence, Report};

use crate::judge::{JudgeOptions, judge};
use crate::node_scene::{Scene, address, link, set, without_forwarding, without_route};
use crate::scene::fixture::Fixture;
use crate::simulation::{Loss, Simulation};

/// What nodes show and what probes met, in one observation.
fn report(scene: &Scene, losses: &[Loss]) -> Report {
    let mut simulation = Simulation::healthy(3);
    simulation.losses = losses.to_vec();
    let mut observation = scene.observation();
    let probed = simulation.observe();
    observation.placement = probed.placement;
    observation.mesh = probed.mesh;
    let options = JudgeOptions {
        command: "diagnose".to_owned(),
        tool: "test".to_owned(),
    };
    judge(&observation, &options)
}

fn ids(report: &Report) -> Vec<&str> {
    report.root_causes.iter().map(|cause| cause.id.as_str()).collect()
}

fn both(one: u8, other: u8) -> [(u8, u8); 2] {
    [(one, other), (other, one)]
}

#[test]
fn a_healthy_cluster_has_no_cause() {
    assert_eq!(ids(&report(&Scene::healthy(3), &[])), Vec::<&str>::new());
}

#[test]
fn the_entry_that_is_missing_explains_the_pair_that_fails() {
    let scene = Scene::healthy(3).change("node1", |reads| without_forwarding(reads, "02:00:00:00:00:02"));
    let report = report(&scene, &[Loss::of(both(1, 2))]);
    assert_eq!(ids(&report), ["cni-fdb"]);
    let cause = &report.root_causes[0];
    assert!(
        matches!(cause.confidence, Confidence::Certain { .. }),
        "{:?}",
        cause.confidence
    );
    assert!(
        cause.explains.contains(&"net-mesh".to_owned()),
        "{:?}",
        cause.explains
    );
    assert!(cause.ruled_out.iter().any(|other| other.cause == "cni-route"));
    assert!(
        report.summary.starts_with("flannel.1 of node1"),
        "{}",
        report.summary
    );
}

#[test]
fn what_a_lower_cause_accounts_for_is_its_consequence() {
    let scene = Scene::healthy(3).change("node1", |reads| {
        address(reads, "cni0", "10.244.2.1", 24);
        without_route(reads, "10.244.2.0/24");
    });
    let report = report(&scene, &[Loss::of(both(1, 2))]);
    assert_eq!(ids(&report), ["cni-bridge"]);
    assert!(report.root_causes[0].explains.contains(&"cni-route".to_owned()));
}

#[test]
fn two_causes_stay_where_each_explains_what_the_other_cannot() {
    let scene = Scene::healthy(3)
        .change("node2", |reads| link(reads, "flannel.1").up = false)
        .change("node3", |reads| without_route(reads, "10.244.1.0/24"));
    let losses = [Loss::of(
        both(1, 2).into_iter().chain(both(2, 3)).chain(both(1, 3)),
    )];
    let report = report(&scene, &losses);
    assert_eq!(ids(&report), ["cni-vxlan-if", "cni-route"]);
}

#[test]
fn what_no_probe_met_is_told_as_likely() {
    let scene = Scene::healthy(3).change("node2", |reads| set(reads, "net.ipv4.ip_forward", "0"));
    let report = report(&scene, &[]);
    assert_eq!(ids(&report), ["net-ipfwd"]);
    assert!(matches!(
        report.root_causes[0].confidence,
        Confidence::Likely { .. }
    ));
}

#[test]
fn a_failure_that_nothing_on_the_nodes_explains_has_no_cause() {
    let report = report(&Scene::healthy(3), &[Loss::of(both(1, 2))]);
    assert_eq!(ids(&report), Vec::<&str>::new());
    assert!(report.findings().iter().any(|finding| finding.id == "net-mesh"));
}

/// A policy of the network of nodes, which has no effect, beside what nodes show.
fn with_a_policy_without_effect(scene: &Scene) -> Report {
    let spec = serde_json::json!({"podSelector": {"matchLabels": {"k8s-app": "kube-proxy"}}});
    let mut observation = scene.observation();
    let fixture = Fixture::shop().everywhere().with("kube-system", "proxy", spec);
    observation.policy = fixture.observe().policy;
    let options = JudgeOptions {
        command: "diagnose".to_owned(),
        tool: "test".to_owned(),
    };
    judge(&observation, &options)
}

#[test]
fn a_policy_that_cannot_be_meant_so_is_told_where_nothing_else_is_wrong() {
    let alone = with_a_policy_without_effect(&Scene::healthy(3));
    assert_eq!(ids(&alone), ["net-pol-hostnet"]);
    assert!(matches!(
        alone.root_causes[0].confidence,
        Confidence::Likely { .. }
    ));
    let broken = Scene::healthy(3).change("node1", |reads| set(reads, "net.ipv4.ip_forward", "0"));
    assert_eq!(ids(&with_a_policy_without_effect(&broken)), ["net-ipfwd"]);
}

/// A tunnel that does not know another node, and a Service whose only endpoint, on that node, refuses so from where packets get there.
fn with_a_service(refused: impl Fn() -> netprobe::Outcome) -> Report {
    let scene = Scene::healthy(3).change("node1", |reads| without_forwarding(reads, "02:00:00:00:00:02"));
    let mut simulation = Simulation::healthy(3);
    simulation.losses = vec![Loss::of(both(1, 2))];
    let mut observation = scene.observation();
    let probed = simulation.observe();
    observation.placement = probed.placement;
    observation.mesh = probed.mesh;
    let tried = crate::tries::scene::Scene::new().observe(|attempt, _| {
        let is_api = attempt.subject.to_string() == "service/api -n shop";
        let is_asked = matches!(
            attempt.purpose,
            observation::Purpose::ClusterIp | observation::Purpose::Endpoint { .. }
        );
        (is_api && is_asked).then(|| match attempt.source.node() {
            Some("node1") => crate::tries::scene::silence(),
            _ => refused(),
        })
    });
    observation.reach = tried.reach;
    let options = JudgeOptions {
        command: "diagnose".to_owned(),
        tool: "test".to_owned(),
    };
    judge(&observation, &options)
}

#[test]
fn a_service_whose_pods_refuse_by_themselves_is_a_cause_of_its_own() {
    let report = with_a_service(crate::tries::scene::reset);
    assert_eq!(ids(&report), ["cni-fdb", "net-svc"]);
    assert_eq!(report.root_causes[1].subject.to_string(), "service/api -n shop");
    assert!(matches!(
        report.root_causes[1].confidence,
        Confidence::Likely { .. }
    ));
}

#[test]
fn a_service_that_only_silence_hides_follows_from_what_is_broken_below() {
    let report = with_a_service(crate::tries::scene::silence);
    assert_eq!(ids(&report), ["cni-fdb"]);
}
