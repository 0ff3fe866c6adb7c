//! Checks of what a CNI has set up on nodes. One file each, named as the check.

pub(crate) mod cni_bin;
pub(crate) mod cni_bridge;
pub(crate) mod cni_conf;
pub(crate) mod cni_fdb;
pub(crate) mod cni_ipam_leak;
pub(crate) mod cni_neigh;
pub(crate) mod cni_public_ip;
pub(crate) mod cni_route;
pub(crate) mod cni_vxlan_if;

use std::net::IpAddr;

use ipnet::IpNet;
use observation::{Link, Node, Route, Vxlan};

use report::{Gap, GapReason, Observed};

use crate::nodes::{Nodes, best_route, is_default, pod_cidrs};

/// Whether a runtime reads a file of this name (libcni).
pub(crate) fn is_configuration(name: &str) -> bool {
    let ending = std::path::Path::new(name).extension();
    ending.is_some_and(|ending| ending == "conflist" || ending == "conf" || ending == "json")
}

/// What a directory is that nothing of the run looked at.
pub(crate) static NOT_READ: Observed<Vec<String>> = Observed::Unseen(Gap {
    what: String::new(),
    why: GapReason::NotStarted,
    message: String::new(),
    hint: None,
});

/// The way of one node to the pods of another.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    pub(crate) node: &'a str,
    pub(crate) peer: &'a Node,
    /// The peer's pod network.
    pub(crate) cidr: IpNet,
    /// What the kernel would take; the default route stands for none of its own.
    pub(crate) route: Option<&'a Route>,
}

impl Way<'_> {
    /// Whether it is a route that leads to the peer's pods and to nobody else's.
    pub(crate) fn is_own(&self) -> bool {
        self.route.is_some_and(|route| {
            route.kind == "unicast" && !is_default(route) && covers_one(route, self.cidr)
        })
    }
}

/// A route to a wider network than the peer's does not know the peer.
fn covers_one(route: &Route, cidr: IpNet) -> bool {
    let network: Option<IpNet> = route.destination.parse().ok();
    network.is_some_and(|network| network.prefix_len() >= cidr.prefix_len())
}

/// The ways between all nodes with a pod network, as far as the routes of the nodes were read.
pub(crate) fn ways<'a>(nodes: &Nodes<'a>) -> Vec<Way<'a>> {
    let mut ways = Vec::new();
    for (node, evidence) in &nodes.evidence {
        let Some(routes) = evidence.before.routes.seen() else {
            continue;
        };
        for peer in nodes.objects().filter(|peer| peer.name != *node) {
            for cidr in pod_cidrs(peer) {
                ways.push(Way {
                    node,
                    peer,
                    cidr,
                    route: best_route(routes, inside(cidr)),
                });
            }
        }
    }
    ways
}

/// An address in the network: not its first, which may be somebody's tunnel.
fn inside(cidr: IpNet) -> IpAddr {
    cidr.hosts().nth(1).unwrap_or_else(|| cidr.network())
}

/// The far end of a tunnel, as the peer itself has it, or as its CNI wrote it to the node object.
#[derive(Debug)]
pub(crate) struct FarEnd {
    /// The link-layer address of the peer's tunnel device.
    pub(crate) mac: String,
    /// The addresses at which the peer takes the tunnel's packets.
    pub(crate) outer: Vec<IpAddr>,
    /// Where it is known from.
    pub(crate) from: String,
}

pub(crate) fn far_end(nodes: &Nodes<'_>, peer: &Node) -> Option<FarEnd> {
    if let Some((link, vxlan)) = nodes.tunnel(&peer.name)
        && let Some(mac) = &link.mac
    {
        let outer = vxlan
            .local
            .map_or_else(|| peer.internal_ips.clone(), |local| vec![local]);
        return Some(FarEnd {
            mac: mac.clone(),
            outer,
            from: format!("{} of {}", link.name, peer.name),
        });
    }
    let annotation = |name: &str| peer.annotations.get(&format!("flannel.alpha.coreos.com/{name}"));
    let data = annotation("backend-data")?;
    // As {"VNI":1,"VtepMAC":"9a:…"}.
    let mac = data.split("\"VtepMAC\":\"").nth(1)?.split('"').next()?;
    let outer = told_address(peer);
    Some(FarEnd {
        mac: mac.to_lowercase(),
        outer: outer.into_iter().collect(),
        from: format!(
            "node/{} annotation flannel.alpha.coreos.com/backend-data",
            peer.name
        ),
    })
}

/// The address at which a node's flannel tells the others to find it.
pub(crate) fn told_address(peer: &Node) -> Option<IpAddr> {
    let told = peer.annotations.get("flannel.alpha.coreos.com/public-ip")?;
    told.parse().ok()
}

/// The way through a VXLAN tunnel without learning: the neighbour and the forwarding entry that it depends on.
#[derive(Debug)]
pub(crate) struct Hop<'a> {
    pub(crate) node: &'a str,
    pub(crate) peer: &'a Node,
    pub(crate) tunnel: &'a Link,
    /// The next hop, at the peer's end of the tunnel.
    pub(crate) gateway: IpAddr,
    pub(crate) learning: bool,
}

/// The ways that go through a tunnel by a next hop in it.
pub(crate) fn hops<'a>(nodes: &Nodes<'a>) -> Vec<Hop<'a>> {
    let tunnelled = |way: Way<'a>| {
        let route = way.route?;
        let (tunnel, vxlan): (&Link, &Vxlan) = nodes.links(way.node)?.iter().find_map(|link| {
            Some((link, link.vxlan.as_ref()?)).filter(|_| route.device.as_ref() == Some(&link.name))
        })?;
        Some(Hop {
            node: way.node,
            peer: way.peer,
            tunnel,
            gateway: route.gateway?,
            learning: vxlan.learning,
        })
    };
    ways(nodes).into_iter().filter_map(tunnelled).collect()
}
