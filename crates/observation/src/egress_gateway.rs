//! What the CNI sends traffic out of the cluster by, as its own objects say.

use report::Observed;
use serde::{Deserialize, Serialize};

/// What is set up for traffic that leaves the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressSetup {
    /// Policies that send traffic of some pods by way of some nodes, one entry for each kind that the cluster serves.
    pub gateways: Vec<Observed<Vec<EgressGateway>>>,
    /// Ranges of pods whose address is kept or replaced as they leave, one entry for each source that the cluster has.
    pub pools: Vec<Observed<Vec<EgressPool>>>,
}

/// One policy that sends traffic of some pods by way of some nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressGateway {
    /// As `ciliumegressgatewaypolicy`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// How many pods it selects at the moment, or why that is not known.
    pub pods: Observed<u64>,
    /// How it names its nodes, as text: a label selector, or what assigns them.
    pub chosen_by: String,
    /// The nodes by way of which it sends, by that.
    pub nodes: Observed<Vec<String>>,
    /// The addresses that pods are to have outside, as its specification names them; empty where the node's is taken.
    pub addresses: Vec<String>,
    /// How many of [`EgressGateway::addresses`] some node holds, where the object's status says so.
    pub assigned: Option<u64>,
    /// Whether the CNI's configuration says that such policies count; `None` where it does not say.
    pub enabled: Option<bool>,
}

/// A range of pods, and whether their address is replaced as they leave the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EgressPool {
    /// As `ippool/default-ipv4-ippool` or `daemonset/aws-node -n kube-system`.
    pub name: String,
    /// The range, as `10.244.0.0/16`; `None` where it is every pod's.
    pub range: Option<String>,
    /// Whether it is replaced by the node's.
    pub translated: bool,
    /// The field that says so, as `.spec.natOutgoing`.
    pub field: String,
}
