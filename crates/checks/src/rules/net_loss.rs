use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, Loss, evidence, percent, repair, share};
use crate::view::View;

/// A rule that picks packets at random loses a share of everything: connections are slow, and names take five seconds.
pub(crate) static CHECK: Check = Check {
    id: "net-loss",
    claim: "no rule of a node loses packets of pods at random",
    needs: &[Need::Mesh, Need::NodeAccess],
    judge,
};

/// From here on connections suffer visibly.
const ERROR: f64 = 0.05;
const WARNING: f64 = 0.01;

fn judge(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, _| {
        for stop in firewall.tunnel_stops() {
            if let Loss::Share(share) = stop.loss {
                let whose = format!("the packets of tunnel {} {}", stop.device, stop.ends());
                findings.push(finding(firewall, share, &whose, &stop.by));
            }
        }
        for thinning in firewall.thinning().found {
            if let Some(share) = share(&thinning.conditions) {
                let whose = format!("{} {}", thinning.packets(), thinning.way.text());
                findings.push(finding(firewall, share, &whose, &thinning.by));
            }
        }
    })
}

fn finding(firewall: &Firewall<'_>, share: f64, whose: &str, by: &netmodel::rules::Decider<'_>) -> Finding {
    let node = firewall.name();
    let severity = if share > ERROR {
        Severity::Error
    } else if share > WARNING {
        Severity::Warning
    } else {
        Severity::Note
    };
    let lost = percent(share);
    Finding {
        id: CHECK.id.to_owned(),
        severity,
        subject: Subject::node(node),
        summary: format!("{node} loses {lost} of {whose} at random"),
        evidence: vec![evidence(firewall, by, &format!("stops {lost} of {whose}"))],
        hint: Some(repair(node, by, firewall.pod_interface(true))),
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    fn tunnel(share: &str) -> Vec<Finding> {
        let rule = format!(
            "-A INPUT -p udp -m udp --dport 8472 -m statistic --mode random --probability {share} -j DROP"
        );
        shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node2", "filter", &rule).observe(),
        )
    }

    #[test]
    fn a_share_of_the_tunnel_is_found_and_weighed() {
        let findings = tunnel("0.20000000019");
        assert_eq!(
            findings[0].summary,
            "node2 loses 20 % of the packets of tunnel flannel.1 from all other nodes at random"
        );
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(tunnel("0.02000000000")[0].severity, Severity::Warning);
    }

    #[test]
    fn a_share_of_what_is_forwarded_is_found() {
        let rule = "-A FORWARD -p udp -m statistic --mode nth --every 2 --packet 0 -j DROP";
        let findings = shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", rule).observe(),
        );
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .summary
                .starts_with("node1 loses 50 % of UDP packets between its pods")
        );
    }

    #[test]
    fn kube_proxys_own_dice_lose_nothing() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
