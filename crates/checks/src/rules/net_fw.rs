use netmodel::rules::Test;
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, Stopping, evidence, repair, share, sizes, widths};
use crate::view::View;

/// A rule of no part of the cluster drops some of what pods send: one port, one address, one size. It may be meant.
pub(crate) static CHECK: Check = Check {
    id: "net-fw",
    claim: "no firewall of a node drops a part of the cluster's traffic",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, _| {
        for thinning in firewall.thinning().found {
            // What is lost at random has a check of its own.
            if share(&thinning.conditions).is_none() {
                findings.push(finding(firewall, &thinning));
            }
        }
    })
}

fn finding(firewall: &Firewall<'_>, thinning: &Stopping<'_>) -> Finding {
    let (node, way) = (firewall.name(), thinning.way.text());
    if let Some(ranges) = sizes(&thinning.conditions) {
        return Finding {
            id: crate::path::net_mtu::CHECK.id.to_owned(),
            severity: Severity::Error,
            subject: Subject::node(node),
            summary: format!("{node} drops packets {} {way}", widths(&ranges)),
            evidence: vec![evidence(firewall, &thinning.by, &format!("stops them {way}"))],
            hint: Some(repair(node, &thinning.by, firewall.pod_interface(true))),
            explains: Vec::new(),
        };
    }
    // What cannot be decided may be right: a list of addresses that were banned, a limit.
    let is_understood = thinning
        .conditions
        .iter()
        .all(|wanted| !matches!(wanted.test, Test::Unread(_) | Test::Rate(_)));
    Finding {
        id: CHECK.id.to_owned(),
        severity: if is_understood {
            Severity::Warning
        } else {
            Severity::Note
        },
        subject: Subject::node(node),
        summary: format!("{node} drops some {} {way}", thinning.packets()),
        evidence: vec![evidence(firewall, &thinning.by, "stops what fits it")],
        hint: Some(repair(node, &thinning.by, firewall.pod_interface(true))),
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn one_closed_port_is_a_warning_with_its_rule() {
        let rule = "-A FORWARD -p udp -m udp --dport 53 -j DROP";
        let findings = shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", rule).observe(),
        );
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].evidence[0].fact.starts_with(rule));
        assert!(findings[0].summary.starts_with("node1 drops some UDP packets"));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_a_note() {
        let rule = "-A FORWARD -m set --match-set banned src -j DROP";
        let observation = Fixture::healthy().rule("node1", "filter", rule).observe();
        assert_eq!(shown::finds(&CHECK, &observation)[0].severity, Severity::Note);
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn one_size_is_a_matter_of_sizes() {
        let rule = "-A FORWARD -m length --length 1301:65535 -j DROP";
        let findings = judge(&View::new(
            &Fixture::healthy().rule("node1", "filter", rule).observe(),
        ))
        .findings;
        assert_eq!(findings[0].id, "net-mtu");
        assert!(
            findings[0]
                .summary
                .starts_with("node1 drops packets of 1301 bytes and more between its pods")
        );
    }

    #[test]
    fn healthy_nodes_pass() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
