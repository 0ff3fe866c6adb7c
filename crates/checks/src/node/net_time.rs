use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Clocks that differ by more than five seconds make fresh certificates and tokens "not yet valid". Nodes are compared
/// with each other: the machine that looks may be the one that is wrong.
pub(crate) static CHECK: Check = Check {
    id: "net-time",
    claim: "the clocks of the nodes agree within 5 s",
    needs: &[Need::NodeNetwork],
    judge,
};

const LIMIT_MS: i64 = 5000;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.clock_ahead_ms, find)
}

fn find(_: &Nodes<'_>, part: &[(&str, &i64)], judgement: &mut Judgement) {
    let mut all: Vec<i64> = part.iter().map(|(_, ahead)| **ahead).collect();
    all.sort_unstable();
    let Some(median) = all.get(all.len() / 2).copied() else {
        return;
    };
    // Of two clocks nobody can say which is right.
    if let [one, other] = all.as_slice() {
        let difference = other - one;
        if difference > LIMIT_MS {
            judgement.findings.push(finding(
                Subject::Cluster,
                format!("the clocks of the nodes differ by {}", seconds(difference)),
                part,
            ));
        }
        return;
    }
    for &(node, ahead) in part {
        let difference = *ahead - median;
        if difference.abs() > LIMIT_MS {
            let way = if difference > 0 { "ahead of" } else { "behind" };
            judgement.findings.push(finding(
                Subject::node(node),
                format!(
                    "the clock of {node} is {} {way} those of the other nodes",
                    seconds(difference.abs())
                ),
                &[(node, ahead)],
            ));
        }
    }
}

fn finding(subject: Subject, summary: String, seen: &[(&str, &i64)]) -> Finding {
    let fact = |(node, ahead): &(&str, &i64)| {
        let way = if **ahead < 0 { "behind" } else { "ahead of" };
        Evidence::command(
            format!("{} {way} the clock of this machine", seconds(ahead.abs())),
            on_node(node, &["date -u"]),
        )
    };
    let mut evidence = seen.iter().map(fact);
    let first = evidence
        .next()
        .unwrap_or_else(|| Evidence::probe("clocks differ", "clocks"));
    let rest: Vec<Evidence> = evidence.collect();
    let mut finding = Finding::new(CHECK.id, Severity::Warning, subject, summary, first);
    finding.evidence.extend(rest);
    finding.hint = Some("look at the node's time service: chronyd, systemd-timesyncd, ntpd".to_owned());
    finding
}

fn seconds(milliseconds: i64) -> String {
    format!("{}.{} s", milliseconds / 1000, milliseconds % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use report::Observed;

    use super::*;
    use crate::node_scene::Scene;
    use crate::shown;

    #[test]
    fn the_clock_unlike_the_others_is_named() {
        let observation = Scene::healthy(3)
            .change("node3", |reads| reads.clock_ahead_ms = Observed::Seen(-7200))
            .observation();
        assert_eq!(
            shown::finds(&CHECK, &observation)[0].summary,
            "the clock of node3 is 7.2 s behind those of the other nodes"
        );
    }

    #[test]
    fn of_two_clocks_neither_is_blamed() {
        let observation = Scene::healthy(2)
            .change("node2", |reads| reads.clock_ahead_ms = Observed::Seen(9000))
            .observation();
        assert_eq!(shown::finds(&CHECK, &observation)[0].subject, Subject::Cluster);
    }

    #[test]
    fn clocks_that_agree_pass_however_wrong_ours_is() {
        let mut scene = Scene::healthy(3);
        for node in ["node1", "node2", "node3"] {
            scene = scene.change(node, |reads| reads.clock_ahead_ms = Observed::Seen(60_000));
        }
        shown::passes(&CHECK, &scene.observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
