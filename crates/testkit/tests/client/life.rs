use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Pod};
use kube::api::{Api, DeleteParams, ListParams, PostParams, PropagationPolicy, WatchEvent, WatchParams};
use serde_json::json;
use testkit::{Config, FakeApi, NodeBehaviour, cluster_of};

use crate::{client, eventually, namespace, object, phase, pod, running};

#[tokio::test]
async fn a_pod_gets_an_address_of_its_node_and_becomes_ready() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let client = client(&api);
    namespace(&client, "run").await;
    let first = running(&client, "run", "a", "node-002").await.status.unwrap();
    let second = running(&client, "run", "b", "node-002").await.status.unwrap();
    assert!(
        first.pod_ip.as_ref().unwrap().starts_with("10.128.1."),
        "{:?}",
        first.pod_ip
    );
    assert_ne!(first.pod_ip, second.pod_ip);
    let ready = |status: &k8s_openapi::api::core::v1::PodStatus| {
        status
            .conditions
            .iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    };
    assert!(ready(&first));
}

#[tokio::test]
async fn pods_fail_as_their_node_behaves() {
    let config = Config::new(cluster_of(5))
        .quick()
        .behaviour("node-001", NodeBehaviour::image_pull_back_off())
        .behaviour("node-002", NodeBehaviour::OutOfCpu)
        .behaviour(
            "node-003",
            NodeBehaviour::DeadKubelet {
                ready: "Unknown".to_owned(),
            },
        )
        .behaviour("node-004", NodeBehaviour::Unschedulable)
        .behaviour(
            "node-005",
            NodeBehaviour::NoSandbox {
                message: "no networks in /etc/cni/net.d".to_owned(),
            },
        );
    let api = FakeApi::start(config);
    let client = client(&api);
    namespace(&client, "run").await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    for node in ["node-001", "node-002", "node-003", "node-005"] {
        pods.create(&PostParams::default(), &pod(node, node))
            .await
            .unwrap();
    }
    let by_selector: Pod = object(json!({
        "metadata": {"name": "node-004"},
        "spec": {
            "nodeSelector": {"kubernetes.io/hostname": "node-004"},
            "containers": [{"name": "probe", "image": "x"}],
        },
    }));
    pods.create(&PostParams::default(), &by_selector).await.unwrap();
    let says = async |name: &str, part: &str| {
        eventually(async || {
            let text = serde_json::to_string(&pods.get(name).await.unwrap().status).unwrap();
            text.contains(part).then_some(())
        })
        .await;
    };
    says("node-001", "\"ImagePullBackOff\"").await;
    says("node-002", "\"OutOfcpu\"").await;
    says("node-004", "0/5 nodes are available: 1 Insufficient cpu").await;
    let events: Api<Event> = Api::namespaced(client.clone(), "run");
    eventually(async || {
        let all = events.list(&ListParams::default()).await.unwrap();
        all.items
            .into_iter()
            .find(|event| event.reason.as_deref() == Some("FailedCreatePodSandBox"))
    })
    .await;
    assert_eq!(phase(&pods.get("node-003").await.unwrap()), "Pending");
    // With grace a pod on a dead node stays; without, it goes.
    pods.delete("node-003", &DeleteParams::default().grace_period(5))
        .await
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(
        pods.get("node-003")
            .await
            .unwrap()
            .metadata
            .deletion_timestamp
            .is_some()
    );
    pods.delete("node-003", &DeleteParams::default().grace_period(0))
        .await
        .unwrap();
    assert!(pods.get_opt("node-003").await.unwrap().is_none());
}

#[tokio::test]
async fn what_an_object_owns_goes_with_it() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let client = client(&api);
    namespace(&client, "run").await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "run");
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    for policy in [PropagationPolicy::Background, PropagationPolicy::Foreground] {
        let owner: ConfigMap = object(json!({"metadata": {"name": "owner"}}));
        let owner = maps.create(&PostParams::default(), &owner).await.unwrap();
        let mut dependant = pod("owned", "node-001");
        dependant.metadata.owner_references = Some(object(json!([{
            "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid,
        }])));
        pods.create(&PostParams::default(), &dependant).await.unwrap();
        let params = DeleteParams {
            propagation_policy: Some(policy),
            ..DeleteParams::default()
        };
        maps.delete("owner", &params).await.unwrap();
        eventually(async || pods.get_opt("owned").await.unwrap().is_none().then_some(())).await;
        eventually(async || maps.get_opt("owner").await.unwrap().is_none().then_some(())).await;
    }
}

#[tokio::test]
async fn a_namespace_takes_its_time_to_end_and_its_content_with_it() {
    let mut config = Config::new(cluster_of(1)).quick();
    config.namespace_delay = std::time::Duration::from_millis(400);
    let api = FakeApi::start(config);
    let client = client(&api);
    namespace(&client, "run").await;
    running(&client, "run", "a", "node-001").await;
    let all: Api<Namespace> = Api::all(client.clone());
    let ending = all
        .delete("run", &DeleteParams::default())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(ending.status.unwrap().phase.as_deref(), Some("Terminating"));
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    eventually(async || pods.get_opt("a").await.unwrap().is_none().then_some(())).await;
    let error = pods
        .create(&PostParams::default(), &pod("b", "node-001"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("because it is being terminated"),
        "{error}"
    );
    assert!(
        all.get_opt("run").await.unwrap().is_some(),
        "it is there until its time has come"
    );
    eventually(async || all.get_opt("run").await.unwrap().is_none().then_some(())).await;
}

#[tokio::test]
async fn deletecollection_takes_what_is_selected() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let client = client(&api);
    namespace(&client, "run").await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    pods.create(&PostParams::default(), &pod("a", "node-001"))
        .await
        .unwrap();
    let mut other = pod("b", "node-001");
    other.metadata.labels = None;
    pods.create(&PostParams::default(), &other).await.unwrap();
    let selected = ListParams::default().labels("run=x");
    pods.delete_collection(&DeleteParams::default(), &selected)
        .await
        .unwrap();
    let left = pods.list(&ListParams::default()).await.unwrap();
    assert_eq!(
        left.items
            .iter()
            .map(|pod| pod.metadata.name.as_deref())
            .collect::<Vec<_>>(),
        [Some("b")]
    );
}

#[tokio::test]
async fn a_watch_shows_a_pod_from_its_creation_to_its_end() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let client = client(&api);
    namespace(&client, "run").await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    let version = pods
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let mut events = pods
        .watch(&WatchParams::default().labels("run=x"), &version)
        .await
        .unwrap()
        .boxed();
    running(&client, "run", "a", "node-001").await;
    pods.delete("a", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    while let Some(event) = events.try_next().await.unwrap() {
        match event {
            WatchEvent::Added(_) => seen.push("added"),
            WatchEvent::Modified(pod) if phase(&pod) == "Running" => seen.push("running"),
            WatchEvent::Deleted(_) => {
                seen.push("deleted");
                break;
            }
            _ => {}
        }
    }
    assert_eq!(seen, ["added", "running", "deleted"]);
}

#[tokio::test]
async fn watches_of_a_forgotten_past_and_expired_ones_end_with_410() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let client = client(&api);
    namespace(&client, "run").await;
    let all: Api<Namespace> = Api::all(client);
    let version = all
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    let first_error = async |version: &str| {
        let mut events = all.watch(&WatchParams::default(), version).await.unwrap().boxed();
        api.expire_watches();
        loop {
            match tokio::time::timeout(std::time::Duration::from_millis(200), events.try_next()).await {
                Ok(Ok(Some(WatchEvent::Error(status)))) => return status.code,
                Ok(event) => assert!(matches!(event, Ok(Some(_))), "{event:?}"),
                Err(_) => api.expire_watches(),
            }
        }
    };
    assert_eq!(first_error(&version).await, 410);
    api.compact();
    assert_eq!(first_error("1000").await, 410);
}
