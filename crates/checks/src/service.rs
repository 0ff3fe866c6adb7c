//! Checks of Services: whether they answer by each way in, and which part does not. One file each, named as the check.

pub(crate) mod net_hostport;
pub(crate) mod net_lb;
pub(crate) mod net_mesh_sidecar;
pub(crate) mod net_np;
pub(crate) mod net_perf;
pub(crate) mod net_perf_res;
pub(crate) mod net_preflight_pod;
pub(crate) mod net_svc;
pub(crate) mod net_svc_name;
pub(crate) mod net_svc_probe;
pub(crate) mod net_svc_ratio;
pub(crate) mod net_svc_xns;

pub use net_perf::slow_nodes;
pub use net_perf_res::NETWORK_NAMESPACES;

use std::collections::BTreeSet;

use netprobe::Outcome;
use observation::{Reach, Source, Topic};
use report::{Evidence, Gap};

use crate::check::Judgement;
use crate::shell::word;
use crate::tries::{Row, gaps, kind_name, services_gaps, source_name, way};
use crate::view::View;

/// What Services are judged for.
const TOPICS: &[Topic] = &[Topic::Service, Topic::External, Topic::ControlPlane, Topic::Path];

/// The gaps that every check of Services has.
fn all_gaps(view: &View<'_>, reach: &Reach) -> Vec<Gap> {
    let mut all = services_gaps(reach);
    all.extend(gaps(view, reach));
    all
}

/// What ways in and names are judged for.
const WAYS_IN: &[Topic] = &[Topic::Service, Topic::External, Topic::Path];

/// A check that a part of the observation decides, where one of these topics was asked about.
fn judged(
    view: &View<'_>,
    topics: &[Topic],
    judge: impl FnOnce(&Reach) -> Vec<report::Finding>,
) -> Judgement {
    let Some(reach) = crate::tries::about(view, topics) else {
        return Judgement::not_asked();
    };
    Judgement {
        findings: judge(reach),
        gaps: all_gaps(view, reach),
        ..Judgement::default()
    }
}

/// What was seen of a row: from where it failed, and how.
pub(crate) fn evidence(row: &Row<'_>) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for (source, cell) in &row.from {
        let Some(failure) = cell.state.failure() else {
            continue;
        };
        if crate::tries::is_right(cell.attempt, &cell.state) != Some(false) {
            continue;
        }
        evidence.push(Evidence::probe(failure.detail.clone(), label(row, source)));
    }
    // Where it should not have answered.
    for (source, cell) in &row.from {
        if cell.state.is_ok() && crate::tries::is_right(cell.attempt, &cell.state) == Some(false) {
            evidence.push(Evidence::probe("it answers", label(row, source)));
        }
    }
    evidence
}

/// What was seen to work of a row: one piece of evidence for all sources.
pub(crate) fn works(row: &Row<'_>) -> Option<Evidence> {
    let right = row.right();
    let source = right.first()?;
    let from = names(&right);
    Some(Evidence::probe(
        format!("as it should, from {from}"),
        label(row, source),
    ))
}

/// An attempt as evidence names it: `tcp node1 → ClusterIP 10.96.0.7:80`.
pub(crate) fn label(row: &Row<'_>, source: &Source) -> String {
    format!(
        "{} {} → {} {}",
        kind_name(&row.sample.kind),
        source_name(source),
        way(&row.sample.purpose),
        row.sample.address
    )
}

/// Some sources in a few words.
pub(crate) fn names(sources: &[&Source]) -> String {
    let names: Vec<String> = sources.iter().map(|source| source_name(source)).collect();
    match names.as_slice() {
        few if few.len() <= 3 => few.join(", "),
        many => format!("{} and {} more", many[..2].join(", "), many.len() - 2),
    }
}

/// How it fails, in words that fit behind a subject: `refuses connections`.
pub(crate) fn manner(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Refused { .. }) => "refuses connections",
        Some(Outcome::HostUnreachable { .. }) => "cannot be reached (no route to host)",
        Some(Outcome::NetUnreachable { .. }) => "cannot be reached (network is unreachable)",
        Some(Outcome::LocalError { .. }) => "cannot be sent to",
        Some(Outcome::Stalled { .. }) => "takes connections and then says nothing",
        Some(Outcome::Reset { .. }) => "resets connections",
        Some(Outcome::WrongPeer { .. }) => "answers with something else",
        Some(Outcome::Dns { .. } | Outcome::Http { .. }) => "answers with an error",
        Some(
            Outcome::TimedOut { .. }
            | Outcome::Ok { .. }
            | Outcome::Train { .. }
            | Outcome::Size { .. }
            | Outcome::NotPermitted { .. },
        )
        | None => "does not answer",
    }
}

/// The nodes of some sources.
fn nodes_of<'a>(sources: &[&'a Source]) -> BTreeSet<&'a str> {
    sources.iter().filter_map(|source| source.node()).collect()
}

/// Commands that show a Service as it is.
fn show_service(service: &observation::Service) -> String {
    format!(
        "kubectl get endpointslices -n {} -l kubernetes.io/service-name={}",
        word(&service.namespace),
        word(&service.name)
    )
}

/// The pod of kube-proxy on a node.
fn proxy_of(node: &str) -> String {
    format!(
        "kubectl get pods -n kube-system -l k8s-app=kube-proxy -o wide --field-selector spec.nodeName={}",
        word(node)
    )
}
