use netmodel::rules::{AddressRange, PathEnd, ServicePath, refused_ports, service_path};
use observation::{Endpoint, Observation, Service, ServicePort};
use report::{Evidence, Finding, Severity};

use super::expected::protocol_number;
use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, gaps, joined, percent, skipped};
use crate::shell::on_node;
use crate::view::View;

/// One connection to the Service that was asked about, from a pod of one node through the rules there to the endpoints, with the names
/// that the chains have.
pub(crate) static CHECK: Check = Check {
    id: "ep-explain-path",
    claim: "the way of a connection to the Service through the rules of a node is shown",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

/// So many endpoints are named.
const NAMED: usize = 5;

fn judge(view: &View<'_>) -> Judgement {
    let Some(backends) = view.observation.backends.as_deref() else {
        return Judgement::not_asked();
    };
    let Some((_, name)) = backends.question.single() else {
        return Judgement::not_asked();
    };
    if view.observation.node_reading.is_none() {
        return Judgement::not_asked();
    }
    if let Some(judgement) = skipped(view) {
        return judgement;
    }
    let services = match &backends.services {
        report::Observed::Seen(services) => services,
        report::Observed::Unseen(gap) => return Judgement::unread(gap),
    };
    let Some(service) = services.iter().find(|it| backends.question.is_about(it)) else {
        return Judgement::skipped(format!("there is no service/{name}"));
    };
    let mut judgement = Judgement {
        gaps: gaps(view),
        ..Judgement::default()
    };
    for port in &service.ports {
        let ways = view
            .firewalls
            .iter()
            .filter_map(|firewall| way(view, firewall, service, port));
        judgement.findings.extend(ways.take(1));
    }
    judgement
}

/// The way from a node; `None` where it has no rule for it.
fn way(view: &View<'_>, firewall: &Firewall<'_>, service: &Service, port: &ServicePort) -> Option<Finding> {
    let address = AddressRange::from(service.cluster_ips.first()?.to_canonical());
    let protocol = protocol_number(&port.protocol)?;
    let node = firewall.name();
    let opening = format!(
        "a pod of {node} that connects to {} port {}",
        address.first, port.port
    );
    let path = firewall
        .rules
        .sets
        .iter()
        .find_map(|set| service_path(set, address, protocol, port.port));
    let (summary, evidence) = if let Some(path) = path {
        let ends: Vec<String> = path
            .endpoints
            .iter()
            .map(|end| ending(view.observation, end))
            .collect();
        let shown: Vec<&str> = ends.iter().take(NAMED).map(String::as_str).collect();
        let more = match ends.len().saturating_sub(NAMED) {
            0 => String::new(),
            rest => format!(" and {rest} more"),
        };
        let to = if shown.is_empty() {
            "no endpoint".to_owned()
        } else {
            joined(&shown)
        };
        let summary = format!(
            "{opening} comes by {} → {} → {} to {to}{more}",
            path.hook.chain.name, path.service.chain.name, path.chain
        );
        (summary, steps(firewall, &path))
    } else {
        let turned = firewall
            .rules
            .sets
            .iter()
            .flat_map(refused_ports)
            .find(|refused| {
                let is_there = refused.address == Some(address) && refused.port == Some(port.port);
                is_there && refused.protocol == Some(protocol)
            })?;
        let how = if turned.is_told {
            "is refused"
        } else {
            "gets no answer"
        };
        let evidence = Evidence::command(
            turned.text,
            on_node(node, &["iptables-save", "nft list table ip kube-proxy"]),
        );
        (format!("{opening} {how}: a rule turns it away"), vec![evidence])
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        service.subject(),
        summary,
        evidence.first()?.clone(),
    );
    finding.evidence = evidence;
    Some(finding)
}

/// Each rule on the way, with the command that shows it.
fn steps(firewall: &Firewall<'_>, path: &ServicePath<'_>) -> Vec<Evidence> {
    let by = |by: &netmodel::rules::Decider<'_>| {
        Evidence::command(by.to_string(), on_node(firewall.name(), &[&by.command()]))
    };
    let mut steps = vec![by(&path.hook)];
    // The rule with the map of all Services is as long as there are Services.
    let command = on_node(firewall.name(), &[&path.service.command()]);
    let text = match path.service.view {
        netmodel::rules::View::Nft => format!("chain {} leads to {}", path.service.chain.name, path.chain),
        _ => path.service.to_string(),
    };
    steps.push(Evidence::command(text, command));
    steps.extend(
        path.endpoints
            .iter()
            .take(NAMED)
            .filter_map(|end| end.by.as_ref())
            .map(by),
    );
    steps
}

/// As `10.244.0.3:8080 on node1 (KUBE-SEP-…, 33 %)`.
fn ending(observation: &Observation, end: &PathEnd<'_>) -> String {
    let Some(to) = &end.leads_to else {
        return format!("nowhere ({}, {})", end.chain, percent(end.share));
    };
    let slices = observation
        .backends
        .iter()
        .filter_map(|backends| backends.slices.seen());
    let mut endpoints = slices.flatten().flat_map(|slice| &slice.endpoints);
    let is_it = |endpoint: &&Endpoint| {
        let address = to.parse::<std::net::SocketAddr>().map(|to| to.ip());
        address.is_ok_and(|address| endpoint.addresses.first() == Some(&address))
    };
    let place = endpoints
        .find(is_it)
        .and_then(|endpoint| endpoint.node.as_deref())
        .map_or_else(String::new, |node| format!(" on {node}"));
    format!("{to}{place} ({}, {})", end.chain, percent(end.share))
}

#[cfg(test)]
mod tests {
    use super::super::api::{api, on_nodes, only_of};
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    fn asking(fixture: Fixture, namespace: &str, name: &str) -> Observation {
        let mut observation = fixture.observe();
        only_of(&mut observation, namespace, name);
        on_nodes(&mut observation, name, &["node1", "node2", "node3"]);
        observation
    }

    #[test]
    fn the_way_to_a_service_is_told_with_the_names_of_its_chains() {
        let observation = asking(Fixture::healthy(), "shop", "web");
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            findings[0].summary,
            "a pod of node1 that connects to 10.99.43.77 port 80 comes by PREROUTING → KUBE-SERVICES → KUBE-SVC-67NZLRHBNDSAWJRO to \
             10.244.0.3:8080 on node1 (KUBE-SEP-NIKZ6PCBEJFQLK7F, 33 %), 10.244.1.2:8080 on node2 (KUBE-SEP-XTJTEC7KOHLCQM25, 33 %) \
             and 10.244.2.3:8080 on node3 (KUBE-SEP-ZEIDTFVL27F4EVRN, 33 %)"
        );
        assert_eq!(findings[0].evidence.len(), 5);
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn the_way_through_nftables_is_told_for_each_port() {
        let observation = asking(Fixture::nftables(), "kube-system", "kube-dns");
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 3);
        assert!(
            findings[0]
                .summary
                .contains("nat-prerouting → services → service-FY5PMXPG-kube-system/kube-dns/udp/dns to"),
            "{findings:#?}"
        );
    }

    #[test]
    fn what_is_turned_away_is_told() {
        let findings = shown::finds(&CHECK, &asking(Fixture::healthy(), "shop", "empty"));
        assert_eq!(
            findings[0].summary,
            "a pod of node1 that connects to 10.97.134.127 port 80 is refused: a rule turns it away"
        );
    }

    #[test]
    fn who_asks_about_all_services_asks_for_no_way() {
        assert!(!judge(&View::new(&api(Fixture::healthy().observe()))).is_asked());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &asking(Fixture::healthy().unread("node2"), "shop", "web"));
    }
}
