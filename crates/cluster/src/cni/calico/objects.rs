//! Calico's objects as the API writes them, and as they are kept.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use observation::{
    BgpConfiguration, BgpFilter, BgpFilterRule, BgpPeer, BgpSession, BlockAffinity, CalicoInstallation,
    CalicoNodeStatus, Condition, HeldAddress, IpPool, IpamBlock, IpamConfig, TigeraStatus,
};
use serde::Deserialize;
use serde_json::Value;

use super::super::parts::Object;

pub(super) type Felix = Object<BTreeMap<String, Value>>;
pub(super) type Bgp = Object<BgpSpec>;
pub(super) type Peer = Object<PeerSpec>;
pub(super) type Filter = Object<FilterSpec>;
pub(super) type Pool = Object<PoolSpec>;
pub(super) type Affinity = Object<AffinitySpec>;
pub(super) type Ipam = Object<IpamSpec>;
pub(super) type NodeState = Object<NodeStateSpec, NodeStateStatus>;
pub(super) type Installation = Object<InstallationSpec>;
pub(super) type Tigera = Object<serde::de::IgnoredAny, TigeraState>;

/// A block, turned into what is kept of it as soon as it has arrived: of a large cluster there are thousands, with a name of a pod for each
/// address.
#[derive(Deserialize)]
#[serde(from = "Object<BlockSpec>")]
pub(super) struct Block(Option<IpamBlock>);

impl From<Object<BlockSpec>> for Block {
    fn from(item: Object<BlockSpec>) -> Self {
        Self(item.spec.filter(|spec| !spec.deleted).map(block))
    }
}

/// Of a FelixConfiguration, what says how the network is built.
const FELIX: [&str; 17] = [
    "bpfEnabled",
    "chainInsertMode",
    "defaultEndpointToHostAction",
    "floatingIPs",
    "ipipEnabled",
    "ipipMTU",
    "iptablesBackend",
    "ipv6Support",
    "natOutgoingAddress",
    "natPortRange",
    "programClusterRoutes",
    "vxlanEnabled",
    "vxlanMTU",
    "vxlanPort",
    "vxlanVNI",
    "wireguardEnabled",
    "wireguardEnabledV6",
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BgpSpec {
    as_number: Option<u32>,
    node_to_node_mesh_enabled: Option<bool>,
    listen_port: Option<u16>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PeerSpec {
    node: String,
    node_selector: String,
    #[serde(rename = "peerIP")]
    peer_ip: String,
    peer_selector: String,
    as_number: Option<u32>,
    filters: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct FilterSpec {
    export_v4: Vec<RuleSpec>,
    import_v4: Vec<RuleSpec>,
    export_v6: Vec<RuleSpec>,
    import_v6: Vec<RuleSpec>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RuleSpec {
    action: String,
    cidr: Option<String>,
    match_operator: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PoolSpec {
    cidr: String,
    block_size: Option<u8>,
    ipip_mode: Option<String>,
    vxlan_mode: Option<String>,
    nat_outgoing: bool,
    disabled: bool,
    #[serde(rename = "disableBGPExport")]
    disable_bgp_export: bool,
    node_selector: String,
    allowed_uses: Vec<String>,
    assignment_mode: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct BlockSpec {
    cidr: String,
    affinity: Option<String>,
    allocations: Vec<Option<usize>>,
    attributes: Vec<Attribute>,
    deleted: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    secondary: Option<Holder>,
}

/// Others than pods have a type: tunnels, load balancers.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Holder {
    namespace: String,
    pod: String,
    node: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// A virtual machine keeps its address however its pods come and go.
    #[serde(alias = "vm")]
    vmi: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AffinitySpec {
    cidr: String,
    node: String,
    state: String,
    /// A string: older releases write it so.
    deleted: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct IpamSpec {
    strict_affinity: bool,
    auto_allocate_blocks: bool,
    max_blocks_per_host: u32,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct NodeStateSpec {
    node: String,
    classes: Vec<String>,
    update_period_seconds: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct NodeStateStatus {
    last_updated: Option<String>,
    bgp: Option<BgpState>,
    routes: Option<RouteState>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BgpState {
    peers_v4: Vec<PeerState>,
    peers_v6: Vec<PeerState>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PeerState {
    #[serde(rename = "peerIP")]
    peer_ip: String,
    state: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteState {
    routes_v4: Vec<RouteRow>,
    routes_v6: Vec<RouteRow>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RouteRow {
    destination: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct InstallationSpec {
    cni: Option<CniSpec>,
    calico_network: Option<NetworkSpec>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct CniSpec {
    #[serde(rename = "type")]
    kind: Option<String>,
    ipam: Option<IpamKind>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IpamKind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NetworkSpec {
    bgp: Option<String>,
    linux_dataplane: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TigeraState {
    conditions: Vec<TigeraCondition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TigeraCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<String>,
}

pub(super) fn felix(all: Vec<Felix>) -> BTreeMap<String, Value> {
    let kept = |spec: BTreeMap<String, Value>| {
        let known = spec.into_iter().filter(|(key, _)| FELIX.contains(&key.as_str()));
        known.collect::<serde_json::Map<_, _>>()
    };
    all.into_iter()
        .map(|it| (it.metadata.name, Value::Object(kept(it.spec.unwrap_or_default()))))
        .collect()
}

pub(super) fn bgp(all: Vec<Bgp>) -> Vec<BgpConfiguration> {
    let one = |it: Bgp| {
        let spec = it.spec.unwrap_or_default();
        BgpConfiguration {
            name: it.metadata.name,
            as_number: spec.as_number,
            mesh: spec.node_to_node_mesh_enabled,
            listen_port: spec.listen_port,
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn peers(all: Vec<Peer>) -> Vec<BgpPeer> {
    let said = |text: String| (!text.is_empty()).then_some(text);
    let one = |it: Peer| {
        let spec = it.spec.unwrap_or_default();
        BgpPeer {
            name: it.metadata.name,
            node: said(spec.node),
            node_selector: said(spec.node_selector),
            peer_ip: said(spec.peer_ip),
            peer_selector: said(spec.peer_selector),
            as_number: spec.as_number,
            filters: spec.filters,
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn filters(all: Vec<Filter>) -> Vec<BgpFilter> {
    let one = |it: Filter| {
        let spec = it.spec.unwrap_or_default();
        let sides = [
            ("exportV4", spec.export_v4),
            ("importV4", spec.import_v4),
            ("exportV6", spec.export_v6),
            ("importV6", spec.import_v6),
        ];
        let rules = sides.into_iter().flat_map(|(direction, rules)| {
            rules.into_iter().map(move |rule| BgpFilterRule {
                direction: direction.to_owned(),
                action: rule.action,
                cidr: rule.cidr,
                operator: rule.match_operator,
            })
        });
        BgpFilter {
            name: it.metadata.name,
            rules: rules.collect(),
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn pools(all: Vec<Pool>) -> Vec<IpPool> {
    let one = |it: Pool| {
        let spec = it.spec.unwrap_or_default();
        IpPool {
            name: it.metadata.name,
            cidr: spec.cidr,
            block_size: spec.block_size,
            ipip_mode: spec.ipip_mode,
            vxlan_mode: spec.vxlan_mode,
            nat_outgoing: spec.nat_outgoing,
            disabled: spec.disabled,
            disable_bgp_export: spec.disable_bgp_export,
            node_selector: (!spec.node_selector.is_empty()).then_some(spec.node_selector),
            allowed_uses: spec.allowed_uses,
            assignment_mode: spec.assignment_mode,
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn blocks(all: Vec<Block>) -> Vec<IpamBlock> {
    all.into_iter().filter_map(|block| block.0).collect()
}

fn block(spec: BlockSpec) -> IpamBlock {
    let affinity = spec.affinity.unwrap_or_default();
    let node = affinity.strip_prefix("host:").map(str::to_owned);
    let first = spec.cidr.parse().ok().map(|cidr: IpNet| cidr.network());
    let given = spec.allocations.iter().enumerate();
    let given = given.filter_map(|(ordinal, index)| Some((ordinal, (*index)?)));
    let held = given.clone().filter_map(|(ordinal, index)| {
        let holder = spec.attributes.get(index)?.secondary.as_ref()?;
        let is_pod = holder.kind.is_none() && holder.vmi.is_none() && !holder.pod.is_empty();
        let other =
            (Some(&holder.node) != node.as_ref() && !holder.node.is_empty()).then(|| holder.node.clone());
        is_pod.then_some(HeldAddress {
            address: nth(first?, ordinal)?,
            pod: format!("{}/{}", holder.namespace, holder.pod),
            node: other,
        })
    });
    IpamBlock {
        used: u32::try_from(given.count()).unwrap_or(u32::MAX),
        held: held.collect(),
        cidr: spec.cidr,
        node,
    }
}

/// The address so many after the first.
fn nth(first: IpAddr, ordinal: usize) -> Option<IpAddr> {
    match first {
        IpAddr::V4(first) => {
            let address = u32::from(first).checked_add(u32::try_from(ordinal).ok()?)?;
            Some(IpAddr::V4(address.into()))
        }
        IpAddr::V6(first) => {
            let address = u128::from(first).checked_add(u128::try_from(ordinal).ok()?)?;
            Some(IpAddr::V6(address.into()))
        }
    }
}

pub(super) fn affinities(all: Vec<Affinity>) -> Vec<BlockAffinity> {
    let specs = all.into_iter().filter_map(|it| it.spec);
    let is_deleted = |spec: &AffinitySpec| spec.deleted == Value::Bool(true) || spec.deleted == "true";
    specs
        .filter(|spec| !is_deleted(spec))
        .map(|spec| BlockAffinity {
            cidr: spec.cidr,
            node: spec.node,
            state: spec.state,
        })
        .collect()
}

pub(super) fn ipam_config(all: Vec<Ipam>) -> Option<IpamConfig> {
    let own = all.into_iter().find(|it| it.metadata.name == "default")?;
    let spec = own.spec.unwrap_or_default();
    Some(IpamConfig {
        strict_affinity: spec.strict_affinity,
        auto_allocate_blocks: spec.auto_allocate_blocks,
        max_blocks_per_host: (spec.max_blocks_per_host > 0).then_some(spec.max_blocks_per_host),
    })
}

pub(super) fn node_statuses(all: Vec<NodeState>) -> Vec<CalicoNodeStatus> {
    let one = |it: NodeState| {
        let spec = it.spec.unwrap_or_default();
        let status = it.status.unwrap_or_default();
        let wants = |class: &str| spec.classes.iter().any(|it| it == class);
        let sessions = |bgp: BgpState| {
            let both = bgp.peers_v4.into_iter().chain(bgp.peers_v6);
            let one = |peer: PeerState| BgpSession {
                peer: peer.peer_ip,
                state: peer.state,
                info: String::new(),
                kind: peer.kind,
            };
            both.map(one).collect()
        };
        let routes = |routes: RouteState| {
            let both = routes.routes_v4.into_iter().chain(routes.routes_v6);
            both.map(|route| route.destination).collect()
        };
        CalicoNodeStatus {
            peers: status.bgp.filter(|_| wants("BGP")).map(sessions),
            routes: status.routes.filter(|_| wants("Routes")).map(routes),
            updated: status.last_updated,
            period_seconds: spec.update_period_seconds,
            name: it.metadata.name,
            node: spec.node,
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn installations(all: Vec<Installation>) -> Vec<CalicoInstallation> {
    let one = |it: Installation| {
        let spec = it.spec.unwrap_or_default();
        let (cni, ipam) = spec
            .cni
            .map_or((None, None), |cni| (cni.kind, cni.ipam.and_then(|it| it.kind)));
        let network = spec.calico_network.unwrap_or_default();
        CalicoInstallation {
            name: it.metadata.name,
            cni,
            ipam,
            bgp: network.bgp,
            dataplane: network.linux_dataplane,
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn tigera_statuses(all: Vec<Tigera>) -> Vec<TigeraStatus> {
    let condition = |it: TigeraCondition| {
        let condition = Condition {
            status: it.status,
            reason: it.reason,
            message: it.message,
            since: it.last_transition_time,
        };
        (it.kind, condition)
    };
    let one = |it: Tigera| TigeraStatus {
        name: it.metadata.name,
        conditions: it
            .status
            .unwrap_or_default()
            .conditions
            .into_iter()
            .map(condition)
            .collect(),
    };
    all.into_iter().map(one).collect()
}

/// The type of `ipam` in a CNI configuration. It has placeholders that are no JSON: `__KUBECONFIG_FILEPATH__` within strings, and
/// `"mtu": __CNI_MTU__` outside of them.
pub(super) fn ipam_of(network: &str) -> Option<String> {
    let json = network.replace("__CNI_MTU__", "0");
    let value: Value = serde_json::from_str(&json).ok()?;
    let plugins = value
        .get("plugins")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_else(|| vec![value.clone()]);
    plugins
        .iter()
        .find_map(|plugin| Some(plugin.pointer("/ipam/type")?.as_str()?.to_owned()))
}
