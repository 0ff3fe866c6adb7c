//! Services whose slices differ from their pods, in one look and in two.

use std::collections::{BTreeMap, BTreeSet};

use observation::{BackendPod, EndpointSlice, Observation, SecondLook, selects};

use super::case::Case;
use super::expected::{Difference, differences};
use super::scene::{Scene, seen};
use super::time::seconds;

/// So long it may take until slices follow their pods, in seconds.
const SETTLED: i64 = 30;

/// A difference that was there in both looks.
#[derive(Debug)]
pub(super) struct Stable {
    pub(super) difference: Difference,
    /// Whether it is older than a change may take; otherwise it was only seen twice.
    pub(super) is_old: bool,
}

/// The Services whose EndpointSlices differ from their pods, by namespace and name. One look does not tell what is late from what is
/// stuck: they are to be read again after some seconds (`cluster::Cluster::second_look`). After thirty, every difference counts; before,
/// those that are older by what the pods say of themselves.
pub fn wanted_second_look(observation: &Observation) -> BTreeSet<(String, String)> {
    let Some(scene) = Scene::of(observation) else {
        return BTreeSet::new();
    };
    if scene.facts.pods.seen().is_none() || scene.facts.slices.seen().is_none() {
        return BTreeSet::new();
    }
    let differing = scene.cases.iter().filter(|case| !first(case).is_empty());
    differing
        .map(|case| (case.service.namespace.clone(), case.service.name.clone()))
        .collect()
}

/// The differences of the first look.
pub(super) fn first(case: &Case<'_>) -> BTreeSet<Difference> {
    if case.is_selecting() {
        differences(case.service, &case.candidates, &case.slices)
    } else {
        BTreeSet::new()
    }
}

/// Those that are still there in the second look.
pub(super) fn stable(scene: &Scene<'_>, case: &Case<'_>, second: &SecondLook) -> Vec<Stable> {
    let service = case.service;
    let is_own = |slice: &&EndpointSlice| {
        slice.namespace == service.namespace && slice.service.as_deref() == Some(&service.name)
    };
    let slices: Vec<&EndpointSlice> = seen(&second.slices).iter().filter(is_own).collect();
    let is_candidate = |pod: &&BackendPod| {
        pod.namespace == service.namespace && selects(&service.selector, &pod.labels) && !pod.has_ended()
    };
    let pods: Vec<&BackendPod> = seen(&second.pods).iter().filter(is_candidate).collect();
    let again = differences(service, &pods, &slices);
    let read_at = &scene.facts.read_at;
    let apart = seconds(Some(read_at), &second.read_at).unwrap_or(0);
    let by_name: BTreeMap<&str, &BackendPod> = case
        .candidates
        .iter()
        .map(|pod| (pod.name.as_str(), *pod))
        .collect();
    first(case)
        .intersection(&again)
        .map(|difference| {
            let pod = difference.pod().and_then(|name| by_name.get(name));
            Stable {
                difference: difference.clone(),
                is_old: apart >= SETTLED || pod.is_some_and(|pod| is_settled(pod, read_at)),
            }
        })
        .collect()
}

/// Whether a pod says of itself that nothing has changed for long enough. The time of its deletion is that by which it has to be gone.
fn is_settled(pod: &BackendPod, read_at: &str) -> bool {
    let moments = [&pod.created, &pod.ready_since, &pod.deleted];
    let mut ages = moments
        .into_iter()
        .flatten()
        .map(|moment| seconds(Some(moment), read_at));
    pod.created.is_some() && ages.all(|age| age.is_some_and(|age| age >= SETTLED))
}
