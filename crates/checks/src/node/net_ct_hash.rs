use observation::Conntrack;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use super::rise::tracked;
use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Entries of the connection tracking table are found by a hash. With many more entries than buckets each lookup walks
/// a long chain, and newer kernels refuse an entry whose chain is too long. The kernel's default is one to one.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-hash",
    claim: "the connection tracking table of every node has buckets enough for its entries",
    needs: &[Need::NodeNetwork],
    judge,
};

/// More entries to a bucket than this, by the table's limit, are too many.
const MOST: u64 = 4;
/// What newer kernels call the entries that they refused for the length of their chain.
const TOO_LONG: &str = "chainlength";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.conntrack, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Conntrack)], judgement: &mut Judgement) {
    for &(node, table) in part {
        // Kernels before 5.15 have no such limit, and no such counter.
        let refused = match tracked(node, nodes.evidence[node], TOO_LONG) {
            Observed::Seen(refused) => refused,
            Observed::Unseen(_) => 0,
        };
        let Some(buckets) = table.buckets.filter(|buckets| *buckets > 0) else {
            judgement.gaps.push(Gap {
                what: format!("net.netfilter.nf_conntrack_buckets of {node}"),
                why: GapReason::Failed,
                message: format!("the kernel of {node} does not show how many there are"),
                hint: None,
            });
            continue;
        };
        if refused == 0 && table.max <= buckets.saturating_mul(MOST) {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::node(node),
            if refused > 0 {
                format!(
                    "{node} refused connections because too many share a bucket of its connection tracking table"
                )
            } else {
                format!(
                    "the connection tracking table of {node} may hold many more entries than it has buckets"
                )
            },
            Evidence::command(
                format!("{} entries at the most, in {buckets} buckets", table.max),
                on_node(
                    node,
                    &["sysctl net.netfilter.nf_conntrack_max net.netfilter.nf_conntrack_buckets"],
                ),
            ),
        );
        if refused > 0 {
            finding.evidence.push(Evidence::command(
                format!("{TOO_LONG} rose by {refused} while the probes ran"),
                on_node(node, &["cat /proc/net/stat/nf_conntrack"]),
            ));
        }
        if let Observed::Seen(again @ 1..) = tracked(node, nodes.evidence[node], "search_restart") {
            finding.evidence.push(Evidence::command(
                format!("search_restart rose by {again} while the probes ran"),
                on_node(node, &["cat /proc/net/stat/nf_conntrack"]),
            ));
        }
        finding.hint = Some(format!(
            "give the table more buckets; it is a setting of the machine and not of a network namespace, and belongs into \
             /etc/modprobe.d (hashsize of nf_conntrack) or /etc/sysctl.d: `{}`",
            on_node(node, &["sysctl net.netfilter.nf_conntrack_buckets"])
        ));
        judgement.findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, seen, tracked};
    use crate::shown;

    fn buckets(max: u64, buckets: Option<u64>) -> Scene {
        Scene::healthy(3).change("node1", move |reads| {
            let table = seen(&mut reads.conntrack);
            (table.max, table.buckets) = (max, buckets);
        })
    }

    #[test]
    fn many_more_entries_than_buckets_are_found() {
        let findings = shown::finds(&CHECK, &buckets(262_144, Some(16_384)).observation());
        assert_eq!(findings[0].subject, Subject::node("node1"));
    }

    #[test]
    fn chains_that_grew_too_long_are_found() {
        let scene = Scene::healthy(3).change_after("node2", |reads| tracked(reads, TOO_LONG, 7));
        let findings = shown::finds(&CHECK, &scene.observation());
        assert!(findings[0].evidence[1].fact.contains("rose by 7"), "{findings:?}");
    }

    #[test]
    fn up_to_four_entries_to_a_bucket_pass() {
        shown::passes(&CHECK, &buckets(262_144, Some(262_144)).observation());
        shown::passes(&CHECK, &buckets(262_144, Some(65_536)).observation());
    }

    #[test]
    fn buckets_that_are_not_shown_are_a_gap() {
        shown::cannot_tell(&CHECK, &buckets(262_144, None).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
