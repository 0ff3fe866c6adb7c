use std::collections::BTreeSet;

use netmodel::rules::{RuleSet, UnevenShares, uneven_shares};
use report::{Evidence, Finding, Severity, Subject};

use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, percent};
use crate::shell::on_node;
use crate::view::View;

/// kube-proxy gives every endpoint of a Service the same chance. Where rules of a node do not, one of them was changed or deleted by
/// hand: some endpoints get too much, or some connections come to none.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-prob",
    claim: "rules give every endpoint of a Service the same share of its connections",
    needs: &[Need::NodeAccess],
    judge,
};

/// A smaller share of connections that come to no endpoint is one of the rounding.
const LOST: f64 = 1e-6;

fn judge(view: &View<'_>) -> Judgement {
    super::proxied(view, |firewall, findings, _| findings.extend(finding(firewall)))
}

fn finding(firewall: &Firewall<'_>) -> Option<Finding> {
    let of = |sets: &[RuleSet]| -> BTreeSet<String> {
        let found = sets.iter().flat_map(uneven_shares);
        found.map(|uneven| uneven.by.chain.name.clone()).collect()
    };
    // What kube-proxy is about to write is not all there at once.
    let still = firewall.rules_after().map(|rules| of(&rules.sets));
    let uneven: Vec<UnevenShares<'_>> = firewall
        .rules
        .sets
        .iter()
        .flat_map(uneven_shares)
        .filter(|uneven| {
            still
                .as_ref()
                .is_none_or(|still| still.contains(&uneven.by.chain.name))
        })
        .collect();
    let worst = uneven
        .iter()
        .max_by(|one, other| one.lost.total_cmp(&other.lost))?;
    let name = firewall.name();
    let what = match &worst.service {
        Some(service) => format!("Service port {service}"),
        None => format!("the Service port of chain {}", worst.by.chain.name),
    };
    let more = match uneven.len() {
        1 => String::new(),
        several => format!("; so it is for {} more Service ports", several - 1),
    };
    let parts: Vec<f64> = worst.shares.iter().map(|(_, share)| *share).collect();
    let least = parts.iter().copied().fold(1.0, f64::min);
    let most = parts.iter().copied().fold(0.0, f64::max);
    let (severity, summary) = if worst.lost > LOST {
        (
            Severity::Error,
            format!(
                "{name} leads {} of the connections to {what} to no endpoint{more}",
                percent(worst.lost)
            ),
        )
    } else {
        (
            Severity::Warning,
            format!(
                "{name} does not share connections to {what} evenly: its {} endpoints get {} to {}{more}",
                parts.len(),
                percent(least),
                percent(most)
            ),
        )
    };
    let fact = format!(
        "{}; kube-proxy writes equal shares for {} endpoints",
        worst.by,
        parts.len()
    );
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(name),
        summary,
        Evidence::command(fact, on_node(name, &[&worst.by.command()])),
    );
    finding.hint = Some(rewritten(name));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_changed_chance_is_a_warning() {
        let changed = Fixture::healthy().exchange(
            "node2",
            "--probability 0.33333333349",
            "--probability 0.90000000000",
        );
        let findings = shown::finds(&CHECK, &changed.observe());
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].summary,
            "node2 does not share connections to Service port shop/web:http evenly: its 3 endpoints get 5 % to 90 %"
        );
    }

    #[test]
    fn connections_that_come_to_no_endpoint_are_an_error() {
        let without = Fixture::healthy().without("node1", "-j KUBE-SEP-ZEIDTFVL27F4EVRN");
        let findings = shown::finds(&CHECK, &without.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(
            findings[0].summary,
            "node1 leads 33 % of the connections to Service port shop/web:http to no endpoint"
        );
    }

    #[test]
    fn what_kube_proxy_writes_is_even_in_both_modes() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
