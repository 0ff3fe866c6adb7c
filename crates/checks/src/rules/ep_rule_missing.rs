use netmodel::rules::{DeadEnd, ProxyMode, ServicePort, dead_ends, proxy_modes};
use report::{Evidence, Finding, Severity, Subject};

use super::expected::{Compared, Difference, Kind, both, compared};
use super::ports::{Ports, beside_others, of_nodes, ports, rewritten};
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, joined};
use crate::shell::on_node;
use crate::view::View;

/// A rule of a Service leads to a chain that is empty or gone: packets to its ClusterIP stay untranslated and leak out of the
/// cluster. kube-proxy writes such a chain again only when that Service changes.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-missing",
    claim: "every Service that kube-proxy knows on a node has its rules there",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let all = of_nodes(view);
    let is_read = view.observation.backends.is_some();
    let own = super::proxied(view, |firewall, findings, _| {
        if proxy_modes(&firewall.rules.sets).is_empty() {
            // Where a part was not read, the rules may be in it.
            if firewall.gaps.is_empty() {
                findings.push(nothing(firewall));
            }
            return;
        }
        for set in &firewall.rules.sets {
            findings.extend(dead_ends(set).iter().map(|end| finding(firewall, end)));
        }
        // What the API says is known better from the API than from other nodes.
        if !is_read {
            findings.extend(unknown(firewall, &all));
        }
    });
    let by_api = compared(view, |all, judgement| {
        for node in all.iter().filter(|node| !node.is_stale()) {
            judgement.findings.extend(absent(node));
        }
    });
    both(own, by_api)
}

/// Service ports of the API for which the node has no rule at all.
fn absent(node: &Compared<'_, '_>) -> Option<Finding> {
    let missing: Vec<&Difference<'_>> = node
        .differences
        .iter()
        .filter(|difference| difference.kind == Kind::Missing)
        .collect();
    let first = missing.first()?;
    let (name, what) = (node.firewall.name(), first.what());
    let more = match missing.len() {
        1 => String::new(),
        2 => ", nor for one more".to_owned(),
        several => format!(", nor for {} more", several - 1),
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("{name} has no rule for {what}{more}"),
        node.rules(format!("no rule is for {}", first.at())),
    );
    finding.evidence.push(first.slices());
    finding.hint = Some(rewritten(name));
    Some(finding)
}

/// Service ports that all of its like have rules for, and the node has not.
fn unknown(firewall: &Firewall<'_>, all: &[(&Firewall<'_>, Ports)]) -> Option<Finding> {
    let node = firewall.name();
    let (own, alike) = beside_others(firewall, all)?;
    let (_, first) = alike.first()?;
    let after = firewall.rules_after().map(ports);
    let missing: Vec<(&String, Option<u16>, &ServicePort)> = first
        .iter()
        .filter(|(key, _)| !own.contains_key(key) && alike.iter().all(|(_, ports)| ports.contains_key(key)))
        // What came while the probes ran was a change on its way.
        .filter(|(key, _)| after.as_ref().is_none_or(|after| !after.contains_key(key)))
        .map(|((address, _, port), known)| (address, *port, known))
        .collect();
    let (address, port, known) = missing.first()?;
    let name = known.name.clone().unwrap_or_else(|| known.chain.clone());
    let more = match missing.len() {
        1 => String::new(),
        several => format!(", and for {} more Service ports", several - 1),
    };
    let others: Vec<&str> = alike.iter().map(|(other, _)| other.name()).collect();
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    let looks: &[&str] = match proxy_modes(&firewall.rules.sets).first() {
        Some(ProxyMode::Nftables) => &["nft list map ip kube-proxy service-ips"],
        Some(ProxyMode::Iptables(_) | ProxyMode::Ipvs(_)) | None => &["iptables -t nat -S KUBE-SERVICES"],
    };
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!("{node} has no rule for Service port {name}, and other nodes have{more}"),
        evidence: vec![Evidence::command(
            format!(
                "no rule of {node} is for {address}{port}; {} lead it to {}",
                joined(&others),
                joined(&known.endpoints.iter().map(String::as_str).collect::<Vec<_>>())
            ),
            on_node(node, looks),
        )],
        hint: Some(rewritten(node)),
        explains: Vec::new(),
    })
}

fn finding(firewall: &Firewall<'_>, end: &DeadEnd<'_>) -> Finding {
    let node = firewall.name();
    let what = match &end.service {
        Some(service) => format!("Service port {service}"),
        None => "a Service port".to_owned(),
    };
    let state = if end.exists { "empty" } else { "not there" };
    let summary = if end.is_endpoint() {
        format!(
            "rules of {node} lead an endpoint of {what} nowhere: chain {} is {state}",
            end.chain
        )
    } else {
        format!(
            "rules of {node} lead {what} nowhere: chain {} is {state}",
            end.chain
        )
    };
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary,
        evidence: vec![Evidence::command(
            format!("{} leads to chain {}, which is {state}", end.by, end.chain),
            on_node(node, &[&end.by.command()]),
        )],
        hint: Some(rewritten(node)),
        explains: Vec::new(),
    }
}

fn nothing(firewall: &Firewall<'_>) -> Finding {
    let node = firewall.name();
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!("{node} has no rule of kube-proxy for any Service, and other nodes have"),
        evidence: vec![Evidence::command(
            "neither chain KUBE-SERVICES of table nat nor a table kube-proxy has a rule",
            on_node(
                node,
                &[
                    "iptables-save -t nat",
                    "iptables-legacy-save -t nat",
                    "nft list tables",
                ],
            ),
        )],
        hint: Some(format!(
            "look whether kube-proxy runs there: `kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide --field-selector {}`",
            crate::shell::word(&format!("spec.nodeName={node}"))
        )),
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::judge::{JudgeOptions, judge};
    use crate::shown;

    #[test]
    fn an_emptied_chain_is_found_with_its_service() {
        let observation = Fixture::healthy()
            .without("node1", "-A KUBE-SVC-67NZLRHBNDSAWJRO ")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "rules of node1 lead Service port shop/web:http nowhere: chain KUBE-SVC-67NZLRHBNDSAWJRO is empty"
        );
    }

    #[test]
    fn a_cause_among_rules_is_verified_by_reading_rules() {
        let observation = Fixture::healthy()
            .without("node1", "-A KUBE-SVC-67NZLRHBNDSAWJRO ")
            .observe();
        let options = JudgeOptions {
            command: "rules".into(),
            tool: "test".into(),
        };
        let report = judge(&observation, &options);
        let [cause] = report.root_causes.as_slice() else {
            panic!("{:#?}", report.root_causes)
        };
        assert_eq!(
            cause.verify.as_deref(),
            Some("kubectl epcheck rules --node-access")
        );
    }

    #[test]
    fn a_node_without_any_is_found_beside_nodes_that_have_them() {
        let observation = Fixture::healthy().without("node2", "-A KUBE-SERVICES").observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].summary.starts_with("node2 has no rule of kube-proxy"));
    }

    #[test]
    fn an_emptied_chain_of_nftables_is_found_with_its_service() {
        let rules = r#""rule":{"chain":"service-FY5PMXPG-kube-system/kube-dns/udp/dns""#;
        let observation = Fixture::nftables().without_nft("node1", rules).observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "rules of node1 lead Service port kube-system/kube-dns:dns nowhere: chain \
             service-FY5PMXPG-kube-system/kube-dns/udp/dns is empty"
        );
    }

    #[test]
    fn a_service_that_only_one_node_does_not_know_is_found_there() {
        let observation = Fixture::healthy()
            .without("node2", "-A KUBE-SERVICES -d 10.99.43.77")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node2 has no rule for Service port shop/web:http, and other nodes have"
        );
    }

    #[test]
    fn a_service_of_the_api_without_any_rule_is_found_on_every_node() {
        let mut fixture = Fixture::healthy();
        for node in ["node1", "node2", "node3"] {
            fixture = fixture.without(node, "-A KUBE-SERVICES -d 10.99.43.77");
        }
        let findings = shown::finds(&CHECK, &super::super::api::api(fixture.observe()));
        assert_eq!(findings.len(), 3, "{findings:#?}");
        assert_eq!(
            findings[0].summary,
            "node1 has no rule for Service port shop/web:http"
        );
    }

    #[test]
    fn services_without_endpoints_and_nftables_pass() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let observation = Fixture::healthy()
            .without("node2", "-A KUBE-SERVICES")
            .unread_legacy("node2")
            .observe();
        shown::cannot_tell(&CHECK, &observation);
    }
}
