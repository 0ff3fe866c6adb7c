use std::collections::BTreeMap;

use report::{Evidence, Finding, Severity, Subject};

use super::{setting, setting_after};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Where a CNI joins pods by a bridge, packets between them pass the rules of kube-proxy only with this setting. Without
/// it a Service whose endpoint is on the caller's own bridge times out: the answer is not translated back. Policies
/// between such pods are not enforced either.
pub(crate) static CHECK: Check = Check {
    id: "net-brnf",
    claim: "bridged packets pass the rules of kube-proxy on every node that bridges its pods",
    needs: &[Need::NodeNetwork],
    judge,
};

const NAME: &str = "net.bridge.bridge-nf-call-iptables";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.sysctls, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &BTreeMap<String, String>)], judgement: &mut Judgement) {
    for &(node, settings) in part {
        let Some(bridge) = nodes.bridge(node) else {
            continue;
        };
        let evidence = nodes.evidence[node];
        let (fact, fix) = match setting(evidence, NAME) {
            Some(0) => (format!("{NAME} = 0"), format!("sysctl -w {NAME}=1")),
            // Without the module there is no such setting at all.
            None if !settings.is_empty() => (
                format!("there is no {NAME}: the module br_netfilter is not loaded"),
                "modprobe br_netfilter".to_owned(),
            ),
            _ => continue,
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!(
                "packets between pods of {node} do not pass the rules of kube-proxy, so that Services with an endpoint on \
                 the caller's own node time out"
            ),
            Evidence::command(
                format!("{fact}, and pods are joined by the bridge {}", bridge.name),
                on_node(node, &[&format!("sysctl {NAME}")]),
            ),
        );
        if setting_after(evidence, NAME) == Some(1) {
            finding.evidence.push(Evidence::command(
                "it is 1 since probe pods were started",
                on_node(node, &[&format!("sysctl {NAME}")]),
            ));
        }
        finding.hint = Some(format!(
            "set it now, and in /etc/sysctl.d: `{}`",
            on_node(node, &[&fix])
        ));
        judgement.cause(finding, Breaks::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, set, without_bridge};
    use crate::shown;

    #[test]
    fn a_bridge_whose_packets_bypass_the_rules_is_found() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| set(reads, NAME, "0"))
            .observation();
        assert_eq!(
            shown::finds(&CHECK, &observation)[0].subject,
            Subject::node("node2")
        );
    }

    #[test]
    fn where_nothing_is_bridged_it_does_not_matter() {
        let mut scene = Scene::healthy(2);
        for node in ["node1", "node2"] {
            scene = scene
                .change(node, without_bridge)
                .change(node, |reads| set(reads, NAME, "0"));
        }
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn a_node_that_was_not_read_is_unknown() {
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
