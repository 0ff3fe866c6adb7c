use std::collections::BTreeMap;

use netmodel::policy::{Direction, Policy};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, count, lint, show};
use crate::view::View;

/// The policies of each namespace, and whom they select. Notes only: there is nothing wrong with having policies.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-list",
    claim: "the policies of each namespace are known, with the pods that they select",
    needs: &[Need::Policies],
    judge,
};

/// With more namespaces than these, they are told together.
const MOST_NAMESPACES: usize = 8;

fn judge(view: &View<'_>) -> Judgement {
    match &view.scene {
        // Beside a diagnosis of everything an inventory would be in the way.
        Some(scene) if scene.is_lint() && view.observation.mesh.is_none() => {
            lint(view, &[Objects::Pods], find)
        }
        Some(_) | None => Judgement::not_asked(),
    }
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut by_namespace: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
    for policy in scene.policies() {
        by_namespace
            .entry(&policy.name.namespace)
            .or_default()
            .push(policy);
    }
    let lines = |policies: &[&Policy]| -> Vec<Evidence> {
        policies.iter().map(|policy| line(scene, policy)).collect()
    };
    let note = |subject, summary: String, evidence: Vec<Evidence>| Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject,
        summary,
        evidence,
        hint: None,
        explains: Vec::new(),
    };
    if by_namespace.len() > MOST_NAMESPACES {
        let all: Vec<&Policy> = by_namespace.values().flatten().copied().collect();
        let summary = format!(
            "{} NetworkPolicies in {} namespaces",
            all.len(),
            by_namespace.len()
        );
        return vec![note(Subject::Cluster, summary, lines(&all))];
    }
    by_namespace
        .into_iter()
        .map(|(namespace, policies)| {
            let subject = Subject::Object {
                kind: "namespace".to_owned(),
                name: namespace.to_owned(),
                namespace: None,
            };
            let policies_of = if policies.len() == 1 {
                "NetworkPolicy"
            } else {
                "NetworkPolicies"
            };
            let summary = format!("namespace {namespace} has {} {policies_of}", policies.len());
            note(subject, summary, lines(&policies))
        })
        .collect()
}

fn line(scene: &Scene<'_>, policy: &Policy) -> Evidence {
    let directions: Vec<String> = policy
        .directions()
        .map(|direction| match policy.rules(direction).map_or(0, <[_]>::len) {
            0 => format!("no {direction}"),
            rules => format!("{direction} by {}", count(rules, "rule")),
        })
        .collect();
    let selected = scene.world.selected(policy).count();
    let directions = if directions.is_empty() {
        Direction::Ingress.to_string()
    } else {
        directions.join(", ")
    };
    let fact = format!(
        "{}: allows {directions} for {} ({})",
        policy.name.name,
        count(selected, "pod"),
        policy.pods
    );
    Evidence::command(fact, show(&policy.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    #[test]
    fn policies_are_listed_with_the_pods_that_they_select() {
        let observation = Fixture::shop().with("shop", "deny", deny_all()).observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].summary, "namespace shop has 1 NetworkPolicy");
        assert_eq!(
            findings[0].evidence[0].fact,
            "deny: allows no ingress, no egress for 3 pods (everything)"
        );
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn a_namespace_without_policies_is_none_to_list() {
        shown::passes(&CHECK, &Fixture::shop().observe());
    }

    #[test]
    fn without_pods_it_is_not_known_whom_they_select() {
        let observation = without_pods(Fixture::shop().with("shop", "deny", deny_all()).observe());
        shown::cannot_tell(&CHECK, &observation);
    }
}
