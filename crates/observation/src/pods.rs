//! The network namespaces of the pods of a node, as they are seen from inside, and what the API says of these pods.

use std::net::IpAddr;

use report::{Gap, Observed, Subject};
use serde::{Deserialize, Serialize};

use crate::{Link, Listener, Neighbour, Route};

/// A pod with a network of its own on a node that was read. It ran, was not being deleted and had the same addresses
/// both before and after the node was read: whatever it lacked in its namespace it really lacked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodePod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// As the kubelet names its control group: `metadata.uid`, and for a static pod the hash of its file, which is the
    /// annotation `kubernetes.io/config.hash` of what the API shows of it.
    pub uid: String,
    /// `spec.nodeName`.
    pub node: String,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Option<String>,
    /// What makes it anew when it is deleted, as `replicaset/web-6d4f`; `None` when nothing does.
    pub controller: Option<String>,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
}

impl NodePod {
    /// As kubectl prints it: `pod/web-1 -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "pod".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }
}

/// What was read in the network namespaces of a node's pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodNetworks {
    /// Those that were entered, and those that could not be. Pods in the network of the node are not among them.
    pub pods: Vec<PodNetwork>,
    /// Why some are missing, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<Gap>,
}

/// One network namespace, in which a pod is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodNetwork {
    /// As [`NodePod::uid`]. Never told by an address: two pods may have the same.
    pub uid: String,
    /// A process in it, by its id on the node: `nsenter -t PID -n` enters it.
    pub process: u32,
    /// `ip -d link` and `ip address`. The ifindex of a peer is one of the node's.
    pub links: Observed<Vec<Link>>,
    /// `ip route show table all`, without the table `local`.
    pub routes: Observed<Vec<Route>>,
    /// `ip neigh`.
    pub neighbours: Observed<Vec<Neighbour>>,
    /// Sockets that listen.
    pub listeners: Observed<Vec<Listener>>,
}
