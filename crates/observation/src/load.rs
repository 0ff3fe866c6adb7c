//! How much of their CPU and memory nodes and pods use.

use std::collections::BTreeMap;

use report::Observed;
use serde::{Deserialize, Serialize};

/// What nodes use by the metrics API, and what the kubelets of some count of containers there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// By the nodes' names (`metrics.k8s.io/v1beta1`).
    pub nodes: Observed<BTreeMap<String, NodeLoad>>,
    /// Of the containers of these namespaces kubelets were asked.
    pub namespaces: Vec<String>,
    /// By the names of the nodes that were asked (`/metrics/cadvisor`): containers with a CPU limit. One that has just been started is not counted
    /// yet.
    pub containers: BTreeMap<String, Observed<Vec<ContainerLoad>>>,
}

/// What one node uses. Quantities are as the API writes them: `1804m`, `3912Mi`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeLoad {
    /// `usage.cpu`, the mean over some seconds.
    pub cpu: String,
    /// `status.capacity.cpu` of the node; `None` where the node was not seen.
    pub cpu_capacity: Option<String>,
    /// `usage.memory`.
    pub memory: String,
    /// `status.capacity.memory` of the node; `None` where the node was not seen.
    pub memory_capacity: Option<String>,
}

/// How often the CPU limit of a container stopped it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerLoad {
    /// `metadata.namespace` of the pod.
    pub namespace: String,
    /// `metadata.name` of the pod.
    pub pod: String,
    /// Its name.
    pub container: String,
    /// `container_cpu_cfs_periods_total`: periods in which it ran, since it started.
    pub periods: u64,
    /// `container_cpu_cfs_throttled_periods_total`: those of them in which it had to stop.
    pub throttled: u64,
}
