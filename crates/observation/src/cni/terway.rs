//! Terway, the CNI of Alibaba Cloud: pods have addresses of the VPC, on network interfaces of the nodes.
//!
//! Names of fields are those of the CustomResourceDefinitions of `network.alibabacloud.com/v1beta1`.

use std::collections::BTreeMap;

use report::Observed;
use serde::{Deserialize, Serialize};

use crate::{CniAgent, Condition};

/// What was seen of Terway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Terway {
    /// Pods of `terway-eniip`, `terway-eni` and `terway-controlplane`.
    pub agents: Observed<Vec<CniAgent>>,
    /// Of `configmap/eni-config -n kube-system` what says how addresses are had; nothing where there is none. Keys of accounts are never read.
    pub config: Observed<Option<TerwayConfig>>,
    /// `nodes.network.alibabacloud.com`: the interfaces of each node, where a controller keeps them. Empty where each node keeps its own.
    pub nodes: Observed<Vec<TerwayNode>>,
    /// The condition `SufficientIP` of the nodes of the cluster that have one.
    pub sufficient: Observed<BTreeMap<String, Condition>>,
    /// `podnetworkings.network.alibabacloud.com`.
    pub networkings: Observed<Vec<PodNetworking>>,
    /// `podenis.network.alibabacloud.com` that are not bound, and how many are.
    pub pod_enis: Observed<PodEnis>,
}

/// How Terway has addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerwayConfig {
    /// `vswitches` of `eni_conf`: by zone, the vSwitches that interfaces are made in.
    pub vswitches: BTreeMap<String, Vec<String>>,
    /// `vswitch_selection_policy`, as `ordered`, `random`.
    pub selection: Option<String>,
    /// `max_pool_size`: addresses that a node keeps ready, at most.
    pub max_pool_size: Option<u32>,
    /// `min_pool_size`.
    pub min_pool_size: Option<u32>,
    /// `ipam_type`: `crd` where a controller has the addresses, else each node itself.
    pub ipam_type: Option<String>,
    /// `ip_stack`, as `ipv4`, `dual`.
    pub ip_stack: Option<String>,
    /// `disable_network_policy` of the ConfigMap.
    pub disable_network_policy: Option<String>,
    /// Why `eni_conf` could not be understood, where it could not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// A `Node` of Terway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerwayNode {
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeMetadata.zoneID`.
    pub zone: Option<String>,
    /// `spec.nodeMetadata.instanceType`.
    pub instance_type: Option<String>,
    /// `spec.nodeCap.adapters`: interfaces that the instance may have, the first of which is the node's own.
    pub adapters: Option<u32>,
    /// `spec.nodeCap.ipv4PerAdapter`.
    pub ipv4_per_adapter: Option<u32>,
    /// `spec.eni.vSwitchOptions`.
    pub vswitches: Vec<String>,
    /// `status.networkInterfaces`.
    pub interfaces: Vec<TerwayInterface>,
}

/// A network interface of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TerwayInterface {
    /// `id`, as `eni-bp1…`.
    pub id: String,
    /// `status`, as `InUse`, `Attaching`.
    pub status: String,
    /// `vSwitchID`.
    pub vswitch: Option<String>,
    /// `networkInterfaceType`: `Primary`, `Secondary`, `Trunk`, `Member`.
    pub kind: Option<String>,
    /// How many addresses of IPv4 it has that are valid.
    pub addresses: u32,
    /// How many of these a pod has.
    pub used: u32,
    /// `conditions`, by type, as `InsufficientIP`, `OperationErr`: there while something is wrong.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, InterfaceCondition>,
}

/// What is wrong with an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceCondition {
    /// `message`.
    pub message: String,
    /// `observedTime`, RFC 3339.
    pub at: Option<String>,
}

/// A `PodNetworking`: which pods have interfaces of their own, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodNetworking {
    /// `metadata.name`.
    pub name: String,
    /// `status.status`: `Ready`, `Fail`; empty where nobody has looked at it yet.
    pub status: String,
    /// `status.message`.
    pub message: String,
    /// `spec.vSwitchOptions`.
    pub vswitches: Vec<String>,
}

/// Interfaces of pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodEnis {
    /// How many are bound.
    pub bound: u32,
    /// The others.
    pub others: Vec<PodEni>,
}

/// A `PodENI`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodEni {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`, which is the pod's.
    pub name: String,
    /// `status.phase`: empty at first, `Binding`, `Unbind`, `Detaching`, `Deleting`.
    pub phase: String,
    /// `status.msg`.
    pub message: String,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Option<String>,
}
