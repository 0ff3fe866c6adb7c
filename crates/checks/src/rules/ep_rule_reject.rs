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
    let Kind::Refused { rule, .. } = &difference.kind else {
        return None;
    };
    // In iptables mode translation comes before such a rule, which then fits nothing; in nftables mode it comes after it.
    let is_first = proxy_modes(&node.firewall.rules.sets).contains(&ProxyMode::Nftables);
    let severity = if is_first {
        Severity::Error
    } else {
        Severity::Warning
    };
    let (name, port) = (node.firewall.name(), difference.name());
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(name),
        format!("{name} turns Service port {port} away, which has ready endpoints"),
        node.rules(format!("the rule is {rule}")),
    );
    finding.evidence.push(difference.slices());
    finding.hint = Some(rewritten(name));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_rule_that_turns_a_service_with_endpoints_away_is_found() {
        let rule = "-A KUBE-SERVICES -d 10.99.43.77/32 -p tcp -m comment --comment \"shop/web:http has no endpoints\" -m tcp --dport 80 \
                    -j REJECT --reject-with icmp-port-unreachable";
        let observation = api(Fixture::healthy().rule("node2", "filter", rule).observe());
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn what_is_turned_away_and_led_nowhere_is_of_an_earlier_time() {
        let rule = "-A KUBE-SERVICES -d 10.99.43.77/32 -p tcp -m comment --comment \"shop/web:http has no endpoints\" -m tcp --dport 80 \
                    -j REJECT --reject-with icmp-port-unreachable";
        let fixture = Fixture::healthy().without("node2", "-A KUBE-SERVICES -d 10.99.43.77");
        let observation = api(fixture.rule("node2", "filter", rule).observe());
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
