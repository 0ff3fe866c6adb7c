use std::collections::{BTreeMap, BTreeSet};

use netmodel::rules::{BentEndpoint, bent_endpoints};
use report::{Evidence, Finding, Severity, Subject};

use super::expected::{Compared, Difference, Kind, addresses, both, compared};
use super::ports::{Ports, beside_others, of_nodes, ports, rewritten};
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, joined};
use crate::shell::on_node;
use crate::view::View;

/// Rules of a node lead a Service to an address that is none of its endpoints: one of them was changed by hand, or kube-proxy
/// of that node has not written any for long, and other nodes know better.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-stale-ep",
    claim: "no node leads a Service to an address that is none of its endpoints",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let all = of_nodes(view);
    let is_read = view.observation.backends.is_some();
    let own = super::proxied(view, |firewall, findings, _| {
        let bent: Vec<BentEndpoint<'_>> = firewall.rules.sets.iter().flat_map(bent_endpoints).collect();
        findings.extend(bent.iter().map(|endpoint| changed(firewall, endpoint)));
        // What the API says is known better from the API than from other nodes.
        if bent.is_empty() && !is_read {
            findings.extend(stale(firewall, &all));
        }
    });
    let by_api = compared(view, |all, judgement| {
        for node in all.iter().filter(|node| !node.is_stale()) {
            judgement.findings.extend(gone(node));
        }
    });
    both(own, by_api)
}

/// Addresses to which rules lead and that no EndpointSlice has.
fn gone(node: &Compared<'_, '_>) -> Option<Finding> {
    let extra = |difference: &Difference<'_>| match &difference.kind {
        Kind::Led { lacks, extra, .. } if lacks.is_empty() && !extra.is_empty() => Some(addresses(extra)),
        _ => None,
    };
    let mut found = node.differences.iter().filter_map(|it| Some((it, extra(it)?)));
    let (first, lists) = found.next()?;
    let more = match found.count() {
        0 => String::new(),
        several => format!(", and so for {several} more Service ports"),
    };
    let (name, what) = (node.firewall.name(), first.what());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("{name} sends connections to {what} to {lists}, which is no endpoint of it{more}"),
        node.rules(format!("rules of {name} lead {} to {lists}", first.at())),
    );
    finding.evidence.push(first.slices());
    finding.hint = Some(rewritten(name));
    Some(finding)
}

fn changed(firewall: &Firewall<'_>, endpoint: &BentEndpoint<'_>) -> Finding {
    let node = firewall.name();
    let service = endpoint
        .service
        .as_deref()
        .map_or_else(String::new, |name| format!(" of Service port {name}"));
    let (address, leads_to) = (endpoint.address, &endpoint.leads_to);
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!("{node} sends connections to endpoint {address}{service} to {leads_to} instead"),
        evidence: vec![Evidence::command(
            format!("{} stands in the chain of {address}", endpoint.by),
            on_node(node, &[&endpoint.by.command()]),
        )],
        hint: Some(rewritten(node)),
        explains: Vec::new(),
    }
}

/// What the node has and none of its like has, of Services that all of them see alike.
fn stale(firewall: &Firewall<'_>, all: &[(&Firewall<'_>, Ports)]) -> Option<Finding> {
    let node = firewall.name();
    let (own, alike) = beside_others(firewall, all)?;
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, port) in own {
        let mut others = alike.iter().map(|(_, ports)| ports.get(key));
        let Some(Some(first)) = others.next() else {
            continue;
        };
        let agree = others.all(|other| other.is_some_and(|other| other.endpoints == first.endpoints));
        let only_here: Vec<String> = port.endpoints.difference(&first.endpoints).cloned().collect();
        if agree && !only_here.is_empty() {
            let name = port.name.clone().unwrap_or_else(|| port.chain.clone());
            extra.entry(name).or_default().extend(only_here);
        }
    }
    keep_stable(firewall, &mut extra);
    let (service, endpoints) = extra.first_key_value()?;
    let more = match extra.len() {
        1 => String::new(),
        several => format!(", and so for {} more Service ports", several - 1),
    };
    let names: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let others: Vec<&str> = alike.iter().map(|(other, _)| other.name()).collect();
    let lists = joined(&names);
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!(
            "{node} sends connections to Service port {service} to {lists}, which no other node does{more}"
        ),
        evidence: vec![Evidence::command(
            format!(
                "rules of {node} lead {service} to {lists}; those of {} do not",
                joined(&others)
            ),
            on_node(node, &["iptables-save -t nat", "nft list table ip kube-proxy"]),
        )],
        hint: Some(rewritten(node)),
        explains: Vec::new(),
    })
}

/// What a node has only for a moment, while it takes over a change, is no fault: it must still be there after the probes.
fn keep_stable(firewall: &Firewall<'_>, extra: &mut BTreeMap<String, Vec<String>>) {
    if extra.is_empty() {
        return;
    }
    let Some(after) = firewall.rules_after() else {
        return;
    };
    let after = ports(after);
    let still: BTreeSet<&String> = after.values().flat_map(|port| &port.endpoints).collect();
    extra.retain(|_, endpoints| {
        endpoints.retain(|endpoint| still.contains(endpoint));
        !endpoints.is_empty()
    });
}

#[cfg(test)]
mod tests {
    use super::super::api::{api, only_of, with_endpoints};
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn an_address_that_no_slice_has_is_found_on_every_node() {
        let mut observation = api(Fixture::healthy().observe());
        with_endpoints(&mut observation, "web", &["10.244.0.3", "10.244.1.2"]);
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 3, "{findings:#?}");
        assert_eq!(
            findings[0].summary,
            "node1 sends connections to Service port shop/web:http to 10.244.2.3:8080, which is no endpoint of it"
        );
    }

    #[test]
    fn where_one_service_is_asked_about_the_slices_of_others_are_not_missed() {
        let mut observation = api(Fixture::healthy().observe());
        only_of(&mut observation, "shop", "empty");
        shown::passes(&CHECK, &observation);
        only_of(&mut observation, "shop", "web");
        with_endpoints(&mut observation, "web", &[]);
        assert_eq!(shown::finds(&CHECK, &observation).len(), 3);
    }

    #[test]
    fn a_rule_that_was_changed_by_hand_is_found() {
        let observation = Fixture::healthy()
            .exchange(
                "node1",
                "--to-destination 10.244.1.2:8080",
                "--to-destination 10.244.2.250:8080",
            )
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node1 sends connections to endpoint 10.244.1.2 of Service port shop/web:http to 10.244.2.250:8080 instead"
        );
    }

    #[test]
    fn a_node_that_others_disagree_with_is_found() {
        let observation = Fixture::healthy()
            .exchange("node2", "10.244.2.3", "10.244.2.77")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node2 sends connections to Service port shop/web:http to 10.244.2.77:8080, which no other node does"
        );
    }

    #[test]
    fn two_nodes_that_disagree_tell_nothing() {
        let mut observation = Fixture::healthy()
            .exchange("node2", "10.244.2.3", "10.244.2.77")
            .observe();
        observation.node_evidence.remove("node3");
        assert_eq!(judge(&View::new(&observation)).findings, []);
    }

    #[test]
    fn what_is_gone_after_the_probes_was_a_change_on_its_way() {
        let mut observation = Fixture::healthy()
            .exchange("node2", "10.244.2.3", "10.244.2.77")
            .observe();
        let evidence =
            |observation: &observation::Observation, node: &str| match &observation.node_evidence[node] {
                report::Observed::Seen(evidence) => evidence.clone(),
                report::Observed::Unseen(gap) => panic!("{gap:?}"),
            };
        let healthy = evidence(&Fixture::healthy().observe(), "node2");
        let mut changing = evidence(&observation, "node2");
        changing.after = Some(healthy.before);
        observation
            .node_evidence
            .insert("node2".into(), report::Observed::Seen(changing));
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn nodes_of_several_zones_may_differ() {
        let mut observation = Fixture::healthy()
            .exchange("node2", "10.244.2.3", "10.244.2.77")
            .observe();
        if let report::Observed::Seen(nodes) = &mut observation.nodes {
            nodes[1].zone = Some("b".into());
        }
        assert_eq!(judge(&View::new(&observation)).findings, []);
    }

    #[test]
    fn healthy_nodes_pass_in_both_modes() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
