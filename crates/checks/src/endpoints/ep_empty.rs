use report::{Evidence, Finding, Gap, GapReason, Severity};

use super::case::Case;
use super::lack::Lack;
use super::lint::over;
use super::scene::{Part, Scene};
use super::stale::stable;
use super::words::{about, get, show_slices};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A Service that nothing behind it answers for. Where another check knows why, its finding accounts for this.
pub(crate) static CHECK: Check = Check {
    id: "ep-empty",
    claim: "every Service has an endpoint that gets traffic",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut unsure = Vec::new();
    let mut judgement = over(view, &[Part::Slices], |scene| {
        let late = scene.cases.iter().filter(|case| is_late(scene, case));
        unsure.extend(late.map(|case| case.service.subject()));
        scene.cases.iter().filter_map(finding).collect()
    });
    judgement.gaps.extend(unsure.into_iter().map(|service| Gap {
        what: format!("whether {service} gets an endpoint"),
        why: GapReason::NotStarted,
        message: "it has ready pods, and its EndpointSlices do not list them yet".to_owned(),
        hint: Some("look again after half a minute".to_owned()),
    }));
    judgement
}

/// Whether slices do not list ready pods, and it is not known yet whether they are late or do not follow at all.
fn is_late(scene: &Scene<'_>, case: &Case<'_>) -> bool {
    if !matches!(case.lack, Some(Lack::Stale)) {
        return false;
    }
    let Some(second) = &scene.facts.second_look else {
        return true;
    };
    let stable = stable(scene, case, second);
    !stable.is_empty() && stable.iter().all(|it| !it.is_old)
}

fn finding(case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let subject = service.subject();
    let slices = Evidence::command(
        format!("no ready address in {} EndpointSlices", case.slices.len()),
        show_slices(service),
    );
    let (severity, summary, workload) = match case.lack.as_ref()? {
        Lack::ScaledToZero(workload) => {
            let what = match workload.kind.as_str() {
                "daemonset" => "finds no node to run on",
                _ => "is scaled to 0",
            };
            let summary = format!("{subject} has no endpoint: {} {what}", workload.subject());
            (Severity::Note, summary, Some(workload))
        }
        Lack::NoPods(workload) => {
            let summary = format!(
                "{subject} has no endpoint: {} wants {} pods, and there is none",
                workload.subject(),
                workload.wanted
            );
            (Severity::Error, summary, Some(workload))
        }
        Lack::Unknown => (
            Severity::Error,
            format!("{subject} has no endpoint; why is not known, its pods were not seen"),
            None,
        ),
        // Other checks say these.
        Lack::Manual | Lack::Near(_) | Lack::Elsewhere(_) | Lack::NoMatch | Lack::NotReady | Lack::Stale => {
            return None;
        }
    };
    let mut finding = about(CHECK.id, severity, service, summary, slices);
    if let Some(workload) = workload {
        finding.evidence.push(Evidence::command(
            format!("{} wants {} pods", workload.subject(), workload.wanted),
            get(&workload.kind, &workload.namespace, &workload.name),
        ));
        finding.hint = Some(match severity {
            Severity::Note => "scale it up if the Service is wanted".to_owned(),
            Severity::Warning | Severity::Error => format!(
                "its conditions and events say why no pod is made, a quota or an admission webhook for example: `kubectl describe {} {} -n {}`",
                workload.kind,
                word(&workload.name),
                word(&workload.namespace)
            ),
        });
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, list, pod, without_pods, without_slices, workload};
    use crate::shown;
    use report::Observed;

    fn emptied(wanted: u32) -> Fixture {
        Fixture::shop().pods(Vec::clear).with(|backends| {
            *list(&mut backends.workloads) = vec![workload("web", wanted)];
        })
    }

    #[test]
    fn a_workload_that_makes_no_pods_is_named() {
        let findings = shown::finds(&CHECK, &emptied(3).observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop has no endpoint: deployment/web -n shop wants 3 pods, and there is none"
        );
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn scaled_to_nothing_is_said_and_is_no_fault() {
        let observation = emptied(0).observe();
        shown::passes(&CHECK, &observation);
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "service/web -n shop has no endpoint: deployment/web -n shop is scaled to 0"
        );
    }

    #[test]
    fn that_it_is_empty_is_known_without_its_pods() {
        let findings = shown::finds(
            &CHECK,
            &without_pods(Fixture::shop().each_pod(|pod| pod.ready = false)),
        );
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn headless_external_and_endpoints_that_end_are_not_empty() {
        shown::passes(
            &CHECK,
            &Fixture::shop().web(|service| service.headless = true).observe(),
        );
        let external = Fixture::shop().web(|service| {
            service.kind = "ExternalName".into();
            service.selector.clear();
            service.external_name = Some("www.example.com".into());
        });
        shown::passes(&CHECK, &external.observe());
        let ending = Fixture::shop().each_pod(|pod| pod.deleted = Some("2026-03-01T09:00:20Z".into()));
        shown::passes(&CHECK, &ending.observe());
    }

    #[test]
    fn slices_that_may_only_be_late_leave_it_open() {
        let late = Fixture::shop()
            .with(|backends| backends.pods = Observed::Seen(Vec::new()))
            .stuck();
        let late = late.pods(|pods| pods.push(pod("web", 1)));
        shown::cannot_tell(&CHECK, &late.observe());
    }

    #[test]
    fn without_slices_it_is_not_known_who_is_empty() {
        shown::cannot_tell(&CHECK, &without_slices(Fixture::shop()));
    }
}
