//! A pod at an end of a path, as the API writes it.

use observation::PathPod;
use serde::Deserialize;

use super::{Metadata, addresses};

#[derive(Deserialize)]
pub(super) struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    host_network: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Deserialize)]
struct PodIp {
    ip: String,
}

impl From<PodObject> for PathPod {
    fn from(object: PodObject) -> Self {
        let ips: Vec<String> = object.status.pod_ips.into_iter().map(|it| it.ip).collect();
        Self {
            name: object.metadata.name,
            namespace: object.metadata.namespace,
            node: object.spec.node_name.filter(|node| !node.is_empty()),
            phase: object.status.phase,
            addresses: addresses(&ips),
            host_network: object.spec.host_network,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_is_not_scheduled_has_neither_node_nor_address() {
        let text = r#"{"metadata":{"name":"a","namespace":"b"},"spec":{},"status":{"phase":"Pending"}}"#;
        let pod = PathPod::from(serde_json::from_str::<PodObject>(text).unwrap());
        assert_eq!(
            (pod.node, pod.addresses.len(), pod.phase.as_str()),
            (None, 0, "Pending")
        );
    }
}
