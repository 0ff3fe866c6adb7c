use std::collections::{BTreeMap, BTreeSet};

use netprobe::Outcome;
use observation::{Purpose, Source};
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
        services
            .iter()
            .flat_map(|service| of_service(service, &ill))
            .collect()
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

fn of_service(service: &ServiceRows<'_, '_>, without_rules: &BTreeSet<&str>) -> Vec<Finding> {
    let ports: Vec<&Row<'_>> = service
        .rows
        .iter()
        .copied()
        .filter(|row| matches!(row.sample.purpose, Purpose::NodePort { .. }))
        .collect();
    // From where the Service does not answer by its ClusterIP either, its node port is no news.
    let ill: BTreeSet<&Source> = service.cluster_ips().flat_map(Row::failing).collect();
    let mut by_node: BTreeMap<&str, Vec<&Row<'_>>> = BTreeMap::new();
    for row in &ports {
        let failing = row.failing();
        if let Purpose::NodePort { node } = &row.sample.purpose
            && failing.iter().any(|source| !ill.contains(source))
            && !without_rules.contains(node.as_str())
        {
            by_node.entry(node).or_default().push(row);
        }
    }
    let nodes: BTreeSet<&str> = ports.iter().filter_map(|row| node_of(row)).collect();
    let it = service.service;
    if by_node.len() > 1 && by_node.len() == nodes.len() {
        let rows: Vec<&Row<'_>> = by_node.into_values().flatten().collect();
        return finding(&it.subject(), "any node", &rows, &rows, nodes.first().copied())
            .into_iter()
            .collect();
    }
    by_node
        .into_iter()
        .filter_map(|(node, rows)| finding(&it.subject(), node, &rows, &ports, Some(node)))
        .collect()
}

fn node_of<'a>(row: &Row<'a>) -> Option<&'a str> {
    match &row.sample.purpose {
        Purpose::NodePort { node } => Some(node),
        _ => None,
    }
}

fn finding(
    service: &Subject,
    place: &str,
    failing: &[&Row<'_>],
    all: &[&Row<'_>],
    node: Option<&str>,
) -> Option<Finding> {
    let row = failing.first()?;
    let sources = row.failing();
    if sources.iter().all(|source| **source == Source::Outside) && !row.right().is_empty() {
        return outside(service, place, failing, all, node);
    }
    let from = if row.right().is_empty() {
        String::new()
    } else {
        format!(" from {}", names(&sources))
    };
    let port = row.sample.address.port();
    let mut seen: Vec<_> = failing.iter().flat_map(|row| evidence(row)).take(3).collect();
    seen.extend(all.iter().filter_map(|row| works(row)).take(1));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        service.clone(),
        format!(
            "the node port {port} of {service} {} on {place}{from}, though its ClusterIP answers",
            manner(row.telling())
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = node.map(|node| match row.telling() {
        Some(Outcome::Refused { .. }) => {
            format!("the rules for node ports are missing there: `{}`", proxy_of(node))
        }
        _ => format!(
            "a firewall on the way to the node, or the way back from an endpoint on another node: `{}`",
            proxy_of(node)
        ),
    });
    Some(finding)
}

/// A port that only the machine outside does not reach: kube-proxy answers on the node, and something before it does not
/// let it.
fn outside(
    service: &Subject,
    place: &str,
    failing: &[&Row<'_>],
    all: &[&Row<'_>],
    node: Option<&str>,
) -> Option<Finding> {
    let row = failing.first()?;
    let is_seen = |row: &&&Row<'_>| row.right().contains(&&Source::Outside);
    let mut seen: Vec<_> = failing.iter().flat_map(|row| evidence(row)).take(2).collect();
    seen.extend(works(row));
    // Another node, from outside: then it is not this machine.
    seen.extend(all.iter().find(is_seen).and_then(|row| works(row)));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        service.clone(),
        format!(
            "the node port {} of {service} {} on {place} from outside, though it answers from inside the cluster",
            row.sample.address.port(),
            manner(row.telling())
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    let before = node.map_or_else(|| "the nodes".to_owned(), str::to_owned);
    finding.hint = Some(format!(
        "open TCP port {} (NodePorts are 30000-32767) to this machine in the security group or firewall before {before}; \
         kube-proxy does its part",
        row.sample.address.port()
    ));
    Some(finding)
}

#[cfg(test)]
mod tests;
