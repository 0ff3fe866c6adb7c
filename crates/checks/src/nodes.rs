//! What nodes show, side by side: much of it is only wrong because the others have it otherwise.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use ipnet::IpNet;
use observation::{Link, Node, NodeEvidence, NodeReads, Route, Vxlan};
use report::{Gap, GapReason, Observed};

use crate::check::Judgement;
use crate::view::View;

/// The main routing table.
const MAIN: u32 = 254;

/// What was read of nodes.
#[derive(Debug)]
pub(crate) struct Nodes<'a> {
    pub(crate) evidence: BTreeMap<&'a str, &'a NodeEvidence>,
    objects: BTreeMap<&'a str, &'a Node>,
    /// Nodes that were to be read and were not.
    pub(crate) gaps: Vec<Gap>,
}

/// One part of what was read, of all nodes.
#[derive(Debug)]
pub(crate) struct Part<'a, T> {
    pub(crate) seen: Vec<(&'a str, &'a T)>,
    pub(crate) gaps: Vec<Gap>,
}

impl<'a> Nodes<'a> {
    /// The nodes that were read, or the judgement of a check that needs them and has none.
    pub(crate) fn of(view: &View<'a>) -> Result<Self, Judgement> {
        let observation = view.observation;
        match &observation.node_reading {
            None => return Err(Judgement::not_asked()),
            Some(Observed::Unseen(gap)) if gap.why == GapReason::TierNotAllowed => {
                return Err(Judgement::skipped(gap.message.clone()));
            }
            Some(Observed::Unseen(gap)) => {
                return Err(Judgement {
                    gaps: vec![gap.clone()],
                    ..Judgement::default()
                });
            }
            Some(Observed::Seen(())) => {}
        }
        let evidence = &observation.node_evidence;
        Ok(Self {
            evidence: evidence
                .iter()
                .filter_map(|(node, evidence)| Some((node.as_str(), evidence.seen()?)))
                .collect(),
            objects: view.nodes(),
            gaps: evidence.values().filter_map(Observed::gap).cloned().collect(),
        })
    }

    /// One part of what was read before the probes, or the judgement of a check that needs it where the rights of the
    /// run do not reach so far.
    pub(crate) fn part<T>(
        &self,
        part: impl Fn(&'a NodeReads) -> &'a Observed<T>,
    ) -> Result<Part<'a, T>, Judgement> {
        let mut all = Part {
            seen: Vec::new(),
            gaps: self.gaps.clone(),
        };
        let mut not_allowed = None;
        for (node, evidence) in &self.evidence {
            match part(&evidence.before) {
                Observed::Seen(value) => all.seen.push((*node, value)),
                Observed::Unseen(gap) if gap.why == GapReason::TierNotAllowed => not_allowed = Some(gap),
                Observed::Unseen(gap) => all.gaps.push(gap.clone()),
            }
        }
        match not_allowed {
            Some(gap) if all.seen.is_empty() => Err(Judgement::skipped(match &gap.hint {
                Some(hint) => format!("{}: {hint}", gap.message),
                None => gap.message.clone(),
            })),
            Some(gap) => {
                all.gaps.push(gap.clone());
                Ok(all)
            }
            None => Ok(all),
        }
    }

    /// The object of a node.
    pub(crate) fn object(&self, node: &str) -> Option<&'a Node> {
        self.objects.get(node).copied()
    }

    /// All nodes of the cluster, read or not.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &'a Node> {
        self.objects.values().copied()
    }

    /// The links of a node before the probes.
    pub(crate) fn links(&self, node: &str) -> Option<&'a [Link]> {
        let evidence = self.evidence.get(node)?;
        evidence.before.links.seen().map(Vec::as_slice)
    }

    /// The tunnel of a node that carries pods: the VXLAN device whose addresses or routes belong to pods.
    pub(crate) fn tunnel(&self, node: &str) -> Option<(&'a Link, &'a Vxlan)> {
        let routes = self.evidence.get(node)?.before.routes.seen();
        let carries = |link: &Link| {
            let leads = routes.into_iter().flatten().any(|route| {
                route.device.as_deref() == Some(link.name.as_str()) && self.is_pod_network(&route.destination)
            });
            leads
                || link
                    .addresses
                    .iter()
                    .any(|address| self.owner_of(address.address).is_some())
        };
        let tunnels = self
            .links(node)?
            .iter()
            .filter_map(|link| Some((link, link.vxlan.as_ref()?)));
        tunnels.into_iter().find(|(link, _)| carries(link))
    }

    /// The bridge that joins the pods of a node: it has an address of the node's own pod network.
    pub(crate) fn bridge(&self, node: &str) -> Option<&'a Link> {
        let cidrs = pod_cidrs(self.object(node)?);
        self.links(node)?.iter().find(|link| {
            link.kind.as_deref() == Some("bridge")
                && link
                    .addresses
                    .iter()
                    .any(|address| cidrs.iter().any(|cidr| cidr.contains(&address.address)))
        })
    }

    fn is_pod_network(&self, destination: &str) -> bool {
        let destination: Option<IpNet> = destination.parse().ok();
        destination.is_some_and(|destination| {
            self.objects()
                .flat_map(pod_cidrs)
                .any(|cidr| cidr.network() == destination.network())
        })
    }

    /// The node whose pod network an address is of.
    pub(crate) fn owner_of(&self, address: IpAddr) -> Option<&'a Node> {
        self.objects()
            .find(|node| pod_cidrs(node).iter().any(|cidr| cidr.contains(&address)))
    }
}

/// `spec.podCIDRs` of a node, as far as they are networks.
pub(crate) fn pod_cidrs(node: &Node) -> Vec<IpNet> {
    node.pod_cidrs
        .iter()
        .filter_map(|cidr| cidr.parse().ok())
        .collect()
}

/// The route that the kernel takes in the main table: the longest prefix, then the smallest metric.
pub(crate) fn best_route(routes: &[Route], address: IpAddr) -> Option<&Route> {
    let matching = routes.iter().filter_map(|route| {
        let network: IpNet = route.destination.parse().ok()?;
        let fits = route.table == MAIN && network.contains(&address);
        fits.then_some((network.prefix_len(), route))
    });
    matching
        .min_by_key(|(prefix, route)| (std::cmp::Reverse(*prefix), route.metric))
        .map(|(_, route)| route)
}

/// Whether a route is that of the whole world.
pub(crate) fn is_default(route: &Route) -> bool {
    route.destination.ends_with("/0")
}

/// The value that most have, if more than half of them do.
pub(crate) fn majority<T: Ord + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    let mut all = 0;
    for value in values {
        *counts.entry(value).or_default() += 1;
        all += 1;
    }
    let (value, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count * 2 > all).then_some(value)
}

/// A route as `ip route` prints it.
pub(crate) fn shown(route: &Route) -> String {
    let mut text = String::new();
    if route.kind != "unicast" {
        text.push_str(&route.kind);
        text.push(' ');
    }
    text.push_str(&route.destination);
    if let Some(gateway) = route.gateway {
        let _ = write!(text, " via {gateway}");
    }
    if let Some(device) = &route.device {
        let _ = write!(text, " dev {device}");
    }
    if route.on_link {
        text.push_str(" onlink");
    }
    text
}
