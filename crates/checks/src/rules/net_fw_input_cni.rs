use netmodel::rules::{AddressRange, Decider, Hook, Packet, State};
use report::{Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, evidence, gap, repair};
use crate::view::View;

/// What pods send to their own node is accepted there, also their answers. Where it is not, the kubelet's probes fail, and
/// all pods of the node become unready at once.
pub(crate) static CHECK: Check = Check {
    id: "net-fw-input-cni",
    claim: "the rules of every node accept what its own pods send to it",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::each(view, |firewall, findings, gaps| {
        if firewall.families().next().is_none() {
            gaps.push(gap(
                firewall,
                "the addresses of the pods",
                "the node has no pod range in the API",
            ));
        }
        for v4 in firewall.families() {
            findings.extend(finding(firewall, v4));
        }
    })
}

fn finding(firewall: &Firewall<'_>, v4: bool) -> Option<Finding> {
    let node = firewall.name();
    let answers = stopped(firewall, v4, State::Established);
    let (by, what, severity) = match answers {
        Some(by) => (
            by,
            "what its pods send to it, also their answers",
            Severity::Error,
        ),
        None => (
            stopped(firewall, v4, State::New)?,
            "the connections that its pods open to it",
            Severity::Warning,
        ),
    };
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity,
        subject: Subject::node(node),
        summary: format!("{node} does not accept {what}"),
        evidence: vec![evidence(firewall, &by, &format!("stops {what}"))],
        hint: Some(repair(node, &by, firewall.pod_interface(v4))),
        explains: vec!["net-gw".to_owned()],
    })
}

fn stopped<'f>(firewall: &'f Firewall<'_>, v4: bool, state: State) -> Option<Decider<'f>> {
    let (pods, own) = (firewall.pods(v4)?, firewall.address(v4)?);
    let packet = Packet {
        destination_port: None,
        state,
        ..Packet::tcp(AddressRange::from(pods), AddressRange::from(own), 0)
    }
    .coming_from(firewall.pod_interface(v4))
    .to_this_host();
    [Hook::Prerouting, Hook::Input].into_iter().find_map(|hook| {
        let walk = firewall.rules.walk(hook, &packet);
        walk.stops
            .iter()
            .find(|stop| stop.is_certain())
            .map(|stop| stop.by)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn a_drop_on_the_bridge_is_found_with_its_answers() {
        let observation = Fixture::healthy()
            .rule("node1", "filter", "-A INPUT -i cni0 -j DROP")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node1 does not accept what its pods send to it, also their answers"
        );
        assert_eq!(findings[0].severity, Severity::Error);
    }

    #[test]
    fn a_firewall_that_lets_answers_in_is_a_warning() {
        let rules = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -i lo -j ACCEPT\n\
                     -A INPUT -p tcp -j REJECT --reject-with icmp-host-prohibited";
        let findings = shown::finds(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", rules).observe(),
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn a_firewall_on_the_uplink_alone_passes() {
        let rules = "-A INPUT -i eth0 -p tcp -m tcp --dport 10250 -j ACCEPT\n-A INPUT -i eth0 -p tcp -m conntrack --ctstate NEW -j DROP";
        shown::passes(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", rules).observe(),
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn one_closed_port_is_no_matter() {
        let rule = "-A INPUT -p tcp -m tcp --dport 22 -j DROP";
        shown::passes(
            &CHECK,
            &Fixture::healthy().rule("node1", "filter", rule).observe(),
        );
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node3").observe());
    }
}
