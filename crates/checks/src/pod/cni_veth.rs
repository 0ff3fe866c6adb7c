use observation::Link;
use report::{Evidence, Finding, Severity};

use super::{Inside, breaks, in_pods, recreate};
use crate::check::{Check, Judgement, Need};
use crate::nodes::Nodes;
use crate::shell::on_node;
use crate::view::View;

/// The other end of every pod's interface is on the node, up, and a port of the bridge where the CNI has one. CNIs without a bridge route to
/// each end by itself.
pub(crate) static CHECK: Check = Check {
    id: "cni-veth",
    claim: "every pod's end on the node is there, up, and attached where the others are",
    needs: &[Need::PodNetworks],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    in_pods(view, |network| &network.links, find)
}

fn find(nodes: &Nodes<'_>, parts: &[(Inside<'_>, &Vec<Link>)], judgement: &mut Judgement) {
    for (inside, links) in parts {
        let node = inside.pod.node.as_str();
        let (Some(on_node), Some(own)) = (nodes.links(node), primary(*inside, links)) else {
            continue;
        };
        let peer = own
            .lower
            .and_then(|index| on_node.iter().find(|link| link.index == index));
        // An interface that is no end of a pair has nothing on the node.
        if own.kind.as_deref() != Some("veth") {
            continue;
        }
        let bridge = nodes.bridge(node);
        let (what, fact) = match (peer, bridge) {
            (None, _) => (
                format!(
                    "the other end of {} of {} is not on {node}",
                    own.name,
                    inside.pod.subject()
                ),
                "its peer is no interface of the node".to_owned(),
            ),
            (Some(peer), _) if !peer.up => (
                format!(
                    "{}, the end of {} on {node}, is down",
                    peer.name,
                    inside.pod.subject()
                ),
                format!("{} is not UP", peer.name),
            ),
            (Some(peer), Some(bridge)) if peer.master.is_none() && is_usual(on_node, bridge) => (
                format!(
                    "{}, the end of {} on {node}, is no port of {}: nothing reaches the pod",
                    peer.name,
                    inside.pod.subject(),
                    bridge.name
                ),
                format!(
                    "{} has no master; the ends of the other pods have {}",
                    peer.name, bridge.name
                ),
            ),
            _ => continue,
        };
        judgement.cause(finding(*inside, &what, &fact), breaks(&[*inside]));
    }
}

/// The interface with the pod's address.
fn primary<'a>(inside: Inside<'_>, links: &'a [Link]) -> Option<&'a Link> {
    let addresses = &inside.pod.addresses;
    links.iter().find(|link| {
        let mut own = link.addresses.iter();
        own.any(|own| addresses.contains(&own.address))
    })
}

/// Whether most ends of pods are ports of the bridge.
fn is_usual(links: &[Link], bridge: &Link) -> bool {
    let ends = links.iter().filter(|link| link.kind.as_deref() == Some("veth"));
    let (ports, others): (Vec<&Link>, Vec<&Link>) =
        ends.partition(|link| link.master.as_ref() == Some(&bridge.name));
    ports.len() > others.len()
}

fn finding(inside: Inside<'_>, what: &str, fact: &str) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        inside.pod.subject(),
        what,
        Evidence::command(fact, on_node(&inside.pod.node, &["ip -d link show type veth"])),
    );
    // What is seen from inside follows from it.
    finding.explains = vec!["net-pod-if".to_owned(), "net-pod-rt".to_owned()];
    finding.hint = Some(recreate(inside.pod));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pod::scene::PodScene;
    use crate::shown;

    #[test]
    fn an_end_that_is_down_or_not_attached_is_found() {
        let down = PodScene::healthy().change_end("web-1", |end| end.up = false);
        assert_eq!(
            shown::finds(&CHECK, &down.observation())[0].summary,
            "veth5, the end of pod/web-1 -n shop on node1, is down"
        );
        let loose = PodScene::healthy().change_end("db-1", |end| end.master = None);
        let findings = shown::finds(&CHECK, &loose.observation());
        assert!(
            findings[0].summary.contains("is no port of cni0"),
            "{}",
            findings[0].summary
        );
        let gone = PodScene::healthy().change_end("db-1", |end| end.index = 999);
        assert!(
            shown::finds(&CHECK, &gone.observation())[0]
                .summary
                .contains("is not on node1")
        );
    }

    #[test]
    fn attached_ends_pass_and_pods_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &PodScene::healthy().observation());
        shown::passes(&CHECK, &PodScene::healthy().routed().observation());
        shown::cannot_tell(&CHECK, &PodScene::healthy().unread("web-1").observation());
    }
}
