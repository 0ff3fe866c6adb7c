use std::sync::Arc;

use observation::{AskedCaller, Backends, BackendsQuestion, ServiceName};
use report::GapReason;

use super::{CallerKind, RouteKind};
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

async fn connected(server: &Scripted) -> Cluster {
    let args = ConnectionArgs {
        server: Some(server.url()),
        ..ConnectionArgs::default()
    };
    let identity = Identity::new("test", "0");
    let warnings = Arc::new(StderrWarnings::new());
    Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap()
}

async fn read(question: BackendsQuestion) -> (Backends, Vec<String>) {
    let server = Scripted::start(|_, head| shop(head.split(' ').nth(1).unwrap_or_default()));
    let cluster = connected(&server).await;
    let backends = Box::pin(cluster.backends(question, Vec::new(), READ_AT.to_owned())).await;
    let paths = server.heads();
    let paths = paths.iter().filter_map(|head| head.split(' ').nth(1));
    (backends, paths.map(str::to_owned).collect())
}

fn of(namespace: Option<&str>, name: Option<&str>) -> BackendsQuestion {
    BackendsQuestion {
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        ..BackendsQuestion::default()
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

/// A server with an Ingress, and with the Gateway API whose routes for TLS are in an older version.
fn gates(path: &str) -> Vec<Step> {
    let ok = |body: &str| answer(200, "", body);
    let group = "/apis/gateway.networking.k8s.io";
    let not_found = |what: &str| {
        answer(
            404,
            "",
            &format!(
                r#"{{"kind": "Status", "code": 404, "reason": "NotFound", "message": "{what} \"x\" not found",
                    "details": {{"name": "x", "kind": "{what}"}}}}"#
            ),
        )
    };
    match path.split('?').next().unwrap_or_default() {
        path if path == group => ok(r#"{"versions": [{"version": "v1"}, {"version": "v1alpha2"}]}"#),
        "/apis/gateway.networking.k8s.io/v1" => ok(
            r#"{"resources": [{"name": "gateways"}, {"name": "httproutes"}, {"name": "httproutes/status"},
                                 {"name": "referencegrants"}]}"#,
        ),
        "/apis/gateway.networking.k8s.io/v1alpha2" => ok(r#"{"resources": [{"name": "tlsroutes"}]}"#),
        "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/front" => ok(
            r#"{"metadata": {"name": "front", "namespace": "shop"}, "spec": {"defaultBackend": {"service": {"name": "web"}}}}"#,
        ),
        "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/closed" => answer(
            403,
            "",
            r#"{"kind": "Status", "code": 403, "reason": "Forbidden", "message": "ingresses \"closed\" is forbidden"}"#,
        ),
        "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/x" => not_found("ingresses.networking.k8s.io"),
        "/apis/gateway.networking.k8s.io/v1/namespaces/shop/gateways/outer" => ok("{}"),
        "/apis/gateway.networking.k8s.io/v1/httproutes" => ok(r#"{"kind": "List", "items": [
                {"metadata": {"name": "a", "namespace": "gates"}, "spec": {
                    "parentRefs": [{"name": "outer", "namespace": "shop"}],
                    "rules": [{"backendRefs": [{"name": "web", "namespace": "shop", "port": 80}]}]}},
                {"metadata": {"name": "b", "namespace": "gates"}, "spec": {
                    "parentRefs": [{"name": "outer"}], "rules": [{"backendRefs": [{"name": "api", "port": 80}]}]}}]}"#),
        "/apis/gateway.networking.k8s.io/v1alpha2/tlsroutes" => ok(r#"{"kind": "List", "items": []}"#),
        "/apis/gateway.networking.k8s.io/v1/namespaces/shop/referencegrants" => ok(
            r#"{"kind": "List", "items": [{"metadata": {"name": "g", "namespace": "shop"}, "spec": {
                "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "gates"}],
                "to": [{"group": "", "kind": "Service"}]}}]}"#,
        ),
        path if path.starts_with(group) => answer(404, "", "404 page not found"),
        _ => ok(r#"{"kind": "List", "items": []}"#),
    }
}

async fn callers(kind: CallerKind, name: &str) -> Result<Vec<AskedCaller>, String> {
    let server = Scripted::start(|_, head| gates(head.split(' ').nth(1).unwrap_or_default()));
    let cluster = connected(&server).await;
    let read = cluster.asked_callers(kind, kind.singular(), "shop", name).await;
    read.map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_ingress_is_read_by_its_name() {
    let found = callers(CallerKind::Ingress, "front").await.unwrap();
    assert_eq!(found[0].subject().to_string(), "ingress/front -n shop");
    assert_eq!(found[0].calls[0].service, "web");
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_in_the_words_of_kubectl() {
    for (kind, name, words) in [
        (
            CallerKind::Ingress,
            "x",
            "Error from server (NotFound): ingresses.networking.k8s.io \"x\" not found",
        ),
        (
            CallerKind::Ingress,
            "closed",
            "Error from server (Forbidden): ingresses \"closed\" is forbidden",
        ),
        (
            CallerKind::Route(RouteKind::Grpc),
            "x",
            "error: the server doesn't have a resource type \"grpcroute\"",
        ),
    ] {
        assert_eq!(callers(kind, name).await.unwrap_err(), words);
    }
}

#[tokio::test]
async fn the_routes_of_a_gateway_are_those_of_all_namespaces_that_hang_on_it() {
    let found = callers(CallerKind::Gateway, "outer").await.unwrap();
    let names: Vec<&str> = found.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["a"], "the other names a Gateway of its own namespace");
}

#[tokio::test]
async fn services_of_several_namespaces_cost_the_lists_of_those_and_grants_are_read_where_a_route_crosses() {
    let server = Scripted::start(|_, head| gates(head.split(' ').nth(1).unwrap_or_default()));
    let cluster = connected(&server).await;
    let routes = cluster
        .asked_callers(CallerKind::Gateway, "gateway", "shop", "outer")
        .await;
    let name = |namespace: &str| ServiceName {
        namespace: namespace.to_owned(),
        name: "web".to_owned(),
    };
    let question = BackendsQuestion {
        services: vec![name("gates"), name("shop")],
        ..BackendsQuestion::default()
    };
    let before = server.heads().len();
    let backends = Box::pin(cluster.backends(question, routes.unwrap(), READ_AT.to_owned())).await;
    let grants = backends.grants.unwrap();
    assert!(grants.seen().unwrap()[0].allows(&backends.asked_callers[0].calls[0]));
    let heads = server.heads();
    let paths: Vec<&str> = heads[before..]
        .iter()
        .filter_map(|head| head.split(' ').nth(1))
        .collect();
    for namespace in ["gates", "shop"] {
        let path = format!("/api/v1/namespaces/{namespace}/services?");
        assert!(paths.iter().any(|it| it.starts_with(&path)), "{paths:?}");
    }
    assert!(
        !paths.iter().any(|it| it.starts_with("/api/v1/services")),
        "{paths:?}"
    );
}
