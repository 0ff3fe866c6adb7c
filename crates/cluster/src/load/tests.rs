use std::sync::Arc;

use serde_json::json;
use testkit::{Config, FakeApi, Resource, cluster_of};

use super::*;
use crate::args::ConnectionArgs;
use crate::cluster::Identity;
use crate::environment::Environment;
use crate::warning::StderrWarnings;

const COUNTS: &str = "container_cpu_cfs_periods_total{container=\"probe\",namespace=\"netcheck-r\",pod=\"probe-1\"} 400 1\n\
    container_cpu_cfs_throttled_periods_total{container=\"probe\",namespace=\"netcheck-r\",pod=\"probe-1\"} 100 1\n\
    container_cpu_cfs_periods_total{container=\"web\",namespace=\"shop\",pod=\"web-1\"} 400 1\n\
    container_cpu_cfs_throttled_periods_total{container=\"web\",namespace=\"shop\",pod=\"web-1\"} 100 1\n\
    container_memory_working_set_bytes{container=\"proxy\",namespace=\"netcheck-r\",pod=\"x\"} 5 1\n";

fn api(is_served: bool) -> FakeApi {
    let mut cluster = cluster_of(2);
    let mut config_resources = Vec::new();
    if is_served {
        config_resources.push(Resource::custom(
            "metrics.k8s.io",
            "v1beta1",
            "nodes",
            "NodeMetrics",
            false,
        ));
        cluster.objects.push(json!({
            "apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": {"name": "node-001"},
            "timestamp": "2026-03-01T09:00:00Z", "window": "10s", "usage": {"cpu": "1804m", "memory": "3912Mi"},
        }));
    }
    let mut config = Config::new(cluster)
        .quick()
        .kubelets(|_, path| (path == "metrics/cadvisor").then(|| COUNTS.to_owned()));
    config.custom_resources.extend(config_resources);
    FakeApi::start(config)
}

async fn read(api: &FakeApi) -> Load {
    let args = ConnectionArgs {
        server: Some(api.url()),
        ..ConnectionArgs::default()
    };
    let (identity, warnings) = (Identity::new("test", "0"), Arc::new(StderrWarnings::new()));
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap();
    let nodes = BTreeSet::from(["node-001".to_owned()]);
    cluster.load(&nodes, &["netcheck-r"]).await
}

#[tokio::test]
async fn what_nodes_use_stands_beside_what_they_have_and_containers_are_those_of_the_namespaces() {
    let load = read(&api(true)).await;
    let nodes = load.nodes.seen().unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!(
        (nodes["node-001"].cpu.as_str(), nodes["node-001"].memory.as_str()),
        ("1804m", "3912Mi")
    );
    let containers = load.containers["node-001"].seen().unwrap();
    let told: Vec<(&str, u64, u64)> = containers
        .iter()
        .map(|it| (it.pod.as_str(), it.periods, it.throttled))
        .collect();
    assert_eq!(
        told,
        [("probe-1", 400, 100)],
        "one without a limit is not counted"
    );
}

#[tokio::test]
async fn a_cluster_without_the_metrics_api_has_a_gap_that_says_so() {
    let load = read(&api(false)).await;
    let gap = load.nodes.gap().unwrap();
    assert_eq!(gap.why, GapReason::NotServed);
    assert!(gap.message.contains("no metrics API"), "{gap:?}");
}

#[tokio::test]
async fn kubelets_that_may_not_be_asked_are_gaps() {
    let api = api(true);
    api.deny("get", "nodes/proxy");
    assert!(read(&api).await.containers["node-001"].gap().is_some());
}
