use observation::Link;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// The devices that a CNI makes once on every node, beside VXLAN tunnels and bridges of pods, which have checks of their own: they are there
/// on every node as on the others, and up. A tunnel's state `unknown` is usual.
pub(crate) static CHECK: Check = Check {
    id: "cni-links",
    claim: "the devices of the CNI are on every node and up",
    needs: &[Need::NodeNetwork],
    judge,
};

/// As Calico, Cilium, flannel, Weave, Antrea, OVN-Kubernetes and kube-router call them.
const DEVICES: [&str; 15] = [
    "tunl0",
    "wireguard.cali",
    "cilium_host",
    "cilium_net",
    "cilium_geneve",
    "cilium_wg0",
    "flannel-wg",
    "flannel0",
    "weave",
    "datapath",
    "antrea-gw0",
    "antrea-tun0",
    "ovn-k8s-mp0",
    "br-int",
    "kube-dummy-if",
];

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.links, find)
}

fn find(_: &Nodes<'_>, part: &[(&str, &Vec<Link>)], judgement: &mut Judgement) {
    for name in DEVICES {
        let of = |links: &[Link]| links.iter().find(|link| link.name == name).map(|link| link.up);
        let up = part.iter().filter(|(_, links)| of(links) == Some(true)).count();
        // A device that lies unused on all nodes came with a kernel module.
        if up == 0 || up * 2 < part.len() {
            continue;
        }
        for (node, links) in part {
            match of(links) {
                Some(true) => {}
                Some(false) => add(judgement, node, name, "is down", "is not UP"),
                None => add(judgement, node, name, "is not there", "does not exist"),
            }
        }
    }
}

fn add(judgement: &mut Judgement, node: &str, name: &str, how: &str, fact: &str) {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!("the CNI's device {name} {how} on {node}, and is up on the other nodes"),
        Evidence::command(
            format!("{name} {fact}"),
            on_node(node, &[&format!("ip -d link show {name}")]),
        ),
    );
    finding.hint = Some(format!(
        "the CNI's pod makes it when it starts: start that of {node} again: `kubectl get pods -A -o wide --field-selector spec.nodeName={node}`"
    ));
    judgement.cause(
        finding,
        Breaks::CrossNode {
            node: node.to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, link, seen, without_link};
    use crate::shown;

    fn with(name: &'static str) -> Scene {
        ["node1", "node2", "node3"]
            .into_iter()
            .fold(Scene::healthy(3), |scene, node| {
                scene.change(node, |reads| {
                    let mut device = link(reads, "eth0").clone();
                    (device.name, device.operstate) = (name.to_owned(), "unknown".to_owned());
                    seen(&mut reads.links).push(device);
                })
            })
    }

    #[test]
    fn a_device_that_is_down_or_gone_on_one_node_is_found() {
        let down = with("cilium_host").change("node2", |reads| link(reads, "cilium_host").up = false);
        assert_eq!(
            shown::finds(&CHECK, &down.observation())[0].summary,
            "the CNI's device cilium_host is down on node2, and is up on the other nodes"
        );
        let gone = with("tunl0").change("node2", |reads| without_link(reads, "tunl0"));
        assert!(
            shown::finds(&CHECK, &gone.observation())[0]
                .summary
                .contains("is not there")
        );
    }

    #[test]
    fn devices_that_are_up_or_used_by_nobody_pass_and_an_unread_node_is_unknown() {
        shown::passes(&CHECK, &with("tunl0").observation());
        let unused = ["node1", "node2", "node3"]
            .into_iter()
            .fold(with("tunl0"), |scene, node| {
                scene.change(node, |reads| link(reads, "tunl0").up = false)
            });
        shown::passes(&CHECK, &unused.observation());
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &with("tunl0").unread("node3").observation());
    }
}
