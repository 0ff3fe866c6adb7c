use observation::Conntrack;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::rise::tracked;
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A full connection tracking table drops the first packet of every new connection; those that exist go on. Counters
/// count only by how much they rose while the probes ran, and `early_drop` alone is the kernel making room.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-full",
    claim: "no node drops new connections for want of room to track them",
    needs: &[Need::NodeNetwork],
    judge,
};

/// From how many hundredths on a table that drops is called full, rather than one that dropped for another reason.
const NEARLY: u64 = 90;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.conntrack, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Conntrack)], judgement: &mut Judgement) {
    for &(node, before) in part {
        let evidence = nodes.evidence[node];
        let after = evidence.after.as_ref().and_then(|after| after.conntrack.seen());
        let dropped = tracked(node, evidence, "drop");
        let most = after.map_or(before.count, |after| after.count.max(before.count));
        let full = most >= before.max;
        let nearly = most.saturating_mul(100) / before.max.max(1) >= NEARLY;
        let dropped = match dropped {
            Observed::Seen(dropped) => dropped,
            // The count alone shows that there is no room; that there was some all the while only the counter does.
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap);
                0
            }
        };
        if !(full || (dropped > 0 && nearly)) {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!("the connection tracking table of {node} is full: new connections are dropped there"),
            Evidence::command(
                format!("{most} of {} entries", before.max),
                on_node(
                    node,
                    &["sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"],
                ),
            ),
        );
        if dropped > 0 {
            finding.evidence.push(Evidence::command(
                format!("{dropped} packets were dropped for it while the probes ran"),
                on_node(node, &["cat /proc/net/stat/nf_conntrack"]),
            ));
        }
        finding.explains = vec!["net-ct-use".to_owned()];
        finding.hint = Some(
            "find who makes so many connections, and raise conntrack.maxPerCore in kube-proxy's configuration, which \
             undoes a plain sysctl at its start: `kubectl -n kube-system get configmap kube-proxy -o yaml`"
                .to_owned(),
        );
        let breaks = Breaks::Node {
            node: node.to_owned(),
        };
        judgement.cause(finding, breaks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, conntrack, conntrack_dropped, untracked};
    use crate::shown;

    #[test]
    fn a_full_table_is_found_with_what_it_dropped() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| conntrack(reads, 95, 100))
            .change_after("node1", |reads| conntrack_dropped(reads, 95, 100, 40))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings[0].evidence[1].fact.starts_with("40 packets"));
    }

    #[test]
    fn drops_in_an_empty_table_are_another_matter() {
        let observation = Scene::healthy(3)
            .change_after("node1", |reads| conntrack_dropped(reads, 10, 100, 40))
            .observation();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn a_counter_that_was_not_read_is_not_zero() {
        let without = Scene::healthy(3).change("node1", |reads| untracked(reads, "drop"));
        assert!(
            shown::cannot_tell(&CHECK, &without.observation())[0]
                .what
                .contains("drop")
        );
        shown::cannot_tell(&CHECK, &Scene::healthy(3).read_once("node1").observation());
        let full = without.change("node1", |reads| conntrack(reads, 100, 100));
        shown::finds(&CHECK, &full.observation());
    }

    #[test]
    fn a_table_that_was_not_read_is_unknown() {
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
