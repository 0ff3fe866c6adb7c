//! CNIs as they are read from the fake API server, with objects as their releases write them.

mod calico;
mod cilium;
mod terway;

use std::sync::Arc;

use observation::Cni;
use report::{Gap, GapReason};
use serde_json::{Value, json};
use testkit::{CommandOutput, Config, FakeApi, Resource, cluster_of};

use crate::args::ConnectionArgs;
use crate::cluster::{Cluster, Identity};
use crate::environment::Environment;
use crate::warning::StderrWarnings;

/// Group, version, plural, kind, whether it is namespaced.
type Row = (&'static str, &'static str, &'static str, &'static str, bool);

/// Two nodes with these resources and objects, in whose pods commands print what `said` gives for their words.
fn api(
    resources: &[Row],
    objects: &[Value],
    said: impl Fn(&str) -> Option<CommandOutput> + Send + Sync + 'static,
) -> FakeApi {
    let mut cluster = cluster_of(2);
    cluster.objects.extend_from_slice(objects);
    let mut config = Config::new(cluster)
        .quick()
        .commands(move |command| said(&command.argv.join(" ")));
    let rows = resources.iter();
    config.custom_resources = rows
        .map(|&(group, version, plural, kind, namespaced)| {
            Resource::custom(group, version, plural, kind, namespaced)
        })
        .collect();
    FakeApi::start(config)
}

async fn connect(api: &FakeApi) -> Cluster {
    let args = ConnectionArgs {
        server: Some(api.url()),
        ..ConnectionArgs::default()
    };
    let warnings = Arc::new(StderrWarnings::new());
    let identity = Identity::new("test", "0");
    Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap()
}

async fn read(api: &FakeApi) -> Cni {
    connect(api)
        .await
        .cni(None, "2026-03-01T09:00:00Z".to_owned())
        .await
}

/// As [`read`], with the agents asked by commands.
async fn ask(api: &FakeApi, drop_seconds: Option<u32>) -> Cni {
    let cluster = connect(api).await;
    let mut cni = cluster.cni(None, "2026-03-01T09:00:00Z".to_owned()).await;
    cluster.ask_cni(&mut cni).await;
    if let Some(seconds) = drop_seconds {
        cluster.listen_to_cni(&mut cni, seconds).await;
    }
    cni
}

fn printed(text: &str) -> CommandOutput {
    CommandOutput {
        stdout: text.as_bytes().to_vec(),
        ..CommandOutput::default()
    }
}

fn is_forbidden(gap: Option<&Gap>, resource: &str) -> bool {
    gap.is_some_and(
        |gap| matches!(&gap.why, GapReason::Forbidden { resource: named, .. } if named == resource),
    )
}

/// A pod of a CNI on a node, Ready.
fn agent(namespace: &str, name: &str, label: (&str, &str), container: &str, node: &str) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {},
            "creationTimestamp": "2026-02-01T09:00:00Z"},
        "spec": {"nodeName": node, "hostNetwork": true, "containers": [{"name": container, "image": "example/agent:v1"}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": container, "restartCount": 0, "state": {"running": {}}}]},
    });
    pod["metadata"]["labels"][label.0] = json!(label.1);
    pod
}

fn config_map(namespace: &str, name: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data})
}

/// A custom object.
fn object(api_version: &str, kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn pod(name: &str, node: &str, address: &str, annotations: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations,
            "creationTimestamp": "2026-02-01T09:00:00Z"},
        "spec": {"nodeName": node, "containers": [{"name": "web", "image": "web:1"}]},
        "status": {"phase": "Running", "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

#[tokio::test]
async fn a_cluster_with_none_of_them_has_none() {
    let cni = read(&api(&[], &[], |_| None)).await;
    assert!(cni.calico.is_none() && cni.cilium.is_none() && cni.terway.is_none());
}

#[tokio::test]
async fn pods_that_may_not_be_listed_leave_open_what_runs() {
    let api = api(
        &[("crd.projectcalico.org", "v1", "ippools", "IPPool", false)],
        &[],
        |_| None,
    );
    api.deny("list", "pods");
    let cni = read(&api).await;
    let calico = cni.calico.unwrap();
    assert!(is_forbidden(calico.agents.gap(), "pods"), "{:?}", calico.agents);
    assert!(is_forbidden(cni.cluster_pods.gap(), "pods"));
}
