use std::sync::Arc;
use std::time::Duration;

use observation::{ConfigDocument, KubeProxy};
use report::GapReason;

use crate::args::ConnectionArgs;
use crate::cluster::{Cluster, Identity};
use crate::environment::Environment;
use crate::scripted::{Scripted, Step, answer};
use crate::warning::StderrWarnings;

const PODS: &str = r#"{
  "metadata": {"name": "kube-proxy-a", "namespace": "kube-system", "creationTimestamp": "2026-03-01T08:00:00Z"},
  "spec": {"nodeName": "node1", "containers": [
    {"name": "kube-proxy", "image": "registry.k8s.io/kube-proxy:v1.34.4"}]},
  "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [
    {"name": "kube-proxy", "restartCount": 2, "state": {"running": {}},
     "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": "2026-03-01T08:50:00Z"}}}]}
}, {
  "metadata": {"name": "kube-proxy-b", "namespace": "kube-system"},
  "spec": {"containers": [{"name": "kube-proxy", "image": "x"}], "affinity": {"nodeAffinity": {
    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
      {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node2"]}]}]}}}},
  "status": {"phase": "Pending", "conditions": [
    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "1 node had untolerated taint"}]}
}"#;

const CONFIG: &str = r#"{"data": {"config.conf": "mode: iptables\nclusterCIDR: 10.244.0.0/16\n", "kubeconfig.conf": "token: secret"}}"#;

/// A cluster of kubeadm with Cilium's DaemonSet; `changed` answers some paths otherwise.
async fn read(
    changed: impl Fn(&str) -> Option<Vec<Step>> + Send + Sync + 'static,
) -> (KubeProxy, Vec<String>) {
    let items = |items: &str| answer(200, "", &format!(r#"{{"kind": "List", "items": [{items}]}}"#));
    let server = Scripted::start(move |_, head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        if let Some(steps) = changed(path) {
            return steps;
        }
        if path.contains("/log?") {
            return answer(200, "", "I0301 one\nE0301 two\n");
        }
        if path.contains("k8s-app%3Dkube-proxy") {
            return items(PODS);
        }
        if path.contains("/daemonsets") {
            return items(
                r#"{"metadata": {"name": "kube-proxy", "namespace": "kube-system"},
                    "spec": {"template": {"metadata": {"labels": {"k8s-app": "kube-proxy"}}, "spec": {"containers": []}}},
                    "status": {"desiredNumberScheduled": 2, "numberReady": 1}},
                   {"metadata": {"name": "cilium", "namespace": "kube-system"}}"#,
            );
        }
        if path.ends_with("/configmaps/kube-proxy") {
            return answer(200, "", CONFIG);
        }
        if path.ends_with("/configmaps/cilium-config") {
            return answer(200, "", r#"{"data": {"kube-proxy-replacement": "true"}}"#);
        }
        items("")
    });
    let args = ConnectionArgs {
        server: Some(server.url()),
        ..ConnectionArgs::default()
    };
    let identity = Identity::new("test", "0");
    let warnings = Arc::new(StderrWarnings::new());
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap();
    let seen = cluster.kube_proxy(None, "2026-03-01T09:00:00Z".to_owned()).await;
    let heads = server.heads();
    let paths = heads.iter().filter_map(|head| head.split(' ').nth(1));
    (seen, paths.map(str::to_owned).collect())
}

#[tokio::test]
async fn pods_are_read_with_what_they_wait_for_and_how_they_ended() {
    let (seen, paths) = read(|_| None).await;
    let pods = seen.pods.seen().unwrap();
    let [running, waiting] = &pods[..] else {
        panic!("{pods:?}")
    };
    assert!(running.ready && running.restarts == 2);
    assert_eq!(running.ended.as_ref().unwrap().exit_code, 1);
    assert_eq!(running.log.seen().unwrap().lines, ["I0301 one", "E0301 two"]);
    // No node has taken it yet; its DaemonSet says which one is to.
    assert_eq!(waiting.node.as_deref(), Some("node2"));
    assert_eq!(waiting.waiting.as_ref().unwrap().reason, "Unschedulable");
    let log = paths.iter().find(|path| path.contains("/log?")).unwrap();
    assert!(
        log.contains("container=kube-proxy") && log.contains("tailLines="),
        "{log}"
    );
}

#[tokio::test]
async fn the_configuration_is_read_and_the_kubeconfig_beside_it_is_not_kept() {
    let (seen, _) = read(|_| None).await;
    let config = seen.config.seen().unwrap().clone().unwrap();
    let ConfigDocument::Read { value } = &config.document else {
        panic!("{config:?}")
    };
    assert_eq!(value["clusterCIDR"], "10.244.0.0/16");
    assert!(!serde_json::to_string(&seen).unwrap().contains("secret"));
}

#[tokio::test]
async fn what_is_no_yaml_is_said_to_be_none() {
    let (seen, _) = read(|path| {
        path.ends_with("/configmaps/kube-proxy")
            .then(|| answer(200, "", r#"{"data": {"config.conf": "mode: [iptables\n"}}"#))
    })
    .await;
    let config = seen.config.seen().unwrap().clone().unwrap();
    assert!(
        matches!(config.document, ConfigDocument::Broken { .. }),
        "{config:?}"
    );
}

#[tokio::test]
async fn what_replaces_it_is_recognised_by_its_own_configuration() {
    let (seen, _) = read(|_| None).await;
    let found = seen.replacements.seen().unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].is_whole && found[0].name == "Cilium");
    let (seen, _) = read(|path| {
        path.ends_with("/configmaps/cilium-config")
            .then(|| answer(200, "", r#"{"data": {"kube-proxy-replacement": "false"}}"#))
    })
    .await;
    assert_eq!(seen.replacements.seen().unwrap(), &[]);
}

#[tokio::test]
async fn what_is_refused_is_a_gap_and_never_nothing() {
    let (seen, _) = read(|path| {
        let refused = ["/log?", "/configmaps/", "/daemonsets"];
        refused.iter().any(|part| path.contains(part)).then(|| {
            let status =
                r#"{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "not for you"}"#;
            answer(403, "", status)
        })
    })
    .await;
    let gaps = [
        seen.pods.seen().unwrap()[0].log.gap(),
        seen.config.gap(),
        seen.daemon_sets.gap(),
        seen.replacements.gap(),
    ];
    for gap in gaps {
        assert!(matches!(gap.unwrap().why, GapReason::Forbidden { .. }), "{gap:?}");
    }
    let (seen, _) = read(|path| {
        path.contains("/configmaps/kube-proxy").then(|| {
            answer(
                404,
                "",
                r#"{"kind": "Status", "code": 404, "reason": "NotFound", "message": "no"}"#,
            )
        })
    })
    .await;
    assert_eq!(seen.config.seen(), Some(&None));
}

#[tokio::test]
async fn a_log_that_its_kubelet_never_gives_is_a_gap_and_is_not_waited_for() {
    let begin = std::time::Instant::now();
    let (seen, _) = read(|path| {
        path.contains("/log?")
            .then(|| vec![Step::Wait(Duration::from_secs(25))])
    })
    .await;
    let gap = seen.pods.seen().unwrap()[0].log.gap().unwrap();
    assert!(matches!(gap.why, GapReason::TimedOut { .. }), "{gap:?}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}
