use observation::Conntrack;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::loses_probes;
use super::rise::tracked;
use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Two packets that begin the same connection race for its entry in the connection tracking table, and the one that
/// loses is dropped: two lookups of a name at once from one socket, or many clients whose source address is translated
/// towards one destination. A few are usual and are sent again; they matter where probes of the node got lost too.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-insertfail",
    claim: "no node drops packets that lost a race for their entry in the connection tracking table",
    needs: &[Need::Mesh, Need::NodeNetwork],
    judge,
};

/// From how many on it is said though nothing failed.
const MANY: u64 = 20;

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
        let evidence = nodes.evidence[node];
        let lost = match tracked(node, evidence, "insert_failed") {
            Observed::Seen(lost) => lost,
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap);
                continue;
            }
        };
        let harms = loses_probes(view, node);
        let severity = match lost {
            0 => continue,
            _ if harms => Severity::Warning,
            MANY.. => Severity::Note,
            _ => continue,
        };
        let mut finding = Finding::new(
            CHECK.id,
            severity,
            Subject::node(node),
            format!(
                "{node} dropped packets that lost a race for their entry in the connection tracking table"
            ),
            Evidence::command(
                format!("insert_failed rose by {lost} while the probes ran"),
                on_node(node, &["cat /proc/net/stat/nf_conntrack"]),
            ),
        );
        // Older kernels do not count the races that they settle.
        if let Observed::Seen(settled @ 1..) = tracked(node, evidence, "clashres") {
            finding.evidence.push(Evidence::command(
                format!("{settled} more were settled without a loss (clashres)"),
                on_node(node, &["cat /proc/net/stat/nf_conntrack"]),
            ));
        }
        finding.hint = Some(
            "names looked up in pairs are spared the race by a node-local DNS cache; many clients of one destination need \
             more source addresses. Which flows they are: `conntrack -E -e NEW` on the node"
                .to_owned(),
        );
        judgement.findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, tracked, untracked};
    use crate::shown;
    use crate::simulation::{Loss, Simulation};

    fn scene(lost: u64) -> Scene {
        Scene::healthy(3).change_after("node1", move |reads| tracked(reads, "insert_failed", lost))
    }

    fn with_loss(scene: &Scene) -> observation::Observation {
        let mut simulation = Simulation::healthy(3);
        simulation.losses = vec![Loss::of([(1, 2), (2, 1)])];
        let probed = simulation.observe();
        let mut observation = scene.observation();
        (observation.placement, observation.mesh) = (probed.placement, probed.mesh);
        observation
    }

    #[test]
    fn lost_races_beside_lost_probes_are_a_warning() {
        let findings = shown::finds(&CHECK, &with_loss(&scene(3)));
        assert_eq!(
            (findings[0].severity, &findings[0].subject),
            (Severity::Warning, &Subject::node("node1"))
        );
    }

    #[test]
    fn a_few_that_did_no_harm_are_usual() {
        shown::passes(&CHECK, &scene(3).observation());
        shown::passes(&CHECK, &with_loss(&Scene::healthy(3)));
        let many = shown::finds(&CHECK, &scene(MANY).observation());
        assert_eq!(many[0].severity, Severity::Note);
    }

    #[test]
    fn totals_say_nothing() {
        let old = Scene::healthy(3).change("node1", |reads| tracked(reads, "insert_failed", 9_000));
        shown::passes(&CHECK, &with_loss(&old));
    }

    #[test]
    fn a_counter_that_was_not_read_is_a_gap() {
        let without = Scene::healthy(3).change("node1", |reads| untracked(reads, "insert_failed"));
        shown::cannot_tell(&CHECK, &without.observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
