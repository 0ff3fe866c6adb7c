use std::net::IpAddr;

use report::{Finding, Severity};

use super::heard::{answers, logged, silence};
use super::{each, finding};
use crate::check::{Check, Judgement, Need};
use crate::dns::scene::Scene;
use crate::view::View;

/// An upstream whose address no resolver has.
///
/// Nobody answers from a multicast address. But networks exist that use ranges for documentation as their own: of those it takes a failure
/// that was seen.
pub(crate) static CHECK: Check = Check {
    id: "dns-cf-fwd-reserved",
    claim: "no upstream is an address that can never answer",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    each(view, CHECK.id, |scene, linted| {
        let own = linted.lints.iter().filter(|lint| lint.id == CHECK.id);
        own.filter_map(|lint| {
            let mut finding = finding(linted, lint);
            if let Some(upstream) = lint.upstream
                && !never_answers(upstream)
            {
                match answers(view, upstream) {
                    // That it answers counts for more than what its address looks like.
                    Some(true) => return None,
                    Some(false) => finding.evidence.push(silence(upstream)),
                    None => weigh(scene, upstream, &mut finding),
                }
            }
            Some(finding)
        })
        .collect()
    })
}

/// Whether a kernel sends nothing to it as to a host, whatever the network.
fn never_answers(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let first = address.octets()[0];
            address.is_multicast() || first == 0 || first >= 240
        }
        IpAddr::V6(address) => address.is_multicast(),
    }
}

fn weigh(scene: &Scene<'_>, upstream: IpAddr, finding: &mut Finding) {
    let failures = logged(scene, upstream);
    if failures.is_empty() {
        finding.severity = Severity::Note;
        finding.summary = format!(
            "{upstream} is no address of the internet, and whether a resolver has it in this network is not seen here: no failure \
             was logged"
        );
        return;
    }
    finding.evidence.extend(failures);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, logged};
    use crate::shown;

    const UPSTREAM: &str = "/etc/resolv.conf";

    #[test]
    fn a_multicast_address_needs_no_failure() {
        let broken = Fixture::healthy().corefile(UPSTREAM, "233.5.5.5 10.0.0.2");
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert_eq!(
            findings[0].subject.to_string(),
            "configmap/coredns -n kube-system"
        );
        assert!(findings[0].explains.contains(&"dns-up".to_owned()));
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn an_address_for_documentation_is_wrong_where_lookups_failed() {
        let quiet = Fixture::healthy().corefile(UPSTREAM, "192.0.2.53");
        assert_eq!(shown::finds(&CHECK, &quiet.observe())[0].severity, Severity::Note);
        let line = "[ERROR] plugin/errors: 2 www.example.com. A: read udp 10.244.1.5:4000->192.0.2.53:53: i/o timeout";
        let failing = quiet.with(|dns| logged(dns, &[line, line]));
        let findings = shown::finds(&CHECK, &failing.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].evidence[1].fact.contains("2 failures"));
    }

    #[test]
    fn a_corefile_that_was_not_read_is_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().corefile_unseen().observe());
    }
}
