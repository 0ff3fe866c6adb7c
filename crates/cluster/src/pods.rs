//! The pods of nodes, for what is read in their networks.

use std::net::IpAddr;

use observation::NodePod;
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::list::ListQuery;

impl Cluster {
    /// The pods of these nodes that run, are not being deleted, have addresses, and are not in the network of their node.
    pub async fn node_pods(&self, nodes: &[String]) -> Observed<Vec<NodePod>> {
        let query = ListQuery::new("", "v1", "pods");
        let query = match nodes {
            [one] => query.with_fields(format!("status.phase=Running,spec.nodeName={one}")),
            _ => query.with_fields("status.phase=Running"),
        };
        let listed = self.list::<PodObject>("pods", &query).await;
        listed.map(|objects| {
            let pods = objects.into_iter().filter_map(PodObject::into_pod);
            pods.filter(|pod| nodes.contains(&pod.node)).collect()
        })
    }
}

#[derive(Deserialize)]
struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// What is needed of the metadata of pods.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) namespace: String,
    uid: String,
    creation_timestamp: Option<String>,
    pub(crate) deletion_timestamp: Option<String>,
    #[serde(default)]
    annotations: Annotations,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

impl Metadata {
    /// What makes the pod anew when it is deleted, as `replicaset/web-6d4f`; `None` when nothing does.
    pub(crate) fn controller(&self) -> Option<String> {
        let mut owners = self.owner_references.iter();
        let controller = owners.find(|owner| owner.controller);
        controller.map(|owner| format!("{}/{}", owner.kind.to_lowercase(), owner.name))
    }
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "kubernetes.io/config.hash")]
    config_hash: Option<String>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: String,
    host_network: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Deserialize)]
pub(crate) struct PodIp {
    pub(crate) ip: IpAddr,
}

impl PodObject {
    fn into_pod(self) -> Option<NodePod> {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let left_out =
            spec.host_network || metadata.deletion_timestamp.is_some() || status.pod_ips.is_empty();
        let controller = metadata.controller();
        (!left_out).then(|| NodePod {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.annotations.config_hash.unwrap_or(metadata.uid),
            node: spec.node_name,
            created: metadata.creation_timestamp,
            controller,
            addresses: status.pod_ips.into_iter().map(|it| it.ip).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(text: &str) -> Option<NodePod> {
        serde_json::from_str::<PodObject>(text).unwrap().into_pod()
    }

    #[test]
    fn a_pod_has_its_controller_and_the_uid_of_its_control_group() {
        let web = pod(
            r#"{"metadata": {"name": "web-1", "namespace": "shop", "uid": "u-1", "ownerReferences":
            [{"kind": "ReplicaSet", "name": "web", "controller": true}]},
            "spec": {"nodeName": "node1"}, "status": {"podIPs": [{"ip": "10.244.1.5"}]}}"#,
        )
        .unwrap();
        assert_eq!(web.controller.as_deref(), Some("replicaset/web"));
        assert_eq!((web.uid.as_str(), web.node.as_str()), ("u-1", "node1"));
        let fixed = pod(r#"{"metadata": {"name": "dns-node1", "uid": "u-2", "annotations": {"kubernetes.io/config.hash": "h"}},
            "status": {"podIPs": [{"ip": "10.244.1.6"}]}}"#)
        .unwrap();
        assert_eq!((fixed.uid.as_str(), fixed.controller), ("h", None));
    }

    #[test]
    fn pods_of_the_nodes_network_and_those_that_come_or_go_are_left_out() {
        for text in [
            r#"{"metadata": {"name": "a", "uid": "u"}, "spec": {"hostNetwork": true}, "status": {"podIPs": [{"ip": "172.30.0.11"}]}}"#,
            r#"{"metadata": {"name": "a", "uid": "u", "deletionTimestamp": "2026-03-01T09:00:00Z"}, "status": {"podIPs": [{"ip": "10.244.1.6"}]}}"#,
            r#"{"metadata": {"name": "a", "uid": "u"}}"#,
        ] {
            assert_eq!(pod(text), None, "{text}");
        }
    }
}
