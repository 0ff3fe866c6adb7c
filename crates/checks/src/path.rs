//! Checks of the way from pod to pod. One file each, named as the check.

pub(crate) mod flow;
pub(crate) mod net_capture;
pub(crate) mod net_egr_overmasq;
pub(crate) mod net_gw;
pub(crate) mod net_mesh;
pub(crate) mod net_mtu;
pub(crate) mod net_n2n;
pub(crate) mod net_p2p_icmp;
pub(crate) mod net_p2p_tcp;
pub(crate) mod net_p2p_udp;
pub(crate) mod net_probe_pod;

use report::{Finding, Protocol, Scope, Severity, Subject};

use crate::check::Judgement;
use crate::localise::{Fault, deciding_check, explained_checks, place};
use crate::shell::word;
use crate::view::View;

/// What a note about a path is about: where it begins.
pub(crate) fn source_subject(view: &View<'_>) -> Subject {
    let ends = view
        .observation
        .reach
        .as_ref()
        .and_then(|reach| reach.ends.as_ref());
    ends.map_or(Subject::Cluster, |ends| ends.source.clone())
}

/// The faults that this check decides, where pairs were probed in all of these ways.
fn of_faults(view: &View<'_>, id: &str, protocols: &[Protocol]) -> Judgement {
    if !view.is_wanted() {
        return not_wanted(view);
    }
    if !view.entries.is_empty() && !protocols.iter().all(|protocol| view.was_planned(*protocol)) {
        return Judgement::skipped("not every protocol that it needs was probed");
    }
    let faults = view.faults.iter().filter(|fault| deciding_check(fault) == id);
    Judgement {
        findings: faults.map(|fault| finding(view, fault)).collect(),
        gaps: view.probing_gaps().to_vec(),
        ..Judgement::default()
    }
}

/// No mesh was asked for: where something else was, that is not worth a word.
fn not_wanted(view: &View<'_>) -> Judgement {
    let observation = view.observation;
    if observation.reach.is_some()
        || observation.policy.is_some()
        || observation.lookups.is_some()
        || observation.dns.is_some()
    {
        Judgement::not_asked()
    } else {
        Judgement::skipped("no probes between pods were asked for")
    }
}

fn finding(view: &View<'_>, fault: &Fault) -> Finding {
    let place = place(view, fault);
    Finding {
        id: place.check,
        severity: fault.severity,
        subject: place.subject,
        summary: place.sentence,
        evidence: place.evidence,
        hint: hint(fault, place.direction.is_some()),
        explains: explained_checks(fault),
    }
}

fn hint(fault: &Fault, direction_known: bool) -> Option<String> {
    let bulk_only = fault.protocols.iter().all(|protocol| *protocol == Protocol::Bulk);
    match (fault.severity, &fault.scope) {
        (Severity::Warning, scope) => {
            let nodes: Vec<String> = nodes(scope).into_iter().map(|node| format!(" --node {}", word(node))).collect();
            let nodes = if nodes.len() == 2 { nodes.concat() } else { String::new() };
            Some(format!("so few samples say little; to take more: `kubectl netcheck pod-to-pod --count 50{nodes}`"))
        }
        (Severity::Error, Scope::Pair { .. } | Scope::Node { .. }) if !direction_known && !bulk_only => Some(
            "which direction loses packets is not known: each probe needs its answer, so that one lossy direction fails \
             both"
                .to_owned(),
        ),
        (Severity::Error, Scope::OneWay { .. } | Scope::Outgoing { .. } | Scope::Incoming { .. })
            if !direction_known =>
        {
            Some("the other direction was not seen".to_owned())
        }
        (Severity::Note | Severity::Error, _) => None,
    }
}

fn nodes(scope: &Scope) -> Vec<&str> {
    match scope {
        Scope::Pair { a, b } | Scope::OneWay { from: a, to: b } => vec![a, b],
        Scope::NodeAndItself { node }
        | Scope::Node { node }
        | Scope::Outgoing { node }
        | Scope::Incoming { node }
        | Scope::SameNode { node } => vec![node],
        Scope::Everything
        | Scope::CrossNode
        | Scope::EverySameNode
        | Scope::Zones { .. }
        | Scope::Scattered { .. } => Vec::new(),
    }
}
