use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use serde_json::json;
use testkit::{Config, FakeApi, Resource, cluster_of};

use crate::{client, object, pod};

fn code(error: &kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.message.clone()),
        other => panic!("not an answer of the API: {other:?}"),
    }
}

#[tokio::test]
async fn nodes_are_listed_in_pages() {
    let api = FakeApi::start(Config::new(cluster_of(7)));
    let nodes: Api<Node> = Api::all(client(&api));
    let first = nodes.list(&ListParams::default().limit(3)).await.unwrap();
    assert_eq!(
        (first.items.len(), first.metadata.remaining_item_count),
        (3, Some(4))
    );
    let token = first.metadata.continue_.unwrap();
    let second = nodes
        .list(&ListParams::default().limit(4).continue_token(&token))
        .await
        .unwrap();
    assert_eq!((second.items.len(), second.metadata.continue_), (4, None));
    assert_eq!(second.items[0].metadata.name.as_deref(), Some("node-004"));
}

#[tokio::test]
async fn lists_are_narrowed_by_labels_and_fields() {
    let api = FakeApi::start(Config::new(cluster_of(6)));
    let nodes: Api<Node> = Api::all(client(&api));
    let of_zone = ListParams::default().labels("topology.kubernetes.io/zone in (region-1a)");
    assert_eq!(nodes.list(&of_zone).await.unwrap().items.len(), 2);
    let pods: Api<Pod> = Api::all(client(&api));
    let of_node = ListParams::default().fields("spec.nodeName=node-002,status.phase=Running");
    assert_eq!(pods.list(&of_node).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn objects_are_created_changed_and_deleted() {
    let api = FakeApi::start(Config::new(cluster_of(1)));
    let maps: Api<ConfigMap> = Api::namespaced(client(&api), "default");
    let map: ConfigMap = object(json!({"metadata": {"generateName": "run-"}, "data": {"a": "1"}}));
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    maps.create(&dry, &map).await.unwrap();
    let made = maps.create(&PostParams::default(), &map).await.unwrap();
    let name = made.metadata.name.clone().unwrap();
    assert!(name.starts_with("run-") && name.len() == 9, "{name}");

    let again: ConfigMap = object(json!({"metadata": {"name": name}}));
    let error = maps.create(&PostParams::default(), &again).await.unwrap_err();
    assert_eq!(
        code(&error),
        (409, format!("configmaps \"{name}\" already exists"))
    );

    let change = Patch::Merge(json!({"data": {"b": "2"}}));
    let changed = maps.patch(&name, &PatchParams::default(), &change).await.unwrap();
    assert_eq!(changed.data.unwrap().len(), 2);
    // The version that it had before the patch.
    assert_eq!(
        code(
            &maps
                .replace(&name, &PostParams::default(), &made)
                .await
                .unwrap_err()
        )
        .0,
        409
    );
    let applied = Patch::Apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new"}}));
    maps.patch("new", &PatchParams::apply("test"), &applied)
        .await
        .unwrap();

    let preconditions = Preconditions {
        uid: Some("another".to_owned()),
        resource_version: None,
    };
    let wrong = DeleteParams::default().preconditions(preconditions);
    let (status, message) = code(&maps.delete(&name, &wrong).await.unwrap_err());
    assert!(
        status == 409 && message.contains("UID in precondition: another"),
        "{message}"
    );
    maps.delete(&name, &DeleteParams::default()).await.unwrap();
    assert_eq!(
        code(&maps.get(&name).await.unwrap_err()),
        (404, format!("configmaps \"{name}\" not found"))
    );
}

#[tokio::test]
async fn pods_of_a_namespace_without_its_account_are_refused() {
    let mut config = Config::new(cluster_of(1));
    config.service_account_delay = std::time::Duration::from_mins(1);
    let api = FakeApi::start(config);
    let pods: Api<Pod> = Api::namespaced(client(&api), "default");
    let error = pods
        .create(&PostParams::default(), &pod("x", "node-001"))
        .await
        .unwrap_err();
    let want = "pods \"x\" is forbidden: error looking up service account default/default: serviceaccount \
                \"default\" not found";
    assert_eq!(code(&error), (403, want.to_owned()));
    let elsewhere: Api<Pod> = Api::namespaced(client(&api), "gone");
    let error = elsewhere
        .create(&PostParams::default(), &pod("x", "node-001"))
        .await
        .unwrap_err();
    assert_eq!(code(&error), (404, "namespaces \"gone\" not found".to_owned()));
}

#[tokio::test]
async fn what_is_not_served_is_not_found_and_custom_resources_are_served() {
    let mut config = Config::new(cluster_of(1));
    config.custom_resources.push(Resource::custom(
        "crd.example.org",
        "v1",
        "ippools",
        "IPPool",
        false,
    ));
    let api = FakeApi::start(config);
    api.put(json!({"apiVersion": "crd.example.org/v1", "kind": "IPPool", "metadata": {"name": "a"}}));
    let client = client(&api);
    let get = |path: &str| http::Request::get(path).body(Vec::new()).unwrap();
    let pools = client
        .request_text(get("/apis/crd.example.org/v1/ippools"))
        .await
        .unwrap();
    assert!(pools.contains("IPPoolList"), "{pools}");
    let error = client
        .request_text(get("/apis/metallb.io/v1beta1/ipaddresspools"))
        .await
        .unwrap_err();
    assert_eq!(code(&error).0, 404);
    assert_eq!(client.apiserver_version().await.unwrap().git_version, "v1.34.4");
    assert!(
        client
            .list_api_groups()
            .await
            .unwrap()
            .groups
            .iter()
            .any(|group| group.name == "crd.example.org")
    );
}

#[tokio::test]
async fn bulk_pods_are_listed_in_pages_and_selected() {
    let api = FakeApi::start(Config::new(cluster_of(2).with_bulk_pods(1000)));
    let pods: Api<Pod> = Api::all(client(&api));
    assert_eq!(pods.list(&ListParams::default()).await.unwrap().items.len(), 1002);
    let mut token = None;
    let mut seen = 0;
    loop {
        let mut page = ListParams::default().limit(300);
        page.continue_token = token;
        let page = pods.list(&page).await.unwrap();
        seen += page.items.len();
        token = page.metadata.continue_;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(seen, 1002);
    let one = pods
        .list(&ListParams::default().fields("metadata.name=bulk-000999"))
        .await
        .unwrap();
    assert_eq!(one.items.len(), 1);
}

#[tokio::test]
async fn requests_are_recorded_with_their_bodies() {
    let api = FakeApi::start(Config::new(cluster_of(1)));
    let maps: Api<ConfigMap> = Api::namespaced(client(&api), "default");
    maps.list(&ListParams::default().labels("a=b")).await.unwrap();
    maps.create(
        &PostParams::default(),
        &object(json!({"metadata": {"name": "a"}})),
    )
    .await
    .unwrap();
    let requests = api.requests();
    assert_eq!(
        requests
            .iter()
            .map(|request| request.verb.as_str())
            .collect::<Vec<_>>(),
        ["list", "create"]
    );
    assert_eq!(requests[0].path, "/api/v1/namespaces/default/configmaps");
    assert!(
        requests[0].query.contains("labelSelector=a%3Db"),
        "{}",
        requests[0].query
    );
    assert!(requests[1].body_bytes.starts_with(b"{"));
    assert!(requests[1].headers.contains_key("content-type"));
}
