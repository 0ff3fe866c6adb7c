use observation::Enforcement;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A policy that denies everything, applied in a namespace of the run's own, stops what worked before; and what it stopped works again
/// without it.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-enforced",
    claim: "a policy that denies is enforced, seen on connections that work without it",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let enforcement = view
        .scene
        .as_ref()
        .and_then(|scene| scene.facts.enforcement.as_ref());
    match enforcement {
        None => Judgement::not_asked(),
        Some(Observed::Unseen(gap)) => Judgement {
            gaps: vec![gap.clone()],
            ..Judgement::default()
        },
        Some(Observed::Seen(seen)) => decide(seen),
    }
}

fn decide(seen: &Enforcement) -> Judgement {
    let gap = |message: &str| Judgement {
        gaps: vec![Gap {
            what: "whether policies are enforced".to_owned(),
            why: GapReason::Failed,
            message: message.to_owned(),
            hint: None,
        }],
        ..Judgement::default()
    };
    if !seen.before {
        return gap("the connections did not work without a policy either");
    }
    if seen.during {
        return Judgement {
            findings: vec![unenforced(seen)],
            ..Judgement::default()
        };
    }
    if !seen.after {
        return gap("the connections did not work again after the policy was taken away");
    }
    Judgement::default()
}

fn unenforced(seen: &Enforcement) -> Finding {
    let nodes = seen.nodes.join(", ");
    let probe = format!(
        "tcp between probe pods on {nodes}, {}ms after the policy was applied",
        seen.applied_for_ms
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::Cluster,
        "NetworkPolicies are not enforced: a policy that denies everything stopped nothing",
        Evidence::probe(
            "answered, while a policy of the namespace allowed nothing in and out",
            probe,
        ),
    );
    finding.hint = Some(
        "install a policy engine, or look at the one that is there: its pods, its log, `kubectl get daemonsets --all-namespaces`"
            .to_owned(),
    );
    finding.explains.push(super::cni_nopolicy::CHECK.id.to_owned());
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::fixture::Fixture;
    use crate::shown;

    fn live(before: bool, during: bool, after: bool) -> observation::Observation {
        let mut observation = Fixture::shop().observe();
        observation.policy.as_mut().unwrap().enforcement = Some(Observed::Seen(Enforcement {
            nodes: vec!["node1".into(), "node2".into()],
            before,
            during,
            after,
            applied_for_ms: 15_000,
        }));
        observation
    }

    #[test]
    fn a_policy_that_stops_nothing_is_not_enforced() {
        let findings = shown::finds(&CHECK, &live(true, true, true));
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn a_policy_that_stops_what_works_without_it_is_enforced() {
        shown::passes(&CHECK, &live(true, false, true));
    }

    #[test]
    fn without_its_controls_the_test_says_nothing() {
        shown::cannot_tell(&CHECK, &live(false, false, false));
        shown::cannot_tell(&CHECK, &live(true, false, false));
    }
}
