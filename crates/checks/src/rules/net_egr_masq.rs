use netmodel::rules::{Action, Decider, Owner, SourceTranslation, View as RulesOf, owner_of_chain};
use report::{Evidence, Finding, Gap, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::firewall::{Firewall, evidence, gap, repair};
use crate::shell::on_node;
use crate::view::View;

/// Outside of the cluster nobody knows the addresses of pods, unless the network routes them. So what leaves gets the address
/// of the node, by rules of the network plugin that hang below the chain where one would look for them.
pub(crate) static CHECK: Check = Check {
    id: "net-egr-masq",
    claim: "what pods send out of the cluster gets an address that is known outside",
    needs: &[Need::NodeAccess],
    judge,
};

/// What becomes of a node's packets that leave.
enum Leaving<'f> {
    Translated,
    Unknown(String),
    /// With what let them pass.
    Bare(Vec<Decider<'f>>),
}

fn judge(view: &View<'_>) -> Judgement {
    let translates = |v4: bool| {
        view.firewalls
            .iter()
            .any(|firewall| matches!(leaving(firewall, v4), Some(Leaving::Translated)))
    };
    let elsewhere = [translates(false), translates(true)];
    super::each(view, |firewall, findings, gaps| {
        for v4 in firewall.families() {
            match leaving(firewall, v4) {
                None | Some(Leaving::Translated) => {}
                Some(Leaving::Unknown(why)) => gaps.push(gap(firewall, "the masquerade", why)),
                Some(Leaving::Bare(accepted)) => {
                    report(
                        firewall,
                        v4,
                        &accepted,
                        elsewhere[usize::from(v4)],
                        findings,
                        gaps,
                    );
                }
            }
        }
    })
}

fn leaving<'f>(firewall: &'f Firewall<'_>, v4: bool) -> Option<Leaving<'f>> {
    let packet = firewall.outward(v4)?;
    Some(match firewall.rules.source_translation(&packet) {
        SourceTranslation::Certain(_) => Leaving::Translated,
        // Sets of addresses and one chain for each pod are how some plugins say "all pods".
        SourceTranslation::Perhaps(effects)
            if effects.iter().any(|effect| effect.by.owner().is_cluster()) =>
        {
            Leaving::Translated
        }
        SourceTranslation::Perhaps(effects) => {
            let first = effects
                .first()
                .map_or_else(String::new, |effect| effect.by.to_string());
            Leaving::Unknown(format!(
                "whether a rule applies cannot be told from the rules alone: {first}"
            ))
        }
        SourceTranslation::None { .. } if has_ebpf(firewall) => {
            Leaving::Unknown("Cilium may do it in eBPF, which no rule shows".to_owned())
        }
        SourceTranslation::None { accepted } => Leaving::Bare(accepted),
    })
}

fn has_ebpf(firewall: &Firewall<'_>) -> bool {
    let links = firewall.reads.links.seen().into_iter().flatten();
    let mut chains = firewall
        .rules
        .sets
        .iter()
        .flat_map(netmodel::rules::RuleSet::chains);
    links.into_iter().any(|link| link.name == "cilium_host")
        || chains.any(|(table, chain)| owner_of_chain(table, chain) == Owner::Cilium)
}

/// A chain of nat that somebody made in order to masquerade what leaves: kube-proxy's own is for Services only.
fn intended<'f>(firewall: &'f Firewall<'_>) -> Option<Decider<'f>> {
    let masquerades = |by: &Decider<'_>| {
        by.owner() != Owner::KubeProxy
            && by
                .rule
                .is_some_and(|rule| rule.actions().any(|action| *action == Action::Masquerade))
    };
    firewall.rules.rules().find(masquerades)
}

/// A chain for the masquerade that its owner made and that is empty.
fn emptied(firewall: &Firewall<'_>) -> Option<(&'static str, String)> {
    let chains = firewall
        .rules
        .sets
        .iter()
        .flat_map(netmodel::rules::RuleSet::chains);
    chains
        .filter(|(table, chain)| table.name == "nat" && chain.base.is_none() && chain.rules.is_empty())
        .find_map(|(table, chain)| match owner_of_chain(table, chain) {
            owner @ (Owner::Flannel | Owner::IpMasqAgent | Owner::Kindnet | Owner::Weave | Owner::AwsVpc) => {
                Some((owner.name(), chain.name.clone()))
            }
            _ => None,
        })
}

fn report(
    firewall: &Firewall<'_>,
    v4: bool,
    accepted: &[Decider<'_>],
    elsewhere: bool,
    findings: &mut Vec<Finding>,
    gaps: &mut Vec<Gap>,
) {
    // Where a part of the rules was not seen, what is missing may be in it; `gaps` has that already.
    if !firewall.gaps.is_empty() {
        return;
    }
    let node = firewall.name();
    let escape = accepted
        .iter()
        .find(|by| by.table.name.contains("nat") && by.rule.is_some() && !by.owner().is_cluster());
    let empty = emptied(firewall);
    let is_meant = elsewhere || empty.is_some() || intended(firewall).is_some();
    if !is_meant {
        // Without any sign that it should be so, it may be meant: the network outside may route the addresses of pods.
        if v4 {
            findings.push(routed(node));
        }
        return;
    }
    let from = firewall
        .pods(v4)
        .map_or_else(String::new, |pods| format!(" of {pods}"));
    let listing = if v4 {
        "iptables -t nat -S"
    } else {
        "ip6tables -t nat -S"
    };
    let (found, hint) = match (escape, &empty) {
        (Some(by), _) => (
            evidence(firewall, by, "lets what leaves pass before it is masqueraded"),
            Some(repair(node, by, firewall.pod_interface(v4))),
        ),
        (None, Some((owner, chain))) => (
            Evidence::command(
                format!(
                    "chain {chain} of {owner} is empty, and no other rule gives what leaves an address of the node"
                ),
                on_node(node, &[listing]),
            ),
            Some(restart_plugin(node)),
        ),
        (None, None) => (
            Evidence::command(
                format!("no rule of table nat gives what leaves an address of {node}"),
                on_node(node, &[listing]),
            ),
            Some(restart_plugin(node)),
        ),
    };
    if firewall
        .rules
        .of(RulesOf::IptablesNft)
        .chain(firewall.rules.of(RulesOf::Nft))
        .next()
        .is_none()
    {
        gaps.push(gap(firewall, "the masquerade", "no rules were listed at all"));
        return;
    }
    findings.push(Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Error,
        subject: Subject::node(node),
        summary: format!(
            "packets of {node} leave the cluster with the addresses of pods, which nobody outside can answer"
        ),
        evidence: vec![Evidence {
            fact: format!("{}: sources{from} stay as they are", found.fact),
            ..found
        }],
        hint,
        explains: Vec::new(),
    });
}

fn restart_plugin(node: &str) -> String {
    format!(
        "restart the network plugin's pod on {node}, which writes these rules: `kubectl get pods --all-namespaces --field-selector \
         {} -o wide`",
        crate::shell::word(&format!("spec.nodeName={node}"))
    )
}

fn routed(node: &str) -> Finding {
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: Subject::node(node),
        summary: format!(
            "packets of {node} leave the cluster with the addresses of pods: right only where the network routes them"
        ),
        evidence: vec![Evidence::command(
            "no rule of any node masquerades what leaves the cluster",
            on_node(node, &["iptables-save -t nat"]),
        )],
        hint: None,
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::fixture::Fixture;
    use crate::shown;

    #[test]
    fn an_emptied_chain_is_found() {
        let observation = Fixture::healthy()
            .without("node1", "-A FLANNEL-POSTRTG")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.to_string(), "node/node1");
        assert!(
            findings[0].evidence[0]
                .fact
                .starts_with("chain FLANNEL-POSTRTG of flannel is empty")
        );
    }

    #[test]
    fn an_accept_in_front_is_quoted_with_its_deletion() {
        let rule = "-A POSTROUTING -s 10.244.0.0/16 -j ACCEPT";
        let findings = shown::finds(&CHECK, &Fixture::healthy().rule("node1", "nat", rule).observe());
        assert_eq!(findings.len(), 1);
        assert!(findings[0].evidence[0].fact.starts_with(rule));
        assert!(
            findings[0]
                .hint
                .as_deref()
                .is_some_and(|hint| hint.contains("iptables -t nat -D POSTROUTING"))
        );
    }

    #[test]
    fn a_lost_jump_is_found_because_other_nodes_have_it() {
        let observation = Fixture::healthy().without("node3", "FLANNEL-POSTRTG").observe();
        assert_eq!(
            shown::finds(&CHECK, &observation)[0].subject.to_string(),
            "node/node3"
        );
    }

    #[test]
    fn a_masquerade_below_the_base_chain_is_enough() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(&CHECK, &Fixture::nftables().observe());
    }

    #[test]
    fn where_nothing_masquerades_anywhere_it_may_be_meant() {
        let mut fixture = Fixture::healthy();
        for node in ["node1", "node2", "node3"] {
            fixture = fixture.without(node, "FLANNEL-POSTRTG");
        }
        let observation = fixture.observe();
        let findings = judge(&View::new(&observation)).findings;
        assert!(findings.iter().all(|finding| finding.severity == Severity::Note));
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn rules_that_could_not_be_read_are_a_gap_and_no_finding() {
        let observation = Fixture::healthy()
            .without("node1", "-A FLANNEL-POSTRTG")
            .unread_legacy("node1")
            .observe();
        shown::cannot_tell(&CHECK, &observation);
    }
}
