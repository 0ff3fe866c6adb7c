//! The cluster's DNS as it is read from the fake API server.

use std::sync::Arc;

use observation::{Dns, DnsRole};
use report::{Gap, GapReason, Observed};
use serde_json::{Value, json};
use testkit::{Config, FakeApi, cluster_of};

use crate::args::ConnectionArgs;
use crate::cluster::{Cluster, Identity};
use crate::environment::Environment;
use crate::warning::StderrWarnings;

const NODES: [&str; 2] = ["node-001", "node-002"];
const COUNTS: &str = "container_cpu_cfs_periods_total{container=\"coredns\",namespace=\"kube-system\",pod=\"coredns-1\"} 400 1\n\
    container_cpu_cfs_throttled_periods_total{container=\"coredns\",namespace=\"kube-system\",pod=\"coredns-1\"} 100 1\n";

/// Two nodes whose kubelets give out this address, with the objects.
fn api(address: &'static str, objects: &[Value]) -> FakeApi {
    let mut cluster = cluster_of(2);
    cluster.objects.extend_from_slice(objects);
    FakeApi::start(Config::new(cluster).quick().kubelets(move |_, path| {
        match path {
        "configz" => Some(
            json!({"kubeletconfig": {
                "clusterDNS": [address], "clusterDomain": "cluster.local", "resolvConf": "/etc/resolv.conf"
            }})
            .to_string(),
        ),
        "metrics/cadvisor" => Some(COUNTS.to_owned()),
        _ => None,
    }
    }))
}

async fn read(api: &FakeApi) -> Dns {
    let args = ConnectionArgs {
        server: Some(api.url()),
        ..ConnectionArgs::default()
    };
    let warnings = Arc::new(StderrWarnings::new());
    let cluster = Cluster::connect_in(
        &args,
        &Identity::new("test", "0"),
        &Environment::empty(),
        warnings,
    )
    .await
    .unwrap();
    let nodes = NODES.map(str::to_owned);
    cluster
        .dns(&nodes, "2026-03-01T09:00:00Z".to_owned(), false)
        .await
        .dns
}

fn workload(kind: &str, name: &str, label: &str, limits: &Value) -> Value {
    let labels = json!({"k8s-app": label});
    json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": name, "containers": [
                {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.4", "ports": [{"containerPort": 53}],
                    "resources": {"limits": limits}}]}}},
    })
}

fn pod(name: &str, label: &str, node: &str, limits: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "kube-system", "labels": {"k8s-app": label}},
        "spec": {"nodeName": node, "containers": [
            {"name": "coredns", "image": "registry.k8s.io/coredns/coredns:v1.12.4", "ports": [{"containerPort": 53}],
                "resources": {"limits": limits}}]},
        "status": {"phase": "Running", "podIPs": [{"ip": "10.128.0.7"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "coredns", "restartCount": 0, "state": {"running": {}}}]},
    })
}

fn is_forbidden(gap: &Gap) -> bool {
    matches!(gap.why, GapReason::Forbidden { .. })
}

fn names<T>(all: &Observed<Vec<T>>, name: impl Fn(&T) -> &str) -> Vec<String> {
    let all = all.seen().expect("they were seen");
    all.iter().map(|one| name(one).to_owned()).collect()
}

#[tokio::test]
async fn the_service_that_kubelets_give_out_leads_to_its_pods_and_what_these_use() {
    let limits = json!({"cpu": "100m"});
    let api = api(
        "10.96.0.10",
        &[
            workload("Deployment", "coredns", "kube-dns", &limits),
            pod("coredns-1", "kube-dns", "node-001", &limits),
        ],
    );
    let dns = read(&api).await;
    assert_eq!(names(&dns.services, |service| &service.name), ["kube-dns"]);
    assert_eq!(
        names(&dns.controllers, |controller| &controller.name),
        ["coredns"]
    );
    let pod = &dns.pods.seen().unwrap()[0];
    let used = pod.usage.as_ref().unwrap().seen().unwrap();
    assert_eq!(
        (used.periods, used.throttled, used.memory_bytes),
        (Some(400), Some(100), None)
    );
    let asked = api.requests();
    let cadvisor = asked
        .iter()
        .filter(|request| request.path.ends_with("/metrics/cadvisor"));
    assert_eq!(cadvisor.count(), 1, "only the node of a DNS pod is asked");
}

#[tokio::test]
async fn kubelets_that_may_not_be_asked_are_gaps_and_the_service_is_found_by_its_name() {
    let limits = json!({"cpu": "100m"});
    let api = api("10.96.0.10", &[pod("coredns-1", "kube-dns", "node-001", &limits)]);
    api.deny("get", "nodes/proxy");
    let dns = read(&api).await;
    assert_eq!(dns.kubelets.len(), 2);
    for kubelet in dns.kubelets.values() {
        assert!(is_forbidden(kubelet.gap().unwrap()));
    }
    assert_eq!(names(&dns.services, |service| &service.name), ["kube-dns"]);
    let usage = dns.pods.seen().unwrap()[0].usage.as_ref().unwrap();
    assert!(is_forbidden(usage.gap().unwrap()));
}

#[tokio::test]
async fn kubelets_without_configz_are_gaps_and_nothing_is_made_up() {
    let api = FakeApi::start(Config::new(cluster_of(2)).quick());
    let dns = read(&api).await;
    for kubelet in dns.kubelets.values() {
        assert_eq!(kubelet.gap().unwrap().why, GapReason::NotServed);
    }
}

#[tokio::test]
async fn a_cluster_without_a_dns_service_has_none() {
    let api = api("10.96.0.10", &[]);
    assert!(api.remove("Service", "kube-system", "kube-dns"));
    let dns = read(&api).await;
    assert_eq!(
        names(&dns.services, |service| &service.name),
        Vec::<String>::new()
    );
    assert!(dns.controllers.seen().unwrap().is_empty());
    assert!(dns.pods.seen().unwrap().is_empty());
    assert!(dns.corefiles.seen().unwrap().is_empty());
}

#[tokio::test]
async fn two_deployments_behind_the_dns_are_both_told() {
    let none = json!({});
    let api = api(
        "10.96.0.10",
        &[
            workload("Deployment", "coredns", "kube-dns", &none),
            workload("Deployment", "coredns-canary", "kube-dns", &none),
            workload("Deployment", "web", "web", &none),
        ],
    );
    let dns = read(&api).await;
    assert_eq!(
        names(&dns.controllers, |controller| &controller.name),
        ["coredns", "coredns-canary"]
    );
}

#[tokio::test]
async fn a_cache_on_each_node_is_told_from_the_clusters_own_servers() {
    let none = json!({});
    let api = api(
        "169.254.20.10",
        &[
            workload("Deployment", "coredns", "kube-dns", &none),
            workload("DaemonSet", "node-local-dns", "node-local-dns", &none),
            pod("coredns-1", "kube-dns", "node-001", &none),
            pod(
                "node-local-dns-1",
                "node-local-dns",
                "node-002",
                &json!({"cpu": "100m"}),
            ),
        ],
    );
    let dns = read(&api).await;
    let roles: Vec<DnsRole> = dns.controllers.seen().unwrap().iter().map(|it| it.role).collect();
    assert_eq!(roles, [DnsRole::Cluster, DnsRole::NodeLocal]);
    let pods = dns.pods.seen().unwrap();
    assert_eq!(
        (pods[0].role, pods[1].role),
        (DnsRole::Cluster, DnsRole::NodeLocal)
    );
    assert!(pods[1].usage.is_none(), "what caches use is not asked for");
    assert_eq!(names(&dns.services, |service| &service.name), ["kube-dns"]);
}

#[tokio::test]
async fn where_workloads_may_not_be_read_pods_are_found_by_their_labels() {
    let api = api(
        "10.96.0.10",
        &[pod("coredns-1", "kube-dns", "node-001", &json!({}))],
    );
    api.deny("list", "deployments");
    let dns = read(&api).await;
    assert!(is_forbidden(dns.controllers.gap().unwrap()));
    assert_eq!(names(&dns.pods, |pod| &pod.name), ["coredns-1"]);
    assert!(
        dns.corefiles.gap().is_some(),
        "which configure them is not known then"
    );
}
