use observation::Neighbour;
use report::{Evidence, Family, Finding, Severity, Subject};

use super::far_end;
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Hop, Nodes, hops, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A tunnel that does not ask for link-layer addresses needs a neighbour entry for each far end, with the address that
/// the far end really has.
pub(crate) static CHECK: Check = Check {
    id: "cni-neigh",
    claim: "every node knows the link-layer address of every other node's end of the tunnel",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.neighbours, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<Neighbour>)], judgement: &mut Judgement) {
    for hop in hops(nodes) {
        let Some((_, neighbours)) = part.iter().find(|(node, _)| *node == hop.node) else {
            continue;
        };
        let entry = neighbours
            .iter()
            .find(|entry| entry.device == hop.tunnel.name && entry.address == hop.gateway);
        let resolved = entry.and_then(|entry| entry.mac.as_ref());
        let far = far_end(nodes, hop.peer, Family::of(hop.gateway));
        let fact = match (entry, resolved, &far) {
            (None, ..) => format!("there is no entry for {} on {}", hop.gateway, hop.tunnel.name),
            (Some(entry), None, _) => format!(
                "the entry for {} is {} and has no address",
                hop.gateway, entry.state
            ),
            (Some(_), Some(mac), Some(far)) if !far.mac.eq_ignore_ascii_case(mac) => {
                format!(
                    "the entry for {} says {mac}, and {} is {}",
                    hop.gateway, far.from, far.mac
                )
            }
            _ => continue,
        };
        // Where neighbours are asked for, an absent entry is made when it is needed.
        if entry.is_none() && hop.learning {
            continue;
        }
        let breaks = Breaks::Pairs {
            pairs: vec![(hop.node.to_owned(), hop.peer.name.clone())],
        };
        judgement.cause(finding(&hop, fact, far.map(|far| far.mac)), breaks);
    }
}

fn finding(hop: &Hop<'_>, fact: String, mac: Option<String>) -> Finding {
    let (node, device) = (hop.node, &hop.tunnel.name);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!(
            "{node} does not know the link-layer address of {}'s end of the tunnel {device}",
            hop.peer.name
        ),
        Evidence::command(fact, on_node(node, &[&format!("ip neigh show dev {device}")])),
    );
    finding.hint = Some(match mac {
        Some(mac) => format!(
            "restart the CNI's pod on {node}, which sets it anew; or set the entry itself: `{}`",
            on_node(
                node,
                &[&format!(
                    "ip neigh replace {} lladdr {mac} dev {device} nud permanent",
                    hop.gateway
                )]
            )
        ),
        None => format!("restart the CNI's pod on {node}, which sets it anew"),
    });
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, neighbour_mac, without_neighbour};
    use crate::shown;

    #[test]
    fn a_missing_entry_is_found_with_the_one_that_repairs_it() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| without_neighbour(reads, "10.244.2.0"))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        let hint = findings[0].hint.as_ref().unwrap();
        assert!(
            hint.contains("ip neigh replace 10.244.2.0 lladdr 02:00:00:00:00:02 dev flannel.1"),
            "{hint}"
        );
    }

    #[test]
    fn an_entry_with_another_address_than_the_far_end_has_is_found() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| {
                neighbour_mac(reads, "10.244.2.0", "02:00:00:00:00:99");
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings[0].evidence[0].fact.contains("02:00:00:00:00:99"));
    }

    #[test]
    fn entries_that_are_right_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }

    #[test]
    fn the_tunnel_of_each_family_has_neighbours_of_its_own() {
        shown::passes(&CHECK, &Scene::dual_stack(3).observation());
        let observation = Scene::dual_stack(3)
            .change("node1", |reads| {
                if let report::Observed::Seen(neighbours) = &mut reads.neighbours {
                    neighbours.retain(|entry| entry.mac.as_deref() != Some("06:00:00:00:00:02"));
                }
            })
            .observation();
        assert_eq!(shown::finds(&CHECK, &observation).len(), 1);
    }
}
