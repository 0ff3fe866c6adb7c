use observation::{Conntrack, TrackedNode};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::scene::{Scene, cut_off};
use crate::check::{Check, Judgement, Need};
use crate::shell::on_node;
use crate::view::View;

/// The table of the node is what translates packets of Services; a pod's own network shows nothing of it. Listed are the entries to
/// Services, and judged what no other check of the table judges: whether it may outgrow the memory, and whether applications
/// leave connections half closed.
pub(crate) static CHECK: Check = Check {
    id: "ep-ct",
    claim: "what nodes track to Services is listed, and the table fits the node",
    needs: &[Need::NodeAccess, Need::Backends, Need::Tracked],
    judge,
};

/// An entry takes so many bytes of the kernel's memory.
pub(super) const ENTRY_BYTES: u64 = 320;
/// A full table should not take more than one part in so many of the memory.
const PART_OF_MEMORY: u64 = 4;
/// So many connections that wait for the application to close them, and one in so many of all, are no accident.
const HALF_CLOSED: u64 = 1_000;
const PART_OF_ALL: u64 = 5;

fn judge(view: &View<'_>) -> Judgement {
    let scene = match Scene::of(view) {
        None => return Judgement::not_asked(),
        Some(Err(gap)) => return Judgement::unread(gap),
        Some(Ok(scene)) => scene,
    };
    let mut judgement = Judgement::default();
    for (node, seen) in &scene.tracked.nodes {
        match seen {
            Observed::Seen(seen) => of_node(view, node, seen, &mut judgement),
            Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
        }
    }
    if scene.tracked.nodes.is_empty() {
        return match &view.observation.node_reading {
            Some(Observed::Unseen(gap)) => Judgement::unread(gap),
            _ => Judgement::skipped("no Service that was asked about has an address that is translated"),
        };
    }
    judgement
}

fn of_node(view: &View<'_>, node: &str, seen: &TrackedNode, judgement: &mut Judgement) {
    let last = seen.second.as_ref().unwrap_or(&seen.first);
    judgement.gaps.extend(last.flows.gap().cloned());
    judgement.gaps.extend(cut_off(node, last));
    let evidence = view.observation.node_evidence.get(node).and_then(Observed::seen);
    let Some(reads) = evidence.map(|evidence| &evidence.before) else {
        return;
    };
    match (&reads.conntrack, &seen.memory_kib) {
        (Observed::Seen(table), Observed::Seen(memory)) => {
            judgement.findings.extend(too_large(node, table, *memory));
        }
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => judgement.gaps.push(gap.clone()),
    }
    match &reads.kernel.connections {
        Observed::Seen(connections) => {
            let waiting = connections.by_state.get("tcp CLOSE_WAIT").copied().unwrap_or(0);
            if waiting >= HALF_CLOSED && waiting.saturating_mul(PART_OF_ALL) >= connections.counted() {
                judgement
                    .findings
                    .push(half_closed(node, waiting, connections.counted()));
            }
        }
        Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
    }
}

fn too_large(node: &str, table: &Conntrack, memory_kib: u64) -> Option<Finding> {
    let most_kib = table.max.saturating_mul(ENTRY_BYTES) / 1024;
    if most_kib.saturating_mul(PART_OF_MEMORY) <= memory_kib {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "the connection tracking table of {node} may grow to {} MiB of its {} MiB of memory",
            most_kib / 1024,
            memory_kib / 1024
        ),
        Evidence::command(
            format!(
                "{} entries at the most, of some {ENTRY_BYTES} bytes each",
                table.max
            ),
            on_node(
                node,
                &["sysctl net.netfilter.nf_conntrack_max", "head -1 /proc/meminfo"],
            ),
        ),
    );
    finding.hint = Some(
        "set conntrack.maxPerCore and conntrack.min in kube-proxy's configuration to what the node carries: \
         `kubectl -n kube-system get configmap kube-proxy -o yaml`"
            .to_owned(),
    );
    Some(finding)
}

fn half_closed(node: &str, waiting: u64, of: u64) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "{waiting} of {of} connections on {node} wait for an application to close them: one of them leaks its sockets"
        ),
        Evidence::command(
            format!("{waiting} entries are in CLOSE_WAIT"),
            on_node(node, &["grep -c CLOSE_WAIT /proc/net/nf_conntrack"]),
        ),
    );
    finding.hint = Some(format!(
        "whom they lead to tells which application it is: `{}`",
        on_node(node, &["conntrack -L -p tcp --state CLOSE_WAIT"])
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::node_scene::conntrack;
    use crate::shown;

    #[test]
    fn a_table_that_may_take_a_quarter_of_the_memory_is_a_warning() {
        let large = Fixture::healthy().reads("node1", |reads| conntrack(reads, 10, 4_000_000));
        let findings = shown::finds(&CHECK, &large.observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0]
                .summary
                .contains("may grow to 1220 MiB of its 4096 MiB"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn many_half_closed_connections_are_a_warning() {
        let leaking = Fixture::healthy().reads("node1", |reads| {
            if let Observed::Seen(connections) = &mut reads.kernel.connections {
                connections.by_state = [("tcp CLOSE_WAIT".to_owned(), 2_000), ("udp".to_owned(), 10)].into();
            }
        });
        shown::finds(&CHECK, &leaking.observe());
    }

    #[test]
    fn a_usual_table_passes_and_an_unread_one_is_unknown() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().cut_off("node1").observe());
    }
}
