use observation::OtherPolicies;
use report::{Evidence, Finding, Gap, Observed, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::scene::{count, some};
use crate::view::View;

/// Policies of other APIs. They are named and not evaluated: what NetworkPolicies allow, they may deny.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-other",
    claim: "there are no policies of other kinds that are not evaluated, or they are named",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.scene else {
        return Judgement::not_asked();
    };
    match &scene.facts.other_kinds {
        Observed::Unseen(gap) => Judgement {
            gaps: vec![gap.clone()],
            ..Judgement::default()
        },
        Observed::Seen(kinds) => Judgement {
            findings: finding(kinds).into_iter().collect(),
            gaps: kinds
                .iter()
                .filter_map(|kind| kind.objects.gap())
                .cloned()
                .collect::<Vec<Gap>>(),
            ..Judgement::default()
        },
    }
}

fn finding(kinds: &[OtherPolicies]) -> Option<Finding> {
    let objects = |kind: &OtherPolicies| kind.objects.seen().map_or(0, Vec::len);
    let number: usize = kinds.iter().map(objects).sum();
    if number == 0 {
        return None;
    }
    let evidence = kinds.iter().filter(|kind| objects(kind) > 0).map(|kind| {
        let names = some(kind.objects.seen().into_iter().flatten());
        let command = format!("kubectl get {} --all-namespaces", kind.resource);
        Evidence::command(
            format!("{} of {}: {names}", objects(kind), kind.resource),
            command,
        )
    });
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: Subject::Cluster,
        summary: format!(
            "{} of other kinds are not evaluated, and may deny what is called allowed here",
            count(number, "policy")
        ),
        evidence: evidence.collect(),
        hint: None,
        explains: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use report::GapReason;

    use super::*;
    use crate::scene::fixture::Fixture;
    use crate::shown;

    #[test]
    fn policies_of_other_kinds_are_named() {
        let observation = Fixture::shop()
            .other("ciliumnetworkpolicies.cilium.io", &["shop/x", "shop/y"])
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].evidence[0].fact,
            "2 of ciliumnetworkpolicies.cilium.io: shop/x, shop/y"
        );
    }

    #[test]
    fn a_kind_without_objects_is_nothing() {
        let observation = Fixture::shop()
            .other("ciliumnetworkpolicies.cilium.io", &[])
            .observe();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn what_may_not_be_listed_is_a_gap() {
        let mut observation = Fixture::shop().observe();
        observation.policy.as_mut().unwrap().other_kinds = Observed::Unseen(Gap {
            what: "the APIs that are served".into(),
            why: GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        shown::cannot_tell(&CHECK, &observation);
    }
}
