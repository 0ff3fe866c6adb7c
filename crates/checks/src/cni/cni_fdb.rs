use std::net::IpAddr;

use observation::ForwardingEntry;
use report::{Evidence, Family, Finding, Severity, Subject};

use super::{FarEnd, far_end};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Hop, Nodes, hops, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A VXLAN device without learning sends a frame where its forwarding database says, and drops it where that says
/// nothing: each far end needs an entry with the address of its node.
pub(crate) static CHECK: Check = Check {
    id: "cni-fdb",
    claim: "the tunnel of every node knows where the tunnels of the others are",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.forwarding, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<ForwardingEntry>)], judgement: &mut Judgement) {
    for hop in hops(nodes).iter().filter(|hop| !hop.learning) {
        let Some((_, entries)) = part.iter().find(|(node, _)| *node == hop.node) else {
            continue;
        };
        let Some(far) = far_end(nodes, hop.peer, Family::of(hop.gateway)) else {
            continue;
        };
        let destinations: Vec<_> = entries
            .iter()
            .filter(|entry| entry.device == hop.tunnel.name && entry.mac.eq_ignore_ascii_case(&far.mac))
            .filter_map(|entry| entry.destination)
            .collect();
        // What the peer's CNI told the others is what they do; whether that is true is another check's question.
        let told = super::told_address(hop.peer, Family::of(hop.gateway));
        let right = |address: &IpAddr| {
            far.outer.contains(address) || hop.peer.internal_ips.contains(address) || told == Some(*address)
        };
        let fact = match destinations.as_slice() {
            [] => format!("there is no entry for {}, which is {}", far.mac, far.from),
            some if !some.iter().any(right) => {
                let listed: Vec<String> = some.iter().map(ToString::to_string).collect();
                format!(
                    "the entry for {} sends to {}, which is no address of {}",
                    far.mac,
                    listed.join(", "),
                    hop.peer.name
                )
            }
            _ => continue,
        };
        let wrong = destinations.first().copied();
        let breaks = Breaks::Pairs {
            pairs: vec![(hop.node.to_owned(), hop.peer.name.clone())],
        };
        judgement.cause(finding(nodes, hop, &far, fact, wrong), breaks);
    }
}

fn finding(nodes: &Nodes<'_>, hop: &Hop<'_>, far: &FarEnd, fact: String, wrong: Option<IpAddr>) -> Finding {
    let (node, device, peer) = (hop.node, &hop.tunnel.name, &hop.peer.name);
    let what = match wrong {
        None => "does not know where the tunnel of",
        Some(_) => "sends to a wrong address what is for the tunnel of",
    };
    let end = if wrong.is_none() { " is" } else { "" };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!("{device} of {node} {what} {peer}{end}"),
        Evidence::command(fact, on_node(node, &[&format!("bridge fdb show dev {device}")])),
    );
    if let Some(dropped) = dropped(nodes, node, device) {
        finding.evidence.push(Evidence::command(
            format!("{device} dropped {dropped} packets instead of sending them while the probes ran"),
            on_node(node, &[&format!("ip -s link show {device}")]),
        ));
    }
    let outer = far.outer.first().or(hop.peer.internal_ips.first());
    finding.hint = Some(match outer {
        Some(outer) => {
            let replace = format!(
                "bridge fdb replace {} dev {device} dst {outer} self permanent",
                far.mac
            );
            format!(
                "restart the CNI's pod on {node}, which sets it anew; or set the entry itself: `{}`",
                on_node(node, &[&replace])
            )
        }
        None => format!("restart the CNI's pod on {node}, which sets it anew"),
    });
    finding
}

/// How many packets the device dropped instead of sending while the probes ran.
fn dropped(nodes: &Nodes<'_>, node: &str, device: &str) -> Option<u64> {
    let evidence = nodes.evidence.get(node)?;
    let counters = |links: &[observation::Link]| {
        let link = links.iter().find(|link| link.name == device)?;
        Some(link.counters.tx_dropped + link.counters.tx_errors)
    };
    let before = counters(evidence.before.links.seen()?)?;
    let after = counters(evidence.after.as_ref()?.links.seen()?)?;
    after.checked_sub(before).filter(|dropped| *dropped > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, forwarding_destination, without_forwarding};
    use crate::shown;

    #[test]
    fn a_missing_entry_is_found_with_the_one_that_repairs_it() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| without_forwarding(reads, "02:00:00:00:00:02"))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "flannel.1 of node1 does not know where the tunnel of node2 is"
        );
        let hint = findings[0].hint.as_ref().unwrap();
        assert!(
            hint.contains("bridge fdb replace 02:00:00:00:00:02 dev flannel.1 dst 172.30.0.12"),
            "{hint}"
        );
    }

    #[test]
    fn an_entry_that_sends_elsewhere_is_found() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| {
                forwarding_destination(reads, "02:00:00:00:00:02", "172.30.0.99");
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings[0].evidence[0].fact.contains("172.30.0.99"));
    }

    #[test]
    fn the_peers_annotation_stands_in_where_the_peer_was_not_read() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| without_forwarding(reads, "02:00:00:00:00:02"))
            .unread("node2")
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings[0].evidence[0].fact.contains("backend-data"));
    }

    #[test]
    fn entries_that_are_right_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }

    #[test]
    fn the_tunnel_of_each_family_has_entries_of_its_own() {
        shown::passes(&CHECK, &Scene::dual_stack(3).observation());
        let observation = Scene::dual_stack(3)
            .change("node1", |reads| {
                if let report::Observed::Seen(entries) = &mut reads.forwarding {
                    entries.retain(|entry| entry.mac != "06:00:00:00:00:02");
                }
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "flannel-v6.1 of node1 does not know where the tunnel of node2 is"
        );
        assert!(
            findings[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("dst fd00:30::12"))
        );
    }
}
