use netmodel::policy::{Near, Pod, nearest};
use report::{Finding, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Meant, Objects, Scene, Use, about, field, lint, pod_name, uses};
use crate::view::View;

/// A selector that selects no pod, and a pod whose labels it nearly matches.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-selmiss",
    claim: "no selector of a policy misses pods by a slip",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    lint(view, &[Objects::Pods, Objects::Namespaces], |scene| {
        let policies = scene.policies();
        let all = policies.iter().flat_map(|policy| uses(policy));
        all.filter_map(|one| finding(scene, &one)).collect()
    })
}

fn finding(scene: &Scene<'_>, one: &Use<'_>) -> Option<Finding> {
    let slip = slip(scene, one)?;
    let whom = match one.what {
        Meant::Subject => "isolates no pod",
        Meant::Peer { .. } | Meant::Namespaces => "means no pod",
    };
    let policy = &one.policy.name;
    let (summary, fact, hint) = match slip {
        Slip::Near(near) => (
            format!(
                "{policy} {whom} with {}: {} has {}={}",
                one.selector, near.on, near.key, near.value
            ),
            format!("{near}; no pod matches"),
            format!("if that pod is meant, write {}={}", near.key, near.value),
        ),
        Slip::Elsewhere(pod) => (
            format!(
                "{policy} {whom} with {}: {} has these labels, in another namespace",
                one.selector,
                pod_name(pod)
            ),
            format!(
                "a podSelector alone means pods of namespace {}, and {} is in {}",
                policy.namespace,
                pod_name(pod),
                pod.namespace
            ),
            format!(
                "if that pod is meant, put a namespaceSelector for kubernetes.io/metadata.name: {} into the same item",
                pod.namespace
            ),
        ),
    };
    let evidence = field(policy, &one.path, fact);
    let mut finding = about(CHECK.id, Severity::Warning, policy, summary, evidence, &hint);
    finding.explains.push(super::net_pol_nopod::CHECK.id.to_owned());
    Some(finding)
}

/// What the author of a selector probably meant.
pub(super) enum Slip<'s> {
    Near(Near),
    Elsewhere(&'s Pod),
}

/// Why a selector of pods that selects none probably does so; `None` where it selects some, or where nothing is near.
pub(super) fn slip<'s>(scene: &'s Scene<'_>, one: &Use<'s>) -> Option<Slip<'s>> {
    let candidates = scene.candidates(one)?;
    if candidates.iter().any(|pod| one.selector.matches(&pod.labels)) {
        return None;
    }
    let labels = candidates.iter().map(|pod| (pod_name(pod), &pod.labels));
    if let Some(near) = nearest(one.selector, labels) {
        // Where pods are made from a template with these labels, there are none of them at the moment.
        return (!super::net_pol_nopod::is_made(scene, one)).then_some(Slip::Near(near));
    }
    let own_only = matches!(one.what, Meant::Peer { namespaces: None, .. });
    if !own_only || super::net_pol_nopod::is_made(scene, one) {
        return None;
    }
    let elsewhere = scene
        .world
        .pods()
        .iter()
        .find(|pod| one.selector.matches(&pod.labels));
    elsewhere.map(Slip::Elsewhere)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    fn from(peer: &Value) -> observation::Observation {
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [peer]}]});
        Fixture::shop().with("shop", "db", spec).observe()
    }

    #[test]
    fn a_label_that_is_nearly_there_is_named() {
        let findings = shown::finds(
            &CHECK,
            &from(&json!({"podSelector": {"matchLabels": {"app": "wbe"}}})),
        );
        assert_eq!(
            findings[0].summary,
            "networkpolicy/db -n shop means no pod with app=wbe: pod/web-1 -n shop has app=web"
        );
        assert!(
            findings[0].evidence[0]
                .fact
                .starts_with("app=wbe, where pod/web-1 -n shop has app=web (a letter")
        );
        let spec = json!({"podSelector": {"matchLabels": {"k8s-app": "web"}}});
        shown::finds(&CHECK, &Fixture::shop().with("shop", "web", spec).observe());
    }

    #[test]
    fn pods_of_another_namespace_are_not_meant_without_a_namespace_selector() {
        let findings = shown::finds(
            &CHECK,
            &from(&json!({"podSelector": {"matchLabels": {"app": "prometheus"}}})),
        );
        let hint = findings[0].hint.as_ref().unwrap();
        assert!(
            hint.contains("kubernetes.io/metadata.name: ops into the same item"),
            "{hint}"
        );
    }

    #[test]
    fn what_selects_and_what_is_far_from_everything_is_no_slip() {
        let observation = from(&json!({"podSelector": {"matchLabels": {"app": "web"}}}));
        shown::passes(&CHECK, &observation);
        let observation = from(&json!({"podSelector": {"matchLabels": {"app": "reporting"}}}));
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn a_workload_scaled_to_zero_is_no_slip() {
        let spec = json!({"podSelector": {"matchLabels": {"app": "wbe"}}});
        let fixture = Fixture::shop().with("shop", "wbe", spec);
        let observation = fixture.workload("shop", "wbe", "app=wbe", "app=wbe").observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn without_pods_no_selector_is_said_to_miss() {
        let observation = without_pods(from(&json!({"podSelector": {"matchLabels": {"app": "wbe"}}})));
        shown::cannot_tell(&CHECK, &observation);
    }
}
