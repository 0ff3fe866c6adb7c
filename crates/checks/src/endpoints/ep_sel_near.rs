use netmodel::policy::{Near, Nearness};
use observation::{BackendPod, Service};
use report::{Evidence, Finding, Severity};
use serde_json::{Map, Value, json};

use super::case::Case;
use super::lack::Lack;
use super::lint::each;
use super::scene::{Part, Scene};
use super::words::{about, labels, patch, show_pods};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A selector that selects no pod, and pods whose labels it nearly matches.
pub(crate) static CHECK: Check = Check {
    id: "ep-sel-near",
    claim: "no selector misses pods by a slip",
    needs: &[Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, &[Part::Pods], |scene, case| {
        finding(scene, case).into_iter().collect()
    })
}

fn finding(scene: &Scene<'_>, case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let mut finding = match &case.lack {
        Some(Lack::Near(near)) => of_near(scene, service, near),
        Some(Lack::Elsewhere(pod)) => of_elsewhere(service, pod),
        _ => return None,
    };
    finding.evidence.push(Evidence::command(
        format!(
            "no pod of namespace {} has {}",
            service.namespace,
            labels(&service.selector)
        ),
        show_pods(&service.namespace, &service.selector),
    ));
    finding.explains = vec![
        super::ep_sel::CHECK.id.to_owned(),
        super::ep_empty::CHECK.id.to_owned(),
    ];
    Some(finding)
}

fn of_near(scene: &Scene<'_>, service: &Service, near: &Near) -> Finding {
    let made = scene
        .kinds_of(&service.namespace)
        .iter()
        .find(|pod| near.on == format!("pod/{}", pod.name))
        .and_then(|pod| pod.controller.as_deref())
        .map(|controller| format!(" of {controller}"))
        .unwrap_or_default();
    let Near {
        wanted,
        key,
        value,
        on,
        how,
    } = near;
    let summary = format!(
        "{} selects {}, which no pod has: {on} has {key}={value}",
        service.subject(),
        labels(&service.selector)
    );
    let fact = format!("{on}{made} has {key}={value}, the selector asks for {wanted}: {how}");
    let (kind, name) = on.split_once('/').unwrap_or(("pod", on));
    let show = format!(
        "kubectl get {kind} {} -n {} --show-labels",
        word(name),
        word(&service.namespace)
    );
    let mut selector = Map::new();
    if wanted.key != *key {
        selector.insert(wanted.key.clone(), Value::Null);
    }
    selector.insert(key.clone(), Value::String(value.clone()));
    let fix = patch(service, &json!({"spec": {"selector": selector}}));
    let mut finding = about(
        CHECK.id,
        Severity::Error,
        service,
        summary,
        Evidence::command(fact, show),
    );
    let meant = match how {
        Nearness::Prefix => "if those pods are meant",
        _ => {
            "if those pods are meant, change the selector; the labels of a Deployment's pods cannot be changed"
        }
    };
    finding.hint = Some(format!("{meant}: `{fix}`"));
    finding
}

fn of_elsewhere(service: &Service, pod: &BackendPod) -> Finding {
    let summary = format!(
        "{} selects {}, which pods of namespace {} have, and none of its own",
        service.subject(),
        labels(&service.selector),
        pod.namespace
    );
    let fact = format!("{} has these labels", pod.subject());
    let show = show_pods(&pod.namespace, &service.selector);
    let mut finding = about(
        CHECK.id,
        Severity::Error,
        service,
        summary,
        Evidence::command(fact, show),
    );
    finding.hint = Some(format!(
        "a Service selects pods of its own namespace only: make it in namespace {0}, where callers of others name it {1}.{0}",
        pod.namespace, service.name
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, labels, list, pod, service, without_pods, workload};
    use crate::shown;

    fn selecting(text: &str) -> Fixture {
        Fixture::shop().web(|service| service.selector = labels(text))
    }

    #[test]
    fn a_misspelt_value_is_found_with_a_repair_to_paste() {
        let findings = shown::finds(&CHECK, &selecting("app=wbe").observe());
        assert_eq!(
            findings[0].summary,
            "service/web -n shop selects app=wbe, which no pod has: pod/web-1 has app=web"
        );
        assert!(findings[0].hint.as_ref().is_some_and(|hint| {
            hint.ends_with(r#"`kubectl patch service web -n shop -p '{"spec":{"selector":{"app":"web"}}}'`"#)
        }));
        assert_eq!(findings[0].explains, ["ep-sel", "ep-empty"]);
    }

    #[test]
    fn half_of_a_value_is_near() {
        let whole = selecting("app=my-app").pods(|pods| {
            *pods = vec![pod("my-application", 1)];
        });
        let findings = shown::finds(&CHECK, &whole.observe());
        assert!(
            findings[0]
                .summary
                .ends_with("pod/my-application-1 has app=my-application")
        );
    }

    #[test]
    fn the_same_value_under_another_key_replaces_the_key() {
        let findings = shown::finds(&CHECK, &selecting("name=web").observe());
        assert!(
            findings[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains(r#"'{"spec":{"selector":{"app":"web","name":null}}}'"#))
        );
    }

    #[test]
    fn pods_of_another_namespace_are_not_selected() {
        let far = selecting("app=billing").pods(|pods| {
            let mut other = pod("billing", 1);
            other.namespace = "money".into();
            pods.push(other);
        });
        let findings = shown::finds(&CHECK, &far.observe());
        assert!(findings[0].summary.contains("which pods of namespace money have"));
    }

    #[test]
    fn a_template_that_matches_was_meant_whatever_is_near() {
        let scaled =
            selecting("app=wep").with(|backends| list(&mut backends.workloads).push(workload("wep", 0)));
        shown::passes(&CHECK, &scaled.observe());
    }

    #[test]
    fn a_selector_that_selects_a_pod_is_right_whatever_else_is_near() {
        let two = Fixture::shop().beside(service("wet")).pods(|pods| {
            pods.push(pod("wet", 1));
        });
        shown::passes(&CHECK, &two.observe());
    }

    #[test]
    fn completed_pods_of_jobs_are_not_meant() {
        let jobs = selecting("app=wbe").each_pod(|pod| pod.phase = "Succeeded".into());
        let jobs = jobs.with(|backends| list(&mut backends.workloads).clear());
        shown::passes(&CHECK, &jobs.observe());
    }

    #[test]
    fn without_pods_nothing_is_near() {
        shown::cannot_tell(&CHECK, &without_pods(selecting("app=wbe")));
    }
}
