use netmodel::rules::{ProxyMode, proxy_modes};
use report::{Finding, Severity, Subject};

use super::expected::{Compared, Difference, Kind, compared};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// A rule of kube-proxy turns a Service away that has endpoints: the rule is of a time when it had none. Stale rules as a whole are
/// ep-rule-stale; here a rule stands alone, as one that a hand has made.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-reject",
    claim: "no rule turns a Service away that has ready endpoints",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    compared(view, |all, judgement| {
        for node in all.iter().filter(|node| !node.is_stale()) {
            let found = node
                .differences
                .iter()
                .filter_map(|difference| finding(node, difference));
            judgement.findings.extend(found);
        }
    })
}

fn finding(node: &Compared<'_, '_>, difference: &Difference<'_>) -> Option<Finding> {
    let Kind::Refused { rule, is_moot, .. } = &difference.kind else {
        return None;
    };
    let (name, what) = (node.firewall.name(), difference.what());
    // In nftables mode such a rule comes first; in iptables mode translation does, and what it leads the rule no longer fits.
    let is_first = proxy_modes(&node.firewall.rules.sets).contains(&ProxyMode::Nftables);
    let is_met = is_first || !is_moot;
    let (severity, summary) = if is_met {
        (
            Severity::Error,
            format!("{name} turns {what} away, which has ready endpoints"),
        )
    } else {
        (
            Severity::Note,
            format!(
                "{name} has a rule left that turns {what} away, and no packet meets it: translation comes first"
            ),
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(name),
        summary,
        node.rules(format!("the rule is {rule}")),
    );
    finding.evidence.push(difference.slices());
    finding.hint = Some(if is_met {
        rewritten(name)
    } else {
        format!(
            "kube-proxy of {name} writes this table anew with its next change; a program that reads the whole table and writes it \
             back, as some policy controllers do, brings such a rule back from a moment before"
        )
    });
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    const REFUSAL: &str = "-A KUBE-SERVICES -d 10.99.43.77/32 -p tcp -m comment --comment \"shop/web:http has no endpoints\" -m tcp --dport 80 \
                           -j REJECT --reject-with icmp-port-unreachable";

    #[test]
    fn a_rule_that_turns_a_service_with_endpoints_away_is_found() {
        let observation = api(Fixture::healthy().rule("node2", "filter", REFUSAL).observe());
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn it_hides_nothing_of_where_the_service_is_led() {
        let fixture = Fixture::healthy().rule("node2", "filter", REFUSAL).exchange(
            "node2",
            "--to-destination 10.244.1.2:8080",
            "--to-destination 10.244.1.99:8080",
        );
        let findings = shown::finds(&super::super::ep_rule_stale_ep::CHECK, &api(fixture.observe()));
        assert_eq!(findings[0].subject, Subject::node("node2"));
    }

    #[test]
    fn what_is_turned_away_and_led_nowhere_is_of_an_earlier_time() {
        let fixture = Fixture::healthy().without("node2", "-A KUBE-SERVICES -d 10.99.43.77");
        let observation = api(fixture.rule("node2", "filter", REFUSAL).observe());
        shown::passes(&CHECK, &observation);
        let stale = shown::finds(&super::super::ep_rule_stale::CHECK, &observation);
        assert_eq!(stale[0].subject, Subject::node("node2"));
    }

    #[test]
    fn rules_that_are_as_the_api_says_pass() {
        shown::passes(&CHECK, &api(Fixture::healthy().observe()));
        shown::passes(&CHECK, &api(Fixture::nftables().observe()));
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let observation = Fixture::healthy().unread_legacy("node2").observe();
        shown::cannot_tell(&CHECK, &api(observation));
    }
}
