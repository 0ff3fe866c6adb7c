//! The nodes of a cluster, as far as anybody here needs them.

use std::collections::BTreeMap;

use observation::{Node, Taint};
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::condition::ConditionObject;
use crate::list::ListQuery;

/// A node, and what helps to place a probe on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRead {
    /// What goes into an observation.
    pub node: Node,
    /// `status.images`: what the kubelet says is on the node. It reports at most 50 by default, the largest first.
    pub images: Vec<NodeImage>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
}

/// An image on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeImage {
    /// By tag and by digest.
    pub names: Vec<String>,
    /// `None` when the kubelet did not say.
    pub size_bytes: Option<u64>,
}

impl Cluster {
    /// All nodes, in the order of their names.
    pub async fn nodes(&self) -> Observed<Vec<NodeRead>> {
        let listed = self
            .list::<NodeObject>("nodes", &ListQuery::new("", "v1", "nodes"))
            .await;
        listed.map(|objects| {
            let mut nodes: Vec<NodeRead> = objects.into_iter().map(NodeRead::from).collect();
            nodes.sort_by(|one, other| one.node.name.cmp(&other.node.name));
            nodes
        })
    }
}

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

#[derive(Deserialize)]
struct NodeObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Where CNIs keep what they know of a node.
const CNI_ANNOTATIONS: &[&str] = &[
    "flannel.alpha.coreos.com/",
    "projectcalico.org/",
    "network.cilium.io/",
];

#[derive(Default, Deserialize)]
#[serde(default)]
struct Spec {
    taints: Vec<TaintObject>,
    #[serde(rename = "podCIDR")]
    pod_cidr: Option<String>,
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
}

#[derive(Deserialize)]
struct TaintObject {
    key: String,
    #[serde(default)]
    value: String,
    effect: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    conditions: Vec<ConditionObject>,
    addresses: Vec<Address>,
    node_info: NodeInfo,
    images: Vec<ImageObject>,
}

#[derive(Deserialize)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    address: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeInfo {
    architecture: String,
    operating_system: String,
    kubelet_version: String,
    container_runtime_version: String,
    kernel_version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageObject {
    // Images that lost their last tag have none.
    #[serde(default)]
    names: Option<Vec<String>>,
    size_bytes: Option<u64>,
}

impl From<NodeObject> for NodeRead {
    fn from(object: NodeObject) -> Self {
        let NodeObject {
            metadata,
            spec,
            status,
        } = object;
        let ready = status
            .conditions
            .into_iter()
            .find(|condition| condition.kind == "Ready");
        let pod_cidrs = if spec.pod_cidrs.is_empty() {
            spec.pod_cidr.into_iter().collect()
        } else {
            spec.pod_cidrs
        };
        // The API does not check addresses; one that is none cannot be anybody's target.
        let addresses = |kind: &str| {
            let of_kind = status.addresses.iter().filter(|address| address.kind == kind);
            of_kind
                .filter_map(|address| address.address.parse().ok())
                .collect()
        };
        let node = Node {
            ready: ready.map(Into::into),
            taints: spec
                .taints
                .into_iter()
                .map(|taint| Taint {
                    key: taint.key,
                    value: taint.value,
                    effect: taint.effect,
                })
                .collect(),
            architecture: status.node_info.architecture,
            operating_system: status.node_info.operating_system,
            kubelet_version: status.node_info.kubelet_version,
            container_runtime_version: status.node_info.container_runtime_version,
            kernel_version: status.node_info.kernel_version,
            internal_ips: addresses("InternalIP"),
            external_ips: addresses("ExternalIP"),
            pod_cidrs,
            zone: metadata.labels.get("topology.kubernetes.io/zone").cloned(),
            annotations: metadata
                .annotations
                .into_iter()
                .filter(|(key, _)| CNI_ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix)))
                .collect(),
            name: metadata.name,
        };
        let images = status.images.into_iter().filter_map(|image| {
            let names = image.names.filter(|names| !names.is_empty())?;
            Some(NodeImage {
                names,
                size_bytes: image.size_bytes,
            })
        });
        Self {
            node,
            images: images.collect(),
            labels: metadata.labels,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_read_as_the_api_writes_it() {
        let object: NodeObject = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "node1", "labels": {"topology.kubernetes.io/zone": "z1"}},
            "spec": {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"],
                     "taints": [{"key": "dedicated", "effect": "NoSchedule"}]},
            "status": {
                "conditions": [
                    {"type": "MemoryPressure", "status": "False"},
                    {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, {"type": "Hostname", "address": "node1"},
                              {"type": "ExternalIP", "address": "198.51.100.7"}],
                "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.34.4",
                             "containerRuntimeVersion": "containerd://1.6.20", "kernelVersion": "6.18.0"},
                "images": [{"names": ["a@sha256:1", "a:1"], "sizeBytes": 5}, {"names": null, "sizeBytes": 1}]
            }
        }))
        .unwrap();
        let read = NodeRead::from(object);
        assert_eq!(read.node.pod_cidrs.len(), 2);
        assert_eq!(read.node.zone.as_deref(), Some("z1"));
        assert_eq!(read.node.ready.as_ref().unwrap().reason, "KubeletReady");
        assert_eq!(read.node.taints[0].value, "");
        assert_eq!(
            (read.node.internal_ips.len(), read.node.external_ips.len()),
            (1, 1)
        );
        assert_eq!(
            read.images,
            [NodeImage {
                names: vec!["a@sha256:1".into(), "a:1".into()],
                size_bytes: Some(5)
            }]
        );
    }

    #[test]
    fn a_node_that_has_just_registered_has_no_ready_condition() {
        let object: NodeObject = serde_json::from_str(r#"{"metadata":{"name":"new"}}"#).unwrap();
        assert_eq!(NodeRead::from(object).node.ready, None);
    }
}
