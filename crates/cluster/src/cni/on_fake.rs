//! The CNI as it is read from the fake API server.

use std::sync::Arc;

use observation::{Cni, CniProduct, ConfigDocument};
use report::GapReason;
use serde_json::{Value, json};
use testkit::{Config, FakeApi, cluster_of};

use crate::args::ConnectionArgs;
use crate::cluster::{Cluster, Identity};
use crate::environment::Environment;
use crate::warning::StderrWarnings;

fn api(objects: &[Value]) -> FakeApi {
    let mut cluster = cluster_of(2);
    cluster.objects.extend_from_slice(objects);
    FakeApi::start(Config::new(cluster).quick())
}

async fn read(api: &FakeApi) -> Cni {
    let args = ConnectionArgs {
        server: Some(api.url()),
        ..ConnectionArgs::default()
    };
    let warnings = Arc::new(StderrWarnings::new());
    let identity = Identity::new("test", "0");
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap();
    cluster.cni(None, "2026-03-01T09:00:00Z".to_owned()).await
}

fn flannel() -> Vec<Value> {
    let labels = json!({"app": "flannel", "tier": "node"});
    vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-flannel"}}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube-flannel-ds", "namespace": "kube-flannel"},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
                "containers": [{"name": "kube-flannel", "image": "flannel/flannel:v0.27.0"}]}}},
            "status": {"desiredNumberScheduled": 2, "numberReady": 1, "updatedNumberScheduled": 2}}),
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "kube-flannel-ds-a", "namespace": "kube-flannel", "labels": labels},
            "spec": {"nodeName": "node-001", "hostNetwork": true,
                "initContainers": [{"name": "install-cni", "image": "flannel/flannel:v0.27.0"}],
                "containers": [{"name": "kube-flannel", "image": "flannel/flannel:v0.27.0"}]},
            "status": {"phase": "Running", "podIPs": [{"ip": "172.16.0.10"}],
                "conditions": [{"type": "Ready", "status": "False"}],
                "initContainerStatuses": [{"name": "install-cni", "restartCount": 0,
                    "state": {"terminated": {"reason": "Completed", "exitCode": 0}}}],
                "containerStatuses": [{"name": "kube-flannel", "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off\u{1b}[31m"}},
                    "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "finishedAt": "2026-03-01T08:59:00Z"}}}]}}),
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-flannel-cfg", "namespace": "kube-flannel"},
            "data": {"net-conf.json": "{\"Network\": \"10.128.0.0/16\", \"Backend\": {\"Type\": \"vxlan\"}}"}}),
    ]
}

#[tokio::test]
async fn flannel_is_found_with_its_pods_and_its_configuration() {
    let api = api(&flannel());
    let cni = read(&api).await;
    let controllers = cni.controllers.seen().unwrap();
    assert_eq!(controllers.len(), 1, "kube-proxy is none: {controllers:?}");
    assert_eq!(
        (controllers[0].product, controllers[0].ready),
        (CniProduct::Flannel, 1)
    );
    assert_eq!(controllers[0].selector, "app=flannel,tier=node");
    let pods = cni.pods.seen().unwrap();
    assert_eq!(pods[0].node.as_deref(), Some("node-001"));
    let [init, own] = &pods[0].containers[..] else {
        panic!("{pods:?}")
    };
    assert!(init.init && !own.init && own.restarts == 3);
    let waiting = own.waiting.as_ref().unwrap();
    assert!(
        waiting.reason == "CrashLoopBackOff" && !waiting.message.contains('\u{1b}'),
        "{waiting:?}"
    );
    let flannel = cni.flannel.seen().unwrap().as_ref().unwrap();
    let ConfigDocument::Read { value } = &flannel.net_conf else {
        panic!("{flannel:?}")
    };
    assert_eq!(value["Network"], "10.128.0.0/16");
    let nodes = cni.nodes.seen().unwrap();
    assert_eq!((nodes.len(), nodes[0].max_pods), (2, Some(110)));
}

#[tokio::test]
async fn without_a_cni_there_is_none_and_no_configuration_is_looked_for() {
    let api = api(&[]);
    let cni = read(&api).await;
    assert!(cni.controllers.seen().unwrap().is_empty());
    assert!(cni.pods.seen().unwrap().is_empty());
    assert_eq!(cni.flannel.seen(), Some(&None));
    assert!(!cni.cluster_pods.seen().unwrap().is_empty());
    let asked = api.requests();
    assert!(
        asked
            .iter()
            .all(|request| !request.path.contains("kube-flannel-cfg"))
    );
}

#[tokio::test]
async fn what_may_not_be_read_is_a_gap_of_its_own() {
    let api = api(&flannel());
    api.deny("list", "daemonsets");
    api.deny("list", "events");
    let cni = read(&api).await;
    let is_forbidden = |gap: Option<&report::Gap>| matches!(gap.unwrap().why, GapReason::Forbidden { .. });
    assert!(is_forbidden(cni.controllers.gap()));
    assert!(is_forbidden(cni.pods.gap()) && is_forbidden(cni.flannel.gap()));
    assert!(is_forbidden(cni.events.gap()));
    assert!(cni.cluster_pods.seen().is_some() && cni.nodes.seen().is_some());
}

#[tokio::test]
async fn a_configuration_that_is_no_json_is_said_to_be_none() {
    let mut objects = flannel();
    objects[3]["data"]["net-conf.json"] = json!("{\"Network\": ");
    let cni = read(&api(&objects)).await;
    let flannel = cni.flannel.seen().unwrap().as_ref().unwrap();
    assert!(matches!(flannel.net_conf, ConfigDocument::Broken { .. }));
}

#[tokio::test]
async fn the_last_event_of_each_pod_and_reason_is_kept_with_its_node() {
    let event = |name: &str, message: &str, at: &str| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "default"},
            "involvedObject": {"kind": "Pod", "namespace": "default", "name": "web-1"}, "reason": "FailedCreatePodSandBox",
            "message": message, "source": {"component": "kubelet", "host": "node-002"}, "lastTimestamp": at, "type": "Warning"})
    };
    let cni = read(&api(&[
        event("a", "old", "2026-03-01T08:50:00Z"),
        event("b", "new", "2026-03-01T08:59:00Z"),
    ]))
    .await;
    let events = cni.events.seen().unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (events[0].message.as_str(), events[0].node.as_deref()),
        ("new", Some("node-002"))
    );
}
