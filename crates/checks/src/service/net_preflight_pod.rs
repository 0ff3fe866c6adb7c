mod inside;

use observation::{PathPod, Purpose, Reach, Source, Topic};
use report::{Evidence, Finding, Severity, Subject};

use super::{evidence, manner, names, works};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::tries::{Row, about, gaps, rows};
use crate::view::View;

/// The destination of a path that is no Service: a pod that runs, or a node's port, and whether it answers.
pub(crate) static CHECK: Check = Check {
    id: "net-preflight-pod",
    claim: "the pods at both ends run and have an address, and the destination answers",
    needs: &[Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let from_within = view
        .observation
        .reach
        .as_ref()
        .filter(|reach| inside::is_asked(reach));
    let Some(reach) = about(view, &[Topic::Path]).or(from_within) else {
        return Judgement::not_asked();
    };
    let all = rows(reach);
    let destination: Vec<&Row<'_>> = all
        .iter()
        .filter(|row| row.sample.purpose == Purpose::Destination)
        .collect();
    if reach.pods.is_empty() && destination.is_empty() && !inside::is_asked(reach) {
        return Judgement::skipped("neither end is a pod or a node");
    }
    let mut findings: Vec<Finding> = reach.pods.iter().filter_map(not_running).collect();
    findings.extend(destination.iter().filter_map(|row| silent(reach, row, &all)));
    findings.extend(inside::find(reach));
    Judgement {
        findings,
        gaps: gaps(view, reach),
        ..Judgement::default()
    }
}

fn not_running(pod: &PathPod) -> Option<Finding> {
    let fault = match (pod.phase.as_str(), &pod.node, pod.addresses.is_empty()) {
        ("Running", _, false) => return None,
        (_, None, _) => "is not scheduled on any node".to_owned(),
        ("Running", _, true) => "has no address".to_owned(),
        (phase, _, true) => format!("is {phase} and has no address"),
        (phase, _, false) => format!("is {phase}"),
    };
    let subject = Subject::Object {
        kind: "pod".to_owned(),
        name: pod.name.clone(),
        namespace: Some(pod.namespace.clone()),
    };
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!("pod/{} {fault}: nothing can reach it", pod.name),
        Evidence::command(
            format!("phase {}", pod.phase),
            format!("kubectl get pod {name} -n {namespace} -o wide"),
        ),
    );
    finding.hint = Some(format!(
        "its events say why: `kubectl describe pod {name} -n {namespace}`"
    ));
    Some(finding)
}

fn silent(reach: &Reach, row: &Row<'_>, all: &[Row<'_>]) -> Option<Finding> {
    let failing = row.failing();
    let first = *failing.first()?;
    let right = row.right();
    let subject = &row.sample.subject;
    let node = reach
        .pods
        .iter()
        .find(|pod| pod.addresses.contains(&row.sample.address.ip()))
        .and_then(|pod| pod.node.as_deref());
    let mut seen = evidence(row);
    seen.truncate(3);
    seen.extend(works(row));
    // A probe pod on the node of the destination, tried from where the destination did not answer.
    let control = all.iter().find(|it| {
        matches!(&it.sample.purpose, Purpose::ProbePod { node: of } if Some(of.as_str()) == node)
            && it.from.contains_key(first)
    });
    let node_is_reached = control.is_some_and(|control| control.right().contains(&first));
    seen.extend(control.and_then(works).filter(|_| node_is_reached));
    let from = if right.is_empty() {
        String::new()
    } else {
        format!(" from {}", names(&failing))
    };
    let local = |source: &&Source| node.is_some() && source.node() == node;
    let only_outside = failing.iter().all(|source| **source == Source::Outside);
    let hint = if only_outside && !right.is_empty() {
        "from inside the cluster it answers: a firewall or a security group between this machine and there"
    } else if !right.is_empty() && right.iter().all(local) {
        "it answers on its own node: a policy that drops what comes from elsewhere, or the way between the nodes"
    } else if node_is_reached {
        "our own pod on that node answers, so that the way to the node is open: look at this pod, its port, and the policies of its namespace"
    } else if control.is_some() {
        "our own pod on that node does not answer either: `kubectl netcheck pod-to-pod`"
    } else {
        "see whether anything listens there"
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!(
            "port {} of {subject} {}{from}",
            row.sample.address.port(),
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
