//! Ports of nodes that pods ask for.

use std::net::IpAddr;

use report::Subject;
use serde::{Deserialize, Serialize};

/// A port of a node that a pod with a network of its own asks for (`hostPort`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostPort {
    /// `metadata.namespace` of the pod.
    pub namespace: String,
    /// `metadata.name` of the pod.
    pub pod: String,
    /// `spec.nodeName`.
    pub node: String,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// `hostIP`; `None` for every address of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
    /// `hostPort`.
    pub host_port: u16,
    /// `containerPort`.
    pub container_port: u16,
    /// As `TCP`.
    pub protocol: String,
    /// What makes the pod anew when it is deleted, as `replicaset/web-6d4f`; `None` when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// Whether the pod's condition `Ready` is true.
    pub ready: bool,
}

impl HostPort {
    /// The pod as kubectl prints it: `pod/web-1 -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "pod".to_owned(),
            name: self.pod.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }
}
