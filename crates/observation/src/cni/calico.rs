//! Calico: its parts, its configuration, its pools, and the addresses that it gave away.
//!
//! Names of fields are those of the CustomResourceDefinitions of `crd.projectcalico.org/v1` and `operator.tigera.io/v1`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use report::Observed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::CniAgent;

/// What was seen of Calico.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calico {
    /// The API in which its objects were read, as `crd.projectcalico.org/v1`; `None` where the API server has none: then Calico keeps them
    /// in an etcd of its own.
    pub api: Option<String>,
    /// Pods of `calico-node`, `canal`, `calico-kube-controllers` and `calico-typha`.
    pub agents: Observed<Vec<CniAgent>>,
    /// `installations.operator.tigera.io`; `None` where the operator's API is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installations: Option<Observed<Vec<CalicoInstallation>>>,
    /// `tigerastatuses.operator.tigera.io`; `None` where the operator's API is not served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Observed<Vec<TigeraStatus>>>,
    /// `configmap/calico-config -n kube-system`, with which manifests configure it; nothing where there is none.
    pub manifest: Observed<Option<CalicoManifest>>,
    /// `felixconfigurations`, by name: `default`, and `node.<name>` for one node.
    pub felix: Observed<BTreeMap<String, Value>>,
    /// `bgpconfigurations`, by name, as in `felix`.
    pub bgp: Observed<Vec<BgpConfiguration>>,
    /// `bgppeers`.
    pub peers: Observed<Vec<BgpPeer>>,
    /// `bgpfilters`.
    pub filters: Observed<Vec<BgpFilter>>,
    /// `ippools`.
    pub pools: Observed<Vec<IpPool>>,
    /// `ipamblocks` that are not being deleted.
    pub blocks: Observed<Vec<IpamBlock>>,
    /// `blockaffinities` that are not being deleted.
    pub affinities: Observed<Vec<BlockAffinity>>,
    /// How many `ipamhandles` there are.
    pub handles: Observed<u64>,
    /// `ipamconfigs`, the one named `default`; nothing where there is none: then defaults hold.
    pub ipam: Observed<Option<IpamConfig>>,
    /// How many `networkpolicies` of Calico's own there are, by namespace.
    pub policies: Observed<BTreeMap<String, u32>>,
    /// How many `globalnetworkpolicies` there are.
    pub global_policies: Observed<u32>,
    /// `caliconodestatuses`, which report only of nodes for which somebody made one.
    pub node_statuses: Observed<Vec<CalicoNodeStatus>>,
    /// The labels of the nodes, by which pools and peers select them.
    pub node_labels: Observed<BTreeMap<String, BTreeMap<String, String>>>,
    /// What BIRD of a node says of its protocols, by the node's name. Empty where nobody was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub birds: BTreeMap<String, Observed<BirdProtocols>>,
}

/// An `Installation`: what the operator is to install.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalicoInstallation {
    /// `metadata.name`.
    pub name: String,
    /// `spec.cni.type`, as `Calico`, `AmazonVPC`.
    pub cni: Option<String>,
    /// `spec.cni.ipam.type`, as `Calico`, `HostLocal`.
    pub ipam: Option<String>,
    /// `spec.calicoNetwork.bgp`: `Enabled` or `Disabled`.
    pub bgp: Option<String>,
    /// `spec.calicoNetwork.linuxDataplane`, as `Iptables`, `BPF`.
    pub dataplane: Option<String>,
}

/// A `TigeraStatus`: how far the operator has come with one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TigeraStatus {
    /// `metadata.name`, as `calico`, `apiserver`, `ippools`.
    pub name: String,
    /// `status.conditions`, by type: `Available`, `Degraded`, `Progressing`.
    pub conditions: BTreeMap<String, crate::Condition>,
}

/// What a manifest configures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalicoManifest {
    /// `calico_backend`: `bird`, `vxlan` or `none`.
    pub backend: Option<String>,
    /// `type` of `ipam` in the CNI configuration, as `calico-ipam`, `host-local`.
    pub ipam: Option<String>,
    /// `veth_mtu`, as it is written; `0` stands for a size that Calico finds itself.
    pub veth_mtu: Option<String>,
}

/// A `BGPConfiguration`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BgpConfiguration {
    /// `metadata.name`: `default`, and `node.<name>` for one node.
    pub name: String,
    /// `spec.asNumber`; 64512 where it is not said.
    pub as_number: Option<u32>,
    /// `spec.nodeToNodeMeshEnabled`; true where it is not said.
    pub mesh: Option<bool>,
    /// `spec.listenPort`; 179 where it is not said.
    pub listen_port: Option<u16>,
}

/// A `BGPPeer`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BgpPeer {
    /// `metadata.name`.
    pub name: String,
    /// `spec.node`: the node that peers.
    pub node: Option<String>,
    /// `spec.nodeSelector`: the nodes that peer. All where neither is said.
    pub node_selector: Option<String>,
    /// `spec.peerIP`, which may have a port behind it.
    pub peer_ip: Option<String>,
    /// `spec.peerSelector`: the nodes that are peered with.
    pub peer_selector: Option<String>,
    /// `spec.asNumber`.
    pub as_number: Option<u32>,
    /// `spec.filters`, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
}

/// A `BGPFilter`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BgpFilter {
    /// `metadata.name`.
    pub name: String,
    /// Its rules, those of both families and both directions.
    pub rules: Vec<BgpFilterRule>,
}

/// A rule of a `BGPFilter`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BgpFilterRule {
    /// `exportV4`, `importV4`, `exportV6` or `importV6`.
    pub direction: String,
    /// `Accept` or `Reject`.
    pub action: String,
    /// `cidr`; every route where it is not said.
    pub cidr: Option<String>,
    /// `matchOperator`, as `In`, `Equal`.
    pub operator: Option<String>,
}

/// An `IPPool`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpPool {
    /// `metadata.name`.
    pub name: String,
    /// `spec.cidr`, as it is written.
    pub cidr: String,
    /// `spec.blockSize`, the length of a block's prefix; 26 and for IPv6 122 where it is not said.
    pub block_size: Option<u8>,
    /// `spec.ipipMode`: `Always`, `CrossSubnet`, `Never`.
    pub ipip_mode: Option<String>,
    /// `spec.vxlanMode`: `Always`, `CrossSubnet`, `Never`.
    pub vxlan_mode: Option<String>,
    /// `spec.natOutgoing`.
    pub nat_outgoing: bool,
    /// `spec.disabled`: no address of it is given away anew.
    pub disabled: bool,
    /// `spec.disableBGPExport`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disable_bgp_export: bool,
    /// `spec.nodeSelector`; `all()` where it is not said.
    pub node_selector: Option<String>,
    /// `spec.allowedUses`, as `Workload`, `Tunnel`, `LoadBalancer`; empty for the first two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_uses: Vec<String>,
    /// `spec.assignmentMode`: `Automatic`, or `Manual` for a pool that pods have to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignment_mode: Option<String>,
}

/// An `IPAMBlock`: a piece of a pool, mostly of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamBlock {
    /// `spec.cidr`, as it is written.
    pub cidr: String,
    /// Of `spec.affinity`, as `host:node1`, the node; `None` where the block is nobody's, and where it is not of a node.
    pub node: Option<String>,
    /// How many of `spec.allocations` are given away.
    pub used: u32,
    /// Those that are given away to pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldAddress>,
}

/// An address that was given to a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldAddress {
    /// The address.
    pub address: IpAddr,
    /// The pod that it was given to, as `namespace/name`.
    pub pod: String,
    /// The node that it was given on, where that is another than the block's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// A `BlockAffinity`: the claim of a node to a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockAffinity {
    /// `spec.cidr`.
    pub cidr: String,
    /// `spec.node`.
    pub node: String,
    /// `spec.state`: `confirmed`, `pending`, `pendingDeletion`.
    pub state: String,
}

/// An `IPAMConfig`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IpamConfig {
    /// `spec.strictAffinity`: a node gives away addresses of its own blocks only.
    pub strict_affinity: bool,
    /// `spec.autoAllocateBlocks`.
    pub auto_allocate_blocks: bool,
    /// `spec.maxBlocksPerHost`; `None` where there is no limit.
    pub max_blocks_per_host: Option<u32>,
}

/// A `CalicoNodeStatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CalicoNodeStatus {
    /// `metadata.name`.
    pub name: String,
    /// `spec.node`.
    pub node: String,
    /// `status.lastUpdated`, RFC 3339; `None` where it never was.
    pub updated: Option<String>,
    /// `spec.updatePeriodSeconds`.
    pub period_seconds: Option<u32>,
    /// `status.bgp.peersV4` and `peersV6`; `None` where the class `BGP` is not asked for.
    pub peers: Option<Vec<BgpSession>>,
    /// `status.routes.routesV4` and `routesV6`, by destination; `None` where the class `Routes` is not asked for.
    pub routes: Option<Vec<String>>,
}

/// A BGP session, as one end of it sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BgpSession {
    /// The other end, without a port.
    pub peer: String,
    /// As `Established`, `Active`, `Connect`, `Idle`, `start`.
    pub state: String,
    /// Why it is in that state, where it is said, as `Connect Socket: Connection refused`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub info: String,
    /// Where it comes from: `nodeMesh`, `nodePeer` or `globalPeer`.
    pub kind: String,
}

/// What `birdcl show protocols` says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BirdProtocols {
    /// The sessions.
    pub sessions: Vec<BgpSession>,
}
