//! Addresses that are held for pods which are gone.

use std::collections::BTreeSet;

use observation::HeldAddress;
use report::{Gap, Observed};

use super::scene::Scene;

/// Fewer than so many may belong to pods that end at the moment.
const FEW: usize = 5;
/// So many hundredths of what is given away are few as well.
const SHARE: usize = 5;

/// What is held for nobody.
#[derive(Debug)]
pub(crate) struct Leak<'a> {
    pub(crate) addresses: Vec<&'a HeldAddress>,
    /// How many are held for pods altogether.
    pub(crate) held: usize,
}

impl Leak<'_> {
    /// Whether it is more than comes and goes.
    pub(crate) fn is_much(&self) -> bool {
        let count = self.addresses.len();
        count > FEW && count * 100 > self.held * SHARE
    }
}

/// Addresses whose pods are not in the list of pods; the gap where that was not read.
pub(crate) fn find<'a>(scene: &Scene<'a>) -> Result<Leak<'a>, &'a Gap> {
    let pods = match &scene.cni.cluster_pods {
        Observed::Seen(pods) => pods,
        Observed::Unseen(gap) => return Err(gap),
    };
    let there: BTreeSet<(&str, &str)> = pods
        .iter()
        .map(|pod| (pod.namespace.as_str(), pod.name.as_str()))
        .collect();
    let blocks = scene.calico.blocks.seen().into_iter().flatten();
    let held: Vec<&HeldAddress> = blocks.flat_map(|block| &block.held).collect();
    let is_gone = |held: &&HeldAddress| {
        let (namespace, name) = held.pod.split_once('/').unwrap_or(("", &held.pod));
        !there.contains(&(namespace, name))
    };
    Ok(Leak {
        held: held.len(),
        addresses: held.into_iter().filter(is_gone).collect(),
    })
}
