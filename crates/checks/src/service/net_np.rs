use std::collections::{BTreeMap, BTreeSet};

use netprobe::Outcome;
use observation::{Expected, Purpose, Source};
use report::{Finding, Severity, Subject};

use super::{WAYS_IN, evidence, judged, manner, names, proxy_of, works};
use crate::check::{Check, Judgement, Need};
use crate::tries::{Row, ServiceRows, by_service, rows};
use crate::view::View;

/// Node ports on the addresses of nodes. Where the ClusterIP fails in the same way it is the Service, not its node port.
pub(crate) static CHECK: Check = Check {
    id: "net-np",
    claim: "NodePorts answer on every node that was tried",
    needs: &[Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut tried = false;
    let mut judgement = judged(view, WAYS_IN, |reach| {
        let rows = rows(reach);
        let services = by_service(reach, &rows);
        tried = rows
            .iter()
            .any(|row| matches!(row.sample.purpose, Purpose::NodePort { .. }));
        let ill = nodes_without_rules(&services);
        let failing: Vec<Failing<'_, '_>> = services
            .iter()
            .flat_map(|service| of_service(service, &ill))
            .collect();
        of_nodes(&failing, &services)
    });
    if judgement.is_asked() && !tried && judgement.gaps.is_empty() {
        judgement = Judgement::skipped("no Service that was tried has a node port");
    }
    judgement
}

/// The nodes from which no ClusterIP works at all: net-svc says so, and their node ports are the same rules.
fn nodes_without_rules<'a>(services: &[ServiceRows<'_, 'a>]) -> BTreeSet<&'a str> {
    let rows = || services.iter().flat_map(ServiceRows::cluster_ips);
    let failing: BTreeSet<&Source> = rows().flat_map(Row::failing).collect();
    let whole = |source: &&Source| {
        rows()
            .filter(|row| row.from.contains_key(source))
            .all(|row| row.failing().contains(source))
    };
    failing
        .into_iter()
        .filter(whole)
        .filter_map(|source| source.node())
        .collect()
}

/// The ports of one Service that fail on a node, or on all nodes.
struct Failing<'r, 'a> {
    service: Subject,
    /// `None` for all nodes.
    node: Option<&'a str>,
    rows: Vec<&'r Row<'a>>,
    /// Its ports on all nodes.
    all: Vec<&'r Row<'a>>,
}

impl Failing<'_, '_> {
    /// Whether only the machine outside does not reach the port: then it is something before the node.
    fn only_outside(&self) -> bool {
        let first = self.rows.first();
        first.is_some_and(|row| {
            !row.right().is_empty() && row.failing().iter().all(|source| **source == Source::Outside)
        })
    }
}

/// One finding for a node on which the ports of all Services fail: then it is the node, not the Services.
fn of_nodes(failing: &[Failing<'_, '_>], services: &[ServiceRows<'_, '_>]) -> Vec<Finding> {
    let mut groups: BTreeMap<(Option<&str>, bool), Vec<&Failing<'_, '_>>> = BTreeMap::new();
    for it in failing {
        groups.entry((it.node, it.only_outside())).or_default().push(it);
    }
    let is_to_answer = |row: &&&Row<'_>| {
        row.from
            .values()
            .any(|cell| cell.attempt.expected == Expected::Answer)
    };
    let concerns =
        |node: Option<&str>, row: &Row<'_>| node_of(row).is_some_and(|it| node.is_none_or(|node| it == node));
    let of_group = |((node, _), group): (_, Vec<&Failing<'_, '_>>)| {
        let all = services.iter().filter(|service| {
            let mut ports = service.rows.iter().filter(|row| concerns(node, row));
            ports.any(|row| is_to_answer(&row))
        });
        if group.len() > 1 && group.len() >= all.count() {
            return finding(&group).into_iter().collect();
        }
        group.iter().filter_map(|it| finding(&[*it])).collect::<Vec<_>>()
    };
    groups.into_iter().flat_map(of_group).collect()
}

fn of_service<'r, 'a>(service: &ServiceRows<'r, 'a>, without_rules: &BTreeSet<&str>) -> Vec<Failing<'r, 'a>> {
    let all: Vec<&Row<'_>> = service
        .rows
        .iter()
        .copied()
        .filter(|row| matches!(row.sample.purpose, Purpose::NodePort { .. }))
        .collect();
    // From where the Service does not answer by its ClusterIP either, its node port is no news.
    let ill: BTreeSet<&Source> = service.cluster_ips().flat_map(Row::failing).collect();
    let mut by_node: BTreeMap<&str, Vec<&Row<'_>>> = BTreeMap::new();
    for row in &all {
        let failing = row.failing();
        if let Purpose::NodePort { node } = &row.sample.purpose
            && failing.iter().any(|source| !ill.contains(source))
            && !without_rules.contains(node.as_str())
        {
            by_node.entry(node).or_default().push(row);
        }
    }
    let nodes: BTreeSet<&str> = all.iter().filter_map(|row| node_of(row)).collect();
    let of = |node, rows| Failing {
        service: service.service.subject(),
        node,
        rows,
        all: all.clone(),
    };
    if by_node.len() > 1 && by_node.len() == nodes.len() {
        return vec![of(None, by_node.into_values().flatten().collect())];
    }
    by_node
        .into_iter()
        .map(|(node, rows)| of(Some(node), rows))
        .collect()
}

fn node_of<'a>(row: &Row<'a>) -> Option<&'a str> {
    match &row.sample.purpose {
        Purpose::NodePort { node } => Some(node),
        _ => None,
    }
}

/// The finding of the ports of one Service, or of several on the same node.
fn finding(group: &[&Failing<'_, '_>]) -> Option<Finding> {
    let failing = group.first()?;
    let row = failing.rows.first()?;
    let sources = row.failing();
    let node = failing
        .node
        .or_else(|| failing.all.iter().find_map(|row| node_of(row)));
    let place = failing.node.unwrap_or("any node");
    let which = match group {
        [it] => format!("the node port {} of {}", row.sample.address.port(), it.service),
        several => format!("the node port of every Service ({} were tried)", several.len()),
    };
    let how = manner(row.telling());
    let rows = || group.iter().flat_map(|it| &it.rows);
    let works = |row: &&Row<'_>| works(row);
    let (summary, hint, seen);
    if failing.only_outside() {
        summary = format!("{which} {how} on {place} from outside, though it answers from inside the cluster");
        let is_seen = |row: &&&Row<'_>| row.right().contains(&&Source::Outside);
        let mut all: Vec<_> = rows().flat_map(|row| evidence(row)).take(2).collect();
        all.extend(works(row));
        // Another node, from outside: then it is not this machine.
        all.extend(failing.all.iter().find(is_seen).and_then(works));
        seen = all;
        let before = node.unwrap_or("the nodes");
        hint = Some(format!(
            "open TCP port {} (NodePorts are 30000-32767) to this machine in the security group or firewall before \
             {before}; kube-proxy does its part",
            row.sample.address.port()
        ));
    } else {
        let from = match row.right()[..] {
            [] => String::new(),
            _ => format!(" from {}", names(&sources)),
        };
        let though = if group.len() > 1 {
            "though their ClusterIPs answer"
        } else {
            "though its ClusterIP answers"
        };
        summary = format!("{which} {how} on {place}{from}, {though}");
        let mut all: Vec<_> = rows().flat_map(|row| evidence(row)).take(3).collect();
        all.extend(failing.all.iter().filter_map(works).take(1));
        seen = all;
        hint = node.map(|node| {
            let proxy = proxy_of(node);
            match row.telling() {
                Some(Outcome::Refused { .. }) => {
                    format!("the rules for node ports are missing there: `{proxy}`")
                }
                _ => format!(
                    "a firewall on the way to the node, or the way back from an endpoint on another node: `{proxy}`"
                ),
            }
        });
    }
    let subject = match (group, failing.node) {
        ([_, _, ..], Some(node)) => Subject::node(node),
        _ => failing.service.clone(),
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, subject, summary, seen.first()?.clone());
    finding.evidence = seen;
    finding.hint = hint;
    Some(finding)
}

#[cfg(test)]
mod tests;
