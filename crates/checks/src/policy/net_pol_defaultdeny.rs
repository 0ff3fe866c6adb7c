use netmodel::policy::{Direction, Pod, Policy};
use report::{Finding, Severity};

use super::net_pol_port::of_flow;
use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, about, count, field, lint, pod_name, some};
use crate::view::View;

/// A policy that allows nothing, and pods for which no other policy allows anything: a new workload in an isolated namespace.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-defaultdeny",
    claim: "pods that a deny-all policy selects are let in or out by another where they need it",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = lint(view, &[Objects::Pods, Objects::Services], find);
    judgement.findings.extend(of_flow(view, CHECK.id));
    judgement
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    // Who asks about one flow is told about that flow.
    if !scene.is_lint() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for policy in scene.policies() {
        for direction in policy.directions() {
            let denies = policy.pods.is_empty() && policy.rules(direction).is_some_and(<[_]>::is_empty);
            if denies {
                findings.extend(of_policy(scene, policy, direction));
            }
        }
    }
    findings
}

fn of_policy(scene: &Scene<'_>, policy: &Policy, direction: Direction) -> Option<Finding> {
    let cut_off: Vec<&Pod> = scene
        .world
        .selected(policy)
        .filter(|pod| !pod.host_network)
        .filter(|pod| direction == Direction::Egress || serves(scene, pod))
        .filter(|pod| {
            let mut isolating = scene.world.isolating(pod, direction);
            isolating.all(|policy| policy.rules(direction).is_some_and(<[_]>::is_empty))
        })
        .collect();
    if cut_off.is_empty() {
        return None;
    }
    let names = some(cut_off.iter().map(|pod| pod_name(pod)));
    let (summary, hint) = match direction {
        Direction::Ingress => (
            format!(
                "{} lets nothing reach {}, and no other policy does",
                policy.name,
                count(cut_off.len(), "pod")
            ),
            "if they are to be reached, allow from whom and on which port in a policy beside it",
        ),
        Direction::Egress => (
            format!(
                "{} lets nothing leave {}, not even questions for names, and no other policy does",
                policy.name,
                count(cut_off.len(), "pod")
            ),
            "if they need others, allow names first (UDP and TCP 53 to the DNS pods) and then whom, in a policy beside it",
        ),
    };
    let path = format!(".spec.{direction}");
    let mut fact = format!("there is no rule; it selects {names}");
    let newer = scene.created(&policy.name).map_or(0, |made| {
        let made_after = |pod: &&&Pod| {
            let seen = scene.seen_pod(pod).and_then(|pod| pod.created.as_deref());
            // RFC 3339 of the API is in UTC and of one length: it sorts as text.
            seen.is_some_and(|created| created > made)
        };
        cut_off.iter().filter(made_after).count()
    });
    if newer > 0 {
        fact = format!("{fact}; {newer} of them came after the policy");
    }
    Some(about(
        CHECK.id,
        Severity::Warning,
        &policy.name,
        summary,
        field(&policy.name, &path, fact),
        hint,
    ))
}

/// Whether anybody is to reach it: it declares a port, or stands behind a Service.
fn serves(scene: &Scene<'_>, pod: &Pod) -> bool {
    !pod.ports.is_empty() || !super::net_pol_svcport::translations(scene, pod).is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    #[test]
    fn pods_that_nothing_else_lets_in_or_out_are_named() {
        let allow = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{}], "egress": [{}]});
        let observation = Fixture::shop()
            .with("shop", "deny", deny_all())
            .with("shop", "web", allow)
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "networkpolicy/deny -n shop lets nothing reach 1 pod, and no other policy does"
        );
        assert!(findings[0].evidence[0].fact.contains("pod/db-1 -n shop"));
        assert_eq!(findings.len(), 2, "and nothing leaves it");
    }

    #[test]
    fn a_deny_with_allowances_beside_it_is_how_it_is_done() {
        let allow = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"podSelector": {}}]}], "egress": [{"to": [{"podSelector": {}}]}]});
        let observation = Fixture::shop()
            .with("shop", "deny", deny_all())
            .with("shop", "allow", allow)
            .observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn without_pods_nobody_can_be_named() {
        let observation = without_pods(Fixture::shop().with("shop", "deny", deny_all()).observe());
        shown::cannot_tell(&CHECK, &observation);
    }

    #[test]
    fn a_flow_that_only_such_policies_stop_is_told_here() {
        let fixture = Fixture::shop().with("shop", "deny", json!({"podSelector": {}}));
        let observation = fixture
            .flow(("ops", "prometheus-1"), ("shop", "web-1"), 8080)
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0]
                .summary
                .ends_with("networkpolicy/deny -n shop allows no ingress at all")
        );
        assert_eq!(findings[0].explains, ["net-pol-eval"]);
    }
}
