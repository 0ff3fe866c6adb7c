//! Ways to change what a node shows.

use std::net::IpAddr;

use observation::{InterfaceAddress, Link, NodeReads};
use report::Observed;

use super::route;

pub(crate) fn seen<T>(part: &mut Observed<T>) -> &mut T {
    match part {
        Observed::Seen(value) => value,
        Observed::Unseen(gap) => panic!("the scene has it: {gap:?}"),
    }
}

pub(crate) fn set(reads: &mut NodeReads, name: &str, value: &str) {
    seen(&mut reads.sysctls).insert(name.to_owned(), value.to_owned());
}

pub(crate) fn count(reads: &mut NodeReads, name: &str, value: u64) {
    seen(&mut reads.counters).insert(name.to_owned(), value);
}

pub(crate) fn conntrack(reads: &mut NodeReads, count: u64, max: u64) {
    let table = seen(&mut reads.conntrack);
    (table.count, table.max) = (count, max);
}

pub(crate) fn conntrack_dropped(reads: &mut NodeReads, count: u64, max: u64, dropped: u64) {
    conntrack(reads, count, max);
    let counters = &mut seen(&mut reads.conntrack).counters;
    counters.insert("drop".to_owned(), dropped);
}

/// Sets a counter of the connection tracking table.
pub(crate) fn tracked(reads: &mut NodeReads, name: &str, value: u64) {
    seen(&mut reads.conntrack).counters.insert(name.to_owned(), value);
}

/// Takes a counter of the connection tracking table away.
pub(crate) fn untracked(reads: &mut NodeReads, name: &str) {
    seen(&mut reads.conntrack).counters.remove(name);
}

/// Takes a counter of the network away.
pub(crate) fn uncounted(reads: &mut NodeReads, name: &str) {
    seen(&mut reads.counters).remove(name);
}

pub(crate) fn link<'a>(reads: &'a mut NodeReads, name: &str) -> &'a mut Link {
    let links = seen(&mut reads.links);
    links.iter_mut().find(|link| link.name == name).unwrap()
}

pub(crate) fn another_port(reads: &mut NodeReads, name: &str) {
    let mut port = link(reads, "veth0").clone();
    name.clone_into(&mut port.name);
    seen(&mut reads.links).push(port);
}

pub(crate) fn without_link(reads: &mut NodeReads, name: &str) {
    seen(&mut reads.links).retain(|link| link.name != name);
    seen(&mut reads.routes).retain(|route| route.device.as_deref() != Some(name));
}

pub(crate) fn without_bridge(reads: &mut NodeReads) {
    without_link(reads, "cni0");
}

pub(crate) fn mtu(reads: &mut NodeReads, name: &str, mtu: u32) {
    link(reads, name).mtu = mtu;
}

pub(crate) fn address(reads: &mut NodeReads, name: &str, address: &str, prefix: u8) {
    let address = address.parse().unwrap();
    link(reads, name)
        .addresses
        .push(InterfaceAddress { address, prefix });
}

pub(crate) fn without_route(reads: &mut NodeReads, destination: &str) {
    seen(&mut reads.routes).retain(|route| route.destination != destination);
}

pub(crate) fn blackhole(reads: &mut NodeReads, destination: &str) {
    without_route(reads, destination);
    let mut route = route(destination, None, "");
    (route.kind, route.device) = ("blackhole".to_owned(), None);
    seen(&mut reads.routes).push(route);
}

/// Sends the answers by the device of the underlay.
pub(crate) fn detour(reads: &mut NodeReads, destination: &str) {
    without_route(reads, destination);
    seen(&mut reads.routes).push(route(destination, Some("172.30.0.11"), "eth0"));
}

pub(crate) fn without_neighbour(reads: &mut NodeReads, address: &str) {
    let address: IpAddr = address.parse().unwrap();
    seen(&mut reads.neighbours).retain(|entry| entry.address != address);
}

pub(crate) fn neighbour_mac(reads: &mut NodeReads, address: &str, mac: &str) {
    let address: IpAddr = address.parse().unwrap();
    for entry in seen(&mut reads.neighbours) {
        if entry.address == address {
            entry.mac = Some(mac.to_owned());
        }
    }
}

pub(crate) fn without_forwarding(reads: &mut NodeReads, mac: &str) {
    seen(&mut reads.forwarding).retain(|entry| entry.mac != mac);
}

pub(crate) fn forwarding_destination(reads: &mut NodeReads, mac: &str, destination: &str) {
    for entry in seen(&mut reads.forwarding) {
        if entry.mac == mac {
            entry.destination = destination.parse().ok();
        }
    }
}

pub(crate) fn directory(reads: &mut NodeReads, path: &str, names: &[&str]) {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    reads.directories.insert(path.to_owned(), Observed::Seen(names));
}
