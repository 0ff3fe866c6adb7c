use netmodel::rules::{ProxyMode, View as RulesOf, proxy_modes};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, joined, restart};
use crate::shell::on_node;
use crate::view::View;

/// kube-proxy's rules in two places at once: whichever comes first translates, and only one of them is kept up to date.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-backends",
    claim: "kube-proxy's rules are of one mode and in one back end",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::proxied(view, |firewall, findings, _| {
        let modes = proxy_modes(&firewall.rules.sets);
        if modes.len() > 1 {
            findings.push(finding(firewall, &modes));
        }
    })
}

fn finding(firewall: &Firewall<'_>, modes: &[ProxyMode]) -> Finding {
    let node = firewall.name();
    let names: Vec<&str> = modes.iter().map(|mode| place(*mode).0).collect();
    let evidence = modes.iter().map(|mode| {
        let (place, command) = place(*mode);
        Evidence::command(
            format!("rules for Services are in {place}"),
            on_node(node, &[command]),
        )
    });
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!("{node} has kube-proxy's rules in {}", joined(&names)),
        evidence: evidence.collect(),
        hint: Some(format!(
            "start kube-proxy once with --cleanup on {node}, which removes the rules of every mode, then let it start again: `{}`",
            restart(node)
        )),
        explains: Vec::new(),
    }
}

/// Where rules of a mode are, and what lists them.
fn place(mode: ProxyMode) -> (&'static str, &'static str) {
    match mode {
        ProxyMode::Iptables(RulesOf::IptablesLegacy) => {
            ("iptables-legacy", "iptables-legacy -t nat -S KUBE-SERVICES")
        }
        ProxyMode::Iptables(_) => ("iptables", "iptables -t nat -S KUBE-SERVICES"),
        ProxyMode::Ipvs(_) => ("virtual servers of ipvs", "ipvsadm -L -n"),
        ProxyMode::Nftables => ("tables kube-proxy of nft", "nft list table ip kube-proxy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn remains_of_the_iptables_mode_beside_nftables_are_found() {
        let rules = "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-NPX46M4PTMTKRN6Y\n\
                     -A KUBE-SVC-NPX46M4PTMTKRN6Y -j ACCEPT";
        let findings = shown::finds(&CHECK, &Fixture::nftables().rule("node1", "nat", rules).observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node1 has kube-proxy's rules in iptables and tables kube-proxy of nft"
        );
    }

    #[test]
    fn services_in_both_back_ends_are_found() {
        let legacy = ":PREROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n-A PREROUTING -j KUBE-SERVICES\n\
                      -A KUBE-SERVICES -d 10.96.0.1/32 -j ACCEPT";
        let observation = Fixture::healthy().legacy_table("node3", "nat", legacy).observe();
        assert_eq!(shown::finds(&CHECK, &observation).len(), 1);
    }

    #[test]
    fn the_kubelets_own_chains_are_no_second_mode() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread_legacy("node1").observe());
    }
}
