use netmodel::rules::{Family, Hook, ProxyHook, View as RulesOf, missing_hooks, missing_nft_hooks};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, restart};
use crate::shell::on_node;
use crate::view::View;

/// kube-proxy's rules act only on packets that are led to them. kube-proxy writes a lost jump again when it starts or has
/// failed before, so that one can be missing for an hour or more.
pub(crate) static CHECK: Check = Check {
    id: "ep-rule-hook",
    claim: "packets are led into kube-proxy's rules on every node",
    needs: &[Need::NodeAccess],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    super::proxied(view, |firewall, findings, _| {
        for set in &firewall.rules.sets {
            for family in [Family::Ip, Family::Ip6] {
                let jumps = missing_hooks(set, family);
                findings.extend(
                    jumps
                        .into_iter()
                        .map(|jump| lost_jump(firewall, set.view, family, jump)),
                );
                let chains = missing_nft_hooks(set, family);
                findings.extend(chains.into_iter().map(|hook| lost_chain(firewall, family, hook)));
            }
        }
    })
}

/// What clients see of it.
fn consequence(node: &str, from: &str) -> String {
    match from {
        "PREROUTING" => format!(
            "pods of {node} reach no Service, and its NodePorts refuse, while {node} itself reaches them"
        ),
        "OUTPUT" => format!("{node} itself reaches no Service, while its pods do"),
        _ => format!(
            "packets of {node} that need another source address keep theirs, as for NodePorts and a pod's own Service"
        ),
    }
}

fn lost_jump(firewall: &Firewall<'_>, view: RulesOf, family: Family, jump: ProxyHook) -> Finding {
    let node = firewall.name();
    let program = match (view, family) {
        (RulesOf::IptablesLegacy, Family::Ip6) => "ip6tables-legacy",
        (RulesOf::IptablesLegacy, _) => "iptables-legacy",
        (_, Family::Ip6) => "ip6tables",
        (_, _) => "iptables",
    };
    let (table, from, to) = (jump.table, jump.from, jump.to);
    let fact = format!("chain {from} of table {table} has no jump to {to}");
    let command = on_node(node, &[&format!("{program} -t {table} -S {from}")]);
    told(node, from, fact, command)
}

fn lost_chain(firewall: &Firewall<'_>, family: Family, hook: Hook) -> Finding {
    let node = firewall.name();
    let from = match hook {
        Hook::Prerouting => "PREROUTING",
        Hook::Output => "OUTPUT",
        _ => "POSTROUTING",
    };
    let fact = format!(
        "table {family} kube-proxy has no nat chain at {} that leads anywhere",
        from.to_lowercase()
    );
    told(
        node,
        from,
        fact,
        on_node(node, &[&format!("nft list table {family} kube-proxy")]),
    )
}

fn told(node: &str, from: &str, fact: String, command: String) -> Finding {
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!(
            "{from} of {node} does not lead to kube-proxy's rules: {}",
            consequence(node, from)
        ),
        evidence: vec![Evidence::command(fact, command)],
        hint: Some(format!(
            "kube-proxy of {node} writes all its jumps when it starts; see that it can reach the API, then restart it: `{}`",
            restart(node)
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
    fn a_lost_jump_of_packets_that_come_in_is_found() {
        let lost = "-A PREROUTING -m comment --comment \"kubernetes service portals\"";
        let findings = shown::finds(&CHECK, &Fixture::healthy().without("node1", lost).observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "PREROUTING of node1 does not lead to kube-proxy's rules: pods of node1 reach no Service, and its NodePorts refuse, \
             while node1 itself reaches them"
        );
        assert!(
            findings[0]
                .hint
                .as_deref()
                .is_some_and(|hint| hint.ends_with("spec.nodeName=node1`"))
        );
    }

    #[test]
    fn lost_jumps_of_the_node_itself_and_at_the_end_are_found() {
        for lost in [
            "-A OUTPUT -m comment --comment \"kubernetes service",
            "-A POSTROUTING -m comment --comment \"kubernetes postrouting",
        ] {
            let findings = shown::finds(&CHECK, &Fixture::healthy().without("node2", lost).observe());
            assert_eq!(findings.len(), 1, "{lost}");
        }
    }

    #[test]
    fn healthy_nodes_pass_in_both_modes() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn without_kube_proxy_there_is_nothing_to_lead_to() {
        let mut fixture = Fixture::healthy();
        for node in ["node1", "node2", "node3"] {
            fixture = fixture.without(node, "KUBE-SERVICES");
        }
        assert!(judge(&View::new(&fixture.observe())).skipped.is_some());
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().unread("node1").observe());
    }
}
