use std::collections::{BTreeMap, BTreeSet};

use report::{CellState, Evidence, Finding, Protocol, Severity, Subject};

use super::over;
use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, hops, shown};
use crate::shell::on_node;
use crate::underlay::{Sign, between_nodes};
use crate::view::View;

/// Nodes whose pods do not reach each other, with what the way between them is made of: route, neighbour, forwarding entry, tunnel. Whatever
/// is wrong with one of these is told by its own check; here it stands together for each pair, also where nothing is wrong with it.
pub(crate) static CHECK: Check = Check {
    id: "cni-overlay",
    claim: "pods of all nodes reach those of the others",
    needs: &[Need::Cni, Need::Mesh],
    judge,
};

/// So many pairs are told one by one.
const TOLD: usize = 6;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |_, judgement| {
        if view.observation.mesh.is_none() {
            judgement.skipped = Some("pairs of nodes were not tried".to_owned());
            return;
        }
        judgement.gaps.extend(view.probing_gaps().iter().cloned());
        let mut dead: BTreeMap<(&str, &str), bool> = BTreeMap::new();
        for (key, entry) in &view.entries {
            let counts = key.source != key.target && matches!(key.protocol, Protocol::Tcp | Protocol::Udp);
            if counts {
                let is_dead = dead.entry((key.source, key.target)).or_insert(true);
                *is_dead &= entry.state.is_failed();
            }
        }
        let dead: BTreeSet<(&str, &str)> = dead
            .into_iter()
            .filter(|(_, is_dead)| *is_dead)
            .map(|(pair, _)| pair)
            .collect();
        let live = answering(view);
        for (source, target) in dead.iter().take(TOLD) {
            judgement
                .findings
                .push(finding(view, source, target, live.contains(&(*source, *target))));
        }
        if dead.len() > TOLD {
            judgement.findings.push(Finding::new(
                CHECK.id,
                Severity::Error,
                Subject::Cluster,
                format!(
                    "pods of {} further pairs of nodes do not reach each other",
                    dead.len() - TOLD
                ),
                Evidence::probe("nothing was answered", "TCP and UDP between probe pods"),
            ));
        }
    })
}

/// Pairs of nodes that answer each other without any pod network.
fn answering<'a>(view: &View<'a>) -> BTreeSet<(&'a str, &'a str)> {
    let Some(underlay) = &view.observation.underlay else {
        return BTreeSet::new();
    };
    let ways = between_nodes(underlay).into_iter();
    ways.filter(|(_, way)| way.sign() == Sign::Seen)
        .map(|(pair, _)| pair)
        .collect()
}

fn finding(view: &View<'_>, source: &str, target: &str, is_live: bool) -> Finding {
    let states = view
        .entries
        .iter()
        .filter(|(key, _)| key.source == source && key.target == target);
    let silent = states
        .filter(|(_, entry)| matches!(entry.state, CellState::Failed { .. }))
        .count();
    let nodes = if is_live { ", although the nodes do" } else { "" };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::NodePair {
            from: source.to_owned(),
            to: target.to_owned(),
            both: false,
        },
        format!("pods of {source} do not reach those of {target}{nodes}"),
        Evidence::probe(
            format!("{silent} kinds of probes failed"),
            format!("from the probe pod on {source} to that on {target}"),
        ),
    );
    if let Ok(nodes) = &view.read_nodes {
        finding.evidence.extend(made_of(nodes, source, target));
    }
    finding.hint = Some(
        "what is missing of the way is told by its own check; if nothing is, the packets are lost between the nodes: \
         `kubectl cnicheck overlay --node-access`"
            .to_owned(),
    );
    finding
}

/// What the way of one node to another's pods consists of.
fn made_of(nodes: &Nodes<'_>, source: &str, target: &str) -> Vec<Evidence> {
    let mut facts = Vec::new();
    for way in nodes
        .ways()
        .iter()
        .filter(|way| way.node == source && way.peer.name == target)
    {
        let fact = match way.route.filter(|_| way.is_own()) {
            Some(route) => format!("route to {}: {}", way.cidr, shown(route)),
            None => format!("there is no route to {} of its own", way.cidr),
        };
        facts.push(Evidence::command(fact, on_node(source, &["ip route"])));
    }
    for hop in hops(nodes)
        .into_iter()
        .filter(|hop| hop.node == source && hop.peer.name == target)
    {
        let before = &nodes.evidence[source].before;
        let device = hop.tunnel.name.as_str();
        let neighbours = before.neighbours.seen().into_iter().flatten();
        let mac = neighbours
            .filter(|entry| entry.device == device && entry.address == hop.gateway)
            .find_map(|entry| entry.mac.clone());
        let forwarding = before.forwarding.seen().into_iter().flatten();
        let outer = forwarding
            .filter(|entry| entry.device == device && Some(&entry.mac) == mac.as_ref())
            .find_map(|entry| entry.destination);
        let fact = format!(
            "{device} is {}; {} is at {}; that is sent to {}",
            if hop.tunnel.up { "up" } else { "down" },
            hop.gateway,
            mac.as_deref().unwrap_or("no address that is known"),
            outer.map_or_else(|| "nowhere".to_owned(), |outer| outer.to_string())
        );
        let look =
            format!("ip -d link show {device}; ip neigh show dev {device}; bridge fdb show dev {device}");
        facts.push(Evidence::command(fact, on_node(source, &[&look])));
    }
    facts
}

#[cfg(test)]
mod tests {
    use observation::Observation;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn of(case: &str) -> Observation {
        let mut observation = Observation::from_bundle(case).expect("a case is a bundle");
        observation.cni = Fixture::healthy().observe().cni;
        observation
    }

    #[test]
    fn pairs_that_do_not_work_are_told_one_by_one() {
        let observation = of(include_str!("../../cases/node-cut-off/observation.json"));
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings.len() >= 2, "{findings:?}");
        assert!(findings[0].summary.contains("do not reach those of"));
    }

    #[test]
    fn pairs_that_work_pass_and_unanswered_ones_are_unknown() {
        shown::passes(&CHECK, &of(include_str!("../../cases/healthy/observation.json")));
        shown::cannot_tell(
            &CHECK,
            &of(include_str!("../../cases/answers-lost/observation.json")),
        );
    }
}
