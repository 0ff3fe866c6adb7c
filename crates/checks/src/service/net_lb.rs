use std::collections::BTreeSet;

use observation::{Purpose, Source};
use report::{Finding, Severity};

use super::{WAYS_IN, evidence, judged, manner, names, works};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::tries::{Row, ServiceRows, by_service, rows};
use crate::view::View;

/// The addresses of load balancers, external IPs, and the health checks by which load balancers choose nodes.
pub(crate) static CHECK: Check = Check {
    id: "net-lb",
    claim: "load balancers and external IPs of Services answer, and their health checks are right",
    needs: &[Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut tried = false;
    let mut judgement = judged(view, WAYS_IN, |reach| {
        let rows = rows(reach);
        tried = rows.iter().any(is_way_in);
        by_service(reach, &rows).iter().flat_map(of_service).collect()
    });
    if judgement.is_asked() && !tried && judgement.gaps.is_empty() {
        judgement = Judgement::skipped("no Service that was tried has a load balancer or an external IP");
    }
    judgement
}

fn is_way_in(row: &Row<'_>) -> bool {
    matches!(
        row.sample.purpose,
        Purpose::LoadBalancer | Purpose::ExternalIp | Purpose::HealthCheck { .. }
    )
}

fn of_service(service: &ServiceRows<'_, '_>) -> Vec<Finding> {
    let it = service.service;
    let ill: BTreeSet<&Source> = service.cluster_ips().flat_map(Row::failing).collect();
    let rows = service.rows.iter().filter(|row| is_way_in(row));
    rows.filter_map(|row| {
        let failing: Vec<&Source> =
            row.failing().into_iter().filter(|source| !ill.contains(source)).collect();
        let first = failing.first()?;
        let mut seen = evidence(row);
        seen.truncate(3);
        seen.extend(works(row));
        let from = if row.right().is_empty() {
            String::new()
        } else {
            format!(" from {}", names(&failing))
        };
        let (summary, hint) = match &row.sample.purpose {
            Purpose::HealthCheck { node, has_endpoint } => {
                let detail = &row.from.get(first)?.state.failure()?.detail;
                let right = if *has_endpoint { "has a ready endpoint" } else { "has none" };
                (
                    format!("the health check of {} on {node}, which {right}, is wrong{from}: {detail}", it.subject()),
                    "load balancers choose nodes by it: see whether kube-proxy runs there".to_owned(),
                )
            }
            purpose if failing.iter().all(|source| **source == Source::Outside) && !row.right().is_empty() => {
                let way = crate::tries::way(purpose);
                (
                    format!(
                        "the {way} {} of {} {} from outside, though it answers from inside the cluster",
                        row.sample.address, it.subject(), manner(row.telling())
                    ),
                    format!(
                        "inside nodes answer for it themselves: see the load balancer, its health checks, who announces the \
                         address, and the security group of the nodes: `kubectl describe service {} -n {}`",
                        word(&it.name), word(&it.namespace)
                    ),
                )
            }
            purpose => {
                let way = crate::tries::way(purpose);
                (
                    format!(
                        "the {way} {} of {} {}{from}, though its ClusterIP answers",
                        row.sample.address, it.subject(), manner(row.telling())
                    ),
                    format!(
                        "see who announces the address, and whether the load balancer has healthy nodes: `kubectl describe service {} -n {}`",
                        word(&it.name), word(&it.namespace)
                    ),
                )
            }
        };
        let mut finding = Finding::new(CHECK.id, Severity::Error, it.subject(), summary, seen.first()?.clone());
        finding.evidence = seen;
        finding.hint = Some(hint);
        Some(finding)
    })
    .collect()
}

#[cfg(test)]
mod tests;
