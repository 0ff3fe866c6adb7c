use observation::Connections;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A closed TCP connection keeps its entry for two minutes. Where many short ones are made, such entries crowd out the
/// rest. In a table that is nearly empty they are no trouble, however large their share is.
pub(crate) static CHECK: Check = Check {
    id: "net-ct-tw",
    claim: "no node's connection tracking table is full of connections that are closed",
    needs: &[Need::NodeAccess],
    judge,
};

/// In hundredths: of the entries, and of the room that the table has.
const SHARE: u64 = 50;
const USE: u64 = 25;
const STATE: &str = "tcp TIME_WAIT";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.kernel.connections, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Connections)], judgement: &mut Judgement) {
    for &(node, connections) in part {
        let table = match &nodes.evidence[node].before.conntrack {
            report::Observed::Seen(table) => table,
            report::Observed::Unseen(gap) => {
                judgement.gaps.push(gap.clone());
                continue;
            }
        };
        let counted = connections.counted().max(1);
        let closed = connections.by_state.get(STATE).copied().unwrap_or(0);
        let share = closed.saturating_mul(100) / counted;
        let used = table.count.saturating_mul(100) / table.max.max(1);
        if share <= SHARE || used < USE {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::node(node),
            format!(
                "{share} % of the connection tracking table of {node} are TCP connections that are closed"
            ),
            Evidence::command(
                if connections.more {
                    format!("{closed} of the first {counted} entries are in TIME_WAIT")
                } else {
                    format!("{closed} of {counted} entries are in TIME_WAIT")
                },
                on_node(node, &["grep -c TIME_WAIT /proc/net/nf_conntrack"]),
            ),
        );
        finding.evidence.push(Evidence::command(
            format!("{} of {} entries are in use", table.count, table.max),
            on_node(
                node,
                &["sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max"],
            ),
        ));
        finding.hint = Some(format!(
            "let clients keep their connections; how long closed ones are kept is \
             net.netfilter.nf_conntrack_tcp_timeout_time_wait (tcp_tw_reuse and tcp_fin_timeout are about sockets): `{}`",
            on_node(node, &["sysctl net.netfilter.nf_conntrack_tcp_timeout_time_wait"])
        ));
        judgement.findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, conntrack, seen};
    use crate::shown;

    fn closed(closed: u64, open: u64, used: u64) -> Scene {
        Scene::privileged(3).change("node2", move |reads| {
            conntrack(reads, used, 1_000);
            seen(&mut reads.kernel.connections).by_state =
                [(STATE.to_owned(), closed), ("udp".to_owned(), open)].into();
        })
    }

    #[test]
    fn a_used_table_of_mostly_closed_connections_is_found() {
        let findings = shown::finds(&CHECK, &closed(300, 100, 400).observation());
        assert!(
            findings[0].summary.starts_with("75 % "),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn half_of_them_or_a_table_with_much_room_is_no_trouble() {
        shown::passes(&CHECK, &closed(200, 200, 400).observation());
        shown::passes(&CHECK, &closed(90, 10, 100).observation());
        shown::passes(&CHECK, &closed(0, 0, 0).observation());
    }

    #[test]
    fn a_table_that_was_not_listed_is_unknown() {
        shown::cannot_tell(&CHECK, &Scene::privileged(3).unread("node3").observation());
    }
}
