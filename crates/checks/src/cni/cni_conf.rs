use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Without a configuration in its directory a node's runtime sets up no pod, and the kubelet calls the node not ready.
/// Pods that run go on.
pub(crate) static CHECK: Check = Check {
    id: "cni-conf",
    claim: "every node has a CNI configuration",
    needs: &[Need::NodeAccess],
    judge,
};

const DIRECTORY: &str = "/etc/cni/net.d";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| reads.directories.get(DIRECTORY).unwrap_or(&super::NOT_READ),
        find,
    )
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<String>)], judgement: &mut Judgement) {
    for &(node, names) in part {
        if names.iter().any(|name| super::is_configuration(name)) {
            continue;
        }
        let fact = if names.is_empty() {
            format!("{DIRECTORY} is empty")
        } else {
            format!("{DIRECTORY} has only {}", names.join(", "))
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!("{node} has no CNI configuration: no pod can be started there"),
            Evidence::command(fact, on_node(node, &[&format!("ls -la {DIRECTORY}")])),
        );
        if let Some(ready) = nodes.object(node).and_then(|object| object.ready.as_ref())
            && ready.status != "True"
        {
            finding.evidence.push(Evidence::field(
                format!("Ready={}: {}: {}", ready.status, ready.reason, ready.message),
                format!("node/{node} .status.conditions[type=Ready]"),
            ));
        }
        finding.explains = super::NO_NETWORK.map(str::to_owned).to_vec();
        finding.hint = Some(format!(
            "the CNI's pod writes it when it starts: restart that of {node}: `kubectl get pods -A -o wide --field-selector \
             spec.nodeName={node}`"
        ));
        judgement.cause(finding, Breaks::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, directory};
    use crate::shown;

    #[test]
    fn a_directory_without_a_configuration_is_found() {
        let observation = Scene::privileged(3)
            .change("node2", |reads| {
                directory(reads, DIRECTORY, &["10-flannel.conflist.bak"]);
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings[0].evidence[0].fact.contains("10-flannel.conflist.bak"));
    }

    #[test]
    fn configurations_that_are_there_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::privileged(3).observation());
        shown::cannot_tell(&CHECK, &Scene::privileged(3).unread("node3").observation());
    }
}
