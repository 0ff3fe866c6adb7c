//! What is worst, and what follows: the facts of the first minutes, put together.

use std::collections::BTreeMap;

use observation::PodAddresses;
use report::{Observed, Protocol};

use super::Cnis;
use super::cni_node_cond::is_network;
use super::room::{FULL, room};
use crate::underlay::Sign;
use crate::view::View;

/// How many of something work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) well: usize,
    pub(super) all: usize,
}

impl Share {
    fn count(states: impl Iterator<Item = bool>) -> Self {
        states.fold(Self::default(), |share, well| Self {
            well: share.well + usize::from(well),
            all: share.all + 1,
        })
    }

    /// Whether there are some and none works.
    pub(super) fn is_none(self) -> bool {
        self.all > 0 && self.well == 0
    }

    pub(super) fn is_whole(self) -> bool {
        self.well == self.all
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.well, self.all)
    }
}

/// Nodes on which a pod of the CNI is ready; `None` where that is not known or none is needed.
pub(super) fn controllers(scene: &Cnis<'_>) -> Option<Share> {
    scene.facts.pods.seen()?;
    if scene.primaries().is_empty() {
        return None;
    }
    let nodes = scene
        .nodes
        .iter()
        .filter(|node| scene.joining(&node.name).is_none());
    Some(Share::count(nodes.map(|node| {
        scene
            .pods_on(&node.name)
            .any(|pod| pod.ready && !pod.product.is_meta())
    })))
}

/// Nodes that say that their network is ready.
pub(super) fn networks(scene: &Cnis<'_>) -> Share {
    Share::count(scene.nodes.iter().map(|node| {
        let ready = node.ready.as_ref();
        let unavailable = scene
            .state(&node.name)
            .and_then(|state| state.network_unavailable.as_ref());
        ready.is_none_or(|ready| ready.status != "Unknown" && (ready.status == "True" || !is_network(ready)))
            && unavailable.is_none_or(|unavailable| unavailable.status != "True")
    }))
}

/// DNS pods that are ready; `None` where they were not looked at.
pub(super) fn names(view: &View<'_>) -> Option<Share> {
    let dns = view.observation.dns.as_deref()?;
    let pods = dns.pods.seen()?;
    Some(Share::count(pods.iter().map(|pod| pod.ready)))
}

/// Ordered pairs of nodes that answer each other without a pod network.
pub(super) fn between_nodes(view: &View<'_>) -> Option<Share> {
    let underlay = view.observation.underlay.as_ref()?;
    let ways = crate::underlay::between_nodes(underlay);
    let known = ways
        .into_values()
        .map(|way| way.sign())
        .filter(|sign| *sign != Sign::Unknown);
    let share = Share::count(known.map(|sign| sign == Sign::Seen));
    (share.all > 0).then_some(share)
}

/// Ordered pairs of different nodes, and pairs of a node with itself, whose pods answer each other.
pub(super) fn between_pods(view: &View<'_>) -> Option<(Share, Share)> {
    view.observation.mesh.as_ref()?;
    let mut pairs: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for (key, entry) in &view.entries {
        if key.protocol == Protocol::Tcp && (entry.state.is_ok() || entry.state.is_failed()) {
            *pairs.entry((key.source, key.target)).or_default() |= entry.state.is_ok();
        }
    }
    let of = |same: bool| {
        let own = pairs
            .iter()
            .filter(|((source, target), _)| (source == target) == same);
        Share::count(own.map(|(_, well)| *well))
    };
    Some((of(false), of(true)))
}

/// Nodes that have no addresses left, or nearly none.
pub(super) fn out_of_addresses<'a>(view: &View<'_>, scene: &Cnis<'a>) -> Vec<&'a str> {
    if !scene.uses_pod_cidrs() || scene.facts.cluster_pods.seen().is_none() {
        return Vec::new();
    }
    let is_full =
        |node: &&&'a observation::Node| room(view, scene, node).is_some_and(|room| room.share() >= FULL);
    scene
        .nodes
        .iter()
        .filter(is_full)
        .map(|node| node.name.as_str())
        .collect()
}

/// Pods that are not ready and are to be, by why. Those that have ended are none, and those whose containers end again and again are.
pub(super) fn not_ready<'a>(scene: &Cnis<'a>) -> BTreeMap<&'a str, Vec<&'a PodAddresses>> {
    let mut by_reason: BTreeMap<&str, Vec<&PodAddresses>> = BTreeMap::new();
    if let Observed::Seen(pods) = &scene.facts.cluster_pods {
        for pod in pods
            .iter()
            .filter(|pod| !pod.ready && !pod.has_ended() && pod.deleted.is_none())
        {
            let reason = pod.reason.as_deref().unwrap_or("not ready");
            by_reason.entry(reason).or_default().push(pod);
        }
    }
    by_reason
}
