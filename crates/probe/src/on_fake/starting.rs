//! How pods start, and how it is said that they do not.

use std::time::{Duration, Instant};

use observation::Place;
use report::GapReason;
use serde_json::json;
use testkit::{Admission, Config, Effect, FakeApi, Fault, NodeBehaviour, cluster_of};

use super::{NOT_WAITED, count, failed, options, patient, ready, run, see_nothing_left, target, visit};
use crate::NodeImage;

#[tokio::test]
async fn every_node_gets_a_pod_and_a_twin_with_addresses() {
    let api = FakeApi::start(Config::new(cluster_of(3)).quick());
    let finished = visit(&api, &options(), 3).await;
    for node in ["node-001", "node-002", "node-003"] {
        let pod = ready(&finished.placement.nodes, node);
        assert_eq!(pod.image, "registry.k8s.io/pause:3.10.1");
        assert!(!pod.addresses.is_empty());
        let twin = pod.twin.as_ref().unwrap();
        assert!(
            twin.name.ends_with("-twin") && twin.addresses != pod.addresses,
            "{pod:?}"
        );
    }
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_new_namespace_without_its_service_account_is_waited_for() {
    let mut config = Config::new(cluster_of(3)).quick();
    config.service_account_delay = Duration::from_millis(400);
    let api = FakeApi::start(config);
    let finished = visit(&api, &options(), 3).await;
    assert!(
        finished
            .placement
            .nodes
            .values()
            .all(|place| matches!(place, Place::Ready(_)))
    );
    // Only the first pod finds out.
    assert!(
        count(&api, "create", "/pods") < 6 + 12,
        "{}",
        count(&api, "create", "/pods")
    );
}

#[tokio::test]
async fn one_bad_node_fails_alone_and_at_once() {
    let waiting = |reason: &str, message: &str| NodeBehaviour::Waiting {
        reason: reason.to_owned(),
        message: message.to_owned(),
    };
    for (behaviour, words) in [
        (NodeBehaviour::OutOfCpu, "OutOfcpu"),
        (
            waiting("CreateContainerConfigError", "no user"),
            "CreateContainerConfigError: no user",
        ),
        (NodeBehaviour::image_never_pull(), "ErrImageNeverPull"),
        (NodeBehaviour::create_container_error(), "CreateContainerError"),
    ] {
        let api = FakeApi::start(
            Config::new(cluster_of(2))
                .quick()
                .behaviour("node-002", behaviour),
        );
        let began = Instant::now();
        let finished = visit(&api, &patient(), 2).await;
        ready(&finished.placement.nodes, "node-001");
        let gap = failed(&finished.placement.nodes, "node-002");
        assert!(gap.message.contains(words), "{gap:?}");
        assert_eq!(gap.why, GapReason::NotStarted);
        assert!(gap.hint.is_some());
        assert!(began.elapsed() < NOT_WAITED, "{:?}", began.elapsed());
        see_nothing_left(&api).await;
    }
}

#[tokio::test]
async fn an_image_that_is_gone_is_followed_by_the_next() {
    let api = FakeApi::start(
        Config::new(cluster_of(1))
            .quick()
            .behaviour("node-001", NodeBehaviour::image_never_pull()),
    );
    let finished = visit(&api, &options(), 1).await;
    failed(&finished.placement.nodes, "node-001");
    let tried: Vec<String> = api
        .requests()
        .iter()
        .filter(|request| request.verb == "create" && request.path.ends_with("/pods"))
        .map(|request| {
            let pod: serde_json::Value = serde_json::from_slice(&request.body_bytes).unwrap();
            pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(
        tried.iter().any(|image| image.contains("kube-proxy")),
        "{tried:?}"
    );
}

#[tokio::test]
async fn a_refused_sysctl_is_left_away_and_said() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    api.refuse(Admission::new(
        "pods",
        "violates PodSecurity \"baseline:v1.24\": forbidden sysctls (net.ipv4.ping_group_range)",
    ));
    // The fake refuses all pods: what matters is that the second try has no sysctl.
    visit(&api, &options(), 1).await;
    let with_sysctl = |pod: &serde_json::Value| pod["spec"]["securityContext"]["sysctls"].is_array();
    let pods: Vec<serde_json::Value> = api
        .requests()
        .iter()
        .filter(|request| request.verb == "create" && request.path.ends_with("/pods"))
        .map(|request| serde_json::from_slice(&request.body_bytes).unwrap())
        .collect();
    assert!(
        pods.iter().any(with_sysctl) && !pods.iter().all(with_sysctl),
        "{pods:?}"
    );
}

#[tokio::test]
async fn a_quota_is_named_in_the_servers_words() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    api.refuse(Admission::quota(
        "pods",
        "compute",
        "requests.cpu=25m",
        "requests.cpu=1",
        "requests.cpu=1",
    ));
    let finished = visit(&api, &options(), 1).await;
    let gap = failed(&finished.placement.nodes, "node-001");
    assert!(
        gap.message
            .contains("exceeded quota: compute, requested: requests.cpu=25m"),
        "{gap:?}"
    );
    assert!(
        gap.hint
            .as_deref()
            .unwrap()
            .contains("kubectl describe resourcequota -n netcheck-"),
        "{gap:?}"
    );
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_sandbox_that_cannot_be_made_is_told_in_the_words_of_the_cni() {
    let words =
        "plugin type=\"flannel\" failed (add): open /run/flannel/subnet.env: no such file or directory";
    let behaviour = NodeBehaviour::NoSandbox {
        message: format!("Failed to create pod sandbox: {words}"),
    };
    let api = FakeApi::start(
        Config::new(cluster_of(2))
            .quick()
            .behaviour("node-002", behaviour),
    );
    let finished = visit(&api, &patient(), 2).await;
    let gap = failed(&finished.placement.nodes, "node-002");
    assert!(gap.message.contains(words), "{gap:?}");
    assert!(finished.start_took < NOT_WAITED, "{:?}", finished.start_took);
}

fn lease(node: &str, age: i64) -> serde_json::Value {
    let renewed = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(age);
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": node, "namespace": "kube-node-lease"},
        "spec": {"renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(), "leaseDurationSeconds": 40},
    })
}

#[tokio::test]
async fn a_dead_kubelet_is_known_by_its_lease_long_before_its_node_is_not_ready() {
    let dead = NodeBehaviour::DeadKubelet {
        ready: "True".to_owned(),
    };
    let cluster = cluster_of(2)
        .with(lease("node-001", 3))
        .with(lease("node-002", 34));
    let api = FakeApi::start(Config::new(cluster).quick().behaviour("node-002", dead));
    let finished = visit(&api, &patient(), 2).await;
    let gap = failed(&finished.placement.nodes, "node-002");
    assert!(
        gap.message
            .starts_with("the kubelet of node-002 does not answer: it has not renewed its lease for 3"),
        "{gap:?}"
    );
    assert!(finished.start_took < NOT_WAITED, "{:?}", finished.start_took);
    see_nothing_left(&api).await;
}

#[tokio::test]
async fn a_kubelet_that_only_dawdles_gets_its_time_and_its_lease_is_said() {
    let dead = NodeBehaviour::DeadKubelet {
        ready: "True".to_owned(),
    };
    let api = FakeApi::start(
        Config::new(cluster_of(1).with(lease("node-001", 3)))
            .quick()
            .behaviour("node-001", dead),
    );
    let finished = visit(&api, &options(), 1).await;
    let gap = failed(&finished.placement.nodes, "node-001");
    assert_eq!(gap.why, GapReason::TimedOut { after_ms: 5000 });
    assert!(
        gap.message
            .contains("was not ready after 5 s: the kubelet has not begun, its lease was renewed"),
        "{gap:?}"
    );
}

#[tokio::test]
async fn a_watch_that_is_forbidden_or_breaks_does_not_stop_the_start() {
    let forbidden = FakeApi::start(Config::new(cluster_of(2)).quick());
    forbidden.deny("watch", "pods");
    let finished = visit(&forbidden, &options(), 2).await;
    assert!(
        finished
            .placement
            .nodes
            .values()
            .all(|place| matches!(place, Place::Ready(_))),
        "{finished:?}"
    );

    let broken = FakeApi::start(Config::new(cluster_of(2)).quick());
    broken.inject(Fault::new("watch", "*", Effect::Truncate(10)).times(2));
    let finished = visit(&broken, &options(), 2).await;
    assert!(
        finished
            .placement
            .nodes
            .values()
            .all(|place| matches!(place, Place::Ready(_))),
        "{finished:?}"
    );
}

#[tokio::test]
async fn a_node_that_lists_no_images_lends_one_of_its_running_pods() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let bare = crate::NodeTarget {
        images: vec![],
        ..target("node-001")
    };
    let finished = run(&api, options(), vec![bare.clone()], async |_| ())
        .await
        .unwrap();
    assert_eq!(
        ready(&finished.placement.nodes, "node-001").image,
        "registry.k8s.io/kube-proxy:v1.34.4"
    );

    api.deny("list", "pods");
    let finished = run(&api, options(), vec![bare], async |_| ()).await.unwrap();
    let gap = failed(&finished.placement.nodes, "node-001");
    assert!(
        matches!(&gap.why, GapReason::Forbidden { verb, .. } if verb == "list"),
        "{gap:?}"
    );
    assert!(gap.hint.as_deref().unwrap().contains("--image"));
}

#[tokio::test]
async fn where_no_pod_can_be_had_nothing_is_made() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let mut node = target("node-001");
    node.not_ready = Some("KubeletNotReady: cni plugin not initialized".to_owned());
    node.images = vec![NodeImage {
        names: vec!["<none>:<none>".to_owned()],
        size_bytes: None,
    }];
    let finished = run(&api, options(), vec![node], async |_| ()).await.unwrap();
    failed(&finished.placement.nodes, "node-001");
    assert_eq!(
        api.requests()
            .iter()
            .filter(|request| request.method != "GET")
            .count(),
        0
    );
}
