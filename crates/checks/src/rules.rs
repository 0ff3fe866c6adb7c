//! Checks of the packet rules of nodes. One file each, named as the check.
//!
//! What a rule does is computed, not tried: a finding here is certain about the rule and silent about whether anybody
//! sends such packets.

#[cfg(test)]
mod api;
pub(crate) mod cni_encap_port;
pub(crate) mod ep_aff;
pub(crate) mod ep_explain_path;
pub(crate) mod ep_extip;
pub(crate) mod ep_rule_backends;
pub(crate) mod ep_rule_canary;
pub(crate) mod ep_rule_extra;
pub(crate) mod ep_rule_hook;
pub(crate) mod ep_rule_ipvs;
pub(crate) mod ep_rule_lack_ep;
pub(crate) mod ep_rule_mark;
pub(crate) mod ep_rule_missing;
pub(crate) mod ep_rule_noreject;
pub(crate) mod ep_rule_order;
pub(crate) mod ep_rule_parse;
pub(crate) mod ep_rule_prob;
pub(crate) mod ep_rule_reject;
pub(crate) mod ep_rule_stale;
pub(crate) mod ep_rule_stale_ep;
mod expected;
mod led;
pub(crate) mod net_ct_notrack;
pub(crate) mod net_egr_masq;
pub(crate) mod net_forward;
pub(crate) mod net_fw;
pub(crate) mod net_fw_backends;
pub(crate) mod net_fw_input_cni;
pub(crate) mod net_fw_reject;
pub(crate) mod net_loss;
pub(crate) mod net_mtu_mss;
pub(crate) mod net_mtu_pmtud;
pub(crate) mod net_nat;
pub(crate) mod net_trace;
mod ports;

pub(crate) use expected::OnNode;
use netmodel::rules::{StopKind, proxy_modes};
use report::{Finding, Gap, Severity, Subject};

pub use led::{Led, led};

use crate::check::Judgement;
use crate::firewall::{Firewall, Manner, Stopping, evidence, gap, gaps, repair, skipped};
use crate::view::View;

/// The nodes whose rules are those of an earlier time, by what the API says. None where they were not held against it.
pub(crate) fn stale(view: &View<'_>) -> Vec<String> {
    let mut nodes = Vec::new();
    expected::compared(view, |all, _| {
        let stale = all.iter().filter(|node| node.is_stale());
        nodes.extend(stale.map(|node| node.firewall.name().to_owned()));
    });
    nodes
}

/// Judges every node whose rules were read.
fn each(view: &View<'_>, judge: impl Fn(&Firewall<'_>, &mut Vec<Finding>, &mut Vec<Gap>)) -> Judgement {
    if let Some(judgement) = skipped(view) {
        return judgement;
    }
    let mut judgement = Judgement {
        gaps: gaps(view),
        ..Judgement::default()
    };
    for firewall in &view.firewalls {
        judge(firewall, &mut judgement.findings, &mut judgement.gaps);
    }
    judgement
}

/// Judges every node whose rules were read, where kube-proxy has written rules on any of them.
fn proxied(view: &View<'_>, judge: impl Fn(&Firewall<'_>, &mut Vec<Finding>, &mut Vec<Gap>)) -> Judgement {
    let is_there = |firewall: &Firewall<'_>| !proxy_modes(&firewall.rules.sets).is_empty();
    let is_known = view.firewalls.iter().all(|firewall| firewall.gaps.is_empty());
    if !view.firewalls.is_empty() && is_known && !view.firewalls.iter().any(is_there) {
        return Judgement::skipped("no node has rules of kube-proxy: something else does its work");
    }
    each(view, judge)
}

/// The findings about what nodes do not forward in this manner.
fn stopped(view: &View<'_>, id: &str, manner: Manner, explains: &[&str]) -> Judgement {
    each(view, |firewall, findings, gaps| {
        let stops = firewall.stopping();
        let of_manner = stops
            .found
            .iter()
            .filter(|stopping| stopping.manner(firewall) == manner);
        findings.extend(of_manner.map(|stopping| finding(firewall, stopping, id, manner, explains)));
        gaps.extend(
            stops
                .broken_off
                .map(|why| gap(firewall, "the forwarding rules", why)),
        );
        if firewall.pods(true).is_none() && firewall.pods(false).is_none() {
            gaps.push(gap(
                firewall,
                "the addresses of the pods",
                "the node has no pod range in the API, so it is not known what it has to forward",
            ));
        }
    })
}

fn finding(
    firewall: &Firewall<'_>,
    stopping: &Stopping<'_>,
    id: &str,
    manner: Manner,
    explains: &[&str],
) -> Finding {
    let (node, packets, way) = (firewall.name(), stopping.packets(), stopping.way.text());
    let (does, summary) = match manner {
        Manner::Rejected => {
            let with = match stopping.kind {
                StopKind::Rejected(with) => with,
                StopKind::Dropped | StopKind::Unknown(_) => "an error",
            };
            (
                format!("turns {packets} {way} away"),
                format!("{node} turns {packets} {way} away with {with}"),
            )
        }
        Manner::OtherBackEnd => (
            format!("drops {packets} {way}, in a back end of iptables where nothing of the cluster lives"),
            format!("{node} drops {packets} {way} in one back end of iptables while the other accepts them"),
        ),
        Manner::Dropped => (
            format!("drops {packets} {way}"),
            format!("{node} drops {packets} {way} instead of forwarding them"),
        ),
    };
    Finding {
        id: id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary,
        evidence: vec![evidence(firewall, &stopping.by, &does)],
        hint: Some(repair(node, &stopping.by, firewall.pod_interface(true))),
        explains: explains.iter().map(|id| (*id).to_owned()).collect(),
    }
}
