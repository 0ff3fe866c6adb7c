use std::collections::{BTreeMap, BTreeSet};

use netmodel::rules::{MarkFault, MarkFaultKind, RuleSet, mark_faults, masquerade_bit, others_with_bit};
use report::{Evidence, Finding, Severity, Subject};

use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, evidence, repair};
use crate::shell::on_node;
use crate::view::View;

/// Packets whose answers would not come back get the node's address: kube-proxy marks them on their way in, and translates what is
/// marked as it leaves. A lost rule of this breaks NodePorts whose endpoint is elsewhere and pods that reach their own Service, while
/// other pods reach every Service.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-mark",
    claim: "packets to Services that need another source address are marked and get it",
    needs: &[Need::NodeAccess],
    judge,
};

/// What comes of it.
const LOST: &str = "NodePorts whose endpoint is on another node, and pods that come to themselves by their Service, get no answer";

fn judge(view: &View<'_>) -> Judgement {
    super::proxied(view, |firewall, findings, _| {
        for faults in lost(firewall).into_values() {
            findings.extend(finding(firewall, &faults));
        }
        let bit = firewall.rules.sets.iter().find_map(masquerade_bit);
        findings.extend(bit.and_then(|bit| shared(firewall, bit)));
    })
}

/// What is lost in both looks, by its kind.
fn lost(firewall: &Firewall<'_>) -> BTreeMap<MarkFaultKind, Vec<MarkFault>> {
    let all = |sets: &[RuleSet]| -> Vec<MarkFault> { sets.iter().flat_map(mark_faults).collect() };
    let still = firewall.rules_after().map(|rules| all(&rules.sets));
    let mut by_kind: BTreeMap<MarkFaultKind, Vec<MarkFault>> = BTreeMap::new();
    for fault in all(&firewall.rules.sets) {
        if still.as_ref().is_none_or(|still| still.contains(&fault)) {
            by_kind.entry(fault.kind).or_default().push(fault);
        }
    }
    by_kind
}

fn finding(firewall: &Firewall<'_>, faults: &[MarkFault]) -> Option<Finding> {
    let first = faults.first()?;
    let (node, chain) = (firewall.name(), &first.chain);
    let services: BTreeSet<&str> = faults
        .iter()
        .filter_map(|fault| fault.service.as_deref())
        .collect();
    let what = match services.first() {
        Some(service) => format!("Service port {service}"),
        None => "a Service port".to_owned(),
    };
    let more = match services.len() {
        0 | 1 => String::new(),
        2 => ", nor for one more".to_owned(),
        several => format!(", nor for {} more", several - 1),
    };
    let (severity, summary, fact) = match first.kind {
        MarkFaultKind::MarksNothing => (
            Severity::Error,
            format!("{node} marks no packet that needs another source address: {LOST}"),
            format!("chain {chain} sets no mark"),
        ),
        MarkFaultKind::KeepsSource => (
            Severity::Error,
            format!("{node} does not give marked packets another source address: {LOST}"),
            format!("chain {chain} does not translate packets with the mark of kube-proxy"),
        ),
        MarkFaultKind::TranslatesAll => (
            Severity::Warning,
            format!(
                "{node} gives every packet its own address as it leaves: nobody sees who the clients are"
            ),
            format!("chain {chain} translates packets without the mark of kube-proxy too"),
        ),
        MarkFaultKind::Outside => (
            Severity::Error,
            format!(
                "{node} marks nothing that comes to NodePorts and external addresses of {what}{more}: endpoints on other nodes \
                 answer past it"
            ),
            format!("chain {chain} does not lead to the chain that marks"),
        ),
        MarkFaultKind::BeyondPods => (
            Severity::Warning,
            format!(
                "{node} does not mark what comes to the ClusterIP of {what}{more} from beyond the pods, and does for other Services"
            ),
            format!("chain {chain} does not lead to the chain that marks"),
        ),
        MarkFaultKind::Itself => (
            Severity::Error,
            format!(
                "{node} marks nothing that an endpoint of {what}{more} sends to its own Service: it gets no answer"
            ),
            format!("chain {chain} does not lead to the chain that marks"),
        ),
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(node),
        summary,
        Evidence::command(fact, on_node(node, &[&first.command])),
    );
    finding.hint = Some(rewritten(node));
    Some(finding)
}

/// Rules of others that use the same bit of the mark.
fn shared(firewall: &Firewall<'_>, bit: u32) -> Option<Finding> {
    let node = firewall.name();
    let others = others_with_bit(&firewall.rules, bit);
    let first = others.first()?;
    let more = match others.len() {
        1 => String::new(),
        several => format!(" and {} more", several - 1),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "a rule of {node}{more} changes bit {bit:#x} of the marks of packets, by which kube-proxy knows what needs another source \
             address"
        ),
        evidence(firewall, first, "changes the bit"),
    );
    finding.hint = Some(repair(node, first, None));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    fn summaries(fixture: Fixture) -> Vec<String> {
        let findings = shown::finds(&CHECK, &fixture.observe());
        findings.into_iter().map(|finding| finding.summary).collect()
    }

    #[test]
    fn a_chain_that_marks_nothing_is_found() {
        assert_eq!(
            summaries(Fixture::healthy().without("node1", "-A KUBE-MARK-MASQ -j MARK")),
            [
                "node1 marks no packet that needs another source address: NodePorts whose endpoint is on another node, and pods that \
                 come to themselves by their Service, get no answer"
            ]
        );
        let nft = r#""chain":"mark-for-masquerade""#;
        assert_eq!(summaries(Fixture::nftables().without_nft("node1", nft)).len(), 1);
    }

    #[test]
    fn a_lost_mark_of_one_endpoint_or_one_service_is_found() {
        let endpoint = Fixture::healthy().without("node2", "-A KUBE-SEP-ZEIDTFVL27F4EVRN -s");
        assert_eq!(
            summaries(endpoint),
            [
                "node2 marks nothing that an endpoint of Service port shop/web:http sends to its own Service: it gets no answer"
            ]
        );
        let outside = Fixture::healthy().without("node2", "masquerade traffic for shop/web");
        assert!(summaries(outside)[0].starts_with("node2 marks nothing that comes to NodePorts"));
    }

    #[test]
    fn others_that_use_the_bit_are_a_warning() {
        let rule = "-A PREROUTING -i eth0 -j MARK --set-xmark 0x4000/0x4000";
        let findings = shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node3", "mangle", rule).observe(),
        );
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0].summary.contains("changes bit 0x4000"),
            "{findings:#?}"
        );
    }

    #[test]
    fn what_kube_proxy_writes_is_whole_in_both_modes() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
