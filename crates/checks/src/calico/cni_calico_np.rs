use report::{Finding, Severity, Subject};

use super::on_calico;
use super::scene::gaps;
use crate::check::{Check, Judgement, Need};
use crate::product::count;
use crate::view::View;

/// Calico's own policies are not evaluated here; that there are some is what a reader has to know.
pub(crate) static CHECK: Check = Check {
    id: "cni-calico-np",
    claim: "it is known which policies of Calico's own there are",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_calico(view, |scene, judgement| {
        let calico = scene.calico;
        judgement.gaps = gaps([calico.policies.gap(), calico.global_policies.gap()]);
        let global = calico.global_policies.seen().copied().unwrap_or(0);
        let by_namespace = calico.policies.seen();
        let local: u32 = by_namespace.into_iter().flatten().map(|(_, count)| count).sum();
        if global + local == 0 {
            return;
        }
        let places: Vec<String> = by_namespace
            .into_iter()
            .flatten()
            .take(10)
            .map(|(namespace, number)| format!("{number} in {namespace}"))
            .collect();
        let places = if places.is_empty() {
            String::new()
        } else {
            format!(": {}", places.join(", "))
        };
        let plural = |number: u32, noun: &str| {
            let number = usize::try_from(number).unwrap_or(usize::MAX);
            count(number, noun).replace("policys", "policies")
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Note,
            Subject::Cluster,
            format!(
                "Calico has {} and {} of its own, which are not evaluated here{places}",
                plural(global, "global policy"),
                plural(local, "policy")
            ),
            scene.fact(plural(global, "global policy"), "globalnetworkpolicies", ""),
        );
        let mut all = scene.fact(plural(local, "policy"), "networkpolicies", "");
        if let report::Origin::Command { command } = &mut all.from {
            command.push_str(" -A");
        }
        finding.evidence.push(all);
        judgement.findings.push(finding);
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use report::Observed;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn policies_are_counted_and_no_fault() {
        let some = Fixture::vxlan().with(|calico| {
            calico.policies = Observed::Seen(BTreeMap::from([("shop".to_owned(), 2)]));
            calico.global_policies = Observed::Seen(1);
        });
        let findings = shown::finds(&CHECK, &some.observe());
        assert_eq!(
            findings[0].summary,
            "Calico has 1 global policy and 2 policies of its own, which are not evaluated here: 2 in shop"
        );
        shown::passes(&CHECK, &some.observe());
    }

    #[test]
    fn none_pass_and_what_may_not_be_listed_is_unknown() {
        shown::passes(&CHECK, &Fixture::vxlan().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::vxlan()
                .with(|calico| calico.policies = Fixture::unseen())
                .observe(),
        );
    }
}
