use observation::Link;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A pod that asks its own Service may be given itself: the packet goes back by the port of the bridge that it came by,
/// which a bridge does only where the port is set to. A CNI sets all ports alike, so that one that differs was changed.
pub(crate) static CHECK: Check = Check {
    id: "net-hairpin",
    claim: "pods reach themselves through their own Services where the CNI lets them",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.links, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<Link>)], judgement: &mut Judgement) {
    for &(node, links) in part {
        let Some(bridge) = nodes.bridge(node) else {
            continue;
        };
        let ports: Vec<_> = links
            .iter()
            .filter(|link| link.master.as_ref() == Some(&bridge.name))
            .collect();
        let on = ports.iter().filter(|port| port.hairpin == Some(true)).count();
        if on == 0 {
            continue;
        }
        for port in ports.iter().filter(|port| port.hairpin == Some(false)) {
            let look = on_node(node, &["bridge -d link show"]);
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                Subject::node(node),
                format!(
                    "the pod behind {} on {node} does not reach itself through a Service: the port of the bridge sends \
                     nothing back",
                    port.name
                ),
                Evidence::command(
                    format!(
                        "hairpin is off on {}, and on for {on} of the {} ports of {}",
                        port.name,
                        ports.len(),
                        bridge.name
                    ),
                    look,
                ),
            );
            finding.hint = Some(format!(
                "start the pod anew, or set the port as the CNI does: `{}`",
                on_node(node, &[&format!("bridge link set dev {} hairpin on", port.name)])
            ));
            judgement.cause(finding, Breaks::Nothing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, another_port, link};
    use crate::shown;

    #[test]
    fn the_one_port_that_sends_nothing_back_is_named() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| {
                another_port(reads, "veth1");
                link(reads, "veth1").hairpin = Some(false);
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert!(findings[0].summary.contains("veth1"), "{}", findings[0].summary);
    }

    #[test]
    fn where_no_port_does_the_cni_means_it_so() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| link(reads, "veth0").hairpin = Some(false))
            .observation();
        shown::passes(&CHECK, &observation);
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
