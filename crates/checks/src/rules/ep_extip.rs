use std::net::IpAddr;

use observation::Service;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::expected::{Kind, Place, compared};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::word;
use crate::view::View;

/// `externalIPs` of a Service: every node answers for them, and nothing in the cluster brings packets for them to a node.
pub(crate) static CHECK: Check = Check {
    id: "ep-extip",
    claim: "external addresses of Services are known on the nodes",
    needs: &[Need::Backends],
    judge,
};

/// An address for which a node has no rule.
struct Lacking {
    subject: Subject,
    address: IpAddr,
    node: String,
}

fn judge(view: &View<'_>) -> Judgement {
    let Some(backends) = view.observation.backends.as_deref() else {
        return Judgement::not_asked();
    };
    let services = match &backends.services {
        Observed::Seen(services) => services,
        Observed::Unseen(gap) => return Judgement::unread(gap),
    };
    let question = &backends.question;
    let asked: Vec<&Service> = services
        .iter()
        .filter(|service| !service.external_ips.is_empty() && service.settings.proxy_name.is_none())
        .filter(|service| question.is_about(service))
        .collect();
    let mut missing: Vec<Lacking> = Vec::new();
    let mut read: Vec<String> = Vec::new();
    let by_rules = compared(view, |all, _| {
        for node in all {
            read.push(node.firewall.name().to_owned());
            for difference in node.differences.iter().filter(|it| it.kind == Kind::Missing) {
                if let Place::External(ip) = difference.place {
                    missing.push(Lacking {
                        subject: difference.service.subject(),
                        address: ip,
                        node: node.firewall.name().to_owned(),
                    });
                }
            }
        }
    });
    let mut judgement = Judgement::default();
    for service in &asked {
        let subject = service.subject();
        let own: Vec<&Lacking> = missing.iter().filter(|it| it.subject == subject).collect();
        // Of many Services only what is wrong is said.
        if question.single().is_some() || !own.is_empty() {
            judgement.findings.push(finding(service, &own, &read));
        }
    }
    // Without rules it is only said what the API says.
    if !asked.is_empty() && by_rules.skipped.is_none() {
        judgement.gaps = by_rules.gaps;
    }
    judgement
}

fn finding(service: &Service, missing: &[&Lacking], read: &[String]) -> Finding {
    let texts: Vec<String> = service.external_ips.iter().map(ToString::to_string).collect();
    let addresses = joined(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let subject = service.subject();
    let (severity, summary) = if let Some(first) = missing.first() {
        let mut nodes: Vec<&str> = missing.iter().map(|it| it.node.as_str()).collect();
        nodes.dedup();
        (
            Severity::Warning,
            format!(
                "{} no rule for the external address {} of {subject}",
                has(&nodes),
                first.address
            ),
        )
    } else {
        let names: Vec<&str> = read.iter().map(String::as_str).collect();
        let known = match names.as_slice() {
            [] => String::new(),
            [one] => format!("; {one} takes them"),
            several => format!("; {} take them", joined(several)),
        };
        (
            Severity::Note,
            format!(
                "{subject} is to be come to by {addresses}, and only a route from outside brings packets for that to a node{known}"
            ),
        )
    };
    let evidence = Evidence::command(
        format!("spec.externalIPs is {addresses}"),
        format!(
            "kubectl get service {} -n {} -o yaml",
            word(&service.name),
            word(&service.namespace)
        ),
    );
    let mut finding = Finding::new(CHECK.id, severity, subject, summary, evidence);
    finding.hint = Some(match missing.first() {
        Some(lacking) => rewritten(&lacking.node),
        None => format!(
            "see on a client, or on the router before it, that the way to it leads to a node: `ip route get {}`; a Service of type \
             LoadBalancer takes care of that by itself",
            texts.first().map_or("", String::as_str)
        ),
    });
    finding
}

/// As `node1 has`, `node1 and node2 have`.
fn has(nodes: &[&str]) -> String {
    let verb = if nodes.len() == 1 { "has" } else { "have" };
    format!("{} {verb}", joined(nodes))
}

#[cfg(test)]
mod tests {
    use observation::Observation;

    use super::super::api::{api, service_of};
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    const RULE: &str = "-A KUBE-SERVICES -d 198.51.100.7/32 -p tcp -m comment --comment \"shop/web:http external IP\" -m tcp \
                        --dport 80 -j KUBE-EXT-67NZLRHBNDSAWJRO";

    fn with_rules(nodes: &[&str]) -> Observation {
        let fixture = nodes.iter().fold(Fixture::healthy(), |fixture, node| {
            fixture.rule(node, "nat", RULE)
        });
        let mut observation = api(fixture.observe());
        service_of(&mut observation, "web").external_ips = vec!["198.51.100.7".parse().unwrap()];
        let question = &mut observation.backends.as_mut().unwrap().question;
        (question.namespace, question.name) = (Some("shop".into()), Some("web".into()));
        observation
    }

    #[test]
    fn of_many_services_only_what_is_wrong_is_said() {
        let mut observation = with_rules(&["node1", "node2", "node3"]);
        observation.backends.as_mut().unwrap().question = observation::BackendsQuestion::default();
        assert_eq!(judge(&View::new(&observation)), Judgement::default());
    }

    #[test]
    fn an_address_that_every_node_knows_is_noted() {
        let observation = with_rules(&["node1", "node2", "node3"]);
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Note);
        assert!(
            findings[0]
                .summary
                .ends_with("; node1, node2 and node3 take them"),
            "{findings:#?}"
        );
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn an_address_that_a_node_does_not_know_is_a_warning() {
        let findings = shown::finds(&CHECK, &with_rules(&["node1", "node3"]));
        assert_eq!(findings[0].severity, Severity::Warning);
        assert_eq!(
            findings[0].summary,
            "node2 has no rule for the external address 198.51.100.7 of service/web -n shop"
        );
    }

    #[test]
    fn without_rules_the_address_is_noted_all_the_same() {
        let mut observation = with_rules(&[]);
        observation.node_reading = None;
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0].summary.ends_with("brings packets for that to a node"),
            "{findings:#?}"
        );
    }

    #[test]
    fn services_without_such_an_address_pass() {
        shown::passes(&CHECK, &api(Fixture::healthy().observe()));
    }

    #[test]
    fn services_that_could_not_be_read_are_a_gap() {
        let mut observation = with_rules(&[]);
        observation.backends.as_mut().unwrap().services = Observed::Unseen(report::Gap {
            what: "Services".into(),
            why: report::GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        shown::cannot_tell(&CHECK, &observation);
    }
}
