use std::net::SocketAddr;

use netmodel::rules::{DeadEnd, Family, dead_ends};
use report::{Finding, Severity, Subject};

use super::expected::{Compared, Difference, Kind, addresses, compared};
use super::ports::rewritten;
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// An endpoint that EndpointSlices have and no rule of a node leads to: its traffic goes to the others.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-lack-ep",
    claim: "every ready endpoint of a Service has its rule on every node",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    compared(view, |all, judgement| {
        // Where a node follows nothing any more, that is said once.
        for node in all.iter().filter(|node| !node.is_stale()) {
            let found = node
                .differences
                .iter()
                .filter_map(|difference| finding(node, difference));
            judgement.findings.extend(found);
        }
    })
}

fn finding(node: &Compared<'_, '_>, difference: &Difference<'_>) -> Option<Finding> {
    let Kind::Led {
        lacks,
        extra,
        anywhere,
    } = &difference.kind
    else {
        return None;
    };
    // What leads to something else instead is another matter, and so is a chain that is empty.
    if lacks.is_empty() || !extra.is_empty() || is_dead_end(node, difference, lacks, *anywhere) {
        return None;
    }
    let (name, what) = (node.firewall.name(), difference.what());
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("no rule of {name} leads {what} to {}", addresses(lacks)),
        node.rules(if *anywhere {
            format!("rules of {name} lead {} elsewhere only", difference.at())
        } else {
            format!("rules of {name} lead {} to no endpoint", difference.at())
        }),
    );
    finding.evidence.push(difference.slices());
    finding.hint = Some(rewritten(name));
    // The shares of those that are left no longer add up.
    finding.explains = vec!["ep-rule-prob".to_owned()];
    Some(finding)
}

/// Whether that is because chains of it are empty or gone, which `ep-rule-missing` says.
fn is_dead_end(
    node: &Compared<'_, '_>,
    difference: &Difference<'_>,
    lacks: &[SocketAddr],
    anywhere: bool,
) -> bool {
    let family = if lacks.iter().all(SocketAddr::is_ipv4) {
        Family::Ip
    } else {
        Family::Ip6
    };
    let name = difference.name();
    let ends: Vec<DeadEnd<'_>> = node
        .firewall
        .rules
        .sets
        .iter()
        .flat_map(dead_ends)
        .filter(|end| end.service.as_ref() == Some(&name) && end.by.table.family == family)
        .collect();
    let endpoints = ends.iter().filter(|end| end.is_endpoint()).count();
    (!anywhere && !ends.is_empty()) || (endpoints > 0 && lacks.len() <= endpoints)
}

#[cfg(test)]
mod tests {
    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn an_endpoint_without_a_rule_on_one_node_is_found_there() {
        let observation = Fixture::healthy()
            .without("node1", "-> 10.244.2.3:8080")
            .observe();
        let findings = shown::finds(&CHECK, &api(observation));
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(
            findings[0].summary,
            "no rule of node1 leads Service port shop/web:http to 10.244.2.3:8080"
        );
    }

    #[test]
    fn an_empty_chain_is_told_once_by_the_check_of_chains() {
        for part in ["-A KUBE-SVC-67NZLRHBNDSAWJRO ", "-A KUBE-SEP-NIKZ6PCBEJFQLK7F "] {
            let healthy = Fixture::healthy();
            let broken = healthy.without("node1", part).observe();
            shown::passes(&CHECK, &api(broken.clone()));
            shown::finds(&super::super::ep_rule_missing::CHECK, &api(broken));
        }
    }

    #[test]
    fn rules_that_are_as_the_api_says_pass() {
        shown::passes(&CHECK, &api(Fixture::healthy().observe()));
        shown::passes(&CHECK, &api(Fixture::nftables().observe()));
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        let observation = Fixture::healthy().unread_legacy("node2").observe();
        shown::cannot_tell(&CHECK, &api(observation));
    }
}
