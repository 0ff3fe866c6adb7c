use std::collections::BTreeMap;

use netmodel::rules::{ProxyMode, View as RulesOf, proxy_modes};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, gaps, joined, skipped};
use crate::shell::on_node;
use crate::view::View;

/// What was read of the rules of nodes. No one command shows all of them: both back ends of iptables, for IPv4 and IPv6, and nft are
/// asked. Where one of them could not be, nothing that is missing is known to be missing.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-parse",
    claim: "the rules of every node are read whole, from every back end",
    needs: &[Need::NodeAccess, Need::Backends],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    if view.observation.backends.is_none() || view.observation.node_reading.is_none() {
        return Judgement::not_asked();
    }
    if let Some(judgement) = skipped(view) {
        return judgement;
    }
    Judgement {
        findings: finding(view).into_iter().collect(),
        gaps: gaps(view),
        ..Judgement::default()
    }
}

fn finding(view: &View<'_>) -> Option<Finding> {
    let whole: Vec<&Firewall<'_>> = view
        .firewalls
        .iter()
        .filter(|firewall| firewall.gaps.is_empty())
        .collect();
    let first = whole.first()?;
    let mut modes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for firewall in &whole {
        let found = proxy_modes(&firewall.rules.sets);
        let words: Vec<&str> = found.iter().map(|mode| words(*mode)).collect();
        let mode = if words.is_empty() {
            "no rules of kube-proxy".to_owned()
        } else {
            joined(&words)
        };
        modes.entry(mode).or_default().push(firewall.name());
    }
    let modes: Vec<String> = modes
        .iter()
        .map(|(mode, nodes)| format!("{mode} on {}", joined(nodes)))
        .collect();
    let rules: usize = whole.iter().map(|firewall| firewall.rules.rules().count()).sum();
    let nodes = match whole.len() {
        1 => "1 node".to_owned(),
        several => format!("{several} nodes"),
    };
    Some(Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::Cluster,
        format!("{rules} rules of {nodes} were read: {}", modes.join("; ")),
        Evidence::command(
            format!("{} rules on {}", first.rules.rules().count(), first.name()),
            on_node(
                first.name(),
                &[
                    "iptables-save",
                    "iptables-legacy-save",
                    "ip6tables-save",
                    "nft -j list ruleset",
                ],
            ),
        ),
    ))
}

/// How kube-proxy works there.
fn words(mode: ProxyMode) -> &'static str {
    match mode {
        ProxyMode::Iptables(RulesOf::IptablesLegacy) => "kube-proxy with iptables-legacy",
        ProxyMode::Iptables(_) => "kube-proxy with iptables",
        ProxyMode::Ipvs(_) => "kube-proxy with ipvs",
        ProxyMode::Nftables => "kube-proxy with nftables",
    }
}

#[cfg(test)]
mod tests {
    use super::super::api::api;
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn what_was_read_is_told() {
        let observation = api(Fixture::healthy().observe());
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Note);
        assert!(
            findings[0]
                .summary
                .ends_with("of 3 nodes were read: kube-proxy with iptables on node1, node2 and node3"),
            "{findings:#?}"
        );
        shown::passes(&CHECK, &observation);
        shown::passes(&CHECK, &api(Fixture::nftables().observe()));
    }

    #[test]
    fn a_back_end_that_could_not_be_read_or_understood_is_a_gap() {
        shown::cannot_tell(&CHECK, &api(Fixture::healthy().unread_legacy("node2").observe()));
        let cut = Fixture::healthy().exchange("node1", "COMMIT", "COMMI");
        shown::cannot_tell(&CHECK, &api(cut.observe()));
    }

    #[test]
    fn who_asks_about_no_service_does_not_ask_this() {
        assert!(!judge(&View::new(&Fixture::healthy().observe())).is_asked());
    }
}
