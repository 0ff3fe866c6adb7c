use observation::{Purpose, Reach, Source};
use report::{Finding, Severity, Subject};

use super::TOPICS;
use crate::check::{Check, Judgement, Need};
use crate::service::{evidence, manner, names, works};
use crate::tries::{Row, about, gaps, rows};
use crate::view::View;

/// The API servers and the kubelets, from pods. That the API server reaches the kubelets is shown by the run itself: its
/// probe pods answer through both.
pub(crate) static CHECK: Check = Check {
    id: "net-kubelet",
    claim: "pods reach the API servers, and the API server reaches the kubelets of the nodes that tried",
    needs: &[Need::ControlPlane],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, TOPICS) else {
        return Judgement::not_asked();
    };
    let all = rows(reach);
    let mut findings: Vec<Finding> = api_servers(&all);
    findings.extend(all.iter().filter_map(|row| kubelet(reach, row)));
    Judgement {
        findings,
        gaps: gaps(view, reach),
        ..Judgement::default()
    }
}

fn api_servers(all: &[Row<'_>]) -> Vec<Finding> {
    let servers: Vec<&Row<'_>> = all
        .iter()
        .filter(|row| row.sample.purpose == Purpose::ApiServer)
        .collect();
    let mut findings = Vec::new();
    for row in servers.iter().filter(|row| !row.failing().is_empty()) {
        let failing = row.failing();
        let everywhere = row.right().is_empty();
        let others_answer = servers
            .iter()
            .any(|other| failing.iter().all(|source| other.right().contains(source)));
        let mut seen = evidence(row);
        seen.truncate(3);
        seen.extend(works(row));
        let Some(first) = seen.first().cloned() else {
            continue;
        };
        let place = if everywhere {
            "of any node".to_owned()
        } else {
            format!("of {}", names(&failing))
        };
        let (severity, subject) = match (others_answer, failing.as_slice()) {
            (true, _) => (Severity::Warning, row.sample.subject.clone()),
            (false, [one]) => (
                Severity::Error,
                one.node().map_or(Subject::Cluster, Subject::node),
            ),
            (false, _) => (Severity::Error, row.sample.subject.clone()),
        };
        let mut finding = Finding::new(
            CHECK.id,
            severity,
            subject,
            format!(
                "the API server {} {} to pods {place}",
                row.sample.address,
                manner(row.telling())
            ),
            first,
        );
        finding.evidence = seen;
        finding.hint = Some(if everywhere {
            "we reach the API server, pods do not: a firewall before it, or pods' addresses that it does not know the way back to"
                .to_owned()
        } else {
            "others reach it: look at the way out of these nodes: `kubectl netcheck egress`".to_owned()
        });
        findings.push(finding);
    }
    findings
}

/// The kubelet of a node, from pods. Many clusters close it to pods on purpose: an error only where the API server does not
/// reach it either.
fn kubelet(reach: &Reach, row: &Row<'_>) -> Option<Finding> {
    let Purpose::Kubelet { node } = &row.sample.purpose else {
        return None;
    };
    if row.failing().is_empty() {
        return None;
    }
    let by_api = reach
        .sources
        .iter()
        .any(|state| state.source == Source::Pod { node: node.clone() } && state.answered.seen().is_some());
    let failing = row.failing();
    let from = if row.right().is_empty() {
        "any node".to_owned()
    } else {
        names(&failing)
    };
    let mut seen = evidence(row);
    seen.truncate(3);
    seen.extend(works(row));
    let (severity, hint) = if by_api {
        (
            Severity::Note,
            "the API server reaches it, so that logs and exec work; pods need it only for what scrapes metrics",
        )
    } else {
        (
            Severity::Warning,
            "whether the API server reaches it was not seen: logs and exec need TCP 10250 from the control plane to the node",
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(node),
        format!(
            "the kubelet of {node} {} to pods of {from}",
            manner(row.telling())
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = Some(hint.to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests;
