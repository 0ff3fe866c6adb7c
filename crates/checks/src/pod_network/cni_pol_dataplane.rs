use report::{Evidence, Finding, Severity, Subject};

use super::{few, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::on_nodes;
use crate::shell::on_node;
use crate::view::View;

/// Whoever enforces policies leaves its rules in the network of each node. Where there are policies, and some nodes have such rules and one
/// has none, the engine of that node does not work: policies are ignored there in silence.
pub(crate) static CHECK: Check = Check {
    id: "cni-pol-dataplane",
    claim: "policies have become rules on every node",
    needs: &[Need::Cni, Need::NodeAccess],
    judge,
};

/// By what rules of an engine are known, wherever it put them; and how it is called.
const MARKS: [(&str, &[&str]); 5] = [
    ("Calico", &["cali-FORWARD", "cali-forward"]),
    ("kube-router", &["KUBE-NWPLCY-", "KUBE-ROUTER-FORWARD"]),
    ("Weave Net", &["WEAVE-NPC"]),
    ("kindnet", &["kindnet-network-policies", "kube-network-policies"]),
    ("Antrea", &["ANTREA-FORWARD"]),
];

fn judge(view: &View<'_>) -> Judgement {
    let Some(cni) = view.observation.cni.as_deref() else {
        return Judgement::not_asked();
    };
    let asked = over(view, |_, judgement| {
        part(&cni.policies, judgement);
    });
    if !asked.gaps.is_empty() {
        return asked;
    }
    if cni.policies.seen() == Some(&0) {
        return Judgement::default();
    }
    on_nodes(
        view,
        |reads| &reads.iptables,
        |nodes, part, judgement| {
            let has = |node: &str, marks: &[&str]| {
                let before = &nodes.evidence[node].before;
                let texts = [&before.iptables, &before.iptables_legacy, &before.nft];
                let mut texts = texts.into_iter().filter_map(|text| text.seen());
                texts.any(|rules| marks.iter().any(|mark| rules.text.contains(mark)))
            };
            for (engine, marks) in MARKS {
                let (with, without): (Vec<&str>, Vec<&str>) = part
                    .iter()
                    .map(|(node, _)| *node)
                    .partition(|node| has(node, marks));
                if with.is_empty() {
                    continue;
                }
                for node in without {
                    judgement.cause(finding(node, engine, marks, &with), Breaks::Nothing);
                }
            }
        },
    )
}

fn finding(node: &str, engine: &str, marks: &[&str], with: &[&str]) -> Finding {
    let look = format!(
        "iptables-save | grep -c {}; nft list ruleset | grep -c {}",
        marks[0], marks[0]
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!("policies are not enforced on {node}: it has no rule of {engine}, as the other nodes have"),
        Evidence::command(
            format!("no rule with {}", marks.join(" or ")),
            on_node(node, &[&look]),
        ),
    );
    finding.evidence.push(Evidence::command(
        format!("there are some on {}", few(with)),
        on_node(with[0], &[&look]),
    ));
    finding.hint = Some(format!(
        "start its pod there again: `kubectl get pods -A -o wide --field-selector spec.nodeName={node}`"
    ));
    finding
}

#[cfg(test)]
mod tests {
    use observation::RuleText;
    use report::Observed;

    use super::super::fixture::{Fixture, no};
    use super::*;
    use crate::shown;

    fn ruled(nodes: &[&str], policies: u32) -> Fixture {
        let mut fixture = Fixture::healthy()
            .with_nodes()
            .change(|cni| cni.policies = Observed::Seen(policies));
        for node in nodes {
            fixture.scene = fixture.scene.change(node, |reads| {
                reads.iptables = Observed::Seen(RuleText {
                    command: "iptables-save -c".into(),
                    text: "*filter\n:KUBE-NWPLCY-DEFAULT - [0:0]\nCOMMIT\n".into(),
                });
            });
        }
        fixture
    }

    #[test]
    fn a_node_without_the_rules_that_others_have_is_found() {
        let findings = shown::finds(&CHECK, &ruled(&["node1", "node3"], 2).observe());
        assert_eq!(
            (findings.len(), &findings[0].subject),
            (1, &Subject::node("node2"))
        );
    }

    #[test]
    fn without_policies_and_without_an_engine_nobody_needs_rules() {
        shown::passes(&CHECK, &ruled(&["node1"], 0).observe());
        shown::passes(&CHECK, &ruled(&[], 3).observe());
        shown::passes(&CHECK, &ruled(&["node1", "node2", "node3"], 3).observe());
    }

    #[test]
    fn unlisted_policies_and_unread_nodes_are_unknown() {
        let mut fixture = ruled(&["node1"], 1);
        shown::cannot_tell(
            &CHECK,
            &fixture
                .clone()
                .change(|cni| cni.policies = no("NetworkPolicies"))
                .observe(),
        );
        fixture.scene = fixture.scene.unread("node2").unread("node3");
        shown::cannot_tell(&CHECK, &fixture.observe());
    }
}
