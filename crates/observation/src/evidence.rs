//! What a node shows of its own network: read in the node's network namespace, without judging it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use report::{Gap, GapReason, Observed};
use serde::{Deserialize, Serialize};

use crate::PodNetworks;
use crate::kernel::{Conntrack, KernelReads};

/// What was read on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeEvidence {
    /// With which rights it was read.
    pub tier: NodeTier,
    /// Before any probe pod of this run was started in the pod network: starting one can repair a node.
    pub before: NodeReads,
    /// After the probes, where they were read once more: counters that moved, and what the run itself repaired.
    pub after: Option<NodeReads>,
    /// The networks of the node's pods, before the probes; `None` when they were not to be read, and where the tier does
    /// not allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<Observed<PodNetworks>>,
}

/// With which rights a node was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeTier {
    /// A pod in the node's network namespace without any capability.
    HostNetwork,
    /// A privileged pod that also sees the node's files, read-only.
    Privileged,
}

/// What was read at one moment. A part that the rights do not allow is unseen, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeReads {
    /// `ip -d link` and `ip address`.
    pub links: Observed<Vec<Link>>,
    /// `ip route show table all`, without the table `local`.
    pub routes: Observed<Vec<Route>>,
    /// `ip rule`.
    pub rules: Observed<Vec<PolicyRule>>,
    /// `ip neigh`.
    pub neighbours: Observed<Vec<Neighbour>>,
    /// `bridge fdb`: only entries of tunnels (those with a destination) and permanent ones.
    pub forwarding: Observed<Vec<ForwardingEntry>>,
    /// Kernel settings by name: `net.ipv4.ip_forward`, `net.ipv4.conf.cni0.rp_filter`, … A name that the kernel does not
    /// have is absent.
    pub sysctls: Observed<BTreeMap<String, String>>,
    /// Counters of `/proc/net/snmp`, `netstat`, `snmp6` by their names there, as `IpInAddrErrors`, `TcpExtIPReversePathFilter`,
    /// `UdpNoPorts`. Totals since the node started: only differences mean something.
    pub counters: Observed<BTreeMap<String, u64>>,
    /// The connection tracking table.
    pub conntrack: Observed<Conntrack>,
    /// Sockets that listen, of the node's network namespace.
    pub listeners: Observed<Vec<Listener>>,
    /// `iptables-save -c` of the backend that the node's tools use by default.
    pub iptables: Observed<RuleText>,
    /// The same of the legacy backend, where the node has one.
    pub iptables_legacy: Observed<RuleText>,
    /// `ip6tables-save -c`.
    pub ip6tables: Observed<RuleText>,
    /// The same of the legacy backend, where the node has one.
    #[serde(default = "not_recorded")]
    pub ip6tables_legacy: Observed<RuleText>,
    /// `nft -j list ruleset`.
    pub nft: Observed<RuleText>,
    /// Files by path on the node: `/etc/resolv.conf`, the CNI configurations, …; only what exists.
    pub files: BTreeMap<String, Observed<String>>,
    /// Names in directories by path: `/etc/cni/net.d`, `/opt/cni/bin`, `/var/lib/cni/networks/*`.
    pub directories: BTreeMap<String, Observed<Vec<String>>>,
    /// What the kernel and the components on it say of themselves.
    #[serde(default)]
    pub kernel: KernelReads,
    /// The node's clock beside ours, when it was read: positive when the node is ahead, in milliseconds.
    pub clock_ahead_ms: Observed<i64>,
}

/// A part that the version which wrote the bundle did not read.
fn not_recorded<T>() -> Observed<T> {
    Observed::Unseen(Gap {
        what: "a part of what nodes show".to_owned(),
        why: GapReason::Failed,
        message: "the bundle was written by a version that did not read it".to_owned(),
        hint: None,
    })
}

/// The text of a rule set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleText {
    /// What wrote it, as `iptables-nft-save -c`; to be shown as the command that shows it again.
    pub command: String,
    /// Its whole output.
    pub text: String,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// As `eth0`.
    pub name: String,
    /// `ifindex`.
    pub index: u32,
    /// As `vxlan`, `bridge`, `veth`; `None` for a physical device and for loopback.
    pub kind: Option<String>,
    /// Whether it is set up (`IFF_UP`).
    pub up: bool,
    /// Whether it has a carrier (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// As `up`, `down`, `unknown`; `unknown` is usual for tunnels.
    pub operstate: String,
    /// Maximum transmission unit in bytes.
    pub mtu: u32,
    /// Link-layer address as `02:42:ac:11:00:02`; `None` where it has none.
    pub mac: Option<String>,
    /// The name of the bridge or bond that it belongs to.
    pub master: Option<String>,
    /// The ifindex of its peer or underlying device (`IFLA_LINK`).
    pub lower: Option<u32>,
    /// The addresses, with their prefix lengths.
    pub addresses: Vec<InterfaceAddress>,
    /// Details of a VXLAN device.
    pub vxlan: Option<Vxlan>,
    /// Whether frames may leave through the port of the bridge by which they came (`hairpin`); `None` when it is no
    /// port of a bridge.
    pub hairpin: Option<bool>,
    /// Packets and errors since the device was made.
    pub counters: LinkCounters,
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// As 24.
    pub prefix: u8,
}

/// A VXLAN device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vxlan {
    /// Network identifier.
    pub vni: u32,
    /// UDP port of the far ends.
    pub port: u16,
    /// The own address that encapsulated packets carry; `None` when the route decides.
    pub local: Option<IpAddr>,
    /// The name of the device below.
    pub device: Option<String>,
    /// Whether the device learns where addresses are.
    pub learning: bool,
}

/// Counters of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Receive errors.
    pub rx_errors: u64,
    /// Transmit errors.
    pub tx_errors: u64,
    /// Received and dropped.
    pub rx_dropped: u64,
    /// Dropped instead of sent.
    pub tx_dropped: u64,
    /// Received and lost for want of room in the device; `None` where it was not read.
    #[serde(default)]
    pub rx_missed: Option<u64>,
    /// Bytes received; `None` where they were not read.
    #[serde(default)]
    pub rx_bytes: Option<u64>,
    /// Bytes sent; `None` where they were not read.
    #[serde(default)]
    pub tx_bytes: Option<u64>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The table's number: 254 is `main`.
    pub table: u32,
    /// The destination; `0.0.0.0/0` or `::/0` for the default.
    pub destination: String,
    /// As `unicast`, `blackhole`, `unreachable`, `prohibit`, `throw`.
    pub kind: String,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// The device's name.
    pub device: Option<String>,
    /// The preferred source address.
    pub source: Option<IpAddr>,
    /// Lower is preferred.
    pub metric: u32,
    /// As `kernel`, `boot`, `static`, or a number.
    pub protocol: String,
    /// Whether the next hop is taken to be on the link without a route to it.
    pub on_link: bool,
}

/// A rule of policy routing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRule {
    /// Lower goes first.
    pub priority: u32,
    /// As `from 10.0.0.0/8 fwmark 0x1`; `from all` where nothing else restricts it.
    pub selector: String,
    /// As `lookup 254`, `blackhole`.
    pub action: String,
    /// Whether it is one of IPv6.
    pub ipv6: bool,
}

/// An entry of the neighbour table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Neighbour {
    /// The neighbour's address.
    pub address: IpAddr,
    /// The device's name.
    pub device: String,
    /// Its link-layer address, where it is known.
    pub mac: Option<String>,
    /// As `permanent`, `reachable`, `stale`, `failed`, `incomplete`.
    pub state: String,
}

/// An entry of a forwarding database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForwardingEntry {
    /// The link-layer address.
    pub mac: String,
    /// The device's name: a tunnel, or a port of a bridge.
    pub device: String,
    /// Where a tunnel sends it.
    pub destination: Option<IpAddr>,
    /// As `permanent`, `static`, `reachable`.
    pub state: String,
}

/// A socket that listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The address that it is bound to.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}
