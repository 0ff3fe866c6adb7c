//! Cilium: its agents, what configures it, and what it says of nodes and endpoints.
//!
//! Names of fields are those of the CustomResourceDefinitions of `cilium.io/v2`, and of the agent's own API.

use std::collections::BTreeMap;
use std::net::IpAddr;

use report::Observed;
use serde::{Deserialize, Serialize};

use crate::CniAgent;

/// What was seen of Cilium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cilium {
    /// Pods of the agent, the operator and Envoy.
    pub agents: Observed<Vec<CniAgent>>,
    /// Keys of `configmap/cilium-config` that say how the network is built, in the namespace of the agents; nothing where there is none.
    pub config: Observed<Option<BTreeMap<String, String>>>,
    /// `ciliumnodes.cilium.io`.
    pub nodes: Observed<Vec<CiliumNode>>,
    /// `ciliumendpoints.cilium.io`.
    pub endpoints: Observed<Vec<CiliumEndpoint>>,
    /// What the agent of a node says of itself, by the node's name. Empty where nobody was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub asked: BTreeMap<String, Observed<CiliumStatus>>,
    /// What the agents of nodes saw dropped, by the node's name. Empty where nobody was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drops: BTreeMap<String, Observed<CiliumDrops>>,
}

/// A `CiliumNode`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CiliumNode {
    /// `metadata.name`.
    pub name: String,
    /// `spec.addresses[]` of type `InternalIP`: CiliumEndpoints name their node so.
    pub internal_ips: Vec<IpAddr>,
    /// `spec.ipam.podCIDRs`.
    pub pod_cidrs: Vec<String>,
    /// How many addresses are in `spec.ipam.pool`, where a cloud gives them one by one.
    pub pool: Option<u32>,
    /// How many addresses are in `status.ipam.used`; `None` where the agent does not keep it, as in the modes of ranges.
    pub used: Option<u32>,
    /// `spec.ipam.pools.allocated`: ranges by the name of the pool, in mode `multi-pool`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pools: BTreeMap<String, Vec<String>>,
    /// `status.ipam.operator-status.error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_error: Option<String>,
}

/// A `CiliumEndpoint`: a pod, as Cilium knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CiliumEndpoint {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`, which is the pod's.
    pub name: String,
    /// `status.state`, as `ready`, `not-ready`, `waiting-for-identity`.
    pub state: String,
    /// `status.networking.node`.
    pub node_ip: Option<IpAddr>,
    /// `status.networking.addressing`.
    pub addresses: Vec<IpAddr>,
}

/// What `cilium-dbg status -o json` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CiliumStatus {
    /// The command that was there: `cilium-dbg`, and before 1.15 `cilium`.
    pub command: String,
    /// Its parts, by name, as `cilium`, `kubernetes`, `kvstore`, `container-runtime`, `cni-file`, `hubble`, `cluster health`.
    pub parts: BTreeMap<String, CiliumState>,
    /// Controllers that fail.
    pub failing: Vec<FailingController>,
    /// `ipam.status`, as `12/254 allocated from 10.244.1.0/24`.
    pub ipam: Option<String>,
    /// How many addresses the agent gave away: `ipam.ipv4` and `ipam.ipv6` together.
    pub allocated: Option<u32>,
    /// Nodes that `cilium-health status -o json` did not reach; `None` where it could not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<Vec<UnreachableNode>>,
}

/// A part of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CiliumState {
    /// `Ok`, `Warning`, `Failure` or `Disabled`.
    pub state: String,
    /// In words; may be empty.
    pub message: String,
}

/// A controller of an agent that fails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailingController {
    /// As `sync-to-k8s-ciliumendpoint (12)`.
    pub name: String,
    /// `status.consecutive-failure-count`.
    pub failures: u32,
    /// `status.last-failure-msg`.
    pub message: String,
}

/// A node that an agent does not reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnreachableNode {
    /// The node's name, without that of the cluster.
    pub node: String,
    /// What was tried: `host` or `endpoint`.
    pub target: String,
    /// What came of it.
    pub message: String,
}

/// What an agent saw dropped over some seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CiliumDrops {
    /// Over how many seconds.
    pub seconds: u32,
    /// By reason, as `Policy denied`.
    pub reasons: BTreeMap<String, DropReason>,
    /// Whether there may have been more than were read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// Packets that were dropped for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DropReason {
    /// How many.
    pub count: u32,
    /// The first of them, as the agent prints it.
    pub example: String,
}
