//! CNIs that the lab does not run, by stand-ins on it: objects of the published shapes in a real API server, and pods of the right names and labels
//! whose programs print what those of the product print. What they show is that objects are found and read, and agents asked by an exec, on a
//! real cluster; not that a cluster of that CNI looks so.

use e2e::{Bench, Run};
use serde_json::{Value, json};

const CALICO: &str = "crd.projectcalico.org";
const CILIUM: &str = "cilium.io";
/// Group, version, plural, kind, whether objects have a namespace.
const KINDS: [(&str, &str, &str, &str, bool); 14] = [
    (CALICO, "v1", "ippools", "IPPool", false),
    (CALICO, "v1", "ipamblocks", "IPAMBlock", false),
    (CALICO, "v1", "blockaffinities", "BlockAffinity", false),
    (CALICO, "v1", "ipamhandles", "IPAMHandle", false),
    (CALICO, "v1", "ipamconfigs", "IPAMConfig", false),
    (CALICO, "v1", "felixconfigurations", "FelixConfiguration", false),
    (CALICO, "v1", "bgpconfigurations", "BGPConfiguration", false),
    (CALICO, "v1", "bgppeers", "BGPPeer", false),
    (CALICO, "v1", "bgpfilters", "BGPFilter", false),
    (CALICO, "v1", "caliconodestatuses", "CalicoNodeStatus", false),
    (CALICO, "v1", "networkpolicies", "NetworkPolicy", true),
    (
        CALICO,
        "v1",
        "globalnetworkpolicies",
        "GlobalNetworkPolicy",
        false,
    ),
    (CILIUM, "v2", "ciliumnodes", "CiliumNode", false),
    (CILIUM, "v2", "ciliumendpoints", "CiliumEndpoint", true),
];

const NAMESPACE: &str = "netcheck-e2e-products";

fn definition(kind: &(&str, &str, &str, &str, bool)) -> Value {
    let (group, version, plural, kind, has_namespace) = kind;
    let scope = if *has_namespace { "Namespaced" } else { "Cluster" };
    // CustomResourceDefinitions of projects under `projectcalico.org` are no API of Kubernetes and need no approval.
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": scope,
            "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "versions": [{"name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// A DaemonSet whose container has these programs, each a script that prints a text.
fn agents(name: &str, label: &str, container: &str, programs: &[(&str, &str)]) -> Vec<Value> {
    let scripts: serde_json::Map<String, Value> = programs
        .iter()
        .map(|(program, prints)| {
            let script = format!("#!/bin/sh\ncat <<'END'\n{prints}\nEND\n");
            ((*program).to_owned(), Value::from(script))
        })
        .collect();
    let mounts: Vec<Value> = programs
        .iter()
        .map(|(program, _)| json!({"name": "programs", "mountPath": format!("/usr/local/bin/{program}"), "subPath": program}))
        .collect();
    vec![
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": NAMESPACE}, "data": scripts}),
        json!({"apiVersion": "apps/v1", "kind": "DaemonSet",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": {"k8s-app": label}},
            "spec": {"selector": {"matchLabels": {"k8s-app": label}}, "template": {
                "metadata": {"labels": {"k8s-app": label}},
                "spec": {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false,
                    "containers": [{"name": container, "image": "registry.lab/toolbox:1", "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", "while :; do sleep 3600; done"], "volumeMounts": mounts}],
                    "volumes": [{"name": "programs", "configMap": {"name": name, "defaultMode": 0o755}}]}}}}),
    ]
}

fn object(group: &str, version: &str, kind: &str, name: &str, rest: &Value) -> Value {
    let mut object =
        json!({"apiVersion": format!("{group}/{version}"), "kind": kind, "metadata": {"name": name}});
    let fields = rest.as_object().expect("fields").clone();
    object.as_object_mut().expect("an object").extend(fields);
    object
}

fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Removes what the test applied, also where it fails. The definitions take their objects along.
struct Applied<'a>(&'a Bench, String);

impl Drop for Applied<'_> {
    fn drop(&mut self) {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &self.1).expect("written");
        let path = file.path().to_str().expect("UTF-8");
        self.0.run(&["delete", "--ignore-not-found", "-f", path]);
    }
}

/// Applies what a product consists of, looks once its agents run, and takes it away.
fn look(bench: &Bench, group: &str, daemon_set: &str, mut own: Vec<Value>, objects: &[Value]) -> Run {
    let kinds: Vec<_> = KINDS.iter().filter(|kind| kind.0 == group).collect();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let mut all = vec![namespace];
    all.extend(kinds.iter().map(|kind| definition(kind)));
    all.append(&mut own);
    let all = list(&all);
    bench.apply(&all);
    let _applied = Applied(bench, all);
    for (group, _, plural, _, _) in &kinds {
        let name = format!("crd/{plural}.{group}");
        bench.kubectl(&["wait", "--for=condition=Established", &name, "--timeout=30s"]);
    }
    bench.apply(&list(objects));
    bench.kubectl(&[
        "-n",
        NAMESPACE,
        "rollout",
        "status",
        &format!("daemonset/{daemon_set}"),
        "--timeout=60s",
    ]);
    bench.run(&["cnicheck", "diagnose", "--node-access", "-o", "json"])
}

/// The sentences of a check's findings.
fn found(run: &Run, check: &str) -> Vec<String> {
    let report = run.json();
    let findings = report["findings"].as_array().expect("a list").iter();
    let own = findings.filter(|finding| finding["id"] == check);
    own.filter_map(|finding| finding["summary"].as_str().map(str::to_owned))
        .collect()
}

const BIRD: &str = "BIRD v0.3.3+birdv1.6.8 ready.\n\
    name     proto    table    state  since       info\n\
    kernel1  Kernel   master   up     08:00:00\n\
    Mesh_172_30_0_99 BGP      master   start  08:00:00    Connect       Socket: Connection refused";

#[test]
fn a_full_pool_of_calico_and_a_session_that_is_down_are_found() {
    let Some(bench) = Bench::lab() else { return };
    let agents = agents("calico-node", "calico-node", "calico-node", &[("birdcl", BIRD)]);
    let taken: Vec<usize> = vec![0; 64];
    let objects = vec![
        object(
            CALICO,
            "v1",
            "IPPool",
            "full",
            &json!({"spec": {"blockSize": 26, "cidr": "192.168.77.0/26",
            "ipipMode": "Always", "vxlanMode": "Never", "natOutgoing": true, "nodeSelector": "all()"}}),
        ),
        object(
            CALICO,
            "v1",
            "IPAMBlock",
            "192-168-77-0-26",
            &json!({"spec": {"affinity": "host:node1", "allocations": taken,
            "attributes": [{"handle_id": "k8s-pod-network.0", "secondary": {"namespace": "shop", "node": "node1", "pod": "web-1"}}],
            "cidr": "192.168.77.0/26", "deleted": false, "strictAffinity": false, "unallocated": []}}),
        ),
        object(
            CALICO,
            "v1",
            "BGPConfiguration",
            "default",
            &json!({"spec": {"asNumber": 64512, "nodeToNodeMeshEnabled": true}}),
        ),
    ];
    let run = look(&bench, CALICO, "calico-node", agents, &objects);
    let full = found(&run, "cni-ipam-calico");
    assert!(full.iter().any(|it| it.contains("64 of 64")), "{full:?}");
    let sessions = found(&run, "cni-bgp");
    assert!(
        sessions.iter().any(|it| it.contains("172.30.0.99")),
        "{sessions:?}"
    );
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

const STATUS: &str = r#"{"cilium": {"state": "Ok", "msg": "1.18.1"}, "kubernetes": {"state": "Failure", "msg": "no contact to the API"},
"kvstore": {"state": "Disabled"}, "cluster": {"ciliumHealth": {"state": "Ok"}}, "controllers": [],
"ipam": {"ipv4": ["10.0.0.5"], "status": "1/254 allocated"}}"#;

#[test]
fn a_cilium_whose_operator_has_no_range_left_and_whose_agents_are_not_well_is_found() {
    let Some(bench) = Bench::lab() else { return };
    let programs = [("cilium-dbg", STATUS), ("cilium-health", r#"{"nodes": []}"#)];
    let mut agents = agents("cilium", "cilium", "cilium-agent", &programs);
    agents.push(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cilium-config", "namespace": NAMESPACE},
        "data": {"routing-mode": "tunnel", "tunnel-protocol": "vxlan", "ipam": "cluster-pool", "kube-proxy-replacement": "false",
            "cluster-pool-ipv4-cidr": "10.0.0.0/8", "cluster-pool-ipv4-mask-size": "24"}}));
    let node = |name: &str, address: &str, cidrs: Value, status: Value| {
        object(
            CILIUM,
            "v2",
            "CiliumNode",
            name,
            &json!({"spec": {
            "addresses": [{"ip": address, "type": "InternalIP"}], "ipam": {"podCIDRs": cidrs}}, "status": status}),
        )
    };
    let objects = vec![
        node(
            "node1",
            "172.30.0.11",
            json!(["10.0.0.0/24"]),
            json!({"ipam": {"operator-status": {}}}),
        ),
        node(
            "node2",
            "172.30.0.12",
            json!([]),
            json!({"ipam": {"operator-status": {"error": "allocator full, can't allocate new CIDRs"}}}),
        ),
        node(
            "node3",
            "172.30.0.13",
            json!(["10.0.1.0/24"]),
            json!({"ipam": {"operator-status": {}}}),
        ),
    ];
    let run = look(&bench, CILIUM, "cilium", agents, &objects);
    let said = found(&run, "cni-cilium");
    assert!(
        said.iter().any(|it| it.contains("no contact to the API")),
        "{said:?}"
    );
    assert!(said.iter().any(|it| it.contains("node2")), "{said:?}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}
