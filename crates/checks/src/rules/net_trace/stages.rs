//! The hooks that a flow passes, in their order, with the packet as it is there.

use netmodel::rules::{AddressRange, Hook, Packet};
use observation::Vxlan;

use super::firewall_of;
use crate::firewall::Firewall;
use crate::path::flow::{FlowEnd, PathFlow};

/// A packet at one hook of one node.
pub(super) struct Stage<'f, 'a> {
    pub(super) firewall: &'f Firewall<'a>,
    pub(super) hook: Hook,
    pub(super) packet: Packet,
    /// What the packet is, in a word.
    pub(super) what: &'static str,
    /// The endpoint that is followed, as rules write it, where the Service is still its destination.
    pub(super) leads_to: Option<String>,
}

impl Stage<'_, '_> {
    /// The hook as iptables names it.
    pub(super) fn point(&self) -> String {
        self.first_chain().to_uppercase()
    }

    /// The hook as nft names it.
    pub(super) fn first_chain(&self) -> &'static str {
        match self.hook {
            Hook::Ingress => "ingress",
            Hook::Prerouting => "prerouting",
            Hook::Input => "input",
            Hook::Forward => "forward",
            Hook::Output => "output",
            Hook::Postrouting => "postrouting",
            Hook::Egress => "egress",
        }
    }
}

/// All hooks from the source to one end, as far as the nodes' rules were read. Without an end those before a Service is translated.
pub(super) fn stages<'f, 'a>(
    firewalls: &'f [Firewall<'a>],
    flow: &PathFlow<'_>,
    end: Option<&FlowEnd<'_>>,
) -> Vec<Stage<'f, 'a>> {
    let mut way = Way {
        flow,
        end,
        stages: Vec::new(),
    };
    if let Some(firewall) = firewall_of(firewalls, &flow.source) {
        way.leave(firewall);
    }
    if let Some(end) = end
        && !is_same_node(&flow.source, end)
        && let Some(firewall) = firewall_of(firewalls, end)
    {
        way.arrive(firewall, end);
    }
    way.stages
}

fn is_same_node(one: &FlowEnd<'_>, other: &FlowEnd<'_>) -> bool {
    one.node
        .is_some_and(|node| other.node.is_some_and(|peer| peer.name == node.name))
}

struct Way<'w, 'f, 'a> {
    flow: &'w PathFlow<'w>,
    end: Option<&'w FlowEnd<'w>>,
    stages: Vec<Stage<'f, 'a>>,
}

impl<'f, 'a> Way<'_, 'f, 'a> {
    fn add(&mut self, firewall: &'f Firewall<'a>, hook: Hook, packet: Packet, what: &'static str) {
        self.stages.push(Stage {
            firewall,
            hook,
            packet,
            what,
            leads_to: None,
        });
    }

    /// The packet with the destination that it has once the Service is translated.
    fn translated(&self, end: &FlowEnd<'_>) -> Packet {
        let packet = self.packet(end.address, end.port);
        Packet {
            is_dnat: Some(self.flow.cluster_ip.is_some()),
            ..packet
        }
    }

    fn packet(&self, to: std::net::IpAddr, port: Option<u16>) -> Packet {
        let (source, destination) = (
            AddressRange::from(self.flow.source.address),
            AddressRange::from(to),
        );
        let make = if self.flow.is_udp {
            Packet::udp
        } else {
            Packet::tcp
        };
        Packet {
            destination_port: port,
            ..make(source, destination, 0)
        }
    }

    /// On the node where the flow begins.
    fn leave(&mut self, firewall: &'f Firewall<'a>) {
        let source = &self.flow.source;
        let v4 = source.address.is_ipv4();
        let from = (!source.is_host).then(|| firewall.pod_interface(v4)).flatten();
        let entry = if source.is_host {
            Hook::Output
        } else {
            Hook::Prerouting
        };
        let here = |packet: Packet| Packet {
            source_is_local: Some(source.is_host),
            ..packet.coming_from(from)
        };
        let first = match (self.flow.cluster_ip, self.end) {
            (Some(service), _) => self.packet(service.ip(), Some(service.port())),
            (None, Some(end)) => self.packet(end.address, end.port),
            (None, None) => return,
        };
        let Some(end) = self.end else {
            self.add(firewall, entry, here(first), "to the Service");
            return;
        };
        let is_own = is_same_node(source, end);
        // Between pods of one bridge nothing is routed, unless it came by way of a Service.
        let is_bridged =
            is_own && !source.is_host && !end.is_host && self.flow.cluster_ip.is_none() && from.is_some();
        let what = if self.flow.cluster_ip.is_some() {
            "to the Service"
        } else {
            "to the destination"
        };
        let mut first = here(first);
        first.is_bridged = is_bridged;
        if self.flow.cluster_ip.is_none() {
            first.destination_is_local = Some(is_own && end.is_host);
        }
        let at = self.stages.len();
        self.add(firewall, entry, first, what);
        if self.flow.cluster_ip.is_some() {
            let port = end.port.unwrap_or_default();
            self.stages[at].leads_to = Some(std::net::SocketAddr::new(end.address, port).to_string());
        }
        let packet = here(self.translated(end));
        if is_own && end.is_host {
            if !source.is_host {
                self.add(
                    firewall,
                    Hook::Input,
                    packet.to_this_host(),
                    "for the node itself",
                );
            }
            return;
        }
        let out = way_out(firewall, end, is_own, v4);
        let mut packet = packet.leaving_by(out);
        packet.is_bridged = is_bridged;
        if !source.is_host {
            self.add(firewall, Hook::Forward, packet.clone(), "through the node");
        }
        packet.in_interface = None;
        self.add(firewall, Hook::Postrouting, packet, "leaving it");
        if let (false, Some(vxlan)) = (is_own, tunnel(firewall, out)) {
            self.encapsulated(firewall, vxlan, end, Hook::Output);
        }
    }

    /// The tunnel's own packet, as it leaves a node or comes to one.
    fn encapsulated(&mut self, firewall: &'f Firewall<'a>, vxlan: &Vxlan, peer: &FlowEnd<'_>, hook: Hook) {
        let Some(peer) = peer.node else { return };
        let device = vxlan.device.as_deref();
        let all = match hook {
            Hook::Output => firewall.encapsulating(device, vxlan.port),
            _ => firewall.encapsulated(device, vxlan.port),
        };
        let found = all.into_iter().find(|(node, _)| node.name == peer.name);
        if let Some((_, packet)) = found {
            self.add(firewall, hook, packet, "in the tunnel");
        }
    }

    /// On the node where the flow ends, which is another one.
    fn arrive(&mut self, firewall: &'f Firewall<'a>, end: &FlowEnd<'_>) {
        let v4 = end.address.is_ipv4();
        let from = match self.flow.source.node {
            Some(peer) if !end.is_host => firewall.interface_to(peer, v4),
            Some(_) | None => firewall.uplink(v4),
        };
        if let Some(vxlan) = tunnel(firewall, from) {
            self.encapsulated(firewall, vxlan, &self.flow.source.clone(), Hook::Input);
        }
        // Translated on the node where it came from: for this one it goes to the endpoint from the beginning.
        let mut packet = self.packet(end.address, end.port).coming_from(from);
        if end.is_host {
            packet = packet.to_this_host();
            self.add(firewall, Hook::Prerouting, packet.clone(), "arriving");
            self.add(firewall, Hook::Input, packet, "for the node itself");
            return;
        }
        self.add(firewall, Hook::Prerouting, packet.clone(), "arriving");
        packet = packet.leaving_by(firewall.pod_interface(v4));
        self.add(firewall, Hook::Forward, packet.clone(), "through the node");
        packet.in_interface = None;
        self.add(firewall, Hook::Postrouting, packet, "to the pod");
    }
}

/// The interface by which packets for an end leave the node.
fn way_out<'f>(firewall: &'f Firewall<'_>, end: &FlowEnd<'_>, is_own: bool, v4: bool) -> Option<&'f str> {
    match end.node {
        _ if is_own => firewall.pod_interface(v4),
        Some(peer) if !end.is_host => firewall.interface_to(peer, v4),
        Some(_) | None => firewall.uplink(v4),
    }
}

/// The tunnel that a device is.
fn tunnel<'f>(firewall: &'f Firewall<'_>, device: Option<&str>) -> Option<&'f Vxlan> {
    let device = device?;
    firewall
        .tunnels()
        .find(|(name, _)| *name == device)
        .map(|(_, vxlan)| vxlan)
}
