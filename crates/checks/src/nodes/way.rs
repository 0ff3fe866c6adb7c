//! The ways from nodes to the pods of other nodes.

use std::net::IpAddr;

use ipnet::IpNet;
use observation::{Link, Node, Route, Vxlan};

use super::{Nodes, is_default};

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

/// An address in the network: not its first, which may be somebody's tunnel.
pub(crate) fn inside(cidr: IpNet) -> IpAddr {
    cidr.hosts().nth(1).unwrap_or_else(|| cidr.network())
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
    let tunnelled = |way: &Way<'a>| {
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
    nodes.ways().iter().filter_map(tunnelled).collect()
}
