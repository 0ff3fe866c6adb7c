use super::*;

const GROUP: &str = "network.alibabacloud.com/v1beta1";
const RESOURCES: [Row; 3] = [
    ("network.alibabacloud.com", "v1beta1", "nodes", "Node", false),
    (
        "network.alibabacloud.com",
        "v1beta1",
        "podnetworkings",
        "PodNetworking",
        false,
    ),
    ("network.alibabacloud.com", "v1beta1", "podenis", "PodENI", true),
];

fn interface(id: &str, conditions: &Value) -> Value {
    json!({"id": id, "status": "InUse", "macAddress": "00:16:3e:00:00:01", "vSwitchID": "vsw-1", "networkInterfaceType": "Secondary",
        "primaryIPAddress": "10.9.0.10", "conditions": conditions, "ipv4": {
            "10.9.0.10": {"ip": "10.9.0.10", "primary": true, "status": "Valid", "podID": "shop/web-1", "podUID": "u-1"},
            "10.9.0.11": {"ip": "10.9.0.11", "primary": false, "status": "Valid"},
            "10.9.0.12": {"ip": "10.9.0.12", "primary": false, "status": "Deleting"}}})
}

fn terway(conditions: &Value) -> Vec<Value> {
    vec![
        agent(
            "kube-system",
            "terway-eniip-1",
            ("app", "terway-eniip"),
            "terway",
            "node-001",
        ),
        config_map(
            "kube-system",
            "eni-config",
            &json!({
            "eni_conf": "{\"version\": \"1\", \"max_pool_size\": 5, \"min_pool_size\": 0, \"access_key\": \"AKID\", \"access_secret\": \"hush\", \
                \"vswitches\": {\"cn-hangzhou-h\": [\"vsw-1\"]}, \"security_groups\": [\"sg-1\"], \"ip_stack\": \"ipv4\", \"ipam_type\": \"crd\", \
                \"vswitch_selection_policy\": \"ordered\"}",
            "10-terway.conf": "{}", "disable_network_policy": "false"}),
        ),
        json!({"apiVersion": GROUP, "kind": "Node", "metadata": {"name": "node-001"}, "spec": {
            "nodeMetadata": {"instanceID": "i-1", "instanceType": "ecs.g7.xlarge", "regionID": "cn-hangzhou", "zoneID": "cn-hangzhou-h"},
            "nodeCap": {"adapters": 4, "ipv4PerAdapter": 15}, "eni": {"enableIPv4": true, "vSwitchOptions": ["vsw-1"],
                "securityGroupIDs": ["sg-1"], "vSwitchSelectPolicy": "most"}, "pool": {"maxPoolSize": 5}},
            "status": {"networkInterfaces": {"eni-1": interface("eni-1", conditions)}}}),
        json!({"apiVersion": GROUP, "kind": "PodNetworking", "metadata": {"name": "fixed"},
            "spec": {"eniOptions": {"eniType": "Default"}, "vSwitchOptions": ["vsw-9"]}, "status": {"status": "Fail", "message": "no vswitch"}}),
        json!({"apiVersion": GROUP, "kind": "PodENI", "metadata": {"name": "web-1", "namespace": "shop"}, "status": {"phase": "Bind"}}),
        json!({"apiVersion": GROUP, "kind": "PodENI", "metadata": {"name": "web-2", "namespace": "shop",
            "creationTimestamp": "2026-03-01T08:00:00Z"}, "status": {"phase": "Binding", "msg": "QuotaExceeded"}}),
    ]
}

#[tokio::test]
async fn a_terway_is_read_without_the_keys_of_its_account() {
    let api = api(&RESOURCES, &terway(&json!({})), |_| None);
    let cni = read(&api).await;
    assert!(!serde_json::to_string(&cni).unwrap().contains("hush"));
    let terway = cni.terway.unwrap();
    let config = terway.config.seen().unwrap().as_ref().unwrap();
    assert_eq!(config.vswitches["cn-hangzhou-h"], ["vsw-1"]);
    assert_eq!(
        (config.max_pool_size, config.ipam_type.as_deref()),
        (Some(5), Some("crd"))
    );
    let node = &terway.nodes.seen().unwrap()[0];
    assert_eq!((node.adapters, node.ipv4_per_adapter), (Some(4), Some(15)));
    assert_eq!((node.interfaces[0].addresses, node.interfaces[0].used), (2, 1));
    assert_eq!(terway.networkings.seen().unwrap()[0].status, "Fail");
    let enis = terway.pod_enis.seen().unwrap();
    assert_eq!(
        (enis.bound, enis.others[0].message.as_str()),
        (1, "QuotaExceeded")
    );
    assert!(terway.sufficient.seen().unwrap().is_empty());
}

#[tokio::test]
async fn a_node_out_of_addresses_says_so_in_its_condition_and_at_its_interface() {
    let conditions = json!({"InsufficientIP": {"observedTime": "2026-03-01T08:58:00Z", "message": "vsw-1 ip is not enough"}});
    let mut cluster = cluster_of(2);
    cluster.objects.extend(terway(&conditions));
    let cluster = cluster.edit("Node", "node-002", |node| {
        let conditions = node["status"]["conditions"].as_array_mut().unwrap();
        conditions.push(json!({"type": "SufficientIP", "status": "False", "reason": "InsufficientIP", "message": "node has insufficient IP"}));
    });
    let mut config = Config::new(cluster).quick();
    config.custom_resources = RESOURCES
        .iter()
        .map(|it| Resource::custom(it.0, it.1, it.2, it.3, it.4))
        .collect();
    let terway = read(&FakeApi::start(config)).await.terway.unwrap();
    assert_eq!(terway.sufficient.seen().unwrap()["node-002"].status, "False");
    let interface = &terway.nodes.seen().unwrap()[0].interfaces[0];
    assert_eq!(
        interface.conditions["InsufficientIP"].message,
        "vsw-1 ip is not enough"
    );
}

#[tokio::test]
async fn what_may_not_be_read_is_a_gap_and_what_a_mode_does_not_have_is_none() {
    let api = api(&RESOURCES[..1], &terway(&json!({}))[..3], |_| None);
    api.deny("list", "nodes");
    api.deny("get", "configmaps");
    let terway = read(&api).await.terway.unwrap();
    assert!(is_forbidden(terway.config.gap(), "configmaps"));
    assert!(terway.nodes.gap().is_some(), "{:?}", terway.nodes);
    assert!(terway.sufficient.gap().is_some());
    assert_eq!(terway.networkings.seen().map(Vec::len), Some(0));
}

#[tokio::test]
async fn a_configuration_that_is_no_json_is_said_to_be_none() {
    let mut objects = terway(&json!({}));
    objects[1] = config_map(
        "kube-system",
        "eni-config",
        &json!({"eni_conf": "{\"access_secret\": hush}"}),
    );
    let cni = read(&api(&RESOURCES, &objects, |_| None)).await;
    assert!(!serde_json::to_string(&cni).unwrap().contains("hush"));
    assert!(
        cni.terway
            .unwrap()
            .config
            .seen()
            .unwrap()
            .as_ref()
            .unwrap()
            .broken
            .is_some()
    );
}
