use std::collections::BTreeMap;
use std::net::IpAddr;

use netprobe::{Kind, Sample};
use report::{Gap, Observed};
use serde::{Deserialize, Serialize};

use crate::{Backends, Dns, KubeProxy, NodeEvidence, NodePod, PolicyFacts, Reach, Tracked, Underlay};

/// Everything that was seen of a cluster in one run. It is what a bundle holds: the same observation always gives the
/// same report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observation {
    /// The format of this document: [`BUNDLE_VERSION`].
    pub api_version: String,
    /// Which program wrote it: `kubectl-netcheck v0.1.0`.
    pub tool: String,
    /// When the look began, RFC 3339, UTC.
    pub taken_at: String,
    /// What the API server says of itself.
    pub server: Observed<ServerVersion>,
    /// The nodes of the cluster, all of them, by name.
    pub nodes: Observed<Vec<Node>>,
    /// How the probes were placed, or `None` when none were wanted.
    pub placement: Option<Placement>,
    /// What was probed between pods of nodes.
    pub mesh: Option<Mesh>,
    /// What nodes show of their own network, by their names. Empty when no node was to be read; then
    /// [`Observation::node_reading`] says why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_evidence: BTreeMap<String, Observed<NodeEvidence>>,
    /// Whether nodes were to be read at all, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_reading: Option<Observed<()>>,
    /// The pods of the nodes whose pods' networks were to be read; `None` when none were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_pods: Option<Observed<Vec<NodePod>>>,
    /// What was tried beyond the mesh, or `None` when nothing was to be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// What was tried below and beside the pod network, or `None` when nothing was to be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub underlay: Option<Underlay>,
    /// What was measured between pods with more than a few probes: trains of datagrams, and sizes. `None` when neither
    /// was asked for nor called for by what the mesh showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Mesh>,
    /// NetworkPolicies and what they are about, or `None` when they were not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFacts>,
    /// Services and what stands behind them, or `None` when they were not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backends: Option<Box<Backends>>,
    /// To whom connections to Services went, or `None` when that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<crate::Spread>,
    /// kube-proxy and what it says of itself, or `None` when it was not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kube_proxy: Option<Box<KubeProxy>>,
    /// Tracked connections to Services, or `None` when they were not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracked: Option<Box<Tracked>>,
    /// The cluster's DNS as the API shows it, or `None` when it was not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<Box<Dns>>,
    /// What was asked of DNS servers, or `None` when nothing was to be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookups: Option<Box<crate::Lookups>>,
    /// The CNI as the API shows it, or `None` when it was not asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cni: Option<Box<crate::Cni>>,
    /// What is set up for traffic that leaves the cluster, or `None` when nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_setup: Option<Box<Observed<crate::EgressSetup>>>,
    /// What nodes and containers use, or `None` when nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Box<crate::Load>>,
    /// What the run cost.
    pub stats: Stats,
}

impl Observation {
    /// An observation in which nothing was looked at beside the server and its nodes.
    pub fn new(
        tool: impl Into<String>,
        taken_at: impl Into<String>,
        server: Observed<ServerVersion>,
        nodes: Observed<Vec<Node>>,
    ) -> Self {
        Self {
            api_version: BUNDLE_VERSION.to_owned(),
            tool: tool.into(),
            taken_at: taken_at.into(),
            server,
            nodes,
            placement: None,
            mesh: None,
            node_evidence: BTreeMap::new(),
            node_reading: None,
            node_pods: None,
            reach: None,
            underlay: None,
            measured: None,
            policy: None,
            backends: None,
            spread: None,
            kube_proxy: None,
            tracked: None,
            dns: None,
            lookups: None,
            cni: None,
            egress_setup: None,
            load: None,
            stats: Stats::default(),
        }
    }
}

/// The format of a bundle.
pub const BUNDLE_VERSION: &str = "netcheck.dev/bundle/v1";

/// `/version` of the API server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerVersion {
    /// As `v1.34.4`.
    pub git_version: String,
    /// As `linux/amd64`.
    pub platform: String,
}

/// What is needed of a node object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// `metadata.name`.
    pub name: String,
    /// The condition `Ready`; `None` when the node has none.
    pub ready: Option<Condition>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `status.nodeInfo.architecture`, as `amd64`.
    pub architecture: String,
    /// `status.nodeInfo.operatingSystem`, as `linux`.
    pub operating_system: String,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: String,
    /// `status.nodeInfo.containerRuntimeVersion`.
    pub container_runtime_version: String,
    /// `status.nodeInfo.kernelVersion`.
    pub kernel_version: String,
    /// `status.addresses` of type `InternalIP`.
    pub internal_ips: Vec<IpAddr>,
    /// Its addresses of type ExternalIP, where it has some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub external_ips: Vec<IpAddr>,
    /// `spec.podCIDRs`.
    pub pod_cidrs: Vec<String>,
    /// `metadata.labels[topology.kubernetes.io/zone]`.
    pub zone: Option<String>,
    /// Those of `metadata.annotations` in which CNIs keep what they know of a node, as
    /// `flannel.alpha.coreos.com/public-ip`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A condition of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// As `KubeletReady`.
    pub reason: String,
    /// As the kubelet or the node controller wrote it.
    pub message: String,
    /// RFC 3339, or `None` when the API did not say.
    pub since: Option<String>,
}

/// A taint of a node, as `kubectl describe node` prints it: `key=value:effect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taint {
    /// As `node-role.kubernetes.io/control-plane`.
    pub key: String,
    /// May be empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// How and where probe pods were started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The run's id; every object of the run carries it.
    pub run: String,
    /// Where the probe pods were.
    pub namespace: String,
    /// Whether the namespace was made for the run, or why it was not.
    pub own_namespace: Observed<()>,
    /// What became of each node, by its name. Every node of the cluster that was seen is here.
    pub nodes: BTreeMap<String, Place>,
    /// What should be said about the placement, one sentence each: a fallback that was taken, a policy of the
    /// namespace that selects the probe pods.
    pub notes: Vec<String>,
}

impl Placement {
    /// The nodes on which a probe pod ran, by name.
    pub fn ready(&self) -> impl Iterator<Item = &str> {
        let nodes = self.nodes.iter();
        nodes
            .filter(|(_, place)| matches!(place, Place::Ready(_)))
            .map(|(node, _)| node.as_str())
    }

    /// What came of each node on which a pod was wanted: where one ran what `of_ready` gives, where none did the reason. Nodes for which
    /// it gives nothing are absent.
    pub fn outcomes<T>(
        &self,
        mut of_ready: impl FnMut(&str) -> Option<Observed<T>>,
    ) -> BTreeMap<String, Observed<T>> {
        let outcomes = self.nodes.iter().filter_map(|(node, place)| {
            let outcome = match place {
                Place::LeftOut { .. } => return None,
                Place::Failed(gap) => Observed::Unseen(gap.clone()),
                Place::Ready(_) => of_ready(node)?,
            };
            Some((node.clone(), outcome))
        });
        outcomes.collect()
    }
}

/// What became of one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Place {
    /// A probe pod ran there.
    Ready(ProbePod),
    /// None was wanted there: not selected, tainted without being tolerated, not Linux.
    #[serde(rename_all = "camelCase")]
    LeftOut {
        /// A clause for people: `tainted node-role.kubernetes.io/control-plane:NoSchedule`.
        reason: String,
        /// How to include it.
        hint: Option<String>,
    },
    /// One was wanted and could not be had.
    Failed(Gap),
}

/// A probe pod that ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbePod {
    /// `metadata.name`.
    pub name: String,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// The image that it ran on, and why that one: it was on the node, or the user named it.
    pub image: String,
    /// From creation to Ready, in milliseconds.
    pub ready_after_ms: u64,
    /// A second pod on the same node, which only serves. A pod that talks to its own address never leaves its own
    /// network namespace, so the pair of a node with itself needs one. It is created together with the first, from
    /// the same image; `None` when it did not become Ready or was not wanted (`ProbeOptions::twins`).
    pub twin: Option<Twin>,
}

/// The second probe pod of a node: the target of the node's pair with itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Twin {
    /// `metadata.name`.
    pub name: String,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
}

/// What was probed between the probe pods of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mesh {
    /// All pairs, or which of them.
    pub coverage: Coverage,
    /// The ports that the agents listened on.
    pub tcp_port: u16,
    /// As `tcp_port`, for UDP.
    pub udp_port: u16,
    /// What each source answered, by the name of its node: a gap when the exec failed or its answer was cut off. A cut
    /// off source keeps the cells that did arrive.
    pub sources: BTreeMap<String, Observed<()>>,
    /// Every cell that was planned.
    pub cells: Vec<Cell>,
}

/// Which pairs of nodes a mesh covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Coverage {
    /// Every ordered pair, each node to itself included.
    Full,
    /// Each node to the next `neighbours` in a ring ordered by a hash of the names, to itself, and to `sample` more.
    #[serde(rename_all = "camelCase")]
    Ring {
        /// Next nodes in the ring.
        neighbours: u32,
        /// Further nodes, picked deterministically.
        sample: u32,
    },
}

/// One ordered pair of nodes, one way of probing, one address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cell {
    /// The node whose probe pod sent.
    pub source: String,
    /// The node whose probe pod was the target.
    pub target: String,
    /// The address that was tried; its family is the cell's family.
    pub address: IpAddr,
    /// How it was tried.
    pub kind: Kind,
    /// What came of it. Empty when no answer arrived: then `sources` says why.
    pub samples: Vec<Sample>,
}

/// What a run cost. A figure that was not measured is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stats {
    /// Requests to the API server, upgrades included.
    pub api_calls: Option<u64>,
    /// Bytes received in response bodies.
    pub bytes_received: Option<u64>,
    /// Bytes sent in request bodies.
    pub bytes_sent: Option<u64>,
    /// How long each phase took, in milliseconds, in the order in which they ran: observe, start, probe, clean up.
    pub phases: Vec<Phase>,
}

/// One phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// As `observe`.
    pub name: String,
    /// In milliseconds.
    pub took_ms: u64,
}
