use report::{Finding, Severity};

use super::case::Case;
use super::lack::Lack;
use super::lint::each;
use super::scene::{Part, Scene};
use super::words::{about, get, labels, show_pods};
use crate::check::{Check, Judgement, Need};
use crate::view::View;
use report::Evidence;

/// A selector that selects no pod, no template of a workload, and nearly none.
pub(crate) static CHECK: Check = Check {
    id: "ep-sel",
    claim: "every selector selects pods, or what makes some",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Pods, Part::Workloads], |scene, case| {
        finding(scene, case).into_iter().collect()
    })
}

fn finding(scene: &Scene<'_>, case: &Case<'_>) -> Option<Finding> {
    let Some(Lack::NoMatch) = &case.lack else {
        return None;
    };
    let service = case.service;
    let selector = labels(&service.selector);
    let namespace = &service.namespace;
    let makers = scene.workloads_of(namespace).len();
    let mut finding = about(
        CHECK.id,
        Severity::Error,
        service,
        format!(
            "{} selects {selector}, and no pod of namespace {namespace} has these labels",
            service.subject()
        ),
        Evidence::command(
            format!("no pod has {selector}"),
            show_pods(namespace, &service.selector),
        ),
    );
    finding.evidence.push(Evidence::command(
        format!("none of {makers} Deployments, StatefulSets and DaemonSets makes such pods"),
        format!(
            "kubectl get deployments,statefulsets,daemonsets -n {} -o wide",
            crate::shell::word(namespace)
        ),
    ));
    finding.explains.push(super::ep_empty::CHECK.id.to_owned());
    finding.hint = Some(format!(
        "see what its pods are labelled with, and change the selector of the Service, which nothing else follows: `{}`",
        get("pods", namespace, "")
            .replace(" ''", "")
            .replace("-o yaml", "--show-labels")
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, labels, list, without_pods, workload};
    use crate::shown;

    fn other() -> Fixture {
        Fixture::shop().web(|service| service.selector = labels("app=database"))
    }

    #[test]
    fn a_selector_that_selects_nothing_is_found_and_accounts_for_the_empty_service() {
        let findings = shown::finds(&CHECK, &other().observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop selects app=database, and no pod of namespace shop has these labels"
        );
        assert_eq!(findings[0].explains, ["ep-empty"]);
        assert!(
            findings[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.ends_with("`kubectl get pods -n shop --show-labels`"))
        );
    }

    #[test]
    fn what_is_scaled_to_nothing_is_selected_all_the_same() {
        let scaled = other().with(|backends| list(&mut backends.workloads).push(workload("database", 0)));
        shown::passes(&CHECK, &scaled.observe());
    }

    #[test]
    fn no_selector_is_no_fault_of_one() {
        let manual = Fixture::shop().web(|service| service.selector.clear());
        shown::passes(&CHECK, &manual.observe());
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_pods_or_workloads_it_is_not_known_what_is_selected() {
        shown::cannot_tell(&CHECK, &without_pods(other()));
        let gap = report::Observed::Unseen(crate::endpoints::fixture::gap("Deployments"));
        shown::cannot_tell(
            &CHECK,
            &other().with(|backends| backends.workloads = gap).observe(),
        );
    }
}
