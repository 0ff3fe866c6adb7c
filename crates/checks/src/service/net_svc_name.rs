use observation::Purpose;
use report::{Evidence, Finding, Gap, GapReason, Severity};

use super::{WAYS_IN, all_gaps, evidence, names, works};
use crate::check::{Check, Judgement, Need};
use crate::tries::{Row, about, by_service, rows};
use crate::view::View;

/// A Service's name, asked of the cluster's DNS, against the addresses that it has by the API.
pub(crate) static CHECK: Check = Check {
    id: "net-svc-name",
    claim: "the names of Services stand for their addresses",
    needs: &[Need::Services],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, WAYS_IN) else {
        return Judgement::not_asked();
    };
    let all = rows(reach);
    let is_name = |row: &&Row<'_>| matches!(row.sample.purpose, Purpose::Name { .. } | Purpose::ExternalName);
    let asked: Vec<&Row<'_>> = all.iter().filter(is_name).collect();
    let mut gaps = all_gaps(view, reach);
    if asked.is_empty() && gaps.is_empty() {
        return Judgement::skipped("no name was asked for");
    }
    let failing: Vec<&&Row<'_>> = asked.iter().filter(|row| !row.failing().is_empty()).collect();
    let domain = reach.cluster_domain.as_deref().unwrap_or("cluster.local");
    // No name of the domain is known: most likely that is not the cluster's domain.
    let unknown = |row: &&&Row<'_>| {
        matches!(row.sample.purpose, Purpose::Name { .. })
            && row.from.values().all(|cell| {
                cell.state
                    .failure()
                    .is_some_and(|failure| failure.detail == "answers NXDOMAIN")
            })
    };
    if !failing.is_empty() && failing.len() == asked.len() && failing.iter().all(unknown) {
        gaps.push(Gap {
            what: "the names of Services".to_owned(),
            why: GapReason::Failed,
            message: format!("the cluster's DNS knows no name that ends in {domain}"),
            hint: Some("name the domain of the cluster with --cluster-domain".to_owned()),
        });
        return Judgement {
            findings: Vec::new(),
            gaps,
            ..Judgement::default()
        };
    }
    let dns_is_silent = |row: &Row<'_>| {
        // The DNS Service itself does not answer from there: that is another finding, and this its consequence.
        let services = by_service(reach, &all);
        let dns = services
            .iter()
            .find(|service| service.service.cluster_ips.contains(&row.sample.address.ip()));
        dns.is_some_and(|dns| {
            dns.cluster_ips()
                .filter(|it| it.sample.address == row.sample.address)
                .any(|it| {
                    let failing = it.failing();
                    !failing.is_empty() && row.failing().iter().all(|source| failing.contains(source))
                })
        })
    };
    let findings = failing
        .iter()
        .filter(|row| !dns_is_silent(row))
        .filter_map(|row| finding(row));
    Judgement {
        findings: findings.collect(),
        gaps,
        ..Judgement::default()
    }
}

fn finding(row: &Row<'_>) -> Option<Finding> {
    let failing = row.failing();
    let from = if row.right().is_empty() {
        String::new()
    } else {
        format!(" from {}", names(&failing))
    };
    let first = failing.first()?;
    let detail = row.from.get(first)?.state.failure()?.detail.clone();
    let mut seen: Vec<Evidence> = evidence(row);
    seen.truncate(3);
    seen.extend(works(row));
    let subject = &row.sample.subject;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!(
            "the name of {subject} is not found{from}: the cluster's DNS {}",
            clause(&detail)
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(
        "see whether the DNS server follows the API: `kubectl logs -n kube-system -l k8s-app=kube-dns --tail=50`"
            .to_owned(),
    );
    Some(finding)
}

/// How the DNS server failed, behind a subject.
fn clause(detail: &str) -> String {
    if detail.starts_with("answers") {
        detail.to_owned()
    } else {
        format!("gave {detail}")
    }
}

#[cfg(test)]
mod tests;
