use std::sync::Arc;

use serde_json::{Value, json};
use testkit::{Config, FakeApi, Resource, cluster_of};

use super::*;
use crate::args::ConnectionArgs;
use crate::cluster::Identity;
use crate::environment::Environment;
use crate::warning::StderrWarnings;

fn api(resources: Vec<Resource>, objects: Vec<Value>) -> FakeApi {
    let mut cluster = cluster_of(2).edit("Node", "node-002", |node| {
        node["metadata"]["labels"]["egress"] = json!("true");
    });
    cluster.objects.extend(objects);
    let mut config = Config::new(cluster).quick();
    config.custom_resources.extend(resources);
    FakeApi::start(config)
}

async fn read(api: &FakeApi) -> EgressSetup {
    let args = ConnectionArgs {
        server: Some(api.url()),
        ..ConnectionArgs::default()
    };
    let (identity, warnings) = (Identity::new("test", "0"), Arc::new(StderrWarnings::new()));
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), warnings)
        .await
        .unwrap();
    cluster.egress_setup().await.seen().cloned().unwrap()
}

fn cilium() -> Resource {
    Resource::custom(
        "cilium.io",
        "v2",
        "ciliumegressgatewaypolicies",
        "CiliumEgressGatewayPolicy",
        false,
    )
}

fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": {"app": app}},
        "spec": {"nodeName": "node-001", "containers": []}, "status": {"phase": "Running"},
    })
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}})
}

/// As Cilium's documentation writes one.
fn policy(selector: &Value, gateway: &Value) -> Value {
    json!({
        "apiVersion": "cilium.io/v2", "kind": "CiliumEgressGatewayPolicy", "metadata": {"name": "out"},
        "spec": {"selectors": [selector], "destinationCIDRs": ["0.0.0.0/0"], "egressGateway": gateway},
    })
}

fn only(setup: &EgressSetup) -> EgressGateway {
    let gateways = setup.gateways[0].seen().unwrap();
    assert_eq!(gateways.len(), 1);
    gateways[0].clone()
}

#[tokio::test]
async fn ciliums_policies_are_read_with_their_nodes_and_pods() {
    let selector =
        json!({"podSelector": {"matchLabels": {"app": "web", "io.kubernetes.pod.namespace": "shop"}}});
    let gateway = json!({"nodeSelector": {"matchLabels": {"egress": "true"}}, "egressIP": "172.30.0.100"});
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config", "namespace": "kube-system"},
        "data": {"enable-ipv4-egress-gateway": "false"},
    });
    let objects = vec![
        namespace("shop"),
        namespace("other"),
        pod("shop", "web-1", "web"),
        pod("other", "web-2", "web"),
        pod("shop", "db-1", "db"),
        policy(&selector, &gateway),
        config,
    ];
    let found = only(&read(&api(vec![cilium()], objects)).await);
    assert_eq!(found.pods, Observed::Seen(1));
    assert_eq!(found.nodes, Observed::Seen(vec!["node-002".to_owned()]));
    assert_eq!(
        (found.chosen_by.as_str(), found.enabled),
        ("egress=true", Some(false))
    );
    assert_eq!(found.addresses, ["172.30.0.100"]);
}

#[tokio::test]
async fn namespaces_are_selected_by_their_labels_and_a_selector_that_fits_no_node_has_none() {
    let selector = json!({
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
        "podSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]},
    });
    let gateway = json!({"nodeSelector": {"matchLabels": {"egress": "yes"}}});
    let objects = vec![
        namespace("shop"),
        namespace("other"),
        pod("shop", "web-1", "web"),
        pod("other", "web-2", "web"),
        pod("shop", "db-1", "db"),
        policy(&selector, &gateway),
    ];
    let found = only(&read(&api(vec![cilium()], objects)).await);
    assert_eq!(found.pods, Observed::Seen(2));
    assert_eq!(found.nodes, Observed::Seen(Vec::new()));
    assert_eq!(found.enabled, None, "no configuration was found");
}

#[tokio::test]
async fn what_ovn_has_assigned_is_read_from_the_status() {
    let resource = Resource::custom("k8s.ovn.org", "v1", "egressips", "EgressIP", false);
    let object = json!({
        "apiVersion": "k8s.ovn.org/v1", "kind": "EgressIP", "metadata": {"name": "out"},
        "spec": {"egressIPs": ["172.30.0.100", "172.30.0.101"],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
        "status": {"items": [{"node": "node-001", "egressIP": "172.30.0.100"}]},
    });
    let objects = vec![namespace("shop"), pod("shop", "web-1", "web"), object];
    let found = only(&read(&api(vec![resource], objects)).await);
    assert_eq!((found.assigned, found.addresses.len()), (Some(1), 2));
    assert_eq!(found.nodes, Observed::Seen(vec!["node-001".to_owned()]));
    assert_eq!(found.pods, Observed::Seen(1));
}

#[tokio::test]
async fn calicos_pools_and_amazons_setting_say_who_translates() {
    let resource = Resource::custom("crd.projectcalico.org", "v1", "ippools", "IPPool", false);
    let pool = |name: &str, spec: Value| json!({"apiVersion": "crd.projectcalico.org/v1", "kind": "IPPool", "metadata": {"name": name}, "spec": spec});
    let aws = json!({
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "aws-node", "namespace": "kube-system"},
        "spec": {"template": {"spec": {"containers": [{"name": "aws-node",
            "env": [{"name": "AWS_VPC_K8S_CNI_EXTERNALSNAT", "value": "true"}]}]}}},
    });
    let objects = vec![
        pool("own", json!({"cidr": "10.244.0.0/16", "natOutgoing": true})),
        pool("routed", json!({"cidr": "10.245.0.0/16"})),
        pool("old", json!({"cidr": "10.246.0.0/16", "disabled": true})),
        aws,
    ];
    let setup = read(&api(vec![resource], objects)).await;
    let pools: Vec<EgressPool> = setup
        .pools
        .iter()
        .filter_map(Observed::seen)
        .flatten()
        .cloned()
        .collect();
    let told: Vec<(&str, bool)> = pools
        .iter()
        .map(|pool| (pool.name.as_str(), pool.translated))
        .collect();
    assert_eq!(
        told,
        [
            ("ippool/own", true),
            ("ippool/routed", false),
            ("daemonset/aws-node -n kube-system", false)
        ]
    );
}

#[tokio::test]
async fn kinds_that_are_not_served_are_no_gap_and_those_that_may_not_be_read_are_one() {
    let setup = read(&api(Vec::new(), Vec::new())).await;
    assert_eq!(setup, EgressSetup::default());
    let api = api(vec![cilium()], Vec::new());
    api.deny("list", "ciliumegressgatewaypolicies");
    assert!(read(&api).await.gateways[0].gap().is_some());
}
