use super::*;

const RESOURCES: [Row; 2] = [
    ("cilium.io", "v2", "ciliumnodes", "CiliumNode", false),
    ("cilium.io", "v2", "ciliumendpoints", "CiliumEndpoint", true),
];
const STATUS: &str = r#"{"cilium": {"state": "Ok", "msg": "1.18.1"}, "kubernetes": {"state": "Ok"}, "kvstore": {"state": "Disabled"},
    "cluster": {"ciliumHealth": {"state": "Ok"}}, "controllers": [], "ipam": {"ipv4": ["10.0.0.5"], "status": "1/254 allocated"}}"#;
const HEALTH: &str = r#"{"nodes": [{"name": "default/node-002", "host": {"primary-address": {
    "icmp": {"status": "Connection timed out"}, "http": {"status": "context deadline exceeded"}}}}]}"#;

fn node(name: &str, address: &str, cidrs: &Value, status: &Value) -> Value {
    json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": name}, "spec": {
        "addresses": [{"ip": address, "type": "InternalIP"}, {"ip": "10.0.0.77", "type": "CiliumInternalIP"}],
        "encryption": {}, "health": {"ipv4": "10.0.0.33"}, "ipam": {"podCIDRs": cidrs, "pools": {}}}, "status": status})
}

fn config(data: &Value) -> Value {
    config_map("kube-system", "cilium-config", data)
}

fn cilium(config: Value) -> Vec<Value> {
    vec![
        agent(
            "kube-system",
            "cilium-1",
            ("k8s-app", "cilium"),
            "cilium-agent",
            "node-001",
        ),
        agent(
            "kube-system",
            "cilium-2",
            ("k8s-app", "cilium"),
            "cilium-agent",
            "node-002",
        ),
        agent(
            "kube-system",
            "cilium-operator-1",
            ("name", "cilium-operator"),
            "cilium-operator",
            "node-001",
        ),
        config,
        node(
            "node-001",
            "192.168.1.1",
            &json!(["10.0.0.0/24"]),
            &json!({"ipam": {"operator-status": {}}}),
        ),
        node(
            "node-002",
            "192.168.1.2",
            &json!([]),
            &json!({"alibaba-cloud": {}, "ipam": {
            "operator-status": {"error": "allocator full, can't allocate new CIDRs"}}}),
        ),
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumEndpoint", "metadata": {"name": "web-1", "namespace": "shop"}, "status": {
            "encryption": {}, "external-identifiers": {"k8s-namespace": "shop", "k8s-pod-name": "web-1"}, "id": 1234,
            "identity": {"id": 4321, "labels": ["k8s:app=web"]}, "state": "ready",
            "networking": {"addressing": [{"ipv4": "10.0.0.5"}], "node": "192.168.1.1"}}}),
        pod("web-1", "node-001", "10.0.0.5", &json!({})),
    ]
}

fn tunnel() -> Value {
    config(
        &json!({"routing-mode": "tunnel", "tunnel-protocol": "vxlan", "ipam": "cluster-pool", "cluster-pool-ipv4-cidr": "10.0.0.0/8",
        "cluster-pool-ipv4-mask-size": "24", "kube-proxy-replacement": "false", "debug": "false"}),
    )
}

#[tokio::test]
async fn a_cilium_with_tunnels_is_read_whole() {
    let cilium = read(&api(&RESOURCES, &cilium(tunnel()), |_| None))
        .await
        .cilium
        .unwrap();
    let config = cilium.config.seen().unwrap().as_ref().unwrap();
    assert_eq!(config["routing-mode"], "tunnel");
    assert!(!config.contains_key("debug"));
    let nodes = cilium.nodes.seen().unwrap();
    assert_eq!(nodes[0].pod_cidrs, ["10.0.0.0/24"]);
    assert_eq!((nodes[0].used, nodes[0].operator_error.as_ref()), (None, None));
    assert_eq!(
        nodes[1].operator_error.as_deref(),
        Some("allocator full, can't allocate new CIDRs")
    );
    let endpoint = &cilium.endpoints.seen().unwrap()[0];
    assert_eq!(
        (endpoint.state.as_str(), endpoint.node_ip),
        ("ready", "192.168.1.1".parse().ok())
    );
    let components: Vec<&str> = cilium
        .agents
        .seen()
        .unwrap()
        .iter()
        .map(|it| it.component.as_str())
        .collect();
    assert_eq!(components, ["cilium", "cilium", "cilium-operator"]);
    assert!(cilium.asked.is_empty());
}

#[tokio::test]
async fn native_routing_with_addresses_of_a_cloud_is_read() {
    let mut objects = cilium(config(
        &json!({"routing-mode": "native", "kube-proxy-replacement": "true", "ipam": "eni"}),
    ));
    objects[4] = json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNode", "metadata": {"name": "node-001"}, "spec": {
        "addresses": [{"ip": "192.168.1.1", "type": "InternalIP"}], "ipam": {"pool": {
            "10.1.0.1": {"resource": "eni-1"}, "10.1.0.2": {"resource": "eni-1"}}}},
        "status": {"ipam": {"used": {"10.1.0.1": {"owner": "shop/web-1", "resource": "eni-1"}}}}});
    let cilium = read(&api(&RESOURCES, &objects, |_| None)).await.cilium.unwrap();
    let node = &cilium.nodes.seen().unwrap()[0];
    assert_eq!((node.pool, node.used), (Some(2), Some(1)));
}

#[tokio::test]
async fn agents_are_asked_and_an_older_program_serves_as_well() {
    let old = |words: &str| match words {
        "cilium status -o json" => Some(printed(STATUS)),
        "cilium-health status -o json" => Some(printed(HEALTH)),
        "timeout 1 cilium monitor --type drop" => Some(printed(
            "xx drop (Policy denied) flow 0x0 to endpoint 3, identity 1->2: 10.0.0.5:1 -> 10.0.1.7:80 tcp SYN\n",
        )),
        _ => Some(CommandOutput {
            code: 127,
            ..CommandOutput::default()
        }),
    };
    let cilium = ask(&api(&RESOURCES, &cilium(tunnel()), old), Some(1))
        .await
        .cilium
        .unwrap();
    let status = cilium.asked["node-001"].seen().unwrap();
    assert_eq!((status.command.as_str(), status.allocated), ("cilium", Some(1)));
    assert_eq!(status.unreachable.as_ref().unwrap()[0].node, "node-002");
    assert_eq!(
        cilium.drops["node-002"].seen().unwrap().reasons["Policy denied"].count,
        1
    );
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_a_gap_and_no_pass() {
    let down = |_: &str| {
        Some(CommandOutput {
            stderr: b"Cilium API client timeout exceeded".to_vec(),
            code: 1,
            ..CommandOutput::default()
        })
    };
    let cilium = ask(&api(&RESOURCES, &cilium(tunnel()), down), None)
        .await
        .cilium
        .unwrap();
    assert!(cilium.asked["node-001"].gap().is_some());
}

#[tokio::test]
async fn what_may_not_be_read_is_a_gap_that_names_the_right() {
    let api = api(&RESOURCES, &cilium(tunnel()), |_| None);
    api.deny("list", "ciliumnodes");
    api.deny("list", "ciliumendpoints");
    api.deny("get", "configmaps");
    api.deny("get", "pods/exec");
    api.deny("create", "pods/exec");
    let cilium = ask(&api, None).await.cilium.unwrap();
    assert!(is_forbidden(cilium.nodes.gap(), "ciliumnodes.cilium.io"));
    assert!(is_forbidden(cilium.endpoints.gap(), "ciliumendpoints.cilium.io"));
    assert!(is_forbidden(cilium.config.gap(), "configmaps"));
    assert!(
        is_forbidden(cilium.asked["node-001"].gap(), "pods/exec"),
        "{:?}",
        cilium.asked
    );
}

#[tokio::test]
async fn pods_without_its_api_are_seen_and_its_objects_are_not() {
    let pods = vec![agent(
        "kube-system",
        "cilium-1",
        ("k8s-app", "cilium"),
        "cilium-agent",
        "node-001",
    )];
    let cilium = read(&api(&[], &pods, |_| None)).await.cilium.unwrap();
    assert_eq!(cilium.nodes.gap().unwrap().why, GapReason::NotServed);
    assert_eq!(cilium.config.seen(), Some(&None));
}
