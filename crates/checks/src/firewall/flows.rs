use netmodel::rules::{AddressRange, NodeRules, Packet, Rule, Test};
use observation::Node;

use super::{Firewall, address, pods};

/// So many other nodes are asked about: rules rarely tell nodes apart, and each of them costs walks.
const PEERS: usize = 8;

/// Any address that is outside of every cluster, and in no list of addresses that agents leave untranslated.
const OUTSIDE_V4: &str = "1.1.1.1";
const OUTSIDE_V6: &str = "2606:4700:4700::1111";

/// A kind of packets that a cluster needs, and what is said of it.
#[derive(Clone, Debug)]
pub(crate) struct Flow<'a> {
    pub(crate) leg: Leg<'a>,
    pub(crate) packet: Packet,
}

/// Which way packets go through a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leg<'a> {
    /// From its pods to those of this node.
    ToPods(&'a str),
    /// From pods of this node to its own.
    FromPods(&'a str),
    /// From its pods out of the cluster.
    Outward,
}

/// The other nodes to ask about: first those that some rule of nobody known names, then any.
pub(super) fn asked<'a>(mut others: Vec<&'a Node>, rules: &NodeRules) -> Vec<&'a Node> {
    if others.len() > PEERS {
        let strange = rules
            .rules()
            .filter(|by| !by.owner().is_cluster())
            .filter_map(|by| by.rule);
        let tests = strange.flat_map(Rule::matches).map(|wanted| &wanted.test);
        let named: Vec<AddressRange> = tests
            .filter_map(|test| match test {
                Test::Source(ranges) | Test::Destination(ranges) => Some(ranges),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        let is_named = |node: &Node| {
            let own = [true, false]
                .into_iter()
                .filter_map(|v4| pods(node, v4))
                .map(AddressRange::from);
            let own = own.chain(node.internal_ips.iter().copied().map(AddressRange::from));
            own.into_iter()
                .any(|own| named.iter().any(|named| own.covers(named)))
        };
        others.sort_by_key(|node| !is_named(node));
        others.truncate(PEERS);
    }
    others
}

impl<'a> Firewall<'a> {
    /// What the node has to forward, by TCP and UDP and to any port.
    pub(crate) fn forwarded(&self) -> Vec<Flow<'a>> {
        self.families().flat_map(|v4| self.forwarded_of(v4)).collect()
    }

    fn forwarded_of(&self, v4: bool) -> Vec<Flow<'a>> {
        let Some(own) = self.pods(v4).map(AddressRange::from) else {
            return Vec::new();
        };
        let inside = self.pod_interface(v4);
        let mut flows = Vec::new();
        for peer in &self.peers {
            let Some(theirs) = pods(peer, v4).map(AddressRange::from) else {
                continue;
            };
            let there = self.interface_to(peer, v4);
            for udp in [false, true] {
                flows.push(Flow {
                    leg: Leg::ToPods(&peer.name),
                    packet: any_port(own, theirs, udp).coming_from(inside).leaving_by(there),
                });
                flows.push(Flow {
                    leg: Leg::FromPods(&peer.name),
                    packet: any_port(theirs, own, udp).coming_from(there).leaving_by(inside),
                });
            }
        }
        for udp in [false, true] {
            flows.push(Flow {
                leg: Leg::Outward,
                packet: any_port(own, outside(v4), udp)
                    .coming_from(inside)
                    .leaving_by(self.uplink(v4)),
            });
        }
        flows
    }

    /// What leaves the node for the outside, from its pods.
    pub(crate) fn outward(&self, v4: bool) -> Option<Packet> {
        let own = self.pods(v4).map(AddressRange::from)?;
        Some(
            any_port(own, outside(v4), false)
                .coming_from(self.pod_interface(v4))
                .leaving_by(self.uplink(v4)),
        )
    }

    /// What leaves the node for pods of others, and for its own, from its pods.
    pub(crate) fn between_pods(&self, v4: bool) -> Vec<Flow<'a>> {
        let flows = self.forwarded_of(v4).into_iter();
        flows.filter(|flow| matches!(flow.leg, Leg::ToPods(_))).collect()
    }

    /// The tunnel's packets that arrive from other nodes.
    pub(crate) fn encapsulated(&self, device: Option<&str>, port: u16) -> Vec<(&'a Node, Packet)> {
        self.outer(|theirs, own| Packet::udp(theirs, own, port).coming_from(device).to_this_host())
    }

    /// The tunnel's packets that leave for other nodes.
    pub(crate) fn encapsulating(&self, device: Option<&str>, port: u16) -> Vec<(&'a Node, Packet)> {
        self.outer(|theirs, own| {
            let mut packet = Packet::udp(own, theirs, port).leaving_by(device);
            packet.source_is_local = Some(true);
            packet
        })
    }

    fn outer(&self, packet: impl Fn(AddressRange, AddressRange) -> Packet) -> Vec<(&'a Node, Packet)> {
        let mut packets = Vec::new();
        for peer in &self.peers {
            // The tunnel runs over the family of the nodes' first addresses.
            let Some(v4) = self.node.internal_ips.first().map(std::net::IpAddr::is_ipv4) else {
                continue;
            };
            if let (Some(own), Some(theirs)) = (self.address(v4), address(peer, v4)) {
                packets.push((*peer, packet(theirs.into(), own.into())));
            }
        }
        packets
    }
}

fn any_port(source: AddressRange, destination: AddressRange, udp: bool) -> Packet {
    let packet = if udp {
        Packet::udp(source, destination, 0)
    } else {
        Packet::tcp(source, destination, 0)
    };
    Packet {
        destination_port: None,
        ..packet
    }
}

fn outside(v4: bool) -> AddressRange {
    let text = if v4 { OUTSIDE_V4 } else { OUTSIDE_V6 };
    AddressRange::parse(text).expect("a constant address")
}
