use std::ops::RangeInclusive;

use netmodel::rules::{Decider, Hook, Packet, Stop};
use observation::Node;

use super::stops::{share, sizes};
use super::{Firewall, pods};

/// How much of the tunnel's packets a rule takes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Loss {
    /// All of them.
    All,
    /// Those of these sizes, in bytes of the whole outer packet.
    Sizes(Vec<RangeInclusive<u32>>),
    /// A share of them.
    Share(f64),
}

/// A rule or policy that ends packets of the tunnel.
#[derive(Debug)]
pub(crate) struct TunnelStop<'f> {
    pub(crate) by: Decider<'f>,
    pub(crate) loss: Loss,
    /// The tunnel's device and UDP port.
    pub(crate) device: &'f str,
    pub(crate) port: u16,
    /// Whether it ends what arrives, not what is sent.
    pub(crate) inbound: bool,
    /// The other ends that are concerned.
    pub(crate) peers: Vec<&'f str>,
    /// Whether these are all that were asked about.
    pub(crate) is_every_peer: bool,
    /// Whether all other nodes were asked about.
    pub(crate) is_whole: bool,
}

impl TunnelStop<'_> {
    /// As `from all other nodes`.
    pub(crate) fn ends(&self) -> String {
        let way = if self.inbound { "from" } else { "to" };
        if self.is_every_peer {
            let all = if self.is_whole { "all " } else { "" };
            format!("{way} {all}other nodes")
        } else {
            format!("{way} {}", super::joined(&self.peers))
        }
    }
}

impl Firewall<'_> {
    /// The tunnels that packets to pods of other nodes take.
    fn pod_tunnels(&self) -> impl Iterator<Item = (&str, &observation::Vxlan)> {
        self.tunnels().filter(|(name, _)| {
            let is_routed = self.peers.iter().any(|peer| {
                [true, false]
                    .into_iter()
                    .filter(|v4| pods(peer, *v4).is_some())
                    .any(|v4| self.interface_to(peer, v4) == Some(name))
            });
            // Where routes say nothing: what network plugins call theirs.
            let named = [
                "flannel.",
                "flannel-v6.",
                "vxlan.calico",
                "vxlan-v6.calico",
                "cilium_vxlan",
            ];
            is_routed || named.iter().any(|known| name.starts_with(known))
        })
    }

    /// Whether the node has a tunnel of a kind that is known; `None` when its links were not read.
    pub(crate) fn has_tunnel(&self) -> Option<bool> {
        self.reads.links.seen()?;
        Some(self.pod_tunnels().next().is_some())
    }

    /// What ends packets of the node's tunnels.
    pub(crate) fn tunnel_stops(&self) -> Vec<TunnelStop<'_>> {
        let mut found = Vec::new();
        for (device, tunnel) in self.pod_tunnels() {
            let below = tunnel.device.as_deref();
            let arriving = self.encapsulated(below, tunnel.port);
            let leaving = self.encapsulating(below, tunnel.port);
            let ways = [
                (
                    true,
                    [Hook::Ingress, Hook::Prerouting, Hook::Input].as_slice(),
                    arriving,
                ),
                (
                    false,
                    [Hook::Output, Hook::Postrouting, Hook::Egress].as_slice(),
                    leaving,
                ),
            ];
            for (inbound, hooks, packets) in ways {
                let from = found.len();
                for hook in hooks {
                    self.at_hook(*hook, &packets, &mut found, |by, loss| TunnelStop {
                        by,
                        loss,
                        device,
                        port: tunnel.port,
                        inbound,
                        peers: Vec::new(),
                        is_every_peer: false,
                        is_whole: self.peers.len() == self.others,
                    });
                }
                for stop in &mut found[from..] {
                    stop.is_every_peer = stop.peers.len() == packets.len() && packets.len() > 1;
                }
            }
        }
        found
    }

    fn at_hook<'f>(
        &'f self,
        hook: Hook,
        packets: &[(&'f Node, Packet)],
        found: &mut Vec<TunnelStop<'f>>,
        make: impl Fn(Decider<'f>, Loss) -> TunnelStop<'f>,
    ) {
        let from = found.len();
        for (peer, packet) in packets {
            for stop in self.rules.walk(hook, packet).stops {
                let Some(loss) = loss(&stop) else {
                    continue;
                };
                let known = found[from..].iter().position(|known| known.by == stop.by);
                let at = known.map_or(found.len(), |at| from + at);
                if known.is_none() {
                    found.push(make(stop.by, loss));
                }
                found[at].peers.push(&peer.name);
            }
        }
    }
}

fn loss(stop: &Stop<'_>) -> Option<Loss> {
    if stop.is_certain() {
        return Some(Loss::All);
    }
    // What may be let through before is not this rule's to lose.
    if !stop.unless.is_empty() {
        return None;
    }
    sizes(&stop.conditions)
        .map(Loss::Sizes)
        .or_else(|| share(&stop.conditions).map(Loss::Share))
}
