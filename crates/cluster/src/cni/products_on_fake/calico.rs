use super::*;

const GROUP: &str = "crd.projectcalico.org/v1";
const RESOURCES: [Row; 14] = [
    ("crd.projectcalico.org", "v1", "ippools", "IPPool", false),
    ("crd.projectcalico.org", "v1", "ipamblocks", "IPAMBlock", false),
    (
        "crd.projectcalico.org",
        "v1",
        "blockaffinities",
        "BlockAffinity",
        false,
    ),
    ("crd.projectcalico.org", "v1", "ipamhandles", "IPAMHandle", false),
    ("crd.projectcalico.org", "v1", "ipamconfigs", "IPAMConfig", false),
    (
        "crd.projectcalico.org",
        "v1",
        "felixconfigurations",
        "FelixConfiguration",
        false,
    ),
    (
        "crd.projectcalico.org",
        "v1",
        "bgpconfigurations",
        "BGPConfiguration",
        false,
    ),
    ("crd.projectcalico.org", "v1", "bgppeers", "BGPPeer", false),
    ("crd.projectcalico.org", "v1", "bgpfilters", "BGPFilter", false),
    (
        "crd.projectcalico.org",
        "v1",
        "caliconodestatuses",
        "CalicoNodeStatus",
        false,
    ),
    (
        "crd.projectcalico.org",
        "v1",
        "networkpolicies",
        "NetworkPolicy",
        true,
    ),
    (
        "crd.projectcalico.org",
        "v1",
        "globalnetworkpolicies",
        "GlobalNetworkPolicy",
        false,
    ),
    ("operator.tigera.io", "v1", "installations", "Installation", false),
    (
        "operator.tigera.io",
        "v1",
        "tigerastatuses",
        "TigeraStatus",
        false,
    ),
];
const BIRD: &str = "BIRD v0.3.3+birdv1.6.8 ready.\n\
    name     proto    table    state  since       info\n\
    kernel1  Kernel   master   up     08:00:00\n\
    Mesh_10_0_0_9 BGP      master   start  08:00:00    Connect       Socket: Connection refused\n";

fn pool(name: &str, spec: &Value) -> Value {
    object(GROUP, "IPPool", name, spec)
}

/// A block of a node, with a tunnel's address, and one for each of these pods.
fn block(name: &str, cidr: &str, node: &str, pods: &[&str]) -> Value {
    let mut allocations = vec![json!(0)];
    let mut attributes = vec![json!({"handle_id": format!("vxlan-tunnel-addr-{node}"),
        "secondary": {"node": node, "type": "vxlanTunnelAddress"}})];
    for pod in pods {
        allocations.push(json!(attributes.len()));
        attributes.push(
            json!({"handle_id": "k8s-pod-network.0123456789abcdef", "secondary": {
            "namespace": "shop", "node": node, "pod": pod, "timestamp": "2026-02-01 09:00:00 +0000 UTC"}}),
        );
    }
    allocations.resize(64, Value::Null);
    let free: Vec<usize> = (pods.len() + 1..64).collect();
    object(
        GROUP,
        "IPAMBlock",
        name,
        &json!({
            "affinity": format!("host:{node}"), "allocations": allocations, "attributes": attributes, "cidr": cidr,
            "deleted": false, "sequenceNumber": 1, "sequenceNumberForAllocation": {}, "strictAffinity": false, "unallocated": free,
        }),
    )
}

/// The operator's Calico with VXLAN.
fn vxlan() -> Vec<Value> {
    vec![
        agent(
            "calico-system",
            "calico-node-1",
            ("k8s-app", "calico-node"),
            "calico-node",
            "node-001",
        ),
        agent(
            "calico-system",
            "calico-node-2",
            ("k8s-app", "calico-node"),
            "calico-node",
            "node-002",
        ),
        agent(
            "calico-system",
            "calico-kube-controllers-1",
            ("k8s-app", "calico-kube-controllers"),
            "calico-kube-controllers",
            "node-001",
        ),
        agent(
            "calico-system",
            "calico-typha-1",
            ("k8s-app", "calico-typha"),
            "calico-typha",
            "node-002",
        ),
        pool(
            "default-ipv4-ippool",
            &json!({
            "allowedUses": ["Workload", "Tunnel"], "assignmentMode": "Automatic", "blockSize": 26, "cidr": "10.244.0.0/16",
            "ipipMode": "Never", "natOutgoing": true, "nodeSelector": "all()", "vxlanMode": "Always"}),
        ),
        block("10-244-1-0-26", "10.244.1.0/26", "node-001", &["web-1", "gone-1"]),
        block("10-244-2-0-26", "10.244.2.0/26", "node-002", &[]),
        object(
            GROUP,
            "BlockAffinity",
            "node-001-10-244-1-0-26",
            &json!({
            "cidr": "10.244.1.0/26", "deleted": "false", "node": "node-001", "state": "confirmed", "type": "host"}),
        ),
        object(
            GROUP,
            "BlockAffinity",
            "node-001-10-244-9-0-26",
            &json!({
            "cidr": "10.244.9.0/26", "deleted": "true", "node": "node-001", "state": "pendingDeletion"}),
        ),
        object(
            GROUP,
            "IPAMHandle",
            "vxlan-tunnel-addr-node-001",
            &json!({
            "block": {"10.244.1.0/26": 1}, "deleted": false, "handleID": "vxlan-tunnel-addr-node-001"}),
        ),
        object(
            GROUP,
            "IPAMHandle",
            "vxlan-tunnel-addr-node-002",
            &json!({
            "block": {"10.244.2.0/26": 1}, "deleted": false, "handleID": "vxlan-tunnel-addr-node-002"}),
        ),
        object(
            GROUP,
            "IPAMConfig",
            "default",
            &json!({"autoAllocateBlocks": true, "maxBlocksPerHost": 0, "strictAffinity": false}),
        ),
        object(
            GROUP,
            "FelixConfiguration",
            "default",
            &json!({
            "bpfConnectTimeLoadBalancing": "TCP", "floatingIPs": "Disabled", "logSeverityScreen": "Info", "reportingInterval": "0s",
            "vxlanVNI": 4096}),
        ),
        json!({"apiVersion": GROUP, "kind": "NetworkPolicy", "metadata": {"name": "default.web", "namespace": "shop"}, "spec": {}}),
        object(
            "operator.tigera.io/v1",
            "Installation",
            "default",
            &json!({
            "variant": "Calico", "cni": {"type": "Calico", "ipam": {"type": "Calico"}},
            "calicoNetwork": {"bgp": "Disabled", "linuxDataplane": "Iptables", "ipPools": [
                {"cidr": "10.244.0.0/16", "encapsulation": "VXLAN", "natOutgoing": "Enabled"}]}}),
        ),
        json!({"apiVersion": "operator.tigera.io/v1", "kind": "TigeraStatus", "metadata": {"name": "calico"}, "spec": {},
            "status": {"conditions": [
                {"type": "Available", "status": "True", "reason": "AllObjectsAvailable", "lastTransitionTime": "2026-02-01T09:00:00Z"},
                {"type": "Degraded", "status": "False", "reason": "AllObjectsAvailable"}]}}),
        pod(
            "web-1",
            "node-001",
            "10.244.1.1",
            &json!({
            "cni.projectcalico.org/containerID": "0123", "cni.projectcalico.org/podIP": "10.244.1.1/32", "other": "x"}),
        ),
        config_map(
            "kube-system",
            "kube-proxy",
            &json!({"config.conf": "clusterCIDR: 10.244.0.0/16\n"}),
        ),
    ]
}

/// Calico of its manifest, with IPIP and BGP.
fn bgp() -> Vec<Value> {
    let mut objects: Vec<Value> = vxlan()
        .into_iter()
        .filter(|it| it["apiVersion"] != "operator.tigera.io/v1" && it["kind"] != "IPPool")
        .collect();
    objects.push(pool("default-ipv4-ippool", &json!({
        "blockSize": 26, "cidr": "10.244.0.0/16", "ipipMode": "Always", "natOutgoing": true, "nodeSelector": "all()", "vxlanMode": "Never"})));
    objects.push(object(
        GROUP,
        "BGPConfiguration",
        "default",
        &json!({"asNumber": 64512, "nodeToNodeMeshEnabled": true}),
    ));
    objects.push(object(GROUP, "BGPPeer", "rack", &json!({"asNumber": 64600, "peerIP": "192.0.2.1", "nodeSelector": "rack == '1'", "filters": ["pods"]})));
    objects.push(object(
        GROUP,
        "BGPFilter",
        "pods",
        &json!({"exportV4": [
        {"action": "Reject", "cidr": "10.244.0.0/16", "matchOperator": "In"}]}),
    ));
    objects.push(config_map("kube-system", "calico-config", &json!({
        "calico_backend": "bird", "typha_service_name": "none", "veth_mtu": "0",
        "cni_network_config": "{\n  \"name\": \"k8s-pod-network\",\n  \"cniVersion\": \"0.3.1\",\n  \"plugins\": [\n    {\n      \
            \"type\": \"calico\",\n      \"datastore_type\": \"kubernetes\",\n      \"nodename\": \"__KUBERNETES_NODE_NAME__\",\n      \
            \"mtu\": __CNI_MTU__,\n      \"ipam\": {\n          \"type\": \"calico-ipam\"\n      }\n    }\n  ]\n}"})));
    objects
}

#[tokio::test]
async fn a_calico_with_vxlan_is_read_whole() {
    let cni = read(&api(&RESOURCES, &vxlan(), |_| None)).await;
    let calico = cni.calico.clone().unwrap();
    assert_eq!(calico.api.as_deref(), Some(GROUP));
    assert_eq!(calico.agents.seen().unwrap().len(), 4);
    let pool = &calico.pools.seen().unwrap()[0];
    assert_eq!(
        (pool.cidr.as_str(), pool.vxlan_mode.as_deref(), pool.nat_outgoing),
        ("10.244.0.0/16", Some("Always"), true)
    );
    let blocks = calico.blocks.seen().unwrap();
    let first = blocks
        .iter()
        .find(|block| block.node.as_deref() == Some("node-001"))
        .unwrap();
    assert_eq!(first.used, 3, "the tunnel's own address is taken too");
    assert_eq!(first.held.len(), 2, "and is no pod's");
    assert_eq!(
        (
            first.held[0].address.to_string().as_str(),
            first.held[0].pod.as_str()
        ),
        ("10.244.1.1", "shop/web-1")
    );
    assert_eq!(calico.affinities.seen().unwrap().len(), 1, "one is being deleted");
    assert_eq!(calico.handles.seen(), Some(&2), "counted without being listed");
    assert_eq!(
        calico.ipam.seen().unwrap().as_ref().unwrap().max_blocks_per_host,
        None
    );
    assert_eq!(calico.policies.seen().unwrap()["shop"], 1);
    let felix = &calico.felix.seen().unwrap()["default"];
    assert_eq!(felix["vxlanVNI"], 4096);
    assert!(felix.get("reportingInterval").is_none());
    let installations = calico.installations.unwrap();
    let installation = &installations.seen().unwrap()[0];
    assert_eq!(
        (installation.bgp.as_deref(), installation.ipam.as_deref()),
        (Some("Disabled"), Some("Calico"))
    );
    assert_eq!(
        calico.statuses.unwrap().seen().unwrap()[0].conditions["Available"].status,
        "True"
    );
    let pods = cni.cluster_pods.seen().unwrap();
    let web = pods.iter().find(|pod| pod.name == "web-1").unwrap();
    assert_eq!(web.given, web.addresses, "what is written on it is what it has");
}

#[tokio::test]
async fn ipip_with_bgp_is_read_and_bird_asked_for_its_sessions() {
    let api = api(&RESOURCES, &bgp(), |words| {
        words.starts_with("birdcl").then(|| printed(BIRD))
    });
    let calico = ask(&api, None).await.calico.unwrap();
    let manifest = calico.manifest.seen().unwrap().as_ref().unwrap();
    assert_eq!(
        (manifest.backend.as_deref(), manifest.ipam.as_deref()),
        (Some("bird"), Some("calico-ipam"))
    );
    let peer = &calico.peers.seen().unwrap()[0];
    assert_eq!(
        (peer.peer_ip.as_deref(), peer.as_number),
        (Some("192.0.2.1"), Some(64600))
    );
    let rule = &calico.filters.seen().unwrap()[0].rules[0];
    assert_eq!(
        (rule.direction.as_str(), rule.action.as_str()),
        ("exportV4", "Reject")
    );
    assert_eq!(calico.birds.len(), 2);
    let session = &calico.birds["node-001"].seen().unwrap().sessions[0];
    assert_eq!(
        (session.peer.as_str(), session.state.as_str()),
        ("10.0.0.9", "Connect")
    );
}

#[tokio::test]
async fn without_the_right_to_execute_sessions_are_gaps_that_name_it() {
    let api = api(&RESOURCES, &bgp(), |_| None);
    api.deny("get", "pods/exec");
    api.deny("create", "pods/exec");
    let calico = ask(&api, None).await.calico.unwrap();
    assert!(
        is_forbidden(calico.birds["node-001"].gap(), "pods/exec"),
        "{:?}",
        calico.birds
    );
}

#[tokio::test]
async fn a_pod_that_is_not_ready_has_the_kubelets_words() {
    let mut objects = bgp();
    objects[0]["status"]["conditions"][0]["status"] = json!("False");
    objects.push(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "calico-node-1.1", "namespace": "calico-system"},
        "involvedObject": {"kind": "Pod", "namespace": "calico-system", "name": "calico-node-1"}, "type": "Warning", "reason": "Unhealthy",
        "message": "Readiness probe failed: calico/node is not ready: BIRD is not ready: BGP not established with 10.0.0.9",
        "lastTimestamp": "2026-03-01T08:59:00Z"}));
    let calico = read(&api(&RESOURCES, &objects, |_| None)).await.calico.unwrap();
    let agents = calico.agents.seen().unwrap();
    let agent = agents.iter().find(|agent| !agent.ready).unwrap();
    assert!(
        agent.unhealthy.as_ref().unwrap().message.ends_with("10.0.0.9"),
        "{agent:?}"
    );
}

#[tokio::test]
async fn what_may_not_be_listed_is_a_gap_that_names_the_right() {
    let api = api(&RESOURCES, &vxlan(), |_| None);
    for resource in [
        "ippools",
        "ipamblocks",
        "ipamhandles",
        "bgppeers",
        "felixconfigurations",
        "tigerastatuses",
    ] {
        api.deny("list", resource);
    }
    let calico = read(&api).await.calico.unwrap();
    assert!(
        is_forbidden(calico.pools.gap(), "ippools.crd.projectcalico.org"),
        "{:?}",
        calico.pools
    );
    assert!(is_forbidden(
        calico.blocks.gap(),
        "ipamblocks.crd.projectcalico.org"
    ));
    assert!(is_forbidden(
        calico.handles.gap(),
        "ipamhandles.crd.projectcalico.org"
    ));
    assert!(is_forbidden(calico.peers.gap(), "bgppeers.crd.projectcalico.org"));
    assert!(is_forbidden(
        calico.felix.gap(),
        "felixconfigurations.crd.projectcalico.org"
    ));
    assert!(is_forbidden(
        calico.statuses.unwrap().gap(),
        "tigerastatuses.operator.tigera.io"
    ));
    assert!(calico.agents.seen().is_some());
}

#[tokio::test]
async fn a_calico_that_keeps_its_objects_in_etcd_shows_pods_only() {
    let pods = vec![agent(
        "kube-system",
        "calico-node-1",
        ("k8s-app", "calico-node"),
        "calico-node",
        "node-001",
    )];
    let calico = read(&api(&[], &pods, |_| None)).await.calico.unwrap();
    assert_eq!(calico.api, None);
    let gap = calico.pools.gap().unwrap();
    assert_eq!(gap.why, GapReason::NotServed);
    assert!(gap.message.contains("etcd"));
    assert!(calico.filters.gap().is_some(), "absent is not none");
}

#[tokio::test]
async fn releases_without_some_resources_have_none_of_them() {
    let old: Vec<Row> = RESOURCES
        .into_iter()
        .filter(|row| !["bgpfilters", "caliconodestatuses", "ipamconfigs"].contains(&row.2))
        .collect();
    let objects: Vec<Value> = vxlan()
        .into_iter()
        .filter(|it| it["kind"] != "IPAMConfig")
        .collect();
    let calico = read(&api(&old, &objects, |_| None)).await.calico.unwrap();
    assert_eq!(calico.filters.seen().map(Vec::len), Some(0));
    assert_eq!(calico.ipam.seen(), Some(&None));
}

#[tokio::test]
async fn objects_that_are_odd_are_read_as_far_as_they_go() {
    let mut objects = vxlan();
    objects.push(object(
        GROUP,
        "IPAMBlock",
        "odd",
        &json!({"cidr": "no range", "allocations": [0, 7], "attributes": [
        {"handle_id": "x", "secondary": {"namespace": "shop", "pod": "web-1"}}]}),
    ));
    objects.push(object(GROUP, "IPAMBlock", "bare", &json!({})));
    objects.push(json!({"apiVersion": GROUP, "kind": "IPPool", "metadata": {"name": "bare"}}));
    let calico = read(&api(&RESOURCES, &objects, |_| None)).await.calico.unwrap();
    let blocks = calico.blocks.seen().unwrap();
    let odd = blocks.iter().find(|block| block.cidr == "no range").unwrap();
    assert_eq!((odd.used, odd.held.len()), (2, 0));
    assert_eq!(calico.pools.seen().unwrap().len(), 2);
}
