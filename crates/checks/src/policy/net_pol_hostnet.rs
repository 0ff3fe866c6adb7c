use netmodel::policy::{Pod, Policy};
use report::{Finding, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, about, count, field, lint, pod_name, some};
use crate::view::View;

/// A policy that selects pods in their node's network, where policies do not apply.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-hostnet",
    claim: "no policy is meant for pods in their node's network",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    lint(view, &[Objects::Pods], |scene| {
        scene
            .policies()
            .into_iter()
            .filter_map(|policy| finding(scene, policy))
            .collect()
    })
}

fn finding(scene: &Scene<'_>, policy: &Policy) -> Option<Finding> {
    let (host, others): (Vec<&Pod>, Vec<&Pod>) =
        scene.world.selected(policy).partition(|pod| pod.host_network);
    if host.is_empty() {
        return None;
    }
    let (severity, summary) = if others.is_empty() {
        (
            Severity::Warning,
            format!(
                "{} has no effect: all it selects are pods in their node's network",
                policy.name
            ),
        )
    } else {
        // A policy for a whole namespace meets them by the way.
        let severity = if policy.pods.is_empty() {
            Severity::Note
        } else {
            Severity::Warning
        };
        let without = format!(
            "{} has no effect on {} in their node's network",
            policy.name,
            count(host.len(), "pod")
        );
        (severity, without)
    };
    let fact = format!(
        "it selects {}, which have hostNetwork: true",
        some(host.iter().map(|pod| pod_name(pod)))
    );
    let hint = "what those pods may reach is up to the firewall of their nodes";
    let evidence = field(&policy.name, ".spec.podSelector", fact);
    Some(about(CHECK.id, severity, &policy.name, summary, evidence, hint))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    #[test]
    fn a_policy_for_host_pods_has_no_effect() {
        let spec = json!({"podSelector": {"matchLabels": {"k8s-app": "kube-proxy"}}});
        let observation = Fixture::shop()
            .everywhere()
            .with("kube-system", "proxy", spec)
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Warning);
        let all = Fixture::shop()
            .everywhere()
            .with("kube-system", "all", json!({"podSelector": {}}));
        assert_eq!(shown::finds(&CHECK, &all.observe())[0].severity, Severity::Note);
    }

    #[test]
    fn a_policy_for_other_pods_is_right() {
        let observation = Fixture::shop()
            .with("shop", "all", json!({"podSelector": {}}))
            .observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn without_pods_it_is_not_known_what_is_selected() {
        shown::cannot_tell(&CHECK, &without_pods(Fixture::shop().observe()));
    }
}
