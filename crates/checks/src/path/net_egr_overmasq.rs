use std::collections::BTreeMap;
use std::net::IpAddr;

use netprobe::Outcome;
use report::{Evidence, Finding, Gap, GapReason, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::pod_cidrs;
use crate::rules::net_nat::culprit;
use crate::shell::on_node;
use crate::view::{View, translated};

/// Pods see each other come from an address that is not the pod's: a rule translates what should stay as it is. It works,
/// and yet it breaks NetworkPolicies and everything that goes by address.
pub(crate) static CHECK: Check = Check {
    id: "net-egr-overmasq",
    claim: "pods see each other's own addresses",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    if !view.is_wanted() {
        return super::not_wanted(view);
    }
    let mut by_translator: BTreeMap<&str, Vec<Evidence>> = BTreeMap::new();
    for (key, cell, saw) in translated(view) {
        let fact = format!(
            "{} saw it come from {saw}, which is not the probe pod's address",
            key.target
        );
        let probe = format!(
            "{} {} → {}, {}",
            key.protocol.short(),
            key.source,
            key.target,
            cell.address
        );
        // Whose address it is has put it there: a node translates what it forwards, to its own pods as well as from them.
        by_translator
            .entry(holder(view, saw).unwrap_or(key.source))
            .or_default()
            .push(Evidence::probe(fact, probe));
    }
    let mut gaps = view.probing_gaps().to_vec();
    if by_translator.is_empty() && gaps.is_empty() && !any_peer(view) {
        gaps.push(Gap {
            what: "the addresses from which pods are seen to come".to_owned(),
            why: GapReason::Failed,
            message: "no probe was answered that would have said it".to_owned(),
            hint: None,
        });
    }
    Judgement {
        findings: finding(view, &by_translator).into_iter().collect(),
        gaps,
        ..Judgement::default()
    }
}

/// The node that has this address, or the addresses of whose pods it is among.
fn holder<'a>(view: &View<'a>, address: IpAddr) -> Option<&'a str> {
    let mut nodes = view.nodes().into_values();
    let found = nodes.find(|node| {
        node.internal_ips.contains(&address) || pod_cidrs(node).iter().any(|cidr| cidr.contains(&address))
    });
    found.map(|node| node.name.as_str())
}

fn any_peer(view: &View<'_>) -> bool {
    let mut samples = view.entries.values().flat_map(|entry| &entry.cell.samples);
    samples.any(|sample| matches!(sample.outcome, Outcome::Ok { peer: Some(_), .. }))
}

fn finding(view: &View<'_>, by_translator: &BTreeMap<&str, Vec<Evidence>>) -> Option<Finding> {
    let (first, _) = by_translator.first_key_value()?;
    let sources = view
        .entries
        .keys()
        .map(|key| key.source)
        .collect::<std::collections::BTreeSet<_>>();
    let names: Vec<&str> = by_translator.keys().copied().collect();
    let (subject, whose) = match names.as_slice() {
        [one] => (Subject::node(*one), (*one).to_owned()),
        all if all.len() == sources.len() => (Subject::Cluster, "every node".to_owned()),
        some => (Subject::Cluster, some.join(", ")),
    };
    // Where the rules of these nodes were read, they say which one it is.
    let read = view
        .firewalls
        .iter()
        .filter(|firewall| names.contains(&firewall.name()));
    let (rules, hints): (Vec<Evidence>, Vec<Option<String>>) = read.filter_map(culprit).unzip();
    let look = || {
        let command = on_node(first, &["iptables-save -t nat"]);
        format!("look for a rule that masquerades pods without sparing the pods' own range: `{command}`")
    };
    let probes = by_translator
        .values()
        .filter_map(|evidence| evidence.first().cloned());
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject,
        summary: format!(
            "{whose} translates the addresses of pods that speak to pods: they are seen to come from another"
        ),
        evidence: probes.chain(rules).collect(),
        hint: Some(hints.into_iter().flatten().next().unwrap_or_else(look)),
        explains: Vec::new(),
    })
}
