use netmodel::policy::{Requirement, nearest};
use report::{Finding, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Meant, Objects, Scene, Use, about, field, lint, uses};
use crate::view::View;

/// A namespaceSelector that selects no namespace. Only `kubernetes.io/metadata.name` is there by itself.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-nslabel",
    claim: "every namespaceSelector selects a namespace",
    needs: &[Need::Policies],
    judge,
};

const AUTOMATIC: &str = "kubernetes.io/metadata.name";

fn judge(view: &View<'_>) -> Judgement {
    lint(view, &[Objects::Namespaces], |scene| {
        let policies = scene.policies();
        let all = policies.iter().flat_map(|policy| uses(policy));
        all.filter(|one| matches!(one.what, Meant::Namespaces))
            .filter_map(|one| finding(scene, &one))
            .collect()
    })
}

fn finding(scene: &Scene<'_>, one: &Use<'_>) -> Option<Finding> {
    let namespaces = scene.world.namespaces();
    if namespaces.values().any(|labels| one.selector.matches(labels)) {
        return None;
    }
    let policy = &one.policy.name;
    let requirements = one.selector.requirements();
    let by_name = requirements
        .iter()
        .find_map(|it| Some((it, existing(scene, it)?)));
    let near = || {
        nearest(
            one.selector,
            namespaces
                .iter()
                .map(|(name, labels)| (format!("namespace/{name}"), labels)),
        )
    };
    let (fact, hint) = if let Some((requirement, name)) = by_name {
        (
            format!("no namespace has {requirement}; namespace {name} exists, and has no such label"),
            format!("only {AUTOMATIC} is there by itself: write {AUTOMATIC}: {name}, or label the namespace"),
        )
    } else if let Some(near) = near() {
        (
            format!("no namespace has {near}"),
            format!("if that namespace is meant, write {}={}", near.key, near.value),
        )
    } else {
        (
            format!("no namespace has {}", one.selector),
            "look at `kubectl get namespaces --show-labels`, then at the policy".to_owned(),
        )
    };
    let summary = format!("{policy} means no namespace with {}", one.selector);
    Some(about(
        CHECK.id,
        Severity::Warning,
        policy,
        summary,
        field(policy, &one.path, fact),
        &hint,
    ))
}

/// The namespace whose name stands as the value of another label.
fn existing(scene: &Scene<'_>, requirement: &Requirement) -> Option<String> {
    let names = requirement.values.iter();
    let mut names = names.filter(|value| scene.world.namespaces().contains_key(*value));
    names.next().filter(|_| requirement.key != AUTOMATIC).cloned()
}

#[cfg(test)]
mod tests {
    use report::{Gap, GapReason, Observed};
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::Fixture;
    use crate::shown;

    fn from(key: &str, value: &str) -> observation::Observation {
        let spec = json!({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {key: value}}}]}]});
        Fixture::shop().with("shop", "in", spec).observe()
    }

    #[test]
    fn a_label_that_nobody_put_there_is_told_from_the_one_that_is() {
        let findings = shown::finds(&CHECK, &from("name", "ops"));
        assert_eq!(
            findings[0].summary,
            "networkpolicy/in -n shop means no namespace with name=ops"
        );
        let hint = findings[0].hint.as_ref().unwrap();
        assert!(
            hint.contains("write kubernetes.io/metadata.name: ops, or label"),
            "{hint}"
        );
    }

    #[test]
    fn a_name_with_a_slip_is_named() {
        let findings = shown::finds(&CHECK, &from(AUTOMATIC, "shpo"));
        assert!(
            findings[0].evidence[0]
                .fact
                .contains("namespace/shop has kubernetes.io/metadata.name=shop")
        );
    }

    #[test]
    fn a_selector_that_selects_is_right() {
        shown::passes(&CHECK, &from(AUTOMATIC, "ops"));
        shown::passes(&CHECK, &from("team", "operations"));
    }

    #[test]
    fn without_namespaces_none_is_said_to_be_missing() {
        let mut observation = from("name", "ops");
        observation.policy.as_mut().unwrap().namespaces = Observed::Unseen(Gap {
            what: "namespaces".into(),
            why: GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        shown::cannot_tell(&CHECK, &observation);
    }
}
