use std::sync::Arc;

use observation::{Backends, BackendsQuestion};
use report::GapReason;

use crate::args::ConnectionArgs;
use crate::cluster::{Cluster, Identity};
use crate::environment::Environment;
use crate::scripted::{Scripted, Step, answer};
use crate::warning::StderrWarnings;

const READ_AT: &str = "2026-03-01T09:00:00Z";

/// A namespace with a Service web that selects nothing there, and one without a selector.
fn shop(path: &str) -> Vec<Step> {
    let items = |items: &str| answer(200, "", &format!(r#"{{"kind": "List", "items": [{items}]}}"#));
    if path.contains("/secret/pods") {
        return answer(
            403,
            "",
            r#"{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "no pods for you"}"#,
        );
    }
    if path.contains("gateway.networking.k8s.io") || path.contains("cilium.io") {
        return answer(404, "", "404 page not found");
    }
    if path.contains("/services") && path.contains("fieldSelector=metadata.name") {
        return items(r#"{"metadata": {"name": "shopfront", "namespace": "ops"}}"#);
    }
    if path.contains("/services") {
        return items(
            r#"{"metadata": {"name": "web", "namespace": "shop"}, "spec": {"type": "LoadBalancer", "selector": {"app": "web"}}},
               {"metadata": {"name": "manual", "namespace": "shop"}, "spec": {"type": "ClusterIP"}}"#,
        );
    }
    if path.contains("/api/v1/pods") && path.contains("labelSelector=app%3Dweb") {
        return items(r#"{"metadata": {"name": "web-1", "namespace": "ops", "labels": {"app": "web"}}}"#);
    }
    items("")
}

async fn read(question: BackendsQuestion) -> (Backends, Vec<String>) {
    let server = Scripted::start(|_, head| shop(head.split(' ').nth(1).unwrap_or_default()));
    let args = ConnectionArgs {
        server: Some(server.url()),
        ..ConnectionArgs::default()
    };
    let identity = Identity::new("test", "0");
    let warnings = Arc::new(StderrWarnings::new());
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap();
    let backends = cluster.backends(question, READ_AT.to_owned()).await;
    let paths = server.heads();
    let paths = paths.iter().filter_map(|head| head.split(' ').nth(1));
    (backends, paths.map(str::to_owned).collect())
}

fn of(namespace: Option<&str>, name: Option<&str>) -> BackendsQuestion {
    BackendsQuestion {
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        selector: None,
    }
}

#[tokio::test]
async fn one_service_costs_the_lists_of_its_namespace() {
    let (backends, paths) = read(of(Some("shop"), Some("manual"))).await;
    let everywhere: Vec<&String> = paths
        .iter()
        .filter(|path| {
            !path.contains("/namespaces/shop/") && !path.contains("/namespaces/kube-system/leases")
        })
        .collect();
    assert!(everywhere.is_empty(), "{everywhere:?}");
    assert!(
        paths
            .iter()
            .any(|path| path.contains("endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dmanual"))
    );
    assert!(backends.endpoints.is_some(), "it has no selector and no slice");
    assert!(backends.load_balancers.is_none() && backends.elsewhere.is_none());
    assert_eq!(backends.read_at, READ_AT);
}

#[tokio::test]
async fn pods_that_the_selector_would_select_elsewhere_are_read_only_where_it_selects_none() {
    let (backends, _) = read(of(Some("shop"), Some("web"))).await;
    let pods = backends.pods.seen().unwrap();
    assert_eq!((pods.len(), pods[0].namespace.as_str()), (1, "ops"));
    assert_eq!(backends.load_balancers.unwrap().seen(), Some(&Vec::new()));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_looked_for_in_other_namespaces() {
    let (backends, _) = read(of(Some("shop"), Some("shopfront"))).await;
    assert_eq!(backends.elsewhere.unwrap().seen(), Some(&vec!["ops".to_owned()]));
}

#[tokio::test]
async fn a_list_that_is_forbidden_is_a_gap_and_the_others_are_read() {
    let (backends, _) = read(of(Some("secret"), None)).await;
    assert!(matches!(
        backends.pods.gap().map(|gap| &gap.why),
        Some(GapReason::Forbidden { .. })
    ));
    assert_eq!(backends.services.seen().map(Vec::len), Some(2));
    assert_eq!(
        backends.callers.seen(),
        Some(&Vec::new()),
        "the Gateway API is not served"
    );
}
