//! How many addresses a node has to give, and how many of them are given.

use std::net::IpAddr;

use ipnet::IpNet;
use observation::Node;

use super::Cnis;
use crate::nodes::pod_cidrs;
use crate::view::View;

/// From how many hundredths on a range is nearly full, and from how many on new pods are about to fail.
pub(super) const NEARLY: usize = 80;
pub(super) const FULL: usize = 95;

/// A node's range and what of it is given away.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) cidr: IpNet,
    /// Addresses that pods can be given: not the network's, the gateway's and the broadcast's.
    pub(super) usable: usize,
    /// Addresses that pods of the node have, by the API.
    pub(super) pods: usize,
    /// Addresses that are booked on the node, and where, if that was read.
    pub(super) booked: Option<(String, usize)>,
}

impl Room {
    pub(super) fn used(&self) -> usize {
        self.pods
            .max(self.booked.as_ref().map_or(0, |(_, booked)| *booked))
    }

    /// In hundredths.
    pub(super) fn share(&self) -> usize {
        (self.used() * 100).checked_div(self.usable).unwrap_or(100)
    }
}

/// Of a node's range of IPv4, as far as it is known. One of IPv6 does not fill up.
pub(super) fn room(view: &View<'_>, scene: &Cnis<'_>, node: &Node) -> Option<Room> {
    let cidr = pod_cidrs(node).into_iter().find(|cidr| cidr.addr().is_ipv4())?;
    let bits = 32_u32.saturating_sub(u32::from(cidr.prefix_len()));
    let all = 1_usize.checked_shl(bits)?;
    let is_within = |address: &IpAddr| cidr.contains(address);
    let given = scene
        .pods_of(&node.name)
        .filter(|pod| pod.addresses.iter().any(is_within));
    Some(Room {
        cidr,
        usable: all.saturating_sub(3),
        pods: given.count(),
        booked: booked(view, &node.name, cidr),
    })
}

/// Where host-local books addresses.
pub(super) const BOOKS: &str = "/var/lib/cni/networks/";

/// How many addresses of the range are booked on the node, where its files were read.
fn booked(view: &View<'_>, node: &str, cidr: IpNet) -> Option<(String, usize)> {
    let evidence = view.observation.node_evidence.get(node)?.seen()?;
    let books = evidence.before.directories.iter();
    let counted = books.filter_map(|(path, names)| {
        let names = names.seen().filter(|_| path.starts_with(BOOKS))?;
        let own = names.iter().filter_map(|name| name.parse::<IpAddr>().ok());
        Some((path.clone(), own.filter(|address| cidr.contains(address)).count()))
    });
    counted.max_by_key(|(_, count)| *count)
}
