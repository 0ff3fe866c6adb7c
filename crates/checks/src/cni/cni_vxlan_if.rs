use std::collections::BTreeSet;

use observation::{Link, Vxlan};
use report::{Evidence, Family, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, majority, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// The tunnel of a node is there and up, speaks to the same port with the same identifier as the others', and takes its
/// packets at an address that the node has. A custom port on all nodes is nobody's fault.
pub(crate) static CHECK: Check = Check {
    id: "cni-vxlan-if",
    claim: "the tunnel of every node is up and set as those of the others",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.links, find)
}

fn find<'a>(nodes: &Nodes<'a>, part: &[(&'a str, &'a Vec<Link>)], judgement: &mut Judgement) {
    let mut told = BTreeSet::new();
    for family in [Family::IPv4, Family::IPv6] {
        for (node, name, finding) in of_family(nodes, part, family) {
            // A device may carry both families.
            if told.insert((node, name)) {
                let breaks = Breaks::CrossNode {
                    node: node.to_owned(),
                };
                judgement.cause(finding, breaks);
            }
        }
    }
}

/// What is wrong with the tunnels of a family: on which node, with which device.
fn of_family<'a>(
    nodes: &Nodes<'a>,
    part: &[(&'a str, &'a Vec<Link>)],
    family: Family,
) -> Vec<(&'a str, &'a str, Finding)> {
    let mut found = Vec::new();
    let tunnels: Vec<(&str, &Link, &Vxlan)> = part
        .iter()
        .filter_map(|(node, _)| {
            let tunnel = nodes.tunnel(node, family)?;
            Some((*node, tunnel.link, tunnel.vxlan))
        })
        .collect();
    let Some(name) = majority(tunnels.iter().map(|(_, link, _)| link.name.as_str())) else {
        return found;
    };
    let usual_port = majority(tunnels.iter().map(|(_, _, vxlan)| vxlan.port));
    let usual_vni = majority(tunnels.iter().map(|(_, _, vxlan)| vxlan.vni));
    for &(node, links) in part {
        if !nodes.cidrs(node).any(|cidr| Family::of(cidr.addr()) == family) {
            continue;
        }
        let own = tunnels.iter().find(|(of, _, _)| *of == node);
        let named = links
            .iter()
            .find(|link| link.name == name)
            .and_then(|link| Some((link, link.vxlan.as_ref()?)));
        let tunnel = own.map(|(_, link, vxlan)| (*link, *vxlan)).or(named);
        let (what, fact) = match tunnel {
            // A cluster of two of which one has none shows a majority of one: it takes two that have it.
            None if tunnels.len() < 2 => continue,
            None => (
                format!("{node} has no tunnel {name}, as the other nodes have"),
                format!("there is no device {name}"),
            ),
            Some((link, _)) if !link.up => (
                format!("the tunnel {} of {node} is down", link.name),
                format!("{} is not UP (operstate {})", link.name, link.operstate),
            ),
            Some((link, vxlan)) => match fault(links, link, vxlan, usual_port, usual_vni) {
                Some(fault) => (format!("the tunnel {} of {node} {}", link.name, fault.0), fault.1),
                None => continue,
            },
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            what,
            Evidence::command(fact, on_node(node, &[&format!("ip -d link show {name}")])),
        );
        finding.hint = Some(format!(
            "restart the CNI's pod on {node}, which sets the device and its routes anew: `kubectl get pods -A -o wide \
             --field-selector spec.nodeName={node}`"
        ));
        found.push((node, name, finding));
    }
    found
}

/// How a tunnel that is up differs from what it has to be.
fn fault(
    links: &[Link],
    link: &Link,
    vxlan: &Vxlan,
    port: Option<u16>,
    vni: Option<u32>,
) -> Option<(String, String)> {
    if let Some(port) = port
        && port != vxlan.port
    {
        return Some((
            format!("speaks to UDP port {}, those of most nodes to {port}", vxlan.port),
            format!("dstport {}", vxlan.port),
        ));
    }
    if let Some(vni) = vni
        && vni != vxlan.vni
    {
        return Some((
            format!(
                "has the network identifier {}, those of most nodes {vni}",
                vxlan.vni
            ),
            format!("id {}", vxlan.vni),
        ));
    }
    let local = vxlan.local?;
    let own = links
        .iter()
        .flat_map(|link| &link.addresses)
        .any(|address| address.address == local);
    (!own).then(|| {
        (
            format!("takes its packets at {local}, which is no address of the node"),
            format!("local {local}, and no device but {} has to do with it", link.name),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, link, without_link};
    use crate::shown;

    fn summary(scene: &Scene) -> String {
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].summary.clone()
    }

    #[test]
    fn a_tunnel_that_is_down_or_gone_is_found() {
        let down = Scene::healthy(3).change("node2", |reads| link(reads, "flannel.1").up = false);
        assert_eq!(summary(&down), "the tunnel flannel.1 of node2 is down");
        let gone = Scene::healthy(3).change("node2", |reads| without_link(reads, "flannel.1"));
        assert_eq!(
            summary(&gone),
            "node2 has no tunnel flannel.1, as the other nodes have"
        );
    }

    fn vxlan(reads: &mut observation::NodeReads) -> &mut Vxlan {
        link(reads, "flannel.1").vxlan.as_mut().unwrap()
    }

    #[test]
    fn a_tunnel_set_otherwise_than_the_others_is_found() {
        let other_port = Scene::healthy(3).change("node2", |reads| vxlan(reads).port = 4789);
        assert_eq!(
            summary(&other_port),
            "the tunnel flannel.1 of node2 speaks to UDP port 4789, those of most nodes to 8472"
        );
        let local = Scene::healthy(3).change("node2", |reads| {
            vxlan(reads).local = "172.30.0.77".parse().ok();
        });
        assert!(summary(&local).contains("172.30.0.77, which is no address of the node"));
    }

    #[test]
    fn an_unusual_port_on_all_nodes_passes_and_a_node_that_was_not_read_is_unknown() {
        let mut scene = Scene::healthy(3);
        for node in ["node1", "node2", "node3"] {
            scene = scene.change(node, |reads| {
                vxlan(reads).port = 4789;
            });
        }
        shown::passes(&CHECK, &scene.observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }

    #[test]
    fn the_tunnel_of_each_family_is_looked_at() {
        shown::passes(&CHECK, &Scene::dual_stack(3).observation());
        let down = Scene::dual_stack(3).change("node2", |reads| link(reads, "flannel-v6.1").up = false);
        assert_eq!(summary(&down), "the tunnel flannel-v6.1 of node2 is down");
    }
}
