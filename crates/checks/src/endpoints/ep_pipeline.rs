use report::{Evidence, Finding, Severity};

use super::case::Case;
use super::expected::expected;
use super::lint::over;
use super::scene::{Part, Scene};
use super::stale::first;
use super::time::{seconds, words};
use super::words::{about, count, field, show_pods, show_slices};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// From the Service that was asked about to its slices, stage by stage, each with its age: the first that disagrees is where to look. What
/// becomes of slices on nodes is not seen in the API.
pub(crate) static CHECK: Check = Check {
    id: "ep-pipeline",
    claim: "every stage from Service to slices is shown, and where one disagrees",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    if view.backends.as_ref().is_some_and(|scene| !scene.is_single()) {
        return Judgement::not_asked();
    }
    over(view, &[Part::Slices, Part::Pods], |scene| {
        let cases = scene.cases.iter().filter(|case| case.is_selecting());
        cases.map(|case| finding(scene, case)).collect()
    })
}

fn finding(scene: &Scene<'_>, case: &Case<'_>) -> Finding {
    let service = case.service;
    let read_at = &scene.facts.read_at;
    let ago = |moment: Option<&str>| seconds(moment, read_at).map(|age| format!(", {} ago", words(age)));
    let wanted = expected(service, &case.candidates);
    let ready = wanted.iter().filter(|it| it.flags.ready).count();
    let listed = case.endpoints().filter(|endpoint| endpoint.ready).count();
    let differences = first(case);
    let subject = service.subject();
    let summary = if case.candidates.is_empty() {
        format!("{subject} ends at its selector: it selects no pod")
    } else if ready == 0 {
        format!(
            "{subject} ends at its pods: none of {} is ready",
            count(case.candidates.len(), "pod")
        )
    } else if let Some(difference) = differences.first() {
        format!("{subject} ends at its slices, which differ from its pods: {difference}")
    } else {
        format!(
            "{subject} is in order up to its slices: {} ready",
            count(listed, "endpoint")
        )
    };
    let created = ago(service.settings.created.as_deref()).unwrap_or_default();
    let evidence = field(service, format!("the Service was created{created}"));
    let mut finding = about(CHECK.id, Severity::Note, service, summary, evidence);
    let changed = case
        .candidates
        .iter()
        .filter_map(|pod| pod.ready_since.as_deref())
        .max();
    let changed = ago(changed).map(|ago| {
        format!(
            "; the last change of readiness was{}",
            ago.trim_start_matches(',')
        )
    });
    finding.evidence.push(Evidence::command(
        format!(
            "its pods have {}, {ready} ready{}",
            count(wanted.len(), "address"),
            changed.unwrap_or_default()
        ),
        show_pods(&service.namespace, &service.selector),
    ));
    let triggered = case
        .slices
        .iter()
        .filter_map(|slice| slice.triggered.as_deref())
        .max();
    let triggered = ago(triggered).map(|ago| {
        format!(
            "; the last change that they followed was{}",
            ago.trim_start_matches(',')
        )
    });
    finding.evidence.push(Evidence::command(
        format!("its slices have {listed} ready{}", triggered.unwrap_or_default()),
        show_slices(service),
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, labels, pod, without_pods};
    use crate::shown;

    fn summary(fixture: Fixture) -> String {
        shown::finds(&CHECK, &fixture.ask("web").observe())[0]
            .summary
            .clone()
    }

    #[test]
    fn the_first_stage_that_disagrees_is_named() {
        assert_eq!(
            summary(Fixture::shop()),
            "service/web -n shop is in order up to its slices: 3 endpoints ready"
        );
        let other = Fixture::shop().web(|service| service.selector = labels("app=x"));
        assert!(summary(other).ends_with("ends at its selector: it selects no pod"));
        let slow = Fixture::shop().each_pod(|pod| pod.ready = false);
        assert!(summary(slow).ends_with("ends at its pods: none of 3 pods is ready"));
        let late = Fixture::shop().stuck().pods(|pods| pods.push(pod("web", 4)));
        assert!(summary(late).contains("ends at its slices"));
    }

    #[test]
    fn stages_have_their_ages() {
        let observation = Fixture::shop().ask("web").observe();
        shown::passes(&CHECK, &observation);
        let facts: Vec<String> = shown::finds(&CHECK, &observation)[0]
            .evidence
            .iter()
            .map(|evidence| evidence.fact.clone())
            .collect();
        assert_eq!(
            facts,
            [
                "the Service was created, 1 h ago",
                "its pods have 3 addresses, 3 ready; the last change of readiness was 1 h ago",
                "its slices have 3 ready",
            ]
        );
    }

    #[test]
    fn without_pods_the_stages_are_not_known() {
        shown::cannot_tell(&CHECK, &without_pods(Fixture::shop().ask("web")));
    }
}
