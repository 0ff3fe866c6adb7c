//! Clusters to start with: nodes, and what every cluster has besides them.

use serde_json::{Value, json};

/// What exists when the server starts.
#[derive(Clone, Debug, Default)]
pub struct Cluster {
    /// Complete objects, with `kind` and `apiVersion`.
    pub objects: Vec<Value>,
    /// How many pods the namespace `bulk` holds. They are made up as they are read and take no memory.
    pub bulk_pods: u32,
}

/// A cluster of `count` nodes, `node-001` and so on, all Ready and without taints, amd64, each with a pod CIDR of its
/// own (`10.128.0.0/24` and so on) and a running kube-proxy pod.
pub fn cluster_of(count: u32) -> Cluster {
    let mut objects: Vec<Value> = ["default", "kube-system", "kube-public", "kube-node-lease"]
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    objects.push(service("default", "kubernetes", "10.96.0.1", 443, "TCP"));
    objects.push(service("kube-system", "kube-dns", "10.96.0.10", 53, "UDP"));
    for index in 0..count {
        objects.push(node(index));
        objects.push(kube_proxy(index));
    }
    Cluster {
        objects,
        bulk_pods: 0,
    }
}

/// The name of the node with this index, counted from zero.
pub fn node_name(index: u32) -> String {
    format!("node-{:03}", index + 1)
}

impl Cluster {
    /// Changes the object of this kind and name, wherever it is; as `cluster.edit("Node", "node-001", |node| …)`.
    ///
    /// # Panics
    /// When there is none: a test that edits nothing tests nothing.
    #[must_use]
    pub fn edit(mut self, kind: &str, name: &str, change: impl FnOnce(&mut Value)) -> Self {
        let object = self
            .objects
            .iter_mut()
            .find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        change(object.unwrap_or_else(|| panic!("the cluster has no {kind} {name}")));
        self
    }

    /// With one object more.
    #[must_use]
    pub fn with(mut self, object: Value) -> Self {
        self.objects.push(object);
        self
    }

    /// With a taint on a node.
    #[must_use]
    pub fn tainted(self, node: &str, key: &str, effect: &str) -> Self {
        self.edit("Node", node, |node| {
            let taint = json!({"key": key, "effect": effect});
            match node["spec"]["taints"].as_array_mut() {
                Some(taints) => taints.push(taint),
                None => node["spec"]["taints"] = json!([taint]),
            }
        })
    }

    /// With this many pods of about 5 kB in the namespace `bulk`, which are made up as they are listed: for measuring
    /// readers. They cannot be watched or changed.
    #[must_use]
    pub fn with_bulk_pods(mut self, count: u32) -> Self {
        self.bulk_pods = count;
        self.with(
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": crate::bulk::NAMESPACE}}),
        )
    }
}

/// The second and third byte of what belongs to a node, so that 32,768 nodes have their own.
fn high_and_low(index: u32) -> (u32, u32) {
    (index / 256, index % 256)
}

fn internal_ip(index: u32) -> String {
    let (high, low) = high_and_low(index);
    format!("172.{}.{low}.10", 16 + high)
}

fn node(index: u32) -> Value {
    let name = node_name(index);
    let (high, low) = high_and_low(index);
    let cidr = format!("10.{}.{low}.0/24", 128 + high);
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastHeartbeatTime": "2026-01-02T03:04:05Z", "lastTransitionTime": "2026-01-01T00:00:40Z",
        })
    };
    let resources = json!({
        "cpu": "4", "memory": "16374584Ki", "pods": "110", "ephemeral-storage": "101430960Ki", "hugepages-2Mi": "0",
    });
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {
                "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "region-1",
                "topology.kubernetes.io/zone": format!("region-1{}", ['a', 'b', 'c'][index as usize % 3]),
                "node.kubernetes.io/instance-type": "standard-4",
            },
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr], "providerID": format!("fake://{name}")},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": internal_ip(index)},
                {"type": "Hostname", "address": name},
            ],
            "allocatable": resources, "capacity": resources,
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory",
                    "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "images": images(),
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "kernelVersion": "6.8.0-45-generic",
                "osImage": "Ubuntu 24.04.1 LTS", "containerRuntimeVersion": "containerd://2.0.5",
                "kubeletVersion": "v1.34.4", "kubeProxyVersion": "",
                "machineID": format!("{:032x}", u64::from(index) + 1),
                "systemUUID": format!("00000000-0000-4000-8000-{:012x}", u64::from(index) + 1),
                "bootID": format!("00000000-0000-4000-9000-{:012x}", u64::from(index) + 1),
            },
        },
    })
}

fn images() -> Value {
    let rows = [
        ("registry.k8s.io/etcd", "3.6.5-0", 58_000_000),
        ("registry.k8s.io/kube-apiserver", "v1.34.4", 27_100_000),
        ("registry.k8s.io/kube-proxy", "v1.34.4", 25_900_000),
        ("registry.k8s.io/kube-controller-manager", "v1.34.4", 22_800_000),
        ("registry.k8s.io/coredns/coredns", "v1.12.1", 22_400_000),
        ("registry.example/cni/node", "v3.30.2", 158_000_000),
        (
            "registry.k8s.io/metrics-server/metrics-server",
            "v0.8.0",
            22_000_000,
        ),
        ("registry.k8s.io/kube-scheduler", "v1.34.4", 17_400_000),
        ("registry.example/shop/web", "2.4.1", 73_000_000),
        ("registry.k8s.io/pause", "3.10.1", 320_000),
    ];
    rows.iter()
        .enumerate()
        .map(|(index, (name, tag, size))| {
            let digest = format!("{name}@sha256:{:064x}", index + 1);
            json!({"names": [digest, format!("{name}:{tag}")], "sizeBytes": size})
        })
        .collect()
}

fn kube_proxy(index: u32) -> Value {
    let address = internal_ip(index);
    let image = "registry.k8s.io/kube-proxy:v1.34.4";
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("kube-proxy-{:05}", index + 1), "namespace": "kube-system",
            "labels": {"k8s-app": "kube-proxy"},
        },
        "spec": {
            "nodeName": node_name(index), "hostNetwork": true, "serviceAccountName": "kube-proxy",
            "containers": [{"name": "kube-proxy", "image": image, "command": ["/usr/local/bin/kube-proxy"]}],
            "tolerations": [{"operator": "Exists"}],
        },
        "status": {
            "phase": "Running", "hostIP": address, "podIP": address, "podIPs": [{"ip": address}],
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{
                "name": "kube-proxy", "image": image, "ready": true, "started": true, "restartCount": 0,
                "imageID": format!("registry.k8s.io/kube-proxy@sha256:{:064x}", 3),
                "state": {"running": {"startedAt": "2026-01-01T00:00:50Z"}},
            }],
        },
    })
}

fn service(namespace: &str, name: &str, address: &str, port: u16, protocol: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "type": "ClusterIP", "clusterIP": address, "clusterIPs": [address], "ipFamilies": ["IPv4"],
            "ports": [{"port": port, "protocol": protocol, "targetPort": port}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_node_has_its_own_addresses() {
        let cluster = cluster_of(1000);
        let nodes: Vec<&Value> = cluster
            .objects
            .iter()
            .filter(|object| object["kind"] == "Node")
            .collect();
        let unique = |path: &str| {
            nodes
                .iter()
                .map(|node| node.pointer(path).unwrap().to_string())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(nodes.len(), 1000);
        assert_eq!(unique("/spec/podCIDR").len(), 1000);
        assert_eq!(unique("/status/addresses/0/address").len(), 1000);
    }
}
