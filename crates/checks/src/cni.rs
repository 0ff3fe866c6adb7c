//! Checks of what a CNI has set up on nodes. One file each, named as the check.

pub(crate) mod cni_bin;
pub(crate) mod cni_bridge;
pub(crate) mod cni_conf;
pub(crate) mod cni_conf_order;
pub(crate) mod cni_fdb;
pub(crate) mod cni_ipam_leak;
pub(crate) mod cni_links;
pub(crate) mod cni_neigh;
pub(crate) mod cni_public_ip;
pub(crate) mod cni_route;
pub(crate) mod cni_subnetenv;
pub(crate) mod cni_vxlan_if;

use std::net::IpAddr;

use observation::Node;
use report::{Family, Gap, GapReason, Observed};

use crate::nodes::{Nodes, Tunnel};

/// Whether a runtime reads a file of this name (libcni).
pub(crate) fn is_configuration(name: &str) -> bool {
    let ending = std::path::Path::new(name).extension();
    ending.is_some_and(|ending| ending == "conflist" || ending == "conf" || ending == "json")
}

/// What follows where the pods of a node are given no network.
const NO_NETWORK: [&str; 3] = ["net-probe-pod", "cni-events", "cni-node-cond"];

/// What a directory is that nothing of the run looked at.
pub(crate) static NOT_READ: Observed<Vec<String>> = Observed::Unseen(Gap {
    what: String::new(),
    why: GapReason::NotStarted,
    message: String::new(),
    hint: None,
});

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

pub(crate) fn far_end(nodes: &Nodes<'_>, peer: &Node, family: Family) -> Option<FarEnd> {
    if let Some(Tunnel { link, vxlan, .. }) = nodes.tunnel(&peer.name, family)
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
    let name = match family {
        Family::IPv4 => "flannel.alpha.coreos.com/backend-data",
        Family::IPv6 => "flannel.alpha.coreos.com/backend-v6-data",
    };
    let data = peer.annotations.get(name)?;
    // As {"VNI":1,"VtepMAC":"9a:…"}.
    let mac = data.split("\"VtepMAC\":\"").nth(1)?.split('"').next()?;
    let outer = told_address(peer, family);
    Some(FarEnd {
        mac: mac.to_lowercase(),
        outer: outer.into_iter().collect(),
        from: format!("node/{} annotation {name}", peer.name),
    })
}

/// The annotation in which a node's flannel tells the others the address to find it at.
pub(crate) fn told_name(family: Family) -> &'static str {
    match family {
        Family::IPv4 => "flannel.alpha.coreos.com/public-ip",
        Family::IPv6 => "flannel.alpha.coreos.com/public-ipv6",
    }
}

/// The address at which a node's flannel tells the others to find it.
pub(crate) fn told_address(peer: &Node, family: Family) -> Option<IpAddr> {
    peer.annotations.get(told_name(family))?.parse().ok()
}
