//! What a node's rules make of Services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use netmodel::ipvs::VirtualServer;
use netmodel::rules::{
    AddressRange, Family, NodeRules, external_ports, protocol, refused_ports, service_ports,
};

use super::place::Key;

/// By where packets are sent to.
#[derive(Clone, Debug, Default)]
pub(super) struct Made {
    pub(super) endpoints: BTreeMap<Key, BTreeSet<SocketAddr>>,
    /// Those of them that connections from outside of the cluster come to.
    pub(super) for_outsiders: BTreeMap<Key, BTreeSet<SocketAddr>>,
    /// What is turned away, with the rule.
    pub(super) refused: BTreeMap<Key, String>,
    /// The Service port, as rules name it.
    pub(super) names: BTreeMap<Key, String>,
}

impl Made {
    pub(super) fn by_rules(rules: &NodeRules) -> Self {
        let mut made = Self::default();
        for set in &rules.sets {
            for port in service_ports(set).into_iter().chain(external_ports(set)) {
                let Some(key) = key(port.family, port.address, port.protocol, port.port) else {
                    continue;
                };
                let sockets = |texts: &BTreeSet<String>| -> BTreeSet<SocketAddr> {
                    texts.iter().filter_map(|text| text.parse().ok()).collect()
                };
                let outsiders = made.for_outsiders.entry(key).or_default();
                outsiders.extend(sockets(&port.for_outsiders));
                let endpoints = made.endpoints.entry(key).or_default();
                endpoints.extend(sockets(&port.endpoints));
                made.names.extend(port.name.map(|name| (key, name)));
            }
            for port in refused_ports(set) {
                let Some(key) = key(port.family, port.address, port.protocol, port.port) else {
                    continue;
                };
                made.refused.insert(key, port.text);
                made.names.extend(port.name.map(|name| (key, name)));
            }
        }
        made
    }

    /// Of the kernel's virtual servers. NodePorts are servers at the addresses of the node. A destination of weight 0 takes no
    /// new connections.
    pub(super) fn by_ipvs(servers: &[VirtualServer], is_of_node: impl Fn(IpAddr) -> bool) -> Self {
        let mut made = Self::default();
        for server in servers {
            let protocol = match server.protocol.as_str() {
                "TCP" => protocol::TCP,
                "UDP" => protocol::UDP,
                _ => protocol::SCTP,
            };
            let address = server.address.ip().to_canonical();
            let at = Key {
                address: Some(address),
                v4: address.is_ipv4(),
                protocol,
                port: server.address.port(),
            };
            let node_port = is_of_node(address).then_some(Key { address: None, ..at });
            let taking: BTreeSet<SocketAddr> = server
                .destinations
                .iter()
                .filter(|destination| destination.weight > 0)
                .map(|destination| destination.address)
                .collect();
            for key in std::iter::once(at).chain(node_port) {
                made.endpoints.insert(key, taking.clone());
                made.for_outsiders.insert(key, taking.clone());
            }
        }
        made
    }
}

fn key(
    family: Family,
    address: Option<AddressRange>,
    protocol: Option<u8>,
    port: Option<u16>,
) -> Option<Key> {
    let address = address.map(|range| range.first.to_canonical());
    Some(Key {
        address,
        v4: address.map_or(family == Family::Ip, |address| address.is_ipv4()),
        protocol: protocol?,
        port: port?,
    })
}
