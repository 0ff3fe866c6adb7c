//! Why nothing behind a Service gets traffic: one reason each, the one that a repair begins with.

use netmodel::policy::{Labels, Near, Selector, nearest};
use observation::{BackendPod, BackendWorkload};

use super::case::Case;
use super::scene::Scene;
use observation::selects;

/// One reason.
#[derive(Debug)]
pub(super) enum Lack<'a> {
    /// It has no selector, and nobody wrote slices with addresses.
    Manual,
    /// What makes its pods wants none.
    ScaledToZero(&'a BackendWorkload),
    /// What makes its pods wants some, and there is none.
    NoPods(&'a BackendWorkload),
    /// Its selector selects no pod, and nearly some.
    Near(Box<Near>),
    /// Its selector selects no pod of its namespace, and this one of another.
    Elsewhere(&'a BackendPod),
    /// Its selector selects nothing, and nothing is near.
    NoMatch,
    /// It has pods, and none is ready.
    NotReady,
    /// It has ready pods, and its slices do not say so.
    Stale,
    /// It has no endpoint, and what would say why was not seen.
    Unknown,
}

/// Why nothing behind a Service gets traffic.
pub(super) fn lack<'a>(scene: &Scene<'a>, case: &Case<'a>) -> Option<Lack<'a>> {
    let facts = scene.facts;
    let (slices, pods) = (facts.slices.seen().is_some(), facts.pods.seen().is_some());
    if !case.has_endpoints() || (!slices && !pods) || (!slices && !case.is_selecting()) || case.is_backed() {
        return None;
    }
    if !case.is_selecting() {
        return Some(Lack::Manual);
    }
    if !pods {
        return Some(Lack::Unknown);
    }
    if case.ready_pods() > 0 {
        return Some(Lack::Stale);
    }
    if !case.candidates.is_empty() {
        return Some(Lack::NotReady);
    }
    Some(without_pods(scene, case))
}

fn without_pods<'a>(scene: &Scene<'a>, case: &Case<'a>) -> Lack<'a> {
    let service = case.service;
    // Whose template has these labels was meant, whatever else is near.
    let own = scene.workloads_of(&service.namespace).iter();
    let own: Vec<&&BackendWorkload> = own
        .filter(|workload| selects(&service.selector, &workload.template_labels))
        .collect();
    if let Some(wanting) = own.iter().find(|workload| workload.wanted > 0) {
        return Lack::NoPods(wanting);
    }
    if let Some(none) = own.first() {
        return Lack::ScaledToZero(none);
    }
    if let Some(near) = near(scene, case) {
        return Lack::Near(Box::new(near));
    }
    if let Some(pod) = scene.selected_elsewhere(service) {
        return Lack::Elsewhere(pod);
    }
    if scene.facts.workloads.seen().is_some() {
        Lack::NoMatch
    } else {
        Lack::Unknown
    }
}

fn near(scene: &Scene<'_>, case: &Case<'_>) -> Option<Near> {
    let service = case.service;
    let selector = Selector {
        match_labels: service.selector.clone(),
        match_expressions: Vec::new(),
    };
    let pods = scene.kinds_of(&service.namespace).iter();
    let pods = pods.map(|pod| (format!("pod/{}", pod.name), &pod.labels));
    let templates = scene.workloads_of(&service.namespace).iter();
    let templates = templates.map(|it| (format!("{}/{}", it.kind, it.name), &it.template_labels));
    let all: Vec<(String, &Labels)> = pods.chain(templates).collect();
    nearest(&selector, all)
}
