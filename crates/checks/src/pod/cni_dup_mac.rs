use std::collections::BTreeMap;

use observation::Link;
use report::{Evidence, Finding, Severity, Subject};

use super::{Inside, breaks, in_pods, later, recreate};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::Nodes;
use crate::shell::on_node;
use crate::view::View;

/// A bridge sends a frame where its address was last seen: of two ports with the same address one gets what is for the
/// other. Pods that share no bridge may have the same, and where a CNI routes to them they often do. The ends of
/// tunnels are one such segment too: machines that were copied bring the same.
pub(crate) static CHECK: Check = Check {
    id: "cni-dup-mac",
    claim: "no two pods on one bridge and no two ends of the tunnel have the same link-layer address",
    needs: &[Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut tunnels = Judgement::default();
    if let Ok(nodes) = &view.read_nodes {
        ends(nodes, &mut tunnels);
    }
    let pods = in_pods(view, |network| &network.links, find);
    // What was seen of tunnels counts, whatever is not allowed.
    if pods.skipped.is_some() && !tunnels.findings.is_empty() {
        return tunnels;
    }
    tunnels.and(pods)
}

fn find(nodes: &Nodes<'_>, parts: &[(Inside<'_>, &Vec<Link>)], judgement: &mut Judgement) {
    let mut known: BTreeMap<(&str, &str, &str), (Inside<'_>, &Link)> = BTreeMap::new();
    for (inside, links) in parts {
        for link in *links {
            let node = inside.pod.node.as_str();
            let (Some(bridge), Some(mac)) = (bridge_of(nodes, node, link), link.mac.as_deref()) else {
                continue;
            };
            match known.get(&(node, bridge, mac)) {
                Some((other, theirs)) if other.pod.uid != inside.pod.uid => {
                    let finding = shared((*inside, link), (*other, theirs), bridge, mac);
                    judgement.cause(finding, breaks(&[*inside, *other]));
                }
                Some(_) => {}
                None => {
                    known.insert((node, bridge, mac), (*inside, link));
                }
            }
        }
    }
}

/// The bridge on the node that the peer of a pod's interface is a port of.
fn bridge_of<'a>(nodes: &Nodes<'a>, node: &str, link: &Link) -> Option<&'a str> {
    if link.kind.as_deref() != Some("veth") {
        return None;
    }
    let peer = nodes
        .links(node)?
        .iter()
        .find(|it| Some(it.index) == link.lower)?;
    peer.master.as_deref()
}

fn shared(one: (Inside<'_>, &Link), other: (Inside<'_>, &Link), bridge: &str, mac: &str) -> Finding {
    let wrong = later(one.0, other.0);
    let (wrong, right) = if wrong.pod.uid == one.0.pod.uid {
        (one, other)
    } else {
        (other, one)
    };
    let (name, of) = (wrong.0.pod.subject(), right.0.pod.subject());
    let shows = |(inside, link): (Inside<'_>, &Link)| {
        inside.shows(
            format!("{} of {} has {mac}", link.name, inside.pod.subject()),
            &format!("ip link show {}", link.name),
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        name.clone(),
        format!(
            "{name} has the same link-layer address as {of}, on the same bridge {bridge} of {}",
            wrong.0.pod.node
        ),
        shows(wrong),
    );
    finding.evidence.push(shows(right));
    finding.hint = Some(recreate(wrong.0.pod));
    finding
}

/// Ends of the tunnel of two nodes with one address.
fn ends(nodes: &Nodes<'_>, judgement: &mut Judgement) {
    let mut first: BTreeMap<&str, (&str, &Link)> = BTreeMap::new();
    let all = nodes
        .evidence
        .keys()
        .flat_map(|node| nodes.tunnels(node).iter().map(move |tunnel| (node, tunnel.link)));
    for (node, link) in all {
        let Some(mac) = link.mac.as_deref() else { continue };
        let Some((other, theirs)) = first.get(mac) else {
            first.insert(mac, (node, link));
            continue;
        };
        let shows = |node: &str, link: &Link| {
            Evidence::command(
                format!("{} of {node} has {mac}", link.name),
                on_node(node, &[&format!("ip link show {}", link.name)]),
            )
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(*node),
            format!(
                "{} of {node} has the same link-layer address as that of {other}",
                link.name
            ),
            shows(node, link),
        );
        finding.evidence.push(shows(other, theirs));
        finding.hint = Some(format!(
            "one machine is a copy of the other: give {node} a machine id of its own (systemd-machine-id-setup), delete \
             the device, and restart the CNI's pod there, which makes it anew: `{}`",
            on_node(node, &[&format!("ip link delete {}", link.name)])
        ));
        let pairs = vec![((*other).to_owned(), (*node).to_owned())];
        judgement.cause(finding, Breaks::Pairs { pairs });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, link as node_link};
    use crate::pod::scene::{PodScene, link};
    use crate::shown;

    fn same() -> PodScene {
        PodScene::healthy().change("db-1", |network| {
            link(network, "eth0").mac = Some("0a:00:00:00:01:05".to_owned());
        })
    }

    #[test]
    fn two_pods_on_one_bridge_with_one_address_are_found() {
        let findings = shown::finds(&CHECK, &same().observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            findings[0].summary,
            "pod/db-1 -n shop has the same link-layer address as pod/web-1 -n shop, on the same bridge cni0 of node1"
        );
        assert_eq!(findings[0].evidence.len(), 2);
    }

    #[test]
    fn pods_that_are_routed_to_may_have_the_same() {
        shown::passes(&CHECK, &same().routed().observation());
    }

    #[test]
    fn two_ends_of_the_tunnel_with_one_address_are_found_without_node_access() {
        let scene = Scene::healthy(3).change("node2", |reads| {
            node_link(reads, "flannel.1").mac = Some("02:00:00:00:00:01".to_owned());
        });
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings[0].subject, Subject::node("node2"));
    }

    #[test]
    fn distinct_addresses_pass_and_pods_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &PodScene::healthy().observation());
        shown::cannot_tell(&CHECK, &PodScene::healthy().unread("web-1").observation());
    }
}
