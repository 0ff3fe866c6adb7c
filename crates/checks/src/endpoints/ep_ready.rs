mod why;

use std::collections::BTreeMap;

use observation::BackendPod;
use report::{Evidence, Finding, Severity};

use self::why::{Why, why};
use super::case::Case;
use super::lack::Lack;
use super::lint::each;
use super::scene::{Part, Scene};
use super::words::{about, count, show_pods};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Pods behind a Service that are not ready, and what keeps each from it.
pub(crate) static CHECK: Check = Check {
    id: "ep-ready",
    claim: "pods behind every Service are ready",
    needs: &[Need::Backends],
    judge,
};

/// So many pods are told one by one.
const TOLD: usize = 3;

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Pods], |scene, case| {
        finding(scene, case).into_iter().collect()
    })
}

fn finding(scene: &Scene<'_>, case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let staying = case.staying();
    let unready: Vec<&BackendPod> = staying.iter().filter(|pod| !pod.ready).copied().collect();
    let is_empty = matches!(case.lack, Some(Lack::NotReady));
    if unready.is_empty() && !is_empty {
        return None;
    }
    let reasons: Vec<(&BackendPod, Why)> = unready.iter().map(|pod| (*pod, why(scene, pod))).collect();
    let subject = service.subject();
    let (severity, summary) = if is_empty {
        let summary = match (most(&reasons), unready.len()) {
            (None, _) => format!("all pods behind {subject} are being deleted"),
            (Some(reason), 1) => format!("the only pod behind {subject} is not ready: {reason}"),
            (Some(reason), number) => {
                format!("none of the {number} pods behind {subject} is ready: {reason}")
            }
        };
        (Severity::Error, summary)
    } else {
        let severity = if unready.len() * 2 > staying.len() {
            Severity::Warning
        } else {
            Severity::Note
        };
        let summary = format!(
            "{} of {} behind {subject} {} not ready: {}",
            unready.len(),
            count(staying.len(), "pod"),
            if unready.len() == 1 { "is" } else { "are" },
            most(&reasons)?
        );
        (severity, summary)
    };
    let fact = format!(
        "{} of {} ready",
        staying.len() - unready.len(),
        count(staying.len(), "pod")
    );
    let evidence = Evidence::command(fact, show_pods(&service.namespace, &service.selector));
    let mut finding = about(CHECK.id, severity, service, summary, evidence);
    for (pod, why) in reasons.iter().take(TOLD) {
        finding.evidence.push(Evidence::command(
            format!("pod/{}{}: {}", pod.name, on_node(pod), why.fact),
            describe(pod),
        ));
    }
    if let Some((pod, why)) = reasons.first() {
        let is_one_node = one_node(&reasons).is_some() && staying.iter().any(|other| other.node != pod.node);
        let advice = match (is_one_node, one_node(&reasons)) {
            (true, Some(node)) if reasons.iter().all(|(_, why)| why.is_timeout) => {
                format!("probes of all pods on {node} time out: look for a firewall of that node")
            }
            _ => why.advice.to_owned(),
        };
        finding.hint = Some(format!("{advice}: `{}`", describe(pod)));
    }
    if is_empty {
        finding.explains.push(super::ep_empty::CHECK.id.to_owned());
    }
    Some(finding)
}

/// The reason that most of them have; of as many the first in the alphabet.
fn most(reasons: &[(&BackendPod, Why)]) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, why) in reasons {
        *counts.entry(&why.reason).or_default() += 1;
    }
    let most = counts
        .iter()
        .max_by(|one, other| one.1.cmp(other.1).then_with(|| other.0.cmp(one.0)))?;
    Some((*most.0).to_owned())
}

/// The node, where all of them are on one.
fn one_node<'p>(reasons: &[(&'p BackendPod, Why)]) -> Option<&'p str> {
    let (first, _) = reasons.first()?;
    let node = first.node.as_deref()?;
    reasons
        .iter()
        .all(|(pod, _)| pod.node.as_deref() == Some(node))
        .then_some(node)
}

fn on_node(pod: &BackendPod) -> String {
    pod.node
        .as_ref()
        .map(|node| format!(" on {node}"))
        .unwrap_or_default()
}

fn describe(pod: &BackendPod) -> String {
    format!(
        "kubectl describe pod {} -n {}",
        word(&pod.name),
        word(&pod.namespace)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, pod, without_pods};
    use crate::shown;

    fn unready(number: usize) -> Fixture {
        let mut left = number;
        Fixture::shop().each_pod(|pod| {
            pod.ready = left == 0;
            left = left.saturating_sub(1);
        })
    }

    #[test]
    fn a_probe_that_asks_for_a_wrong_path_is_quoted() {
        let text = "Readiness probe failed: HTTP probe failed with statuscode: 404";
        let fixture = unready(3).event("pod", "web-1", "Unhealthy", text);
        let fixture = fixture.event("pod", "web-2", "Unhealthy", text);
        let findings = shown::finds(
            &CHECK,
            &fixture.event("pod", "web-3", "Unhealthy", text).observe(),
        );
        assert_eq!(
            findings[0].summary,
            "none of the 3 pods behind service/web -n shop is ready: its readiness probe is answered with status 404"
        );
        assert_eq!(
            (findings[0].severity, findings[0].explains.len()),
            (Severity::Error, 1)
        );
    }

    #[test]
    fn an_unready_minority_is_told_and_a_majority_warned_about() {
        let severity = |number| shown::finds(&CHECK, &unready(number).observe())[0].severity;
        assert_eq!(severity(1), Severity::Note);
        assert_eq!(severity(2), Severity::Warning);
        shown::passes(&CHECK, &unready(1).observe());
    }

    #[test]
    fn why_a_container_waits_goes_before_what_a_probe_said() {
        let crashing = unready(3).each_pod(|pod| {
            pod.ready = false;
            pod.containers[0].waiting = Some("CrashLoopBackOff".into());
            pod.containers[0].restarts = 7;
        });
        let findings = shown::finds(&CHECK, &crashing.observe());
        assert!(findings[0].summary.ends_with("web waits: CrashLoopBackOff"));
        assert!(findings[0].evidence[1].fact.contains("7 restarts"));
    }

    #[test]
    fn timeouts_on_one_node_only_point_to_that_node() {
        let text = "Readiness probe failed: Get \"http://10.244.1.5:8080/\": context deadline exceeded (Client.Timeout exceeded)";
        let findings = shown::finds(
            &CHECK,
            &unready(1).event("pod", "web-1", "Unhealthy", text).observe(),
        );
        assert!(
            findings[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("firewall of that node"))
        );
    }

    #[test]
    fn completed_pods_and_pods_that_go_are_no_candidates() {
        let jobs = Fixture::shop().pods(|pods| {
            let mut done = pod("web", 9);
            done.phase = "Succeeded".into();
            done.ready = false;
            let mut going = pod("web", 8);
            going.deleted = Some("2026-03-01T09:00:20Z".into());
            going.ready = false;
            pods.extend([done, going]);
        });
        let observation = jobs.observe();
        shown::passes(&CHECK, &observation);
        assert_eq!((CHECK.judge)(&View::new(&observation)).findings, []);
    }

    #[test]
    fn without_pods_it_is_not_known_whether_they_are_ready() {
        shown::cannot_tell(&CHECK, &without_pods(unready(3)));
    }
}
