//! What nodes show, side by side: much of it is only wrong because the others have it otherwise.

mod way;

use std::cell::OnceCell;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use observation::{Link, Node, NodeEvidence, NodeReads, Observation, Route, Vxlan};
use report::{Family, Gap, GapReason, Observed};

use crate::check::Judgement;
use crate::view::View;

pub(crate) use way::{Hop, Way, hops, inside};

/// The main routing table.
pub(crate) const MAIN: u32 = 254;

/// What was read of nodes, and what many checks ask of it, worked out once.
#[derive(Debug)]
pub(crate) struct Nodes<'a> {
    pub(crate) evidence: BTreeMap<&'a str, &'a NodeEvidence>,
    objects: BTreeMap<&'a str, &'a Node>,
    /// Nodes that were to be read and were not.
    pub(crate) gaps: Vec<Gap>,
    /// The pod networks, and whose they are.
    networks: Vec<(IpNet, &'a Node)>,
    /// The main routing tables, in the order in which the kernel chooses: the longest prefix, then the smallest metric.
    tables: BTreeMap<&'a str, Vec<(IpNet, &'a Route)>>,
    tunnels: BTreeMap<&'a str, Vec<Tunnel<'a>>>,
    bridges: BTreeMap<&'a str, &'a Link>,
    ways: OnceCell<Vec<Way<'a>>>,
}

/// A tunnel that carries pods' packets to other nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tunnel<'a> {
    pub(crate) link: &'a Link,
    pub(crate) vxlan: &'a Vxlan,
    /// Whether packets of pods go through it, by their family. Some CNIs have a device for each.
    v4: bool,
    v6: bool,
}

impl Tunnel<'_> {
    /// Whether packets of pods of this family go through it.
    pub(crate) fn carries(&self, family: Family) -> bool {
        match family {
            Family::IPv4 => self.v4,
            Family::IPv6 => self.v6,
        }
    }
}

/// One part of what was read, of all nodes.
#[derive(Debug)]
struct Part<'a, T> {
    seen: Vec<(&'a str, &'a T)>,
    gaps: Vec<Gap>,
}

/// Judges one part of what was read of nodes before the probes. Where it was not read the gaps say so, and where no node
/// could be read at all, or the rights of the run do not reach so far, there is nothing to find.
pub(crate) fn on_nodes<'a, T: 'a>(
    view: &View<'a>,
    part: impl Fn(&'a NodeReads) -> &'a Observed<T>,
    find: impl FnOnce(&Nodes<'a>, &[(&'a str, &'a T)], &mut Judgement),
) -> Judgement {
    let read = match &view.read_nodes {
        Ok(nodes) => nodes.part(part).map(|part| (nodes, part)),
        Err(judgement) => return judgement.clone(),
    };
    match read {
        Ok((nodes, part)) => {
            let mut judgement = Judgement {
                gaps: part.gaps,
                ..Judgement::default()
            };
            find(nodes, &part.seen, &mut judgement);
            judgement
        }
        Err(judgement) => judgement,
    }
}

impl<'a> Nodes<'a> {
    /// The nodes that were read, or the judgement of every check that needs them and has none.
    pub(crate) fn of(observation: &'a Observation) -> Result<Self, Judgement> {
        match &observation.node_reading {
            None => return Err(Judgement::not_asked()),
            Some(Observed::Unseen(gap)) => return Err(Judgement::unread(gap)),
            Some(Observed::Seen(())) => {}
        }
        let objects: BTreeMap<&str, &Node> = observation
            .nodes
            .seen()
            .into_iter()
            .flatten()
            .map(|node| (node.name.as_str(), node))
            .collect();
        let read = &observation.node_evidence;
        let mut nodes = Self {
            evidence: read
                .iter()
                .filter_map(|(node, evidence)| Some((node.as_str(), evidence.seen()?)))
                .collect(),
            networks: networks(objects.values().copied()),
            objects,
            gaps: read.values().filter_map(Observed::gap).cloned().collect(),
            tables: BTreeMap::new(),
            tunnels: BTreeMap::new(),
            bridges: BTreeMap::new(),
            ways: OnceCell::new(),
        };
        nodes.tables = nodes
            .evidence
            .iter()
            .filter_map(|(node, evidence)| Some((*node, main_table(evidence.before.routes.seen()?))))
            .collect();
        let names: Vec<&str> = nodes.evidence.keys().copied().collect();
        nodes.tunnels = names
            .iter()
            .map(|node| (*node, nodes.find_tunnels(node)))
            .collect();
        nodes.bridges = names
            .iter()
            .filter_map(|node| Some((*node, nodes.find_bridge(node)?)))
            .collect();
        Ok(nodes)
    }

    /// One part of what was read before the probes, or the judgement of a check that needs it where the rights of the
    /// run do not reach so far.
    fn part<T>(&self, part: impl Fn(&'a NodeReads) -> &'a Observed<T>) -> Result<Part<'a, T>, Judgement> {
        let mut all = Part {
            seen: Vec::new(),
            gaps: self.gaps.clone(),
        };
        let mut not_allowed = None;
        for (node, evidence) in &self.evidence {
            match part(&evidence.before) {
                Observed::Seen(value) => all.seen.push((*node, value)),
                Observed::Unseen(gap) if gap.why == GapReason::TierNotAllowed => not_allowed = Some(gap),
                Observed::Unseen(gap) => all.gaps.push(gap.clone()),
            }
        }
        match not_allowed {
            Some(gap) if all.seen.is_empty() => Err(Judgement::unread(gap)),
            Some(gap) => {
                all.gaps.push(gap.clone());
                Ok(all)
            }
            None => Ok(all),
        }
    }

    /// The object of a node.
    pub(crate) fn object(&self, node: &str) -> Option<&'a Node> {
        self.objects.get(node).copied()
    }

    /// All nodes of the cluster, read or not.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &'a Node> {
        self.objects.values().copied()
    }

    /// The links of a node before the probes.
    pub(crate) fn links(&self, node: &str) -> Option<&'a [Link]> {
        let evidence = self.evidence.get(node)?;
        evidence.before.links.seen().map(Vec::as_slice)
    }

    /// The tunnels of a node that carry pods: the VXLAN devices whose addresses or routes belong to pods.
    pub(crate) fn tunnels(&self, node: &str) -> &[Tunnel<'a>] {
        self.tunnels.get(node).map_or(&[], Vec::as_slice)
    }

    /// The tunnel of a node that carries pods' packets of a family.
    pub(crate) fn tunnel(&self, node: &str, family: Family) -> Option<Tunnel<'a>> {
        let mut tunnels = self.tunnels(node).iter();
        tunnels.find(|tunnel| tunnel.carries(family)).copied()
    }

    fn find_tunnels(&self, node: &str) -> Vec<Tunnel<'a>> {
        let table = self.tables.get(node);
        let carries = |link: &Link, family: Family| {
            let leads = table.into_iter().flatten().any(|(network, route)| {
                Family::of(network.addr()) == family
                    && route.device.as_deref() == Some(link.name.as_str())
                    && self.is_pod_network(network)
            });
            let own = |address: IpAddr| Family::of(address) == family && self.owner_of(address).is_some();
            leads || link.addresses.iter().any(|address| own(address.address))
        };
        let links = self.links(node).into_iter().flatten();
        let tunnels = links.filter_map(|link| {
            Some(Tunnel {
                link,
                vxlan: link.vxlan.as_ref()?,
                v4: carries(link, Family::IPv4),
                v6: carries(link, Family::IPv6),
            })
        });
        tunnels.filter(|tunnel| tunnel.v4 || tunnel.v6).collect()
    }

    /// The bridge that joins the pods of a node: it has an address of the node's own pod network.
    pub(crate) fn bridge(&self, node: &str) -> Option<&'a Link> {
        self.bridges.get(node).copied()
    }

    fn find_bridge(&self, node: &str) -> Option<&'a Link> {
        let is_own = |address: IpAddr| self.cidrs(node).any(|cidr| cidr.contains(&address));
        self.links(node)?.iter().find(|link| {
            link.kind.as_deref() == Some("bridge")
                && link.addresses.iter().any(|address| is_own(address.address))
        })
    }

    /// The pod networks of a node.
    pub(crate) fn cidrs(&self, node: &str) -> impl Iterator<Item = IpNet> {
        let own = self.networks.iter().filter(move |(_, owner)| owner.name == node);
        own.map(|(cidr, _)| *cidr)
    }

    fn is_pod_network(&self, network: &IpNet) -> bool {
        self.networks
            .iter()
            .any(|(cidr, _)| cidr.network() == network.network())
    }

    /// The node whose pod network an address is of.
    pub(crate) fn owner_of(&self, address: IpAddr) -> Option<&'a Node> {
        let mut networks = self.networks.iter();
        networks
            .find(|(cidr, _)| cidr.contains(&address))
            .map(|(_, node)| *node)
    }

    /// The route that the kernel of a node takes in the main table.
    pub(crate) fn best_route(&self, node: &str, address: IpAddr) -> Option<&'a Route> {
        let table = self.tables.get(node)?;
        let best = table.iter().find(|(network, _)| network.contains(&address));
        best.map(|(_, route)| *route)
    }

    /// The ways between all nodes with a pod network, as far as the routes of the nodes were read.
    pub(crate) fn ways(&self) -> &[Way<'a>] {
        self.ways.get_or_init(|| {
            let mut ways = Vec::new();
            for node in self.tables.keys().copied() {
                for (cidr, peer) in self.networks.iter().filter(|(_, peer)| peer.name != node) {
                    ways.push(Way {
                        node,
                        peer,
                        cidr: *cidr,
                        route: self.best_route(node, inside(*cidr)),
                    });
                }
            }
            ways
        })
    }
}

/// The pod networks, and whose they are. One that two nodes have is nobody's: whatever leads to it is right for one and wrong for the other.
fn networks<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<(IpNet, &'a Node)> {
    let all: Vec<(IpNet, &Node)> = nodes
        .flat_map(|node| pod_cidrs(node).into_iter().map(move |cidr| (cidr, node)))
        .collect();
    let mut owners: BTreeMap<IpNet, usize> = BTreeMap::new();
    for (cidr, _) in &all {
        *owners.entry(*cidr).or_default() += 1;
    }
    all.into_iter().filter(|(cidr, _)| owners[cidr] == 1).collect()
}

fn main_table(routes: &[Route]) -> Vec<(IpNet, &Route)> {
    let mut table: Vec<(IpNet, &Route)> = routes
        .iter()
        .filter(|route| route.table == MAIN)
        .filter_map(|route| Some((route.destination.parse().ok()?, route)))
        .collect();
    table.sort_by_key(|(network, route)| (Reverse(network.prefix_len()), route.metric));
    table
}

/// `spec.podCIDRs` of a node, as far as they are networks.
pub(crate) fn pod_cidrs(node: &Node) -> Vec<IpNet> {
    node.pod_cidrs
        .iter()
        .filter_map(|cidr| cidr.parse().ok())
        .collect()
}

/// Whether a route is that of the whole world.
pub(crate) fn is_default(route: &Route) -> bool {
    route.destination.ends_with("/0")
}

/// The value that most have, if more than half of them do.
pub(crate) fn majority<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    let mut all = 0;
    for value in values {
        *counts.entry(value).or_default() += 1;
        all += 1;
    }
    let (value, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count * 2 > all).then_some(value)
}

/// A route as `ip route` prints it.
pub(crate) fn shown(route: &Route) -> String {
    let mut text = String::new();
    if route.kind != "unicast" {
        text.push_str(&route.kind);
        text.push(' ');
    }
    text.push_str(&route.destination);
    if let Some(gateway) = route.gateway {
        let _ = write!(text, " via {gateway}");
    }
    if let Some(device) = &route.device {
        let _ = write!(text, " dev {device}");
    }
    if route.on_link {
        text.push_str(" onlink");
    }
    text
}
