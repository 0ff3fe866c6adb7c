use std::collections::{BTreeMap, BTreeSet};

use netprobe::Kind;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, Loss, evidence, percent, repair, share};
use crate::measured::{self, Direction, ERROR, WARNING, is_lossy};
use crate::view::View;

/// Packets that are lost at random, by measuring and by the rules that do it: connections are slow, and names take five
/// seconds. Where both were looked at, the finding has both.
pub(crate) static CHECK: Check = Check {
    id: "net-loss",
    claim: "nothing loses packets of pods at random",
    needs: &[Need::Mesh, Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = by_rules(view);
    let Some(gaps) = measured::gaps(view, |kind| matches!(kind, Kind::Train { .. })) else {
        return judgement;
    };
    if judgement.skipped.take().is_some() {
        // Without rights to read rules what was measured decides.
        judgement.gaps.clear();
    }
    judgement.gaps.extend(gaps);
    let all = measured::directions(view);
    let mut lossy: BTreeSet<(&str, &str)> = BTreeSet::new();
    lossy.extend(
        all.iter()
            .filter(|(_, direction)| is_lossy(direction))
            .map(|(ends, _)| *ends),
    );
    for finding in &mut judgement.findings {
        agree(finding, &all, &mut lossy);
    }
    judgement.findings.extend(unexplained(&all, &lossy));
    judgement
}

/// What rules lose.
fn by_rules(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, _| {
        for stop in firewall.tunnel_stops() {
            if let Loss::Share(share) = stop.loss {
                let whose = format!("the packets of tunnel {} {}", stop.device, stop.ends());
                findings.push(finding(firewall, share, &whose, &stop.by));
            }
        }
        for thinning in firewall.thinning().found {
            if let Some(share) = share(&thinning.conditions) {
                let whose = format!("{} {}", thinning.packets(), thinning.way.text());
                findings.push(finding(firewall, share, &whose, &thinning.by));
            }
        }
    })
}

type Directions<'a> = BTreeMap<(&'a str, &'a str), Direction>;

/// Adds what was measured to what a rule was read to do, and takes it off what is left to explain. Where nothing was lost
/// the rule is about something else than what was measured, and no more than a warning.
fn agree(finding: &mut Finding, all: &Directions<'_>, lossy: &mut BTreeSet<(&str, &str)>) {
    let Subject::Object { name, .. } = &finding.subject else {
        return;
    };
    let touches = |(from, to): &(&str, &str)| from == name || to == name;
    let own: Vec<_> = lossy.iter().copied().filter(touches).collect();
    lossy.retain(|ends| !own.contains(ends));
    let shown = |ends: &(&str, &str)| Some(all.get(ends)?.evidence(ends.0, ends.1));
    finding.evidence.extend(own.iter().filter_map(shown).take(3));
    if own.is_empty() && all.keys().any(touches) {
        let (mut sent, mut lost) = (0, 0);
        for (_, direction) in all.iter().filter(|(ends, _)| touches(ends)) {
            sent += direction.small.sent + direction.large.sent;
            lost += direction.small.lost + direction.large.lost;
        }
        let fact = format!("{lost} of {sent} got lost: the rule is not about what was measured");
        finding.evidence.push(Evidence::probe(
            fact,
            format!("udp, many, from and to pods of {name}"),
        ));
        finding.severity = finding.severity.min(Severity::Warning);
    }
}

/// Loss that no rule accounts for, at the smallest place that has it in common.
fn unexplained(all: &Directions<'_>, lossy: &BTreeSet<(&str, &str)>) -> Vec<Finding> {
    let mut left = lossy.clone();
    let mut findings = Vec::new();
    let nodes: BTreeSet<&str> = all.keys().flat_map(|(from, to)| [*from, *to]).collect();
    let cross = |ends: &&(&str, &str)| ends.0 != ends.1;
    let whole = |left: &BTreeSet<(&str, &str)>, is: &dyn Fn(&(&str, &str)) -> bool| {
        let mut of = all.keys().filter(cross).filter(|ends| is(ends)).peekable();
        let several = all.keys().filter(cross).filter(|ends| is(ends)).count() > 1;
        several && of.peek().is_some() && of.all(|ends| left.contains(ends))
    };
    for node in &nodes {
        for (inwards, way) in [(true, "on their way to"), (false, "on their way from")] {
            let is = |(from, to): &(&str, &str)| if inwards { to == node } else { from == node };
            if whole(&left, &is) {
                let ends: Vec<_> = left.iter().copied().filter(|ends| is(ends)).collect();
                left.retain(|it| !ends.contains(it));
                let what = format!("packets get lost at random {way} pods of {node}");
                findings.extend(measured_finding(Subject::node(*node), &what, &ends, all));
            }
        }
    }
    for (from, to) in &left {
        let subject = Subject::NodePair {
            from: (*from).to_owned(),
            to: (*to).to_owned(),
            both: false,
        };
        let what = format!("packets get lost at random from {from} to {to}");
        findings.extend(measured_finding(subject, &what, &[(from, to)], all));
    }
    findings
}

fn measured_finding(
    subject: Subject,
    what: &str,
    ends: &[(&str, &str)],
    all: &Directions<'_>,
) -> Option<Finding> {
    let of = |ends: &(&str, &str)| all.get(ends).copied();
    let share = ends
        .iter()
        .filter_map(|ends| of(ends)?.share())
        .max_by(f64::total_cmp)?;
    let mut seen: Vec<Evidence> = ends
        .iter()
        .filter_map(|ends| Some(of(ends)?.evidence(ends.0, ends.1)))
        .take(3)
        .collect();
    // The other way round, so that the direction can be seen.
    let back = ends
        .iter()
        .map(|(from, to)| (*to, *from))
        .find(|back| all.get(back).is_some_and(|direction| direction.share().is_none()));
    seen.extend(back.and_then(|back| Some(of(&back)?.evidence(back.0, back.1))));
    let mut finding = Finding::new(
        CHECK.id,
        severity(share),
        subject,
        format!("{what}: up to {}", percent(share)),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(
        "the same share in every direction: a link or its card, see `ip -s link` on both nodes; one direction only: a rule \
         that picks packets at random, which `kubectl netcheck diagnose --node-access` reads"
            .to_owned(),
    );
    Some(finding)
}

fn severity(share: f64) -> Severity {
    if share > ERROR {
        Severity::Error
    } else if share > WARNING {
        Severity::Warning
    } else {
        Severity::Note
    }
}

fn finding(firewall: &Firewall<'_>, share: f64, whose: &str, by: &netmodel::rules::Decider<'_>) -> Finding {
    let node = firewall.name();
    let lost = percent(share);
    Finding {
        id: CHECK.id.to_owned(),
        severity: severity(share),
        subject: Subject::node(node),
        summary: format!("{node} loses {lost} of {whose} at random"),
        evidence: vec![evidence(firewall, by, &format!("stops {lost} of {whose}"))],
        hint: Some(repair(node, by, firewall.pod_interface(true))),
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::measured::scene::{both_lengths, observe, train, unanswered};
    use crate::shown;
    use observation::Observation;

    fn tunnel(share: &str) -> Vec<Finding> {
        let rule = format!(
            "-A INPUT -p udp -m udp --dport 8472 -m statistic --mode random --probability {share} -j DROP"
        );
        shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node2", "filter", &rule).observe(),
        )
    }

    #[test]
    fn a_share_of_the_tunnel_is_found_and_weighed() {
        let findings = tunnel("0.20000000019");
        assert_eq!(
            findings[0].summary,
            "node2 loses 20 % of the packets of tunnel flannel.1 from all other nodes at random"
        );
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(tunnel("0.02000000000")[0].severity, Severity::Warning);
    }

    #[test]
    fn a_share_of_what_is_forwarded_is_found() {
        let rule = "-A FORWARD -p udp -m statistic --mode nth --every 2 --packet 0 -j DROP";
        let findings = shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", rule).observe(),
        );
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .summary
                .starts_with("node1 loses 50 % of UDP packets between its pods")
        );
    }

    #[test]
    fn kube_proxys_own_dice_lose_nothing() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    /// What was measured beside rules: nodes are read, and trains were sent.
    fn both(rule: &str, lost: u32) -> Observation {
        let mut observation = Fixture::healthy().rule("node2", "filter", rule).observe();
        let measured = observe(&both_lengths(), |_, target, _| {
            (target == "node2").then(|| train(lost, 0))
        });
        observation.measured = measured.measured;
        observation
    }

    const FIFTH: &str =
        "-A INPUT -p udp -m udp --dport 8472 -m statistic --mode random --probability 0.2 -j DROP";

    #[test]
    fn a_rule_and_what_was_measured_are_one_finding() {
        let findings = shown::finds(&CHECK, &both(FIFTH, 19));
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Error));
        let facts: Vec<&str> = findings[0].evidence.iter().map(|it| it.fact.as_str()).collect();
        // The answers to two trains the other way go this way too, and were not lost.
        assert_eq!(
            facts[1],
            "19 of 300 small ones and 19 of 100 large ones did not arrive"
        );
    }

    #[test]
    fn a_rule_that_lost_nothing_of_what_was_measured_is_a_warning() {
        let findings = shown::finds(&CHECK, &both(FIFTH, 0));
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0].evidence[1]
                .fact
                .ends_with("the rule is not about what was measured")
        );
    }

    #[test]
    fn loss_on_the_way_into_a_node_is_that_node_s() {
        let observation = observe(&both_lengths(), |source, target, _| {
            (target == "node2" && source != "node2").then(|| train(20, 0))
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].severity, &findings[0].subject),
            (Severity::Error, &Subject::node("node2"))
        );
        assert_eq!(
            findings[0].summary,
            "packets get lost at random on their way to pods of node2: up to 20 %"
        );
    }

    #[test]
    fn loss_in_one_direction_is_that_of_the_pair() {
        let observation = observe(&both_lengths(), |source, target, _| {
            ((source, target) == ("node1", "node3")).then(|| train(3, 0))
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].summary,
            "packets get lost at random from node1 to node3: up to 3 %"
        );
    }

    #[test]
    fn one_lost_packet_in_a_hundred_passes() {
        shown::passes(
            &CHECK,
            &observe(&both_lengths(), |_, target, _| {
                (target == "node2").then(|| train(1, 0))
            }),
        );
    }

    #[test]
    fn measures_without_an_answer_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &unanswered(observe(&both_lengths(), |_, _, _| None), "node1"),
        );
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
