use report::Finding;

use super::net_pol_dns::{groups, told, unknown_dns};
use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, lint};
use crate::view::View;

/// Names over UDP and not over TCP, or the reverse: long answers are asked for again over TCP, everything else begins with UDP.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-dns-tcp",
    claim: "pods that may ask for names may do so over UDP and TCP",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let mut judgement = lint(view, &[Objects::Pods, Objects::Services], |scene| {
        let groups = groups(scene);
        let halves = groups.iter().filter(|group| group.udp != group.tcp);
        halves
            .map(|group| half(&told(group, CHECK.id, missing(group.udp)), group.udp))
            .collect()
    });
    judgement.gaps.extend(unknown_dns(view));
    judgement
}

fn missing(udp: bool) -> &'static str {
    if udp { "names over TCP" } else { "names over UDP" }
}

fn half(finding: &Finding, udp: bool) -> Finding {
    let consequence = if udp {
        "answers that do not fit into a datagram are asked for again over TCP, and that is dropped"
    } else {
        "every ordinary question goes over UDP, and that is dropped"
    };
    Finding {
        summary: format!("{}; {consequence}", finding.summary),
        ..finding.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, without_pods};
    use crate::shown;

    fn allowing(protocols: &[&str]) -> Fixture {
        let ports: Vec<_> = protocols
            .iter()
            .map(|protocol| json!({"protocol": protocol, "port": 53}))
            .collect();
        let spec = json!({"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{"ports": ports}]});
        Fixture::shop().with("shop", "web", spec)
    }

    #[test]
    fn one_protocol_of_two_is_half() {
        let findings = shown::finds(&CHECK, &allowing(&["UDP"]).observe());
        assert!(
            findings[0]
                .summary
                .starts_with("2 pods of namespace shop may not ask for names over TCP: ")
        );
        let findings = shown::finds(&CHECK, &allowing(&["TCP"]).observe());
        assert!(findings[0].summary.contains("names over UDP"));
    }

    #[test]
    fn both_are_whole() {
        shown::passes(&CHECK, &allowing(&["UDP", "TCP"]).observe());
    }

    #[test]
    fn without_pods_nobody_is_known_to_ask() {
        shown::cannot_tell(&CHECK, &without_pods(allowing(&["UDP"]).observe()));
    }
}
