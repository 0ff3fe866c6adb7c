//! Where the rules of a node lead a host port.

use std::net::{IpAddr, SocketAddr};

use netmodel::rules::{Action, AddressRange, Decider, Hook, Packet};
use observation::{HostPort, Reach};
use report::{Evidence, Subject};

use crate::firewall::Firewall;
use crate::shell::on_node;

/// What the rules of the node do with the port.
pub(super) enum Rules<'a> {
    /// They were not read, or cannot be followed.
    Unread,
    /// They lead it to the pod, perhaps.
    Lead,
    /// They lead it elsewhere, by this rule.
    Elsewhere(String, Evidence),
    /// They leave it to the node.
    Missing(&'a str),
}

/// Sends a packet from another node to the port in thought.
pub(super) fn rules<'a>(firewall: &'a Firewall<'_>, reach: &Reach, port: &HostPort) -> Rules<'a> {
    if !firewall.gaps.is_empty() {
        return Rules::Unread;
    }
    let Some((to, pod)) = ends(firewall, port) else {
        return Rules::Unread;
    };
    let from = firewall.peers.iter().find_map(|peer| {
        let own = peer.internal_ips.iter().find(|own| own.is_ipv4() == to.is_ipv4());
        own.copied()
    });
    let source = AddressRange::from(from.unwrap_or(to));
    let make = if port.protocol == "UDP" {
        Packet::udp
    } else {
        Packet::tcp
    };
    let packet = make(source, AddressRange::from(to), port.host_port)
        .coming_from(firewall.uplink(to.is_ipv4()))
        .to_this_host();
    let walk = firewall.rules.walk(Hook::Prerouting, &packet);
    if walk.broken_off.is_some() {
        return Rules::Unread;
    }
    let mut first = None;
    for effect in &walk.effects {
        let Action::Dnat(to) = effect.action else { continue };
        if to.contains(&pod.to_string()) {
            return match first {
                Some((to, by)) => elsewhere(firewall, reach, port, to, by),
                None => Rules::Lead,
            };
        }
        // What is only perhaps done elsewhere may leave the packet to the pod's rule.
        if effect.is_certain() {
            first.get_or_insert((to, &effect.by));
        }
    }
    match first {
        Some((to, by)) => elsewhere(firewall, reach, port, to, by),
        None if walk
            .effects
            .iter()
            .any(|effect| matches!(effect.action, Action::Dnat(_))) =>
        {
            Rules::Lead
        }
        None => Rules::Missing(firewall.name()),
    }
}

/// The node's address that is tried, and the pod's that it is to become.
fn ends(firewall: &Firewall<'_>, port: &HostPort) -> Option<(IpAddr, SocketAddr)> {
    let addresses = port.addresses.iter();
    let mut pairs = addresses.filter_map(|pod| {
        let to = match port.host_ip {
            Some(ip) => (ip.is_ipv4() == pod.is_ipv4()).then_some(ip),
            None => firewall.address(pod.is_ipv4()),
        };
        Some((to?, SocketAddr::new(*pod, port.container_port)))
    });
    pairs.next()
}

fn elsewhere<'a>(
    firewall: &Firewall<'_>,
    reach: &Reach,
    port: &HostPort,
    to: &[String],
    by: &Decider<'_>,
) -> Rules<'a> {
    let whose = node_port_of(reach, port.host_port).map_or_else(
        || format!("a rule leads it to {}", to.join(" or ")),
        |service| format!("it is the node port of {service} as well"),
    );
    Rules::Elsewhere(
        whose,
        Evidence::command(by.to_string(), on_node(firewall.name(), &[&by.command()])),
    )
}

/// The Service that has this number for its node port.
fn node_port_of(reach: &Reach, number: u16) -> Option<Subject> {
    let services = reach.services.as_ref()?.seen()?;
    let has =
        |service: &&observation::Service| service.ports.iter().any(|port| port.node_port == Some(number));
    services.iter().find(has).map(observation::Service::subject)
}
