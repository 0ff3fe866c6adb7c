//! From findings to root causes: what accounts for what, and what it is not.
//!
//! A finding is a cause if its check looked at the thing itself: a route, a rule, a device. It accounts for the probes that
//! it predicts to fail. The lowest layer goes first, and what accounts only for probes that a lower cause accounts for
//! already is its consequence: a tunnel that is down takes its routes along. Two causes stay where each explains a probe
//! that the other cannot.

mod layer;
mod look_alikes;
mod refused;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use report::{CheckResult, Confidence, Finding, Protocol, RootCause, Severity, Subject};

use crate::check::{Breaks, CHECKS, Need};
use crate::localise::{deciding_check, explained_checks};
use crate::shell::word;
use crate::view::View;
use layer::Layer;

/// Causes that probes measure, rather than that something which was read shows.
const MEASURED: &[&str] = &[
    "net-mtu",
    "net-loss",
    "net-svc",
    "net-svc-ratio",
    "net-egr-overmasq",
    "net-gw",
    "net-n2n",
    "dns-port-udp",
    "dns-res-server",
    "dns-port-tcp",
    "dns-5s",
    "dns-replica-diff",
    "dns-up",
];

/// What keeps a node from answering other nodes although they and the network between them are well.
const SILENCING: &[&str] = &[
    "net-ct-full",
    "net-fw",
    "net-fw-reject",
    "net-n-defrt",
    "net-rpf",
    "cni-public-ip",
];

/// What a node's pods are to have for a network. Where that is wrong, all that is read of their devices and ways looks wrong beside it.
const RANGES: &[&str] = &["cni-podcidr", "cni-cidr-overlap", "cni-subnetenv"];

/// What is a mistake in a policy whatever is seen to fail: it has another meaning than its words, or none, or takes the
/// names away that nearly everything begins with.
const MISTAKES: &[&str] = &["net-pol-dash", "net-pol-hostnet", "net-pol-dns", "cni-nopolicy"];

/// Reasons why nothing behind a Service gets traffic, the one that a repair begins with first: of several of one Service the others
/// follow from it, or cannot be told before it is repaired.
const NOTHING_BEHIND: &[&str] = &[
    "ep-sel-near",
    "ep-sel",
    "ep-ready",
    "ep-tport-name",
    "ep-slice-stale",
    "ep-mirror",
    "ep-slice-foreign",
    "ep-slice-portname",
    "ep-empty",
];

/// Whether a check looks at the CNI by what the API says of it.
fn is_of_cni(id: &str) -> bool {
    let check = CHECKS.iter().find(|check| check.id == id);
    check.is_some_and(|check| check.needs.contains(&Need::Cni))
}

fn is_node(subject: &Subject) -> bool {
    matches!(subject, Subject::Object { kind, .. } if kind == "node")
}

/// Whether only probes say it: what a command shows again was read.
fn is_measured(finding: &Finding) -> bool {
    let by_probe = |evidence: &report::Evidence| matches!(evidence.from, report::Origin::Probe { .. });
    MEASURED.contains(&finding.id.as_str())
        && (finding.id == "net-n2n" || finding.evidence.iter().all(by_probe))
}

/// A finding, and which probes fail because of it where its check knows.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) finding: Finding,
    pub(crate) breaks: Option<Breaks>,
}

/// One probe of the mesh: from, to, and whether it carried much data.
type Cell = (String, String, bool);

#[derive(Debug)]
struct Candidate<'a> {
    finding: &'a Finding,
    layer: Layer,
    breaks: Breaks,
    /// Probes that it predicts to fail and that did.
    explained: BTreeSet<Cell>,
    /// Probes that it predicts to fail and that were answered.
    contradicted: BTreeSet<Cell>,
}

/// The causes of what failed, best first.
pub(crate) fn explain(view: &View<'_>, found: &[Found], checks: &[CheckResult]) -> Vec<RootCause> {
    let failed = failed(view);
    let answered = answered(view, &failed);
    let mut candidates: Vec<Candidate<'_>> = found
        .iter()
        .filter_map(|found| candidate(found, &failed, &answered))
        .filter(|candidate| is_cause(candidate, found))
        .collect();
    // What does no harm that was seen is told as a cause only where nothing is.
    if candidates
        .iter()
        .any(|candidate| candidate.finding.severity == Severity::Error || !candidate.explained.is_empty())
        || !failed.is_empty()
    {
        candidates.retain(|candidate| {
            candidate.finding.severity == Severity::Error
                || !candidate.explained.is_empty()
                || (candidate.layer == Layer::Policy && symptoms(candidate, found).next().is_some())
                // Where names are what is asked about, whoever may not ask for one has this for a reason.
                || (view.dns.is_some() && candidate.finding.id == "net-pol-dns")
        });
    }
    let silenced: BTreeSet<Subject> = candidates
        .iter()
        .filter(|candidate| SILENCING.contains(&candidate.finding.id.as_str()))
        .map(|candidate| candidate.finding.subject.clone())
        .collect();
    // What another says more about comes after it.
    let said_better: BTreeSet<(String, Subject)> = candidates
        .iter()
        .flat_map(|candidate| {
            let finding = candidate.finding;
            let of = |id: &String| (id.clone(), finding.subject.clone());
            finding.explains.iter().map(of)
        })
        .collect();
    candidates.sort_by_key(|candidate| {
        let finding = candidate.finding;
        (
            std::cmp::Reverse(finding.severity),
            candidate.layer == Layer::Device
                && said_better.contains(&(finding.id.clone(), finding.subject.clone())),
            // What was read where it is goes before what only probes say. But nodes that do not reach each other lie
            // below all else, unless it was read why.
            is_measured(finding) && (finding.id != "net-n2n" || silenced.contains(&finding.subject)),
            !RANGES.contains(&finding.id.as_str()),
            candidate.layer,
            std::cmp::Reverse(candidate.explained.len()),
        )
    });
    let mut covered: BTreeSet<Cell> = BTreeSet::new();
    let mut causes: Vec<(Candidate<'_>, Vec<&Finding>)> = Vec::new();
    for candidate in candidates {
        let is_new = candidate.explained.difference(&covered).next().is_some();
        let parent = causes
            .iter_mut()
            .find(|(cause, _)| accounts_for(cause, &candidate, is_new));
        if let Some((_, consequences)) = parent {
            consequences.push(candidate.finding);
        } else {
            covered.extend(candidate.explained.iter().cloned());
            causes.push((candidate, Vec::new()));
        }
    }
    // What explains probes that failed goes before what was found beside them.
    causes.sort_by_key(|(cause, _)| {
        (
            cause.explained.is_empty() && !failed.is_empty(),
            cause.finding.severity != Severity::Error,
        )
    });
    let own = if causes.is_empty() {
        Vec::new()
    } else {
        refusing(view, found, &causes)
    };
    causes.extend(own.iter().map(|finding| (of_its_own(finding), Vec::new())));
    let others: Vec<Found> = found
        .iter()
        .filter(|found| !own.contains(&&found.finding))
        .cloned()
        .collect();
    causes
        .into_iter()
        .map(|(cause, consequences)| root_cause(view, &cause, &consequences, &others, checks))
        .collect()
}

/// What is wrong with Services themselves, beside causes that do not account for it. A policy and what was read of the Service do.
fn refusing<'a>(
    view: &View<'_>,
    found: &'a [Found],
    causes: &[(Candidate<'_>, Vec<&Finding>)],
) -> Vec<&'a Finding> {
    let is_accounted = |finding: &Finding| {
        causes.iter().any(|(cause, _)| {
            let own = cause.finding;
            own.subject == finding.subject
                || (cause.layer == Layer::Policy && namespace(&own.subject) == namespace(&finding.subject))
        })
    };
    found
        .iter()
        .map(|found| &found.finding)
        .filter(|finding| refused::by_itself(view, finding) && !is_accounted(finding))
        .collect()
}

/// A cause that only the tries of the Service show.
fn of_its_own(finding: &Finding) -> Candidate<'_> {
    Candidate {
        finding,
        layer: Layer::Service,
        breaks: Breaks::Nothing,
        explained: BTreeSet::new(),
        contradicted: BTreeSet::new(),
    }
}

fn candidate<'a>(
    found: &'a Found,
    failed: &BTreeSet<Cell>,
    answered: &BTreeSet<Cell>,
) -> Option<Candidate<'a>> {
    let finding = &found.finding;
    let layer = layer::of(finding)?;
    let breaks = found.breaks.clone().unwrap_or_else(|| layer::breaks(finding));
    let predicted = |cells: &BTreeSet<Cell>| -> BTreeSet<Cell> {
        let predicts = |(source, target, large): &&Cell| breaks.predicts(source, target, *large);
        cells.iter().filter(predicts).cloned().collect()
    };
    let explained = predicted(failed);
    let contradicted = predicted(answered);
    Some(Candidate {
        finding,
        layer,
        breaks,
        explained,
        contradicted,
    })
}

/// Findings about Services and the way out, which a broken lower layer fakes.
const SYMPTOMS: &[(&str, Layer)] = &[
    ("net-svc", Layer::Service),
    ("net-svc-ratio", Layer::Service),
    ("net-svc-name", Layer::Service),
    ("net-np", Layer::Service),
    ("net-lb", Layer::Service),
    ("net-kubelet", Layer::Service),
    ("net-preflight-pod", Layer::Service),
    ("net-egr", Layer::Egress),
    ("net-egr-ip", Layer::Egress),
];

/// The symptoms above a cause that it accounts for.
fn symptoms<'a>(cause: &Candidate<'a>, found: &'a [Found]) -> impl Iterator<Item = &'a Finding> {
    let id = cause.finding.id.as_str();
    let below = cause.layer <= Layer::Way
        && (!cause.explained.is_empty() || ["net-n-defrt", "net-n2n"].contains(&id));
    let layer = cause.layer;
    let namespace = namespace(&cause.finding.subject).map(str::to_owned);
    let own = cause.finding;
    found.iter().map(|found| &found.finding).filter(move |finding| {
        let Some((_, of)) = SYMPTOMS.iter().find(|(id, _)| *id == finding.id) else {
            return false;
        };
        let same_place = namespace.is_some() && self::namespace(&finding.subject) == namespace.as_deref();
        finding.severity == Severity::Error
            && !std::ptr::eq(*finding, own)
            && (below
                || is_of_pods(&cause.breaks, &finding.subject)
                || (layer == Layer::Policy && same_place)
                || (layer >= *of && finding.id != own.id && !is_measured(own)))
    })
}

/// Whether what is tried of this pod fails because of it.
fn is_of_pods(breaks: &Breaks, subject: &Subject) -> bool {
    matches!(breaks, Breaks::Pods { pods } if pods.contains(subject))
}

fn namespace(subject: &Subject) -> Option<&str> {
    match subject {
        Subject::Object { namespace, .. } => namespace.as_deref(),
        Subject::NodePair { .. } | Subject::Cluster => None,
    }
}

/// Whether something that could be a cause is one here: a policy stops what it is meant to stop, and is a cause only of
/// what was seen to fail behind it; except for what cannot be meant.
fn is_cause(candidate: &Candidate<'_>, found: &[Found]) -> bool {
    candidate.layer != Layer::Policy
        || candidate.finding.severity == Severity::Error
        || symptoms(candidate, found).next().is_some()
        || MISTAKES.contains(&candidate.finding.id.as_str())
}

/// Whether a candidate is a consequence of a cause that was accepted before it: it explains nothing of its own, and it is
/// about the same place on a higher layer, or about the same thing.
fn accounts_for(cause: &Candidate<'_>, candidate: &Candidate<'_>, is_new: bool) -> bool {
    let (lower, higher) = (cause.finding, candidate.finding);
    // Between the parts of the cluster's DNS that are wrong there are several objects: a Corefile, the pods that read it, their Service.
    let are_of_dns = cause.layer == Layer::Names && candidate.layer == Layer::Names;
    // What is wrong with the CNI of the whole cluster shows on each of its nodes.
    let is_wide = is_of_cni(&lower.id) && !is_node(&lower.subject);
    if lower.explains.contains(&higher.id) && (lower.subject == higher.subject || are_of_dns || is_wide) {
        return true;
    }
    let is_behind = |finding: &Finding| NOTHING_BEHIND.contains(&finding.id.as_str());
    if is_behind(lower) && is_behind(higher) && lower.subject == higher.subject {
        return true;
    }
    let is_same_node = lower.subject == higher.subject;
    if is_same_node
        && !is_measured(lower)
        && ((higher.id == "net-n2n" && SILENCING.contains(&lower.id.as_str()))
            || (higher.id == "net-gw" && cause.layer <= Layer::Forwarding))
    {
        return true;
    }
    if is_new || cause.layer > candidate.layer {
        return false;
    }
    // What probes say of a pod follows from what was read in it.
    if cause.layer < candidate.layer && is_of_pods(&cause.breaks, &higher.subject) {
        return true;
    }
    let shares = candidate
        .explained
        .intersection(&cause.explained)
        .next()
        .is_some();
    if !candidate.explained.is_empty() {
        return shares
            && (cause.layer < candidate.layer || lower.subject == higher.subject || lower.id == higher.id);
    }
    let is_symptom = SYMPTOMS.iter().any(|(id, _)| *id == higher.id);
    if is_symptom && cause.layer <= Layer::Way && (!cause.explained.is_empty() || lower.id == "net-n2n") {
        return true;
    }
    let same_namespace =
        namespace(&lower.subject).is_some() && namespace(&lower.subject) == namespace(&higher.subject);
    if is_symptom && cause.layer == Layer::Policy && same_namespace {
        return true;
    }
    // It explains no probe: beside a cause on the same node that lies lower it is what follows from it.
    cause.layer < candidate.layer && lower.subject == higher.subject && !cause.explained.is_empty()
}

fn root_cause(
    view: &View<'_>,
    cause: &Candidate<'_>,
    consequences: &[&Finding],
    found: &[Found],
    checks: &[CheckResult],
) -> RootCause {
    let finding = cause.finding;
    let mut explains: Vec<String> = consequences.iter().map(|finding| finding.id.clone()).collect();
    explains.extend(symptoms(cause, found).map(|symptom| symptom.id.clone()));
    for fault in &view.faults {
        let accounted = fault.pairs.iter().any(|(source, target)| {
            let large =
                !fault.protocols.contains(&Protocol::Tcp) && fault.protocols.contains(&Protocol::Bulk);
            cause.breaks.predicts(source, target, large)
        });
        if accounted && fault.severity > Severity::Note {
            explains.push(deciding_check(fault).to_owned());
            explains.extend(explained_checks(fault));
            // The same pairs, one by one.
            let pairs = found.iter().map(|found| &found.finding.id);
            explains.extend(pairs.filter(|id| *id == "cni-overlay").take(1).cloned());
        }
    }
    explains.extend(finding.explains.iter().cloned());
    explains.retain(|id| *id != finding.id);
    explains.sort();
    explains.dedup();
    RootCause {
        id: finding.id.clone(),
        summary: finding.summary.clone(),
        subject: finding.subject.clone(),
        confidence: confidence(cause),
        evidence: finding.evidence.clone(),
        explains,
        ruled_out: look_alikes::ruled_out(finding, checks, view),
        fix: finding.hint.clone(),
        verify: Some(verify(cause)),
    }
}

fn confidence(cause: &Candidate<'_>) -> Confidence {
    let (explained, contradicted) = (cause.explained.len(), cause.contradicted.len());
    let certain = |reason: String| Confidence::Certain { reason };
    if cause.finding.severity != Severity::Error {
        return Confidence::Likely {
            reason: "it is so, and whether it does harm depends on what is not seen from here".to_owned(),
        };
    }
    if is_measured(cause.finding) {
        return Confidence::Likely {
            reason: "the probes show it; the device or the rule that does it was not seen".to_owned(),
        };
    }
    match (explained, contradicted) {
        (0, 0) => certain("it was read where it is, and needs no probe to be seen".to_owned()),
        (0, _) => Confidence::Likely {
            reason: "it was read where it is, but the probes that should fail because of it were answered: something \
                     repaired it meanwhile, or it does harm only later"
                .to_owned(),
        },
        (_, 0) => certain("it was read where it is, and every probe that it breaks failed".to_owned()),
        (explained, contradicted) => Confidence::Likely {
            reason: format!(
                "it was read where it is, and {explained} of the {} probes that it should break failed",
                explained + contradicted
            ),
        },
    }
}

/// What shows that a repair worked.
fn verify(cause: &Candidate<'_>) -> String {
    if let Subject::Object {
        kind,
        name,
        namespace: Some(namespace),
    } = &cause.finding.subject
        && cause.finding.id.starts_with("ep-")
    {
        let named = match kind.as_str() {
            "service" => Some(name.clone()),
            // What sends to Services is asked about as such.
            "ingress" => Some(format!("{kind}/{name}")),
            kind if kind.ends_with("route") => Some(format!("{kind}/{name}")),
            _ => None,
        };
        if let Some(named) = named {
            return format!("kubectl epcheck svc {} -n {}", word(&named), word(namespace));
        }
    }
    let id = cause.finding.id.as_str();
    match cause.layer {
        Layer::Service if id.starts_with("ep-kp-") => "kubectl epcheck proxy".to_owned(),
        Layer::Service if id.starts_with("ep-ct") => "kubectl epcheck conntrack --node-access".to_owned(),
        // Which Services `netcheck service` tries is its own choice; the rules of all are read here.
        Layer::Service if id.starts_with("ep-rule-") => "kubectl epcheck rules --node-access".to_owned(),
        Layer::Service => "kubectl netcheck service".to_owned(),
        Layer::Egress => "kubectl netcheck egress".to_owned(),
        Layer::Names => "kubectl dnscheck".to_owned(),
        Layer::Policy => match namespace(&cause.finding.subject) {
            Some(namespace) => format!("kubectl netcheck policy -n {}", word(namespace)),
            None => "kubectl netcheck policy -A".to_owned(),
        },
        _ if is_of_cni(id) => "kubectl cnicheck diagnose --node-access".to_owned(),
        _ if cause.explained.is_empty() => "kubectl netcheck diagnose --node-access".to_owned(),
        _ => "kubectl netcheck pod-to-pod".to_owned(),
    }
}

/// The probes that failed. ICMP alone says nothing, and bulk data is apart: it fails where small packets pass.
fn failed(view: &View<'_>) -> BTreeSet<Cell> {
    cells(view, |state| {
        state.is_failed() || matches!(state, report::CellState::Flaky { .. })
    })
}

fn answered(view: &View<'_>, failed: &BTreeSet<Cell>) -> BTreeSet<Cell> {
    let mut answered = cells(view, report::CellState::is_ok);
    answered.retain(|cell| !failed.contains(cell));
    answered
}

fn cells(view: &View<'_>, wanted: impl Fn(&report::CellState) -> bool) -> BTreeSet<Cell> {
    view.entries
        .iter()
        .filter(|(key, entry)| key.protocol != Protocol::Icmp && wanted(&entry.state))
        .map(|(key, _)| {
            (
                key.source.to_owned(),
                key.target.to_owned(),
                key.protocol == Protocol::Bulk,
            )
        })
        .collect()
}
