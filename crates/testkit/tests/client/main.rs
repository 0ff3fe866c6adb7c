//! The fake server as a real client sees it.

#![expect(
    clippy::unwrap_used,
    reason = "what helpers of tests cannot have ends the test"
)]

mod exec;
mod faults;
mod life;
mod rest;

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, PostParams};
use kube::{Client, Config};
use serde_json::{Value, json};
use testkit::FakeApi;

/// A client that tries nothing twice.
fn client(api: &FakeApi) -> Client {
    let mut config = Config::new(api.url().parse().unwrap());
    config.default_retry = false;
    Client::try_from(config).unwrap()
}

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// Waits until `what` is there; a test that waits for more than ten seconds has failed.
async fn eventually<T>(mut what: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(found) = what().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("nothing came in ten seconds");
}

/// A namespace in which pods can be created.
async fn namespace(client: &Client, name: &str) {
    let all: Api<Namespace> = Api::all(client.clone());
    all.create(
        &PostParams::default(),
        &object(json!({"metadata": {"name": name}})),
    )
    .await
    .unwrap();
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(client.clone(), name);
    eventually(async || accounts.get_opt("default").await.unwrap()).await;
}

fn pod(name: &str, node: &str) -> Pod {
    object(json!({
        "metadata": {"name": name, "labels": {"run": "x"}},
        "spec": {
            "nodeName": node, "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "probe", "image": "registry.k8s.io/pause:3.10.1"}],
        },
    }))
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("")
}

/// Creates a pod and waits until it runs.
async fn running(client: &Client, namespace: &str, name: &str, node: &str) -> Pod {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    pods.create(&PostParams::default(), &pod(name, node))
        .await
        .unwrap();
    eventually(async || Some(pods.get(name).await.unwrap()).filter(|pod| phase(pod) == "Running")).await
}
