use std::net::IpAddr;

use observation::Link;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, Tunnel, majority, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A tunnel's MTU plus its header must fit the device below, and the same device should carry the same on every node. A
/// larger one still works where the path's MTU is discovered, so that it is a warning.
pub(crate) static CHECK: Check = Check {
    id: "net-mtu-map",
    claim: "tunnels and bridges fit the devices below them, and are equal on all nodes",
    needs: &[Need::NodeNetwork],
    judge,
};

/// VXLAN over IPv4 and over IPv6: Ethernet 14, UDP 8, VXLAN 8, and the IP header (RFC 7348).
const OVERHEAD_4: u32 = 50;
const OVERHEAD_6: u32 = 70;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.links, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<Link>)], judgement: &mut Judgement) {
    let mut tunnels = Vec::new();
    let all = part.iter().flat_map(|(node, links)| {
        nodes
            .tunnels(node)
            .iter()
            .map(move |tunnel| (*node, *links, tunnel))
    });
    for (
        node,
        links,
        Tunnel {
            link: tunnel, vxlan, ..
        },
    ) in all
    {
        tunnels.push((node, *tunnel));
        let below = vxlan
            .device
            .as_ref()
            .and_then(|device| links.iter().find(|link| link.name == *device));
        let overhead = match vxlan.local {
            Some(IpAddr::V6(_)) => OVERHEAD_6,
            _ => OVERHEAD_4,
        };
        if let Some(below) = below
            && tunnel.mtu + overhead > below.mtu
        {
            judgement.findings.push(too_large(node, tunnel, below, overhead));
        }
        let is_used = |bridge: &Link| {
            let mut links = links.iter();
            links.any(|link| link.master.as_ref() == Some(&bridge.name))
        };
        // A bridge that nothing is joined to has the MTU that it was made with, and takes on that of its ports.
        if let Some(bridge) = nodes.bridge(node)
            && bridge.mtu > tunnel.mtu
            && is_used(bridge)
        {
            judgement.findings.push(bridge_too_large(node, tunnel, bridge));
        }
    }
    for (node, tunnel) in &tunnels {
        let same = tunnels.iter().filter(|(_, other)| other.name == tunnel.name);
        let usual = majority(same.map(|(_, tunnel)| tunnel.mtu));
        if usual.is_some_and(|usual| usual != tunnel.mtu) {
            let usual = usual.map(|usual| usual.to_string()).unwrap_or_default();
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                Subject::node(*node),
                format!(
                    "{} of {node} has an MTU of {}, those of most nodes {usual}",
                    tunnel.name, tunnel.mtu
                ),
                Evidence::command(
                    format!("mtu {}", tunnel.mtu),
                    on_node(node, &[&format!("ip link show {}", tunnel.name)]),
                ),
            );
            finding.hint = Some("the CNI's configuration decides it for all nodes alike".to_owned());
            judgement.findings.push(finding);
        }
    }
}

fn too_large(node: &str, tunnel: &Link, below: &Link, overhead: u32) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "{} of {node} is larger than what fits into {}: {} + {overhead} > {}",
            tunnel.name, below.name, tunnel.mtu, below.mtu
        ),
        Evidence::command(
            format!(
                "mtu {} on {}, {} on {}",
                tunnel.mtu, tunnel.name, below.mtu, below.name
            ),
            on_node(node, &["ip -d link show"]),
        ),
    );
    finding.hint = Some(format!(
        "set the MTU of pods to {} in the CNI's configuration",
        below.mtu.saturating_sub(overhead)
    ));
    finding
}

/// Packets between nodes are then too large for the tunnel, and depend on path MTU discovery.
fn bridge_too_large(node: &str, tunnel: &Link, bridge: &Link) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::node(node),
        format!(
            "pods of {node} send packets of up to {} bytes and {} carries {}",
            bridge.mtu, tunnel.name, tunnel.mtu
        ),
        Evidence::command(
            format!(
                "mtu {} on {}, {} on {}",
                bridge.mtu, bridge.name, tunnel.mtu, tunnel.name
            ),
            on_node(node, &["ip link show"]),
        ),
    );
    finding.hint =
        Some("it works where the kernel may tell senders of it (ICMP fragmentation needed)".to_owned());
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, mtu};
    use crate::shown;

    #[test]
    fn a_tunnel_that_does_not_fit_its_device_is_found_with_the_arithmetic() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| mtu(reads, "flannel.1", 1500))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0].summary.contains("1500 + 50 > 1500"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn a_tunnel_unlike_the_others_is_found() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| mtu(reads, "flannel.1", 1400))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings
                .iter()
                .any(|finding| finding.summary.contains("those of most nodes 1450"))
        );
    }

    #[test]
    fn sizes_that_fit_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }

    #[test]
    fn a_tunnel_of_each_family_may_have_an_mtu_of_its_own() {
        let observation = Scene::dual_stack(3).observation();
        let judgement = (CHECK.judge)(&crate::view::View::new(&observation));
        let worse = judgement
            .findings
            .iter()
            .filter(|finding| finding.severity > Severity::Note);
        assert_eq!(worse.count(), 0, "{:?}", judgement.findings);
    }
}
