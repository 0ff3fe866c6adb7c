//! Cilium's objects as the API writes them, and as they are kept.

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{CiliumEndpoint, CiliumNode};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::parts::Object;

pub(super) type Node = Object<NodeSpec, NodeStatus>;
pub(super) type Endpoint = Object<IgnoredAny, EndpointStatus>;

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeSpec {
    addresses: Vec<Address>,
    ipam: Ipam,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Address {
    #[serde(rename = "type")]
    kind: String,
    ip: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Ipam {
    #[serde(rename = "podCIDRs")]
    pod_cidrs: Vec<String>,
    pool: Option<BTreeMap<String, Slot>>,
    pools: Pools,
}

/// An address; only that it is there counts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Slot {
    #[serde(rename = "resource")]
    _interface: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pools {
    allocated: Vec<Allocated>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Allocated {
    pool: String,
    cidrs: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NodeStatus {
    ipam: IpamStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct IpamStatus {
    used: Option<BTreeMap<String, Slot>>,
    operator_status: OperatorStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OperatorStatus {
    error: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct EndpointStatus {
    state: String,
    networking: Option<Networking>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Networking {
    addressing: Vec<Pair>,
    node: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Pair {
    ipv4: String,
    ipv6: String,
}

fn count<T>(map: &BTreeMap<String, T>) -> u32 {
    u32::try_from(map.len()).unwrap_or(u32::MAX)
}

pub(super) fn nodes(all: Vec<Node>) -> Vec<CiliumNode> {
    let one = |it: Node| {
        let spec = it.spec.unwrap_or_default();
        let status = it.status.unwrap_or_default().ipam;
        let internal = spec
            .addresses
            .iter()
            .filter(|address| address.kind == "InternalIP");
        let error = status.operator_status.error;
        CiliumNode {
            name: it.metadata.name,
            internal_ips: internal.filter_map(|address| address.ip.parse().ok()).collect(),
            pod_cidrs: spec.ipam.pod_cidrs,
            pool: spec.ipam.pool.as_ref().map(count),
            used: status.used.as_ref().map(count),
            pools: spec
                .ipam
                .pools
                .allocated
                .into_iter()
                .map(|it| (it.pool, it.cidrs))
                .collect(),
            operator_error: (!error.is_empty()).then_some(error),
        }
    };
    all.into_iter().map(one).collect()
}

pub(super) fn endpoints(all: Vec<Endpoint>) -> Vec<CiliumEndpoint> {
    let one = |it: Endpoint| {
        let status = it.status.unwrap_or_default();
        let networking = status.networking.unwrap_or_default();
        let addresses = networking.addressing.iter();
        CiliumEndpoint {
            namespace: it.metadata.namespace,
            name: it.metadata.name,
            state: status.state,
            node_ip: networking.node.parse().ok(),
            addresses: addresses
                .flat_map(|pair| [&pair.ipv4, &pair.ipv6])
                .filter_map(|text| text.parse::<IpAddr>().ok())
                .collect(),
        }
    };
    all.into_iter().map(one).collect()
}
