use std::collections::BTreeSet;

use netprobe::Outcome;
use observation::{Purpose, Source};
use report::{Evidence, Finding, Severity, Subject};

use super::{TOPICS, evidence, judged, manner, names, works};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::tries::{Row, ServiceRows, by_service, rows};
use crate::view::View;

/// Each endpoint by its own address: a Service that fails now and then has one that never answers.
pub(crate) static CHECK: Check = Check {
    id: "net-svc-ratio",
    claim: "every endpoint of a Service answers by its own address from every node that tried",
    needs: &[Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    judged(view, TOPICS, |reach| {
        let rows = rows(reach);
        let services = by_service(reach, &rows);
        services
            .iter()
            .flat_map(|service| of_service(service, &rows))
            .collect()
    })
}

fn of_service(service: &ServiceRows<'_, '_>, all: &[Row<'_>]) -> Vec<Finding> {
    let endpoints: Vec<&Row<'_>> = service.endpoints().collect();
    let failing: Vec<&&Row<'_>> = endpoints.iter().filter(|row| !row.failing().is_empty()).collect();
    if failing.is_empty() {
        return lossy(service).into_iter().collect();
    }
    // All of them: that is the Service's matter, not that of one endpoint.
    if failing.len() == endpoints.len() && endpoints.iter().all(|row| row.fails_from_all()) {
        return Vec::new();
    }
    let nodes: BTreeSet<Option<&str>> = failing.iter().map(|row| node_of(row)).collect();
    // From the same sources, to endpoints of one node: the way to that node, not the endpoints.
    failing
        .iter()
        .filter_map(|row| of_endpoint(service, row, endpoints.len(), all, nodes.len()))
        .collect()
}

fn node_of<'a>(row: &Row<'a>) -> Option<&'a str> {
    match &row.sample.purpose {
        Purpose::Endpoint { node, .. } => node.as_deref(),
        _ => None,
    }
}

fn of_endpoint(
    service: &ServiceRows<'_, '_>,
    row: &Row<'_>,
    endpoints: usize,
    all: &[Row<'_>],
    _nodes: usize,
) -> Option<Finding> {
    let Purpose::Endpoint { pod, node } = &row.sample.purpose else {
        return None;
    };
    let it = service.service;
    let name = pod
        .as_ref()
        .map_or_else(|| row.sample.address.to_string(), |pod| format!("pod/{pod}"));
    let subject = match pod {
        Some(pod) => Subject::Object {
            kind: "pod".to_owned(),
            name: pod.clone(),
            namespace: Some(it.namespace.clone()),
        },
        None => it.subject(),
    };
    let outcome = row.telling();
    let port = row.sample.address.port();
    let failing = row.failing();
    let right = row.right();
    let from = if right.is_empty() {
        String::new()
    } else {
        format!(" from {}", names(&failing))
    };
    let what = match outcome {
        Some(Outcome::Refused { offender: None, .. }) => format!("refuses port {port}{from}"),
        other => format!("{}{from}", manner(other)),
    };
    let share = if endpoints > 1 {
        format!(", which is one of {endpoints} endpoints of {}", it.subject())
    } else {
        format!(", the endpoint of {}", it.subject())
    };
    let mut seen = evidence(row);
    seen.truncate(3);
    seen.extend(works(row));
    seen.extend(reached(node.as_deref(), &failing, all));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!("{name}{share}, {what}"),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = hint(service, row, pod.as_deref(), node.as_deref());
    Some(finding)
}

/// That a probe pod on the node of the endpoint was reached from a source that did not reach the endpoint.
fn reached(node: Option<&str>, failing: &[&Source], all: &[Row<'_>]) -> Option<Evidence> {
    let node = node?;
    let control = all
        .iter()
        .find(|row| matches!(&row.sample.purpose, Purpose::ProbePod { node: of } if of == node))?;
    let source = failing.iter().find(|source| control.right().contains(source))?;
    Some(Evidence::probe(
        format!("our own pod on {node} answers there, so that the way to the node is open"),
        super::label(control, source),
    ))
}

fn hint(
    service: &ServiceRows<'_, '_>,
    row: &Row<'_>,
    pod: Option<&str>,
    node: Option<&str>,
) -> Option<String> {
    let namespace = word(&service.service.namespace);
    let pod = word(pod?);
    let local = |source: &&Source| source.node() == node;
    let right = row.right();
    Some(match row.telling() {
        Some(Outcome::Refused { offender: None, .. }) => format!(
            "nothing listens there, or only on 127.0.0.1: `kubectl describe pod {pod} -n {namespace}`"
        ),
        Some(Outcome::Refused {
            offender: Some(by), ..
        }) => format!(
            "{by} turns it away: a policy or a firewall that rejects: `kubectl get networkpolicies -n {namespace}`"
        ),
        Some(Outcome::HostUnreachable { .. }) => format!(
            "the address belongs to nobody any more, or its neighbour does not resolve: `kubectl get pod {pod} -n {namespace} -o wide`"
        ),
        Some(Outcome::TimedOut { .. }) if !right.is_empty() && right.iter().all(local) => format!(
            "it answers on its own node only: a policy that drops, or the way between the nodes: `kubectl get networkpolicies -n {namespace}`"
        ),
        _ => format!("see whether the pod is well: `kubectl describe pod {pod} -n {namespace}`"),
    })
}

/// Every endpoint answers by itself, and yet a share of the tries by the ClusterIP fails.
fn lossy(service: &ServiceRows<'_, '_>) -> Option<Finding> {
    let row = service.cluster_ips().find(|row| {
        row.from
            .values()
            .any(|cell| matches!(cell.state, report::CellState::Flaky { .. }))
    })?;
    let it = service.service;
    let (mut answered, mut tried) = (0, 0);
    for cell in row.from.values() {
        let firsts = cell.attempt.samples.iter().filter(|sample| !sample.retry);
        for sample in firsts {
            tried += 1;
            answered += u32::from(sample.outcome.is_ok());
        }
    }
    let failed = tried - answered;
    let mut finding = Finding::new(
        CHECK.id,
        if is_share_of_one(failed, tried, service.endpoints().count()) {
            Severity::Warning
        } else {
            Severity::Note
        },
        it.subject(),
        format!(
            "{failed} of {tried} tries of {} by its ClusterIP fail, though each endpoint that was tried answers",
            it.subject()
        ),
        evidence(row).first()?.clone(),
    );
    finding.hint = Some(format!(
        "rules may still name an endpoint that is gone; or packets are lost: `kubectl netcheck service {} -n {} --count 100`",
        word(&it.name),
        word(&it.namespace)
    ));
    Some(finding)
}

/// Whether so many fail as would if rules named one endpoint more, which is gone, half of it allowed to chance. Fewer, or a single one,
/// is what a network loses now and then.
fn is_share_of_one(failed: u32, tried: u32, endpoints: usize) -> bool {
    let all = u32::try_from(endpoints).unwrap_or(u32::MAX).saturating_add(1);
    failed >= 2 && u64::from(failed) * 2 * u64::from(all) >= u64::from(tried)
}

#[cfg(test)]
mod tests;
