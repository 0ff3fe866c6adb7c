//! The same nodes with pods of both families: flannel has a second tunnel for IPv6.

use std::net::IpAddr;

use observation::{ForwardingEntry, InterfaceAddress, Neighbour, Node, NodeReads, Vxlan};
use report::Observed;

use super::{NodeTier, Scene, device, route};

const TUNNEL: &str = "flannel-v6.1";

impl Scene {
    /// So many nodes with pods of both families, read without their files.
    pub(crate) fn dual_stack(count: u8) -> Self {
        let mut scene = Self::of(count, NodeTier::HostNetwork);
        for (number, node) in (1..=count).zip(&mut scene.nodes) {
            has_both(node, number);
        }
        for number in 1..=count {
            scene = scene.change(&format!("node{number}"), |reads| reads_both(reads, number, count));
        }
        scene
    }
}

fn outer(number: u8) -> IpAddr {
    format!("fd00:30::1{number}").parse().unwrap()
}

fn gateway(number: u8) -> String {
    format!("fd00:244:0:{number}::")
}

fn mac(number: u8) -> String {
    format!("06:00:00:00:00:0{number}")
}

fn has_both(node: &mut Node, number: u8) {
    node.internal_ips.push(outer(number));
    node.pod_cidrs.push(format!("{}/64", gateway(number)));
    let data = format!(r#"{{"VNI":1,"VtepMAC":"{}"}}"#, mac(number));
    for (name, value) in [
        ("public-ipv6", outer(number).to_string()),
        ("backend-v6-data", data),
    ] {
        node.annotations
            .insert(format!("flannel.alpha.coreos.com/{name}"), value);
    }
}

fn reads_both(reads: &mut NodeReads, number: u8, count: u8) {
    let mut tunnel = device(TUNNEL, 6, Some("vxlan"), 1430, &[(&gateway(number), 128)]);
    tunnel.mac = Some(mac(number));
    tunnel.vxlan = Some(Vxlan {
        vni: 1,
        port: 8472,
        local: Some(outer(number)),
        device: Some("eth0".to_owned()),
        learning: false,
    });
    if let Observed::Seen(links) = &mut reads.links {
        for (name, address) in [
            ("eth0", outer(number)),
            ("cni0", format!("{}1", gateway(number)).parse().unwrap()),
        ] {
            let links = links.iter_mut().filter(|link| link.name == name);
            links.for_each(|link| link.addresses.push(InterfaceAddress { address, prefix: 64 }));
        }
        links.push(tunnel);
    }
    for peer in (1..=count).filter(|peer| *peer != number) {
        if let Observed::Seen(routes) = &mut reads.routes {
            let mut route = route(&format!("{}/64", gateway(peer)), Some(&gateway(peer)), TUNNEL);
            route.on_link = true;
            routes.push(route);
        }
        if let Observed::Seen(neighbours) = &mut reads.neighbours {
            neighbours.push(Neighbour {
                address: gateway(peer).parse().unwrap(),
                device: TUNNEL.to_owned(),
                mac: Some(mac(peer)),
                state: "permanent".to_owned(),
            });
        }
        if let Observed::Seen(entries) = &mut reads.forwarding {
            entries.push(ForwardingEntry {
                mac: mac(peer),
                device: TUNNEL.to_owned(),
                destination: Some(outer(peer)),
                state: "permanent".to_owned(),
            });
        }
    }
}
