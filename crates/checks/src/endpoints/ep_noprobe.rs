use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::lint::each;
use super::scene::Part;
use super::words::{about, count, show_pods};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Several pods behind a Service that never say whether they are ready: each gets traffic from its first second to its last.
pub(crate) static CHECK: Check = Check {
    id: "ep-noprobe",
    claim: "backends behind a Service say when they are ready",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Pods], |_, case| finding(case).into_iter().collect())
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    let pods = case.staying();
    let mut containers = pods.iter().flat_map(|pod| &pod.containers);
    if pods.len() < 2 || containers.any(|container| container.has_readiness_probe) {
        return None;
    }
    let service = case.service;
    let number = count(pods.len(), "pod");
    let summary = format!(
        "none of the {number} behind {} has a readiness probe",
        service.subject()
    );
    let fact = format!("{number}, no readinessProbe in any container");
    let evidence = Evidence::command(fact, show_pods(&service.namespace, &service.selector));
    let mut finding = about(CHECK.id, Severity::Note, service, summary, evidence);
    finding.hint = Some(
        "add a readinessProbe to the template of the pods: without it they get traffic before they can answer".to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, without_pods};
    use crate::shown;

    fn silent() -> Fixture {
        Fixture::shop().each_pod(|pod| pod.containers[0].has_readiness_probe = false)
    }

    #[test]
    fn several_pods_without_a_probe_are_told() {
        let findings = shown::finds(&CHECK, &silent().observe());
        assert_eq!(
            findings[0].summary,
            "none of the 3 pods behind service/web -n shop has a readiness probe"
        );
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn one_pod_and_pods_with_a_probe_are_no_matter() {
        let one = Fixture::shop().pods(|pods| pods.truncate(1));
        let one = one.each_pod(|pod| pod.containers[0].has_readiness_probe = false);
        assert_eq!((CHECK.judge)(&View::new(&one.observe())).findings, []);
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_pods_their_probes_are_not_known() {
        shown::cannot_tell(&CHECK, &without_pods(silent()));
    }
}
