use netmodel::rules::{DeadEnd, dead_ends, proxy_modes};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, restart};
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
    super::proxied(view, |firewall, findings, _| {
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
    })
}

fn finding(firewall: &Firewall<'_>, end: &DeadEnd<'_>) -> Finding {
    let node = firewall.name();
    let what = match &end.service {
        Some(service) => format!("Service port {service}"),
        None => "a Service port".to_owned(),
    };
    let state = if end.exists { "empty" } else { "not there" };
    let is_endpoint = end.chain.starts_with("KUBE-SEP-");
    let summary = if is_endpoint {
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
            on_node(node, &[&format!("iptables-save -t nat | grep {}", end.chain)]),
        )],
        hint: Some(format!(
            "kube-proxy of {node} writes all chains when it starts; see that it can reach the API, then restart it: `{}`",
            restart(node)
        )),
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
    fn a_node_without_any_is_found_beside_nodes_that_have_them() {
        let observation = Fixture::healthy().without("node2", "-A KUBE-SERVICES").observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].summary.starts_with("node2 has no rule of kube-proxy"));
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
