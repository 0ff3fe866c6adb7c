//! Nodes without an endpoint of their own.

use observation::Node;

use super::case::Case;
use crate::view::View;

/// The nodes that work and have no endpoint of this Service that gets traffic, by name. `untainted` leaves out those that pods are kept from.
pub(super) fn without_endpoint<'v>(view: &'v View<'_>, case: &Case<'_>, untainted: bool) -> Vec<&'v str> {
    let with = case.nodes();
    let nodes = view.observation.nodes.seen().into_iter().flatten();
    let is_meant = |node: &&Node| {
        let works = node.ready.as_ref().is_some_and(|ready| ready.status == "True");
        let keeps_away = node.taints.iter().any(|taint| taint.effect != "PreferNoSchedule");
        works && !(untainted && keeps_away) && !with.contains(node.name.as_str())
    };
    nodes.filter(is_meant).map(|node| node.name.as_str()).collect()
}
