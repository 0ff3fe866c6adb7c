use netprobe::Outcome;
use observation::Conntrack;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::rise::tracked;
use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Packets that belong to no connection that the node knows are `INVALID`, and kube-proxy's rules drop them. Some always
/// are: answers that come after the end. They matter where connections of the node's pods were made and then stalled:
/// then the node sees one direction only, or takes packets for outside of the window.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-invalid",
    claim: "no node takes packets of connections that it forwards for packets of none",
    needs: &[Need::Mesh, Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| &reads.conntrack,
        |nodes, part, judgement| {
            find(view, nodes, part, judgement);
        },
    )
}

fn find(view: &View<'_>, nodes: &Nodes<'_>, part: &[(&str, &Conntrack)], judgement: &mut Judgement) {
    for &(node, _) in part {
        let invalid = match tracked(node, nodes.evidence[node], "invalid") {
            Observed::Seen(invalid) => invalid,
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap);
                continue;
            }
        };
        let stalled = stalled(view, node);
        // One packet each is what a stalled connection leaves behind at its end.
        if invalid <= stalled || stalled == 0 {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::node(node),
            format!("{node} takes packets for packets of no connection, and connections of its pods stall"),
            Evidence::command(
                format!("invalid rose by {invalid} while the probes ran"),
                on_node(node, &["cat /proc/net/stat/nf_conntrack"]),
            ),
        );
        finding.evidence.push(Evidence::probe(
            format!("{stalled} connections were made and then carried no data"),
            format!("tcp from and to pods of {node}"),
        ));
        finding.hint = Some(format!(
            "packets of one connection that pass by the node in one direction only do this: look for rules that exempt them \
             from tracking, and for a way back past the node; whether it is the window is shown by \
             net.netfilter.nf_conntrack_tcp_be_liberal=1: `{}`",
            on_node(node, &["sysctl net.netfilter.nf_conntrack_tcp_be_liberal"])
        ));
        judgement.findings.push(finding);
    }
}

/// How many samples of the node's pods, in either direction, connected and then stalled.
fn stalled(view: &View<'_>, node: &str) -> u64 {
    let cells = view.observation.mesh.iter().flat_map(|mesh| &mesh.cells);
    let samples = cells
        .filter(|cell| cell.source == node || cell.target == node)
        .flat_map(|cell| &cell.samples);
    let stalled = samples.filter(|sample| matches!(sample.outcome, Outcome::Stalled { .. }));
    u64::try_from(stalled.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, tracked, untracked};
    use crate::shown;
    use crate::simulation::{Loss, Simulation};

    fn scene(invalid: u64) -> Scene {
        Scene::healthy(3).change_after("node2", move |reads| tracked(reads, "invalid", invalid))
    }

    /// Much data stalls on its way from node1 to node2.
    fn with_stalls(scene: &Scene) -> observation::Observation {
        let mut simulation = Simulation::healthy(3);
        simulation.losses = vec![Loss {
            large_only: true,
            ..Loss::of([(1, 2)])
        }];
        let probed = simulation.observe();
        let mut observation = scene.observation();
        (observation.placement, observation.mesh) = (probed.placement, probed.mesh);
        observation
    }

    #[test]
    fn connections_that_stall_beside_packets_of_none_are_found() {
        let findings = shown::finds(&CHECK, &with_stalls(&scene(50)));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject, Subject::node("node2"));
    }

    #[test]
    fn packets_that_come_late_are_usual() {
        shown::passes(&CHECK, &scene(50).observation());
        shown::passes(&CHECK, &with_stalls(&scene(1)));
    }

    #[test]
    fn a_counter_that_was_not_read_is_a_gap() {
        let without = Scene::healthy(3).change("node1", |reads| untracked(reads, "invalid"));
        shown::cannot_tell(&CHECK, &without.observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
