use observation::Link;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, majority, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// The bridge of a node's pods is up and has the gateway's address. It comes into being with the first pod of a node,
/// and a CNI plugin mends it whenever it starts another: what counts is how it was before ours were started.
pub(crate) static CHECK: Check = Check {
    id: "cni-bridge",
    claim: "the bridge that joins the pods of a node is up and has the address of their gateway",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.links, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<Link>)], judgement: &mut Judgement) {
    let usual = majority(
        part.iter()
            .filter_map(|(node, _)| Some(nodes.bridge(node)?.name.as_str())),
    );
    let Some(name) = usual else {
        return;
    };
    for &(node, links) in part {
        // One that nothing is joined to yet has nothing to do.
        let Some(bridge) = links
            .iter()
            .find(|link| link.name == name && link.kind.as_deref() == Some("bridge"))
        else {
            continue;
        };
        let ports = links
            .iter()
            .filter(|link| link.master.as_deref() == Some(name))
            .count();
        let Some((what, fact, repair)) = fault(nodes, node, bridge) else {
            continue;
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!("the bridge {name} of {node} {what}"),
            Evidence::command(
                format!("{fact}; {ports} pods are joined to it"),
                on_node(node, &[&format!("ip address show {name}")]),
            ),
        );
        if let Some(after) = after(nodes, node, name)
            && fault(nodes, node, after).is_none()
        {
            finding.evidence.push(Evidence::command(
                "it is as it should be since probe pods were started: the CNI plugin mended it",
                on_node(node, &[&format!("ip address show {name}")]),
            ));
        }
        finding.hint = Some(match repair {
            Some(repair) => format!(
                "set it right, and find who changed it (a network manager of the node?): `{}`",
                on_node(node, &[&repair])
            ),
            None => format!("find who changed it, and start a pod on {node}: the CNI plugin sets it right"),
        });
        let breaks = Breaks::Node {
            node: node.to_owned(),
        };
        judgement.cause(finding, breaks);
    }
}

fn after<'a>(nodes: &Nodes<'a>, node: &str, name: &str) -> Option<&'a Link> {
    let links = nodes.evidence.get(node)?.after.as_ref()?.links.seen()?;
    links.iter().find(|link| link.name == name)
}

type Fault = (String, String, Option<String>);

fn fault(nodes: &Nodes<'_>, node: &str, bridge: &Link) -> Option<Fault> {
    let name = &bridge.name;
    if !bridge.up {
        return Some((
            "is down".to_owned(),
            format!("{name} is not UP"),
            Some(format!("ip link set {name} up")),
        ));
    }
    let owner = bridge.addresses.iter().find(|address| {
        nodes
            .owner_of(address.address)
            .is_some_and(|owner| owner.name != node)
    });
    if let Some(foreign) = owner {
        let (address, prefix) = (foreign.address, foreign.prefix);
        let owner = nodes.owner_of(address)?;
        return Some((
            format!("has an address of the pods of {}", owner.name),
            format!("{name} has {address}/{prefix}"),
            Some(format!("ip address del {address}/{prefix} dev {name}")),
        ));
    }
    let missing = nodes.cidrs(node).find(|cidr| {
        cidr.addr().is_ipv4()
            && !bridge
                .addresses
                .iter()
                .any(|address| cidr.contains(&address.address))
    })?;
    Some((
        format!("has no address of the node's pod network {missing}"),
        format!("{name} has no address in {missing}"),
        missing
            .hosts()
            .next()
            .map(|gateway| format!("ip address add {gateway}/{} dev {name}", missing.prefix_len())),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, address, link};
    use crate::shown;

    fn summary(scene: &Scene) -> String {
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1, "{findings:?}");
        findings[0].summary.clone()
    }

    #[test]
    fn a_bridge_that_is_down_or_without_its_address_is_found() {
        let down = Scene::healthy(3).change("node1", |reads| link(reads, "cni0").up = false);
        assert_eq!(summary(&down), "the bridge cni0 of node1 is down");
        let bare = Scene::healthy(3).change("node1", |reads| link(reads, "cni0").addresses.clear());
        assert_eq!(
            summary(&bare),
            "the bridge cni0 of node1 has no address of the node's pod network 10.244.1.0/24"
        );
    }

    #[test]
    fn an_address_of_another_nodes_pods_is_found() {
        let scene = Scene::healthy(3).change("node1", |reads| address(reads, "cni0", "10.244.2.1", 24));
        assert_eq!(
            summary(&scene),
            "the bridge cni0 of node1 has an address of the pods of node2"
        );
    }

    #[test]
    fn bridges_that_are_right_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
