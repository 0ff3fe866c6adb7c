use std::net::IpAddr;

use observation::Link;
use report::{Evidence, Family, Finding, Severity, Subject};

use super::{told_address, told_name};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::{on_node, word};
use crate::view::View;

/// Flannel tells the other nodes by an annotation where to send a node's packets. Where the node no longer has that
/// address, nothing arrives.
pub(crate) static CHECK: Check = Check {
    id: "cni-public-ip",
    claim: "the address at which flannel says a node is, is one that the node has",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.links, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<Link>)], judgement: &mut Judgement) {
    let families = [Family::IPv4, Family::IPv6];
    for (&(node, links), family) in part.iter().flat_map(|one| families.map(|family| (one, family))) {
        let annotation = told_name(family);
        let said = nodes.object(node).and_then(|object| told_address(object, family));
        let Some(said) = said else { continue };
        let own: Vec<IpAddr> = links
            .iter()
            .flat_map(|link| &link.addresses)
            .map(|address| address.address)
            .collect();
        // Behind a translation of addresses the annotation is set by hand to one that the node does not have.
        let overwritten = nodes.object(node).is_some_and(|object| {
            object
                .annotations
                .contains_key(&format!("{annotation}-overwrite"))
        });
        if own.contains(&said) || overwritten {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!("the other nodes send packets for pods of {node} to {said}, which {node} does not have"),
            Evidence::field(
                format!("{annotation}: {said}"),
                format!("node/{node} .metadata.annotations"),
            ),
        );
        let listed: Vec<String> = own
            .iter()
            .filter(|address| !address.is_loopback())
            .map(ToString::to_string)
            .collect();
        finding.evidence.push(Evidence::command(
            format!("{node} has {}", listed.join(", ")),
            on_node(node, &["ip -br address"]),
        ));
        finding.hint = Some(format!(
            "give {node} its address back, or restart flannel's pod there, which writes the annotation anew: `kubectl get \
             pods -A -o wide --field-selector spec.nodeName={}`",
            word(node)
        ));
        let breaks = Breaks::CrossNode {
            node: node.to_owned(),
        };
        judgement.cause(finding, breaks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, link};
    use crate::shown;

    #[test]
    fn an_address_that_the_node_no_longer_has_is_found() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| {
                link(reads, "eth0").addresses[0].address = "172.30.0.77".parse().unwrap();
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "the other nodes send packets for pods of node2 to 172.30.0.12, which node2 does not have"
        );
    }

    #[test]
    fn addresses_that_the_nodes_have_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
