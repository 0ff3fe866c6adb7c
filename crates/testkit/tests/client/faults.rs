use std::time::{Duration, Instant};

use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use testkit::{Admission, Config, Effect, FakeApi, Fault, cluster_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{client, namespace, object, pod};

const NODES: &str = "/api/v1/nodes";

#[tokio::test]
async fn status_codes_come_as_often_as_asked() {
    let api = FakeApi::start(Config::new(cluster_of(1)));
    let nodes: Api<Node> = Api::all(client(&api));
    for code in [401, 429, 500, 503, 504] {
        api.inject(Fault::status("list", NODES, code).times(1));
        let error = nodes.list(&ListParams::default()).await.unwrap_err();
        assert!(
            matches!(&error, kube::Error::Api(status) if status.code == code),
            "{error:?}"
        );
        nodes.list(&ListParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_fault_can_wait_for_the_second_page() {
    let api = FakeApi::start(Config::new(cluster_of(2)));
    let nodes: Api<Node> = Api::all(client(&api));
    api.inject(Fault::status("list", NODES, 410).after(1).times(1));
    nodes.list(&ListParams::default()).await.unwrap();
    nodes.list(&ListParams::default()).await.unwrap_err();
    nodes.list(&ListParams::default()).await.unwrap();
}

/// What a plain HTTP client gets, and how the connection ended.
async fn raw(api: &FakeApi) -> (String, std::io::Result<()>) {
    let mut stream = tokio::net::TcpStream::connect(api.url().trim_start_matches("http://"))
        .await
        .unwrap();
    stream
        .write_all(b"GET /api/v1/nodes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut text))
        .await
        .unwrap();
    (String::from_utf8_lossy(&text).into_owned(), end.map(drop))
}

#[tokio::test]
async fn connections_break_in_every_way() {
    let api = FakeApi::start(Config::new(cluster_of(1)));
    api.inject(Fault::new("list", NODES, Effect::Reset).times(1));
    let (text, end) = raw(&api).await;
    assert_eq!(
        (text.as_str(), end.unwrap_err().kind()),
        ("", std::io::ErrorKind::ConnectionReset)
    );

    api.inject(Fault::new("list", NODES, Effect::HalfClose).times(1));
    let (text, end) = raw(&api).await;
    assert!(text.is_empty() && end.is_ok(), "{text} {end:?}");

    api.inject(Fault::new("list", NODES, Effect::Truncate(100)).times(1));
    let (text, _) = raw(&api).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body.len(), 100);
    assert!(head.to_lowercase().contains("content-length: "), "{head}");

    api.inject(Fault::new("list", NODES, Effect::Warning("v1 Node is \"old\"".to_owned())).times(1));
    let (text, _) = raw(&api).await;
    assert!(text.contains(r#"warning: 299 - "v1 Node is \"old\"""#), "{text}");

    api.inject(Fault::status("list", NODES, 429).times(1));
    let (text, _) = raw(&api).await;
    assert!(
        text.starts_with("HTTP/1.1 429") && text.contains("retry-after: 1"),
        "{text}"
    );
}

#[tokio::test]
async fn answers_are_slow_or_never_come() {
    let api = FakeApi::start(Config::new(cluster_of(1)));
    let nodes: Api<Node> = Api::all(client(&api));
    api.inject(Fault::new("*", "*", Effect::Slow(Duration::from_millis(120))).times(1));
    let begun = Instant::now();
    nodes.list(&ListParams::default()).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(120));
    api.inject(Fault::new("*", "*", Effect::Hang));
    let params = ListParams::default();
    assert!(
        tokio::time::timeout(Duration::from_millis(100), nodes.list(&params))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn denied_rights_are_refused_and_reviewed() {
    let api = FakeApi::start(Config::new(cluster_of(1)));
    let client = client(&api);
    api.deny("list", "nodes");
    let error = Api::<Node>::all(client.clone())
        .list(&ListParams::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains(
        "nodes is forbidden: User \"tester\" cannot list resource \"nodes\" in API group \"\" at the cluster scope"
    ));
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client);
    for (verb, allowed) in [("list", false), ("get", true)] {
        let review = object(json!({
            "metadata": {}, "spec": {"resourceAttributes": {"verb": verb, "group": "", "resource": "nodes"}},
        }));
        let answer = reviews.create(&PostParams::default(), &review).await.unwrap();
        assert_eq!(answer.status.unwrap().allowed, allowed, "{verb}");
    }
    api.heal();
}

#[tokio::test]
async fn admission_speaks_as_on_a_real_cluster() {
    let api = FakeApi::start(Config::new(cluster_of(1)).quick());
    let client = client(&api);
    namespace(&client, "run").await;
    api.refuse(Admission::pod_security("restricted", &["runAsNonRoot != true"]).within("run"));
    api.refuse(Admission::quota("configmaps", "q", "configmaps=1", "configmaps=1", "configmaps=1").after(1));
    let pods: Api<Pod> = Api::namespaced(client.clone(), "run");
    let error = pods
        .create(&PostParams::default(), &pod("x", "node-001"))
        .await
        .unwrap_err();
    let want = "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true";
    assert!(error.to_string().contains(want), "{error}");
    let maps: Api<ConfigMap> = Api::namespaced(client, "run");
    let map = |name: &str| object::<ConfigMap>(json!({"metadata": {"name": name}}));
    maps.create(&PostParams::default(), &map("a")).await.unwrap();
    let error = maps.create(&PostParams::default(), &map("b")).await.unwrap_err();
    let want = "configmaps \"b\" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=1, \
                limited: configmaps=1";
    assert!(error.to_string().contains(want), "{error}");
}
