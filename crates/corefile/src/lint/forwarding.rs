//! Where queries go that CoreDNS does not answer itself.

use std::net::{IpAddr, Ipv4Addr};

use super::{Found, Role, known};
use crate::address::normal_zones;
use crate::ast::{Directive, ServerBlock};
use crate::value;

const RESOLV_CONF: &str = "/etc/resolv.conf";

pub(super) fn look(found: &mut Found<'_>) {
    let root_blocks: Vec<&ServerBlock> = found
        .blocks()
        .filter(|block| block.zones().iter().any(|zone| zone == "."))
        .collect();
    let forwards_root = root_blocks.iter().any(|block| {
        block.all("forward").any(|forward| {
            forward
                .args()
                .first()
                .is_some_and(|from| normal_zones(from).contains(&".".to_owned()))
        }) || ["proxy", "grpc"].iter().any(|other| block.first(other).is_some())
    });
    if let Some(block) = root_blocks.first()
        && !forwards_root
        && found.corefile.unread.is_empty()
    {
        found.warn(
            "dns-cf-fwd",
            block.place.clone(),
            "nothing forwards `.`: names outside of the cluster are not resolved (right only where nothing outside is used)",
            "forward . /etc/resolv.conf",
        );
    }
    for block in found.blocks() {
        for forward in block.all("forward") {
            upstreams(found, forward);
            options(found, forward);
        }
    }
}

fn addresses(forward: &Directive) -> Vec<(&str, Option<IpAddr>)> {
    forward
        .args()
        .into_iter()
        .skip(1)
        .map(|word| {
            let (_, host) = value::scheme(word);
            let host = value::host_port(host).map_or(host, |(address, _)| address);
            (word, value::ip_without_zone(host))
        })
        .collect()
}

fn upstreams(found: &mut Found<'_>, forward: &Directive) {
    let facts = found.facts;
    for (word, address) in addresses(forward) {
        let Some(address) = address else {
            if word == RESOLV_CONF
                && let Some(listed) = &facts.resolv_conf
            {
                for address in listed.clone() {
                    file_entry(found, forward, address);
                }
            }
            continue;
        };
        if facts.role == Role::Cluster && is_own(found, address) {
            found.error(
                "dns-cf-fwd-self",
                forward.place(),
                format!("{word} leads back to this DNS: every query for a name outside goes in circles until CoreDNS ends"),
                "forward to resolvers outside of the cluster, or to /etc/resolv.conf",
            );
        } else if address.is_loopback() {
            found.error(
                "dns-cf-fwd-self",
                forward.place(),
                format!("{word} is a loopback address, which in a pod is the pod itself"),
                "forward to the resolver's own address, or to /etc/resolv.conf with the kubelet's `resolvConf` set to \
                 /run/systemd/resolve/resolv.conf",
            );
        } else if let Some(kind) = reserved(address) {
            found.error(
                "dns-cf-fwd-reserved",
                forward.place(),
                format!("{word} can never be a resolver: it is {kind}"),
                "use the address that was meant",
            );
            found.of_upstream(address);
        } else if let IpAddr::V4(own) = address
            && let Some(meant) = known::meant(own)
        {
            found.note(
                "dns-cf-fwd-typo",
                forward.place(),
                format!("{word} is one slip away from {meant}, which is a well-known resolver: whether this address is one too is not seen here"),
                format!("use {meant} if that was meant"),
            );
            found.of_upstream(address);
        }
    }
}

fn is_own(found: &Found<'_>, address: IpAddr) -> bool {
    found.facts.service_addresses.contains(&address) || found.facts.pod_addresses.contains(&address)
}

fn file_entry(found: &mut Found<'_>, forward: &Directive, address: IpAddr) {
    let what = if is_own(found, address) {
        "which is this DNS itself"
    } else if address.is_loopback() {
        "which in a pod is the pod itself"
    } else {
        return;
    };
    found.error(
        "dns-cf-fwd-self",
        forward.place(),
        format!("{RESOLV_CONF} names {address}, {what}: queries go in circles until CoreDNS ends"),
        "set the kubelet's `resolvConf` to /run/systemd/resolve/resolv.conf or another file without it, restart the kubelet, \
         and recreate the DNS pods",
    );
}

/// Link-local addresses that answer: cloud resolvers and NodeLocal DNSCache.
const LINK_LOCAL: [[u8; 4]; 4] = [
    [169, 254, 169, 253],
    [169, 254, 169, 254],
    [169, 254, 20, 10],
    [169, 254, 25, 10],
];

/// What an address is that no resolver can have.
fn reserved(address: IpAddr) -> Option<&'static str> {
    let IpAddr::V4(address) = address else {
        return address.is_multicast().then_some("a multicast address");
    };
    let within = |network: [u8; 4], length: u32| {
        let mask = u32::MAX << (32 - length);
        u32::from(address) & mask == u32::from(Ipv4Addr::from(network)) & mask
    };
    if address.is_multicast() {
        Some("a multicast address")
    } else if within([0, 0, 0, 0], 8) {
        Some("an address of no network (0.0.0.0/8)")
    } else if within([240, 0, 0, 0], 4) {
        Some("reserved (240.0.0.0/4)")
    } else if within([192, 0, 2, 0], 24) || within([198, 51, 100, 0], 24) || within([203, 0, 113, 0], 24) {
        Some("an address for documentation")
    } else if within([198, 18, 0, 0], 15) {
        Some("an address for benchmarks (198.18.0.0/15)")
    } else if address.is_link_local() && !LINK_LOCAL.contains(&address.octets()) {
        Some("a link-local address")
    } else {
        None
    }
}

fn options(found: &mut Found<'_>, forward: &Directive) {
    let upstreams = addresses(forward);
    let tls = upstreams.iter().any(|(word, _)| word.starts_with("tls://"));
    if tls && forward.property("tls_servername").is_none() {
        found.warn(
            "dns-cf-fwd-opts",
            forward.place(),
            "upstreams over TLS without `tls_servername`: their certificates are compared with their addresses, which few \
             have in them",
            "add `tls_servername NAME` to its block, with the name that is in the certificate",
        );
    }
    let fails = forward.property("max_fails");
    if let Some(fails) = fails
        && fails.args == ["0"]
        && upstreams.len() > 1
    {
        found.warn(
            "dns-cf-fwd-opts",
            fails.place,
            "with `max_fails 0` no upstream is ever taken to be down, so that queries keep going to a dead one",
            "max_fails 2",
        );
    }
    let first_is_public = upstreams.first().and_then(|(_, address)| *address).is_some_and(
        |address| matches!(address, IpAddr::V4(address) if !address.is_private() && !address.is_link_local()),
    );
    if upstreams.len() == 1 && first_is_public && found.facts.role == Role::Cluster {
        found.warn(
            "dns-cf-fwd-opts",
            forward.place(),
            "there is one upstream: where it does not answer, no name outside of the cluster is resolved",
            "name a second resolver behind it",
        );
    }
}
