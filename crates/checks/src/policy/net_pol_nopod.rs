use netmodel::policy::{Peer, Rule};
use observation::PolicyWorkload;
use report::{Finding, Severity};

use super::net_pol_selmiss::slip;
use crate::check::{Check, Judgement, Need};
use crate::scene::{Meant, Objects, Scene, Use, about, field, lint, seen, uses};
use crate::view::View;

/// A selector that selects no pod, and nothing that would make one.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-nopod",
    claim: "the pods that policies select exist, or something makes them",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    lint(
        view,
        &[Objects::Pods, Objects::Namespaces, Objects::Workloads],
        |scene| {
            let policies = scene.policies();
            let all = policies.iter().flat_map(|policy| uses(policy));
            all.filter_map(|one| finding(scene, &one)).collect()
        },
    )
}

fn finding(scene: &Scene<'_>, one: &Use<'_>) -> Option<Finding> {
    let namespaces = scene.looks_in(one)?;
    // That no namespace is selected is told of the namespaceSelector.
    if namespaces.is_empty() || selects_some(scene, one)? || is_made(scene, one) || slip(scene, one).is_some()
    {
        return None;
    }
    let policy = &one.policy.name;
    if let Some(workload) = labelled_itself(scene, one, &namespaces) {
        let owner = format!("{}/{} -n {}", workload.kind, workload.name, workload.namespace);
        let summary = format!(
            "{policy} selects {}, which {owner} has and its pods have not",
            one.selector
        );
        let fact = format!("{owner} carries these labels itself; its .spec.template.metadata.labels do not");
        let hint = "policies see the labels of pods only: put the label into the template";
        let evidence = field(policy, &one.path, fact);
        return Some(about(
            CHECK.id,
            Severity::Warning,
            policy,
            summary,
            evidence,
            hint,
        ));
    }
    let (severity, summary) = match one.what {
        Meant::Subject => (
            Severity::Warning,
            format!(
                "{policy} isolates nothing: no pod of its namespace matches {}",
                one.selector
            ),
        ),
        Meant::Peer { rule, .. } if allows_nobody(scene, one, rule) => (
            Severity::Warning,
            format!(
                "a rule of {policy} allows nobody: no pod matches {}",
                one.selector
            ),
        ),
        // One peer of several that is not there is usual: a policy for many clusters names what some of them have.
        Meant::Peer { .. } => (
            Severity::Note,
            format!("{policy} allows {}, and there is no such pod", one.selector),
        ),
        Meant::Namespaces => return None,
    };
    let fact = format!(
        "no pod matches {}, and nothing makes pods with these labels",
        one.selector
    );
    let hint = "look at the labels of the pods that are meant with `kubectl get pods --show-labels`, then at the policy";
    Some(about(
        CHECK.id,
        severity,
        policy,
        summary,
        field(policy, &one.path, fact),
        hint,
    ))
}

fn selects_some(scene: &Scene<'_>, one: &Use<'_>) -> Option<bool> {
    let candidates = scene.candidates(one)?;
    Some(candidates.iter().any(|pod| one.selector.matches(&pod.labels)))
}

/// Whether something in the namespaces makes pods that the selector would select.
pub(super) fn is_made(scene: &Scene<'_>, one: &Use<'_>) -> bool {
    let Some(namespaces) = scene.looks_in(one) else {
        return false;
    };
    seen(&scene.facts.workloads).iter().any(|workload| {
        namespaces.contains(&workload.namespace.as_str()) && one.selector.matches(&workload.template_labels)
    })
}

/// What has the labels itself, and makes pods without them.
fn labelled_itself<'s>(
    scene: &'s Scene<'_>,
    one: &Use<'_>,
    namespaces: &[&str],
) -> Option<&'s PolicyWorkload> {
    seen(&scene.facts.workloads).iter().find(|workload| {
        namespaces.contains(&workload.namespace.as_str()) && one.selector.matches(&workload.labels)
    })
}

/// Whether no other item of the rule means anybody either.
fn allows_nobody(scene: &Scene<'_>, one: &Use<'_>, rule: &Rule) -> bool {
    rule.peers.iter().all(|peer| match peer {
        Peer::Block(_) | Peer::Unreadable(_) => false,
        Peer::Pods { namespaces, pods } => {
            let own = &one.policy.name.namespace;
            !scene.world.pods().iter().any(|pod| {
                let in_namespace = match namespaces {
                    None => pod.namespace == *own,
                    Some(selector) => {
                        let labels = scene.world.namespace(&pod.namespace);
                        labels.is_none_or(|labels| selector.matches(labels))
                    }
                };
                in_namespace && pods.as_ref().is_none_or(|selector| selector.matches(&pod.labels))
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    fn isolating(app: &str) -> Fixture {
        Fixture::shop().with(
            "shop",
            "it",
            json!({"podSelector": {"matchLabels": {"app": app}}}),
        )
    }

    #[test]
    fn a_policy_for_nobody_is_a_warning() {
        let findings = shown::finds(&CHECK, &isolating("reporting").observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].summary,
            "networkpolicy/it -n shop isolates nothing: no pod of its namespace matches app=reporting"
        );
    }

    #[test]
    fn what_exists_or_is_scaled_to_zero_is_normal() {
        shown::passes(&CHECK, &isolating("web").observe());
        let scaled = isolating("reporting").workload("shop", "reporting", "app=reporting", "app=reporting");
        shown::passes(&CHECK, &scaled.observe());
    }

    #[test]
    fn labels_of_a_deployment_alone_are_no_labels_of_pods() {
        let only_own = isolating("reporting").workload("shop", "reporting", "app=reporting", "x=y");
        let findings = shown::finds(&CHECK, &only_own.observe());
        assert!(
            findings[0]
                .summary
                .contains("deployment/reporting -n shop has and its pods have not")
        );
    }

    #[test]
    fn one_absent_peer_among_others_is_a_note_and_a_rule_for_nobody_a_warning() {
        let peer = |app: &str| json!({"podSelector": {"matchLabels": {"app": app}}});
        let rule = |peers: serde_json::Value| json!({"podSelector": {}, "ingress": [{"from": peers}]});
        let of = |peers| shown::finds(&CHECK, &Fixture::shop().with("shop", "it", rule(peers)).observe());
        assert_eq!(
            of(json!([peer("web"), peer("reporting")]))[0].severity,
            Severity::Note
        );
        assert_eq!(of(json!([peer("reporting")]))[0].severity, Severity::Warning);
    }

    #[test]
    fn without_pods_none_is_said_to_be_missing() {
        shown::cannot_tell(&CHECK, &without_pods(isolating("reporting").observe()));
    }
}
