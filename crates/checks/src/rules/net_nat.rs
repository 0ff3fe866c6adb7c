use netmodel::rules::{Action, Decider, SourceTranslation};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, Leg, evidence, joined, repair};
use crate::view::{View, translated};

/// Rules that translate addresses and that no part of the cluster made. One that translates between pods is a fault of its own.
pub(crate) static CHECK: Check = Check {
    id: "net-nat",
    claim: "it is known which rules of nodes translate addresses without being the cluster's",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    // Where probes saw it, they tell it better.
    let seen: Vec<&str> = translated(view).map(|(key, ..)| key.source).collect();
    super::each(view, |firewall, findings, _| {
        let between = between_pods(firewall);
        for by in foreign(firewall) {
            match between.iter().find(|(found, _)| *found == by) {
                Some((_, peers)) if !seen.contains(&firewall.name()) => {
                    findings.push(over(firewall, &by, peers));
                }
                Some(_) | None => findings.push(noted(firewall, &by)),
            }
        }
    })
}

/// Foreign rules of nat that do anything to packets.
fn foreign<'f>(firewall: &'f Firewall<'_>) -> Vec<Decider<'f>> {
    let acts = |by: &Decider<'_>| {
        let is_nat = by
            .chain
            .base
            .as_ref()
            .is_some_and(|base| base.kind == netmodel::rules::ChainKind::Nat);
        is_nat
            && by
                .rule
                .is_some_and(|rule| rule.actions().any(|action| !matches!(action, Action::Aside(_))))
    };
    firewall.rules.foreign().filter(acts).collect()
}

/// Rules that translate the source of packets between pods, with the nodes of the others.
fn between_pods<'f>(firewall: &'f Firewall<'_>) -> Vec<(Decider<'f>, Vec<String>)> {
    let mut found: Vec<(Decider<'f>, Vec<String>)> = Vec::new();
    for flow in firewall.families().flat_map(|v4| firewall.between_pods(v4)) {
        let Leg::ToPods(peer) = flow.leg else {
            continue;
        };
        if let SourceTranslation::Certain(effect) = firewall.rules.source_translation(&flow.packet) {
            match found.iter_mut().find(|(by, _)| *by == effect.by) {
                Some((_, peers)) if peers.iter().any(|known| known == peer) => {}
                Some((_, peers)) => peers.push(peer.to_owned()),
                None => found.push((effect.by, vec![peer.to_owned()])),
            }
        }
    }
    found
}

fn over(firewall: &Firewall<'_>, by: &Decider<'_>, peers: &[String]) -> Finding {
    let node = firewall.name();
    let peers: Vec<&str> = peers.iter().map(String::as_str).collect();
    let whom = joined(&peers);
    Finding {
        id: crate::path::net_egr_overmasq::CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!("pods of {whom} see the pods of {node} come from an address of {node}"),
        evidence: vec![evidence(
            firewall,
            by,
            &format!("translates what pods send to pods of {whom}"),
        )],
        hint: Some(repair(node, by, None)),
        explains: Vec::new(),
    }
}

/// The rule of a node that translates between pods, as evidence and with what to do about it.
pub(crate) fn culprit(firewall: &Firewall<'_>) -> Option<(Evidence, Option<String>)> {
    let (by, peers) = between_pods(firewall).into_iter().next()?;
    let over = over(firewall, &by, &peers);
    Some((over.evidence.into_iter().next()?, over.hint))
}

fn noted(firewall: &Firewall<'_>, by: &Decider<'_>) -> Finding {
    let node = firewall.name();
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: Subject::node(node),
        summary: format!(
            "{node} has a rule that translates addresses, or keeps others from it, and is not the cluster's"
        ),
        evidence: vec![evidence(firewall, by, "belongs to nobody known")],
        hint: None,
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    const BLANKET: &str = "-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE";

    #[test]
    fn a_blanket_masquerade_is_told_as_what_it_does() {
        let observation = Fixture::healthy().rule("node1", "nat", BLANKET).observe();
        let findings = judge(&View::new(&observation)).findings;
        assert_eq!(findings.len(), 1);
        assert_eq!(
            (findings[0].id.as_str(), findings[0].severity),
            ("net-egr-overmasq", Severity::Error)
        );
        assert_eq!(
            findings[0].summary,
            "pods of node2 and node3 see the pods of node1 come from an address of node1"
        );
        assert!(findings[0].evidence[0].fact.starts_with(BLANKET));
    }

    #[test]
    fn another_foreign_rule_is_noted() {
        let rule = "-A PREROUTING -p tcp -m tcp --dport 2222 -j DNAT --to-destination 192.0.2.1:22";
        let observation = Fixture::healthy().rule("node1", "nat", rule).observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!((findings.len(), findings[0].severity), (1, Severity::Note));
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn rules_of_the_cluster_are_not_listed() {
        for observation in [Fixture::healthy().observe(), Fixture::nftables().observe()] {
            assert_eq!(judge(&View::new(&observation)).findings, []);
            shown::passes(&CHECK, &observation);
        }
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
