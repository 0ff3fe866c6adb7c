use observation::Conntrack;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A connection tracking table that is nearly full is about to refuse new connections. Thresholds: 80 % and 95 % of
/// `nf_conntrack_max`.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-use",
    claim: "the connection tracking table of every node has room",
    needs: &[Need::NodeNetwork],
    judge,
};

const WARNING: u64 = 80;
const ERROR: u64 = 95;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.conntrack, find)
}

fn find(_: &Nodes<'_>, part: &[(&str, &Conntrack)], judgement: &mut Judgement) {
    for &(node, table) in part {
        // The limit is of the whole machine: network namespaces that share it each count their own entries.
        let percent = table.count.saturating_mul(100) / table.max.max(1);
        let severity = match percent {
            ..WARNING => continue,
            WARNING..ERROR => Severity::Warning,
            ERROR.. => Severity::Error,
        };
        let mut finding = Finding::new(
            CHECK.id,
            severity,
            Subject::node(node),
            format!("the connection tracking table of {node} is {percent} % full"),
            Evidence::command(
                format!("{} of {} entries", table.count, table.max),
                on_node(
                    node,
                    &["sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"],
                ),
            ),
        );
        finding.hint = Some(
            "raise conntrack.maxPerCore in kube-proxy's configuration, which sets the limit at its start and undoes a \
             plain sysctl: `kubectl -n kube-system get configmap kube-proxy -o yaml`"
                .to_owned(),
        );
        if severity == Severity::Error {
            let breaks = Breaks::Node {
                node: node.to_owned(),
            };
            judgement.cause(finding, breaks);
        } else {
            judgement.findings.push(finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, conntrack};
    use crate::shown;

    #[test]
    fn a_nearly_full_table_is_a_warning_and_a_full_one_an_error() {
        for (count, severity) in [(80, Severity::Warning), (95, Severity::Error)] {
            let observation = Scene::healthy(3)
                .change("node2", |reads| conntrack(reads, count, 100))
                .observation();
            assert_eq!(shown::finds(&CHECK, &observation)[0].severity, severity);
        }
    }

    #[test]
    fn a_table_with_room_passes_and_one_that_was_not_read_is_unknown() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| conntrack(reads, 60, 100))
            .observation();
        shown::passes(&CHECK, &observation);
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
