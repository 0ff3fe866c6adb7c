use observation::BackendWorkload;
use report::{Evidence, Finding, Severity};

use super::lint::over;
use super::scene::{Part, Scene};
use super::words::{get, nearest};
use crate::check::{Check, Judgement, Need};
use crate::view::View;
use observation::selects;

/// A StatefulSet and the headless Service by which its pods have names. The name of that Service is set when the StatefulSet is made, and
/// nothing checks it.
pub(crate) static CHECK: Check = Check {
    id: "ep-headless",
    claim: "the Service that a StatefulSet names is headless and selects its pods",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, &[Part::Workloads], |scene| {
        let workloads = scene.facts.workloads.seen().into_iter().flatten();
        workloads
            .filter_map(|workload| finding(scene, workload))
            .collect()
    })
}

fn finding(scene: &Scene<'_>, workload: &BackendWorkload) -> Option<Finding> {
    let name = workload.service_name.as_deref()?;
    let is_asked = |case: &super::case::Case<'_>| {
        case.service.namespace == workload.namespace
            && (case.service.name == name || selects(&case.service.selector, &workload.template_labels))
    };
    if scene.is_single() && !scene.cases.iter().any(is_asked) {
        return None;
    }
    let subject = workload.subject();
    let of = |severity, summary: String, hint: String| {
        let evidence = Evidence::command(
            format!("spec.serviceName is {name}"),
            get(&workload.kind, &workload.namespace, &workload.name),
        );
        let mut finding = Finding::new(CHECK.id, severity, subject.clone(), summary, evidence);
        finding.hint = Some(hint);
        Some(finding)
    };
    let Some(service) = scene.service(&workload.namespace, name) else {
        if !scene.knows_services_of(&workload.namespace) {
            return None;
        }
        let own = scene.facts.services.seen().into_iter().flatten();
        let own = own
            .filter(|it| it.namespace == workload.namespace)
            .map(|it| it.name.as_str());
        let near = nearest(name, own)
            .map(|near| format!(", but service/{near}"))
            .unwrap_or_default();
        return of(
            Severity::Error,
            format!("{subject} names service/{name}, which does not exist{near}: its pods have no names"),
            format!(
                "make a headless Service named {name} that selects its pods; spec.serviceName itself cannot be changed"
            ),
        );
    };
    if !selects(&service.selector, &workload.template_labels) {
        return of(
            Severity::Error,
            format!("{subject} names service/{name}, which does not select its pods: they have no names"),
            "let the selector of the Service match the labels of the StatefulSet's pods".to_owned(),
        );
    }
    if !service.headless {
        return of(
            Severity::Warning,
            format!(
                "{subject} names service/{name}, which is not headless: its pods have no names of their own"
            ),
            format!("unless nobody asks for single pods, make {name} anew with clusterIP None"),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap, labels, list, workload};
    use crate::shown;
    use report::Observed;

    fn stateful(service_name: &str) -> Fixture {
        let fixture = Fixture::shop().web(|service| service.headless = true);
        fixture.with(|backends| {
            list(&mut backends.workloads)[0] = BackendWorkload {
                kind: "statefulset".into(),
                service_name: Some(service_name.into()),
                ..workload("web", 3)
            };
        })
    }

    #[test]
    fn a_service_that_does_not_exist_is_found() {
        let findings = shown::finds(&CHECK, &stateful("wbe").observe());
        assert_eq!(
            findings[0].summary,
            "statefulset/web -n shop names service/wbe, which does not exist, but service/web: its pods have no names"
        );
    }

    #[test]
    fn a_service_of_other_pods_or_with_an_address_is_found() {
        let other = stateful("web").web(|service| service.selector = labels("app=db"));
        assert_eq!(
            shown::finds(&CHECK, &other.observe())[0].severity,
            Severity::Error
        );
        let address = stateful("web").web(|service| service.headless = false);
        assert_eq!(
            shown::finds(&CHECK, &address.observe())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn the_right_service_passes() {
        shown::passes(&CHECK, &stateful("web").observe());
    }

    #[test]
    fn without_workloads_nobody_is_seen_to_name_it() {
        let unseen =
            stateful("wbe").with(|backends| backends.workloads = Observed::Unseen(gap("StatefulSets")));
        shown::cannot_tell(&CHECK, &unseen.observe());
    }
}
