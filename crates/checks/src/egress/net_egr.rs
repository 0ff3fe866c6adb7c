use observation::{Purpose, Reach, Source};
use report::{Evidence, FailureClass, Finding, Severity, Subject};

use super::{TOPICS, WayOut, ways_out};
use crate::check::{Check, Judgement, Need};
use crate::service::{evidence, label, names, works};
use crate::shell::on_node;
use crate::tries::{Row, about, by_service, gaps, rows};
use crate::view::View;

/// Pods against their nodes: what a node reaches and its pods do not is lost between the two. And names outside against
/// addresses outside.
pub(crate) static CHECK: Check = Check {
    id: "net-egr",
    claim: "pods reach what their nodes reach outside, and names outside are found",
    needs: &[Need::Egress],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, TOPICS) else {
        return Judgement::not_asked();
    };
    let all = rows(reach);
    let mut findings = pods_against_nodes(&all);
    findings.extend(names_outside(reach, &all));
    Judgement {
        findings,
        gaps: gaps(view, reach),
        ..Judgement::default()
    }
}

fn pods_against_nodes(all: &[Row<'_>]) -> Vec<Finding> {
    let ways = ways_out(all);
    let lost = |way: &WayOut| way.pods == Some(false) && way.host == Some(true);
    let nodes: Vec<&str> = ways
        .iter()
        .filter(|(_, way)| lost(way))
        .map(|(node, _)| *node)
        .collect();
    let known = ways
        .values()
        .filter(|way| way.pods.is_some() && way.host.is_some())
        .count();
    if nodes.len() > 1 && nodes.len() == known {
        return finding(all, &nodes, Subject::Cluster, "any node")
            .into_iter()
            .collect();
    }
    nodes
        .iter()
        .filter_map(|node| finding(all, &[*node], Subject::node(*node), node))
        .collect()
}

fn finding(all: &[Row<'_>], nodes: &[&str], subject: Subject, place: &str) -> Option<Finding> {
    let outside = || {
        all.iter()
            .filter(|row| row.sample.purpose == Purpose::AddressOutside)
    };
    let is_of = |source: &Source| source.node().is_some_and(|node| nodes.contains(&node));
    let mut seen: Vec<Evidence> = Vec::new();
    for row in outside() {
        for source in row
            .failing()
            .into_iter()
            .filter(|it| is_of(it) && matches!(it, Source::Pod { .. }))
        {
            let detail = row.from.get(source)?.state.failure()?.detail.clone();
            seen.push(Evidence::probe(detail, label(row, source)));
        }
    }
    seen.truncate(3);
    for row in outside() {
        let host = row
            .right()
            .into_iter()
            .find(|it| is_of(it) && matches!(it, Source::Host { .. }));
        if let Some(host) = host {
            seen.push(Evidence::probe("answers to the node itself", label(row, host)));
            break;
        }
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!("pods of {place} do not reach what lies outside; the node itself does"),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(format!(
        "what leaves for outside has to get the node's address: see which rules translate it, and whether a policy or a firewall drops it: `{}`",
        on_node(
            nodes.first()?,
            &[
                "iptables-save -t nat | grep -i masq",
                "sysctl net.ipv4.ip_forward"
            ]
        )
    ));
    finding.explains = vec!["net-egr-ip".to_owned()];
    Some(finding)
}

/// Names outside that are not found. Where the DNS Service itself does not answer, or does so only at its pods, that is
/// said instead.
fn names_outside(reach: &Reach, all: &[Row<'_>]) -> Option<Finding> {
    let by_service = by_service(reach, all);
    let row = all
        .iter()
        .find(|row| row.sample.purpose == Purpose::NameOutside && !row.failing().is_empty())?;
    let dns = by_service
        .iter()
        .find(|it| it.service.cluster_ips.contains(&row.sample.address.ip()))
        .map(|it| it.service.subject());
    let subject = dns.clone().unwrap_or(Subject::Cluster);
    let failing = row.failing();
    let by_pod = all.iter().find(|it| {
        matches!(it.sample.purpose, Purpose::NameOutsideByPod { .. })
            && it.sample.subject == row.sample.subject
            && failing.iter().any(|source| it.right().contains(source))
    });
    let from = if row.right().is_empty() {
        "from any node".to_owned()
    } else {
        format!("from {}", names(&failing))
    };
    let is_answer = failing
        .first()
        .and_then(|source| row.from.get(source)?.state.failure())
        .is_some_and(|failure| failure.class == FailureClass::BadAnswer);
    let mut seen = evidence(row);
    seen.truncate(3);
    seen.extend(by_pod.and_then(works));
    let cluster_names = all.iter().find(|it| {
        it.sample.purpose == Purpose::ClusterIp
            && it.sample.address == row.sample.address
            && !it.right().is_empty()
    });
    seen.extend(cluster_names.and_then(works).map(|mut evidence| {
        evidence.fact = format!("names of the cluster are found, {}", evidence.fact);
        evidence
    }));
    let (summary, hint) = if is_answer {
        (
            "names outside are not found: the cluster's DNS has no upstream that answers".to_owned(),
            "see where it sends such names, and whether that is reached from the DNS pods: `kubectl get configmap coredns -n kube-system -o yaml`",
        )
    } else if by_pod.is_some() {
        (
            format!("the DNS Service does not answer {from}, though its pods do"),
            "the rules for the DNS Service are missing there: `kubectl netcheck service kube-dns -n kube-system`",
        )
    } else {
        (
            format!("the cluster's DNS does not answer {from}"),
            "see whether its pods are reached at all: `kubectl netcheck service kube-dns -n kube-system`",
        )
    };
    let mut finding = Finding::new(CHECK.id, Severity::Error, subject, summary, seen.first()?.clone());
    finding.evidence = seen;
    finding.hint = Some(hint.to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests;
