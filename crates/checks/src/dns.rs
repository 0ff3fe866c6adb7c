//! Checks of the cluster's DNS by what the API says of it. One file each, named as the check.
//!
//! Nothing here was asked for a name. A cause is read where it is, and its finding accounts for what follows from it.

mod answer;
pub(crate) mod cf;
#[cfg(test)]
pub(crate) mod fixture;
mod log;
mod metrics;
mod resolv;
mod scene;
mod table;

pub(crate) mod dns_crash;
pub(crate) mod dns_deploy;
pub(crate) mod dns_ep;
pub(crate) mod dns_kubelet;
pub(crate) mod dns_locate;
pub(crate) mod dns_log;
pub(crate) mod dns_metrics;
pub(crate) mod dns_nodelocal;
pub(crate) mod dns_pod_config;
pub(crate) mod dns_pod_limits;
pub(crate) mod dns_pod_musl;
pub(crate) mod dns_pod_ndots;
pub(crate) mod dns_pod_ns;
pub(crate) mod dns_pod_policy;
pub(crate) mod dns_pod_resolv;
pub(crate) mod dns_probes;
pub(crate) mod dns_rbac;
pub(crate) mod dns_resources;
pub(crate) mod dns_scale;
pub(crate) mod dns_servfail;
pub(crate) mod dns_svc;

use std::collections::BTreeMap;

use report::{Gap, Observed};

pub(crate) use answer::answer;
pub(crate) use scene::{Scene, sources};
pub(crate) use table::tables;

use crate::check::Judgement;
use crate::view::View;

/// What does not hold where DNS pods do not get ready.
const NOT_READY: [&str; 4] = ["dns-deploy", "dns-ep", "dns-crash", "dns-res-server"];
/// What does not hold where the cluster's own names are not answered.
const OWN_NAMES: [&str; 6] = [
    "dns-res-int",
    "dns-res-svc",
    "dns-res-headless",
    "dns-res-srv",
    "dns-res-ptr",
    "dns-res-podname",
];
/// What does not hold where names outside are not answered.
const OUTSIDE: [&str; 2] = ["dns-res-ext", "dns-up"];

/// What does not hold where servers answer nobody.
const SILENT: [&str; 6] = [
    "dns-res-server",
    "dns-port-udp",
    "dns-port-tcp",
    "dns-5s",
    "dns-replica-diff",
    "dns-lat",
];

/// Ids, as findings hold them.
fn ids(groups: &[&[&str]]) -> Vec<String> {
    groups
        .iter()
        .flat_map(|group| group.iter().map(|id| (*id).to_owned()))
        .collect()
}

/// Makes a check of the cluster's DNS; with gaps of what it needs it may still find.
fn over(view: &View<'_>, judge: impl FnOnce(&Scene<'_>) -> Judgement) -> Judgement {
    match &view.dns {
        Some(scene) => judge(scene),
        None => Judgement::not_asked(),
    }
}

/// The gap of a part, where it was not seen.
fn gap<T>(part: &Observed<T>) -> Option<&Gap> {
    part.gap()
}

/// What most of them are, and of two that are as frequent the first in order.
fn most<T: Ord + Copy>(all: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    let most = *counts.values().max()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == most)
        .map(|(one, _)| one)
}

/// As `2 pods`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// Labels as kubectl takes them: `a=b,c=d`.
fn labels(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    pairs.join(",")
}
