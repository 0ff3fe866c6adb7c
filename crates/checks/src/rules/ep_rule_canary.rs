use netmodel::rules::{CANARY, Family, RuleSet, View as RulesOf, lost_canaries};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, joined};
use crate::shell::on_node;
use crate::view::View;

/// kube-proxy keeps an empty chain in each table to see whether somebody deletes chains. Where it is gone somebody has, lately:
/// kube-proxy puts it back with all its rules within its `syncPeriod`. Rules that are flushed without their chains it does not notice.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-canary",
    claim: "nobody has deleted chains of kube-proxy",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::proxied(view, |firewall, findings, _| findings.extend(finding(firewall)))
}

fn finding(firewall: &Firewall<'_>) -> Option<Finding> {
    let all = |sets: &[RuleSet]| -> Vec<(RulesOf, Family, &'static str)> {
        let lost = |set: &RuleSet| {
            let view = set.view;
            let lost = lost_canaries(set).into_iter();
            lost.map(|(family, table)| (view, family, table))
                .collect::<Vec<_>>()
        };
        sets.iter().flat_map(lost).collect()
    };
    let still = firewall.rules_after().map(|rules| all(&rules.sets));
    let lost: Vec<_> = all(&firewall.rules.sets)
        .into_iter()
        .filter(|found| still.as_ref().is_none_or(|still| still.contains(found)))
        .collect();
    let (view, family, _) = *lost.first()?;
    let tables: Vec<&str> = lost
        .iter()
        .filter(|(its, of, _)| (*its, *of) == (view, family))
        .map(|(_, _, table)| *table)
        .collect();
    let program = match (view, family) {
        (RulesOf::IptablesLegacy, Family::Ip6) => "ip6tables-legacy-save",
        (RulesOf::IptablesLegacy, _) => "iptables-legacy-save",
        (_, Family::Ip6) => "ip6tables-save",
        (_, _) => "iptables-save",
    };
    let (node, tables) = (firewall.name(), joined(&tables));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "somebody has deleted chains on {node}: the one by which kube-proxy sees that is gone from {tables}"
        ),
        Evidence::command(
            format!("there is no chain {CANARY} in {tables}, though Services have their chains"),
            on_node(node, &[&format!("{program} | grep -e '^[*]' -e {CANARY}")]),
        ),
    );
    finding.hint = Some(format!(
        "kube-proxy puts its chains back; find what loads rules there, as a firewall does when it starts anew: `{}`",
        on_node(node, &["systemctl list-units --type=service --state=running"])
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_canary_that_is_gone_is_a_warning() {
        let findings = shown::finds(&CHECK, &Fixture::healthy().without("node2", CANARY).observe());
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            findings[0].summary,
            "somebody has deleted chains on node2: the one by which kube-proxy sees that is gone from mangle and nat"
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn nodes_with_it_and_modes_without_it_pass() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
        shown::passes(&CHECK, &Fixture::ipvs().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
