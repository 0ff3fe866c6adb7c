use std::collections::BTreeMap;

use report::{Gap, GapReason, Observed};

use super::Firewall;
use crate::check::Judgement;
use crate::view::View;

/// Why the rules of nodes are not judged at all; `None` when there are any to judge, or a gap says why not.
pub(crate) fn skipped(view: &View<'_>) -> Option<Judgement> {
    match &view.read_nodes {
        Err(judgement) => Some(judgement.clone()),
        Ok(_) if view.observation.node_evidence.is_empty() => {
            Some(Judgement::skipped("no node was to be read"))
        }
        Ok(_) => not_allowed(view).map(Judgement::unread),
    }
}

/// Why no node's rules were read, where the user did not allow as much: that was not asked, rather than not seen.
fn not_allowed<'a>(view: &View<'a>) -> Option<&'a Gap> {
    let mut first = None;
    for evidence in view.observation.node_evidence.values().filter_map(Observed::seen) {
        let gap = evidence.before.iptables.gap()?;
        if gap.why != GapReason::TierNotAllowed {
            return None;
        }
        first.get_or_insert(gap);
    }
    first
}

/// What is missing of the rules of all nodes, one gap for each reason: nodes that could not be read at all, and those of
/// whose rules a part is missing.
pub(crate) fn gaps(view: &View<'_>) -> Vec<Gap> {
    let unread = view.observation.node_evidence.iter();
    let whole = unread.filter_map(|(node, evidence)| Some((node.as_str(), evidence.gap()?)));
    let parts = view
        .firewalls
        .iter()
        .flat_map(|firewall| firewall.gaps.iter().map(|gap| (firewall.name(), gap)));
    let mut by_reason: BTreeMap<String, (Vec<&str>, &Gap)> = BTreeMap::new();
    for (node, gap) in whole.chain(parts) {
        let reason = match gap.why {
            // All nodes are closed to the same look; which part of it was closed matters less.
            GapReason::TierNotAllowed | GapReason::Forbidden { .. } => format!("{:?}", gap.why),
            _ => gap.message.clone(),
        };
        let nodes = &mut by_reason.entry(reason).or_insert_with(|| (Vec::new(), gap)).0;
        if nodes.last() != Some(&node) {
            nodes.push(node);
        }
    }
    by_reason
        .into_values()
        .map(|(nodes, gap)| Gap {
            what: format!("the packet rules of {}", super::joined(&nodes)),
            ..gap.clone()
        })
        .collect()
}

/// A gap of one node's own.
pub(crate) fn gap(firewall: &Firewall<'_>, what: &str, message: impl Into<String>) -> Gap {
    Gap {
        what: format!("{what} of {}", firewall.name()),
        why: GapReason::Failed,
        message: message.into(),
        hint: None,
    }
}
