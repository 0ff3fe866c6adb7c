//! What the API says that kube-proxy's rules should be, and where those of a node differ.
//!
//! Both are looked at twice. What differs in one pair of looks only is a change on its way.

mod api;
mod difference;
mod made;
mod place;
mod wanted;

use std::collections::BTreeSet;

use netmodel::rules::{ProxyMode, proxy_modes};
use observation::{Backends, EndpointSlice, Service};
use report::{Evidence, Gap, Observed};

use self::api::Api;
pub(super) use self::difference::{Difference, Kind, addresses};
pub(super) use self::place::Place;
pub(super) use self::place::number as protocol_number;
use self::wanted::Slices;
use crate::check::Judgement;
use crate::firewall::{Firewall, gaps, skipped};
use crate::shell::on_node;
use crate::view::View;

/// A rule for a port that no Service has.
#[derive(Clone, Debug)]
pub(super) struct Leftover {
    /// As `10.96.0.10 port 53`, `NodePort 30080`.
    pub(super) at: String,
    pub(super) name: Option<String>,
    /// The Service that has this address now.
    pub(super) taken: Option<String>,
}

/// The rules of one node, held against the API.
#[derive(Debug)]
pub(super) struct Compared<'v, 'a> {
    pub(super) firewall: &'v Firewall<'a>,
    pub(super) differences: &'v [Difference<'a>],
    pub(super) leftovers: &'v [Leftover],
}

/// What was found on one node; kept with the view, because many checks ask for it.
#[derive(Debug)]
pub(crate) struct OnNode<'a> {
    /// Of the view's list.
    index: usize,
    is_ipvs: bool,
    differences: Vec<Difference<'a>>,
    leftovers: Vec<Leftover>,
}

impl Compared<'_, '_> {
    /// Whether kube-proxy of the node no longer follows what the API says: its rules are those of another time. What a hand
    /// bent looks alike, and is told by the two rules of the endpoint's chain.
    pub(super) fn is_stale(&self) -> bool {
        let bent: BTreeSet<String> = self
            .firewall
            .rules
            .sets
            .iter()
            .flat_map(netmodel::rules::bent_endpoints)
            .filter_map(|bent| bent.service)
            .collect();
        self.differences
            .iter()
            .any(|difference| difference.is_behind() && !bent.contains(&difference.name()))
    }

    /// Where the rules stand.
    pub(super) fn rules(&self, fact: String) -> Evidence {
        let looks: &[&str] = match proxy_modes(&self.firewall.rules.sets).first() {
            Some(ProxyMode::Nftables) => &["nft list table ip kube-proxy"],
            Some(ProxyMode::Ipvs(_)) => &["ipvsadm -L -n"],
            Some(ProxyMode::Iptables(_)) | None => &["iptables-save"],
        };
        Evidence::command(fact, on_node(self.firewall.name(), looks))
    }
}

/// What a check says by the rules alone, and what it says by the API.
pub(super) fn both(mut own: Judgement, by_api: Judgement) -> Judgement {
    if by_api.skipped.is_none() {
        own.findings.extend(by_api.findings);
        for gap in by_api.gaps {
            if !own.gaps.contains(&gap) {
                own.gaps.push(gap);
            }
        }
    }
    own
}

/// Judges the rules of every node beside the API; not asked where the API's side was not read for this.
pub(super) fn compared(
    view: &View<'_>,
    judge: impl FnOnce(&[Compared<'_, '_>], &mut Judgement),
) -> Judgement {
    compared_of(view, false, judge)
}

/// The same of nodes on which the kernel's virtual servers lead to endpoints, and not rules.
pub(super) fn compared_ipvs(
    view: &View<'_>,
    judge: impl FnOnce(&[Compared<'_, '_>], &mut Judgement),
) -> Judgement {
    compared_of(view, true, judge)
}

fn compared_of(
    view: &View<'_>,
    is_ipvs: bool,
    judge: impl FnOnce(&[Compared<'_, '_>], &mut Judgement),
) -> Judgement {
    let Some(backends) = view.observation.backends.as_deref() else {
        return Judgement::not_asked();
    };
    if view.observation.node_reading.is_none() {
        return Judgement::not_asked();
    }
    if let Some(judgement) = skipped(view) {
        return judgement;
    }
    let mut judgement = Judgement {
        gaps: gaps(view),
        ..Judgement::default()
    };
    let (services, slices) = match sides(&backends.services, &backends.slices) {
        Ok(sides) => sides,
        Err(gap) => {
            judgement.gaps.push(gap.clone());
            return judgement;
        }
    };
    let nodes = view
        .compared
        .get_or_init(|| compare_all(&view.firewalls, backends, services, slices));
    let all: Vec<Compared<'_, '_>> = nodes
        .iter()
        .filter(|node| node.is_ipvs == is_ipvs)
        .filter_map(|node| {
            Some(Compared {
                firewall: view.firewalls.get(node.index)?,
                differences: &node.differences,
                leftovers: &node.leftovers,
            })
        })
        .collect();
    if all.is_empty() && judgement.gaps.is_empty() {
        return Judgement::skipped(if is_ipvs {
            "no node has kube-proxy in mode ipvs"
        } else if nodes.is_empty() {
            "no node has rules of kube-proxy: something else does its work"
        } else {
            "kube-proxy is in mode ipvs, in which rules lead nowhere"
        });
    }
    judge(&all, &mut judgement);
    judgement
}

fn sides<'a>(
    services: &'a Observed<Vec<Service>>,
    slices: &'a Observed<Vec<EndpointSlice>>,
) -> Result<(&'a [Service], &'a [EndpointSlice]), &'a Gap> {
    match (services, slices) {
        (Observed::Seen(services), Observed::Seen(slices)) => Ok((services, slices)),
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Err(gap),
    }
}

fn compare_all<'a>(
    firewalls: &[Firewall<'a>],
    backends: &'a Backends,
    services: &'a [Service],
    slices: &'a [EndpointSlice],
) -> Vec<OnNode<'a>> {
    let later = backends.second_look.as_ref().and_then(|look| look.slices.seen());
    let looks: Vec<Slices<'a>> = std::iter::once(slices)
        .chain(later.map(Vec::as_slice))
        .map(Slices::new)
        .collect();
    let api = Api::new(backends, services, looks);
    let mut all = Vec::new();
    for (index, firewall) in firewalls.iter().enumerate() {
        // A node without any rule beside others that have some has a finding of its own: ep-rule-missing.
        let modes = proxy_modes(&firewall.rules.sets);
        let is_ipvs = match modes.as_slice() {
            [] => continue,
            modes => modes.iter().all(|mode| matches!(mode, ProxyMode::Ipvs(_))),
        };
        let (differences, leftovers) = api.compare(firewall, is_ipvs);
        all.push(OnNode {
            index,
            is_ipvs,
            differences,
            leftovers,
        });
    }
    all
}

#[cfg(test)]
mod tests;
