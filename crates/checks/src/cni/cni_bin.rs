use std::collections::BTreeSet;

use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Every plugin that a node's CNI configuration names is a program in `/opt/cni/bin`. The one that is missing fails
/// every new pod of the node.
pub(crate) static CHECK: Check = Check {
    id: "cni-bin",
    claim: "every CNI plugin that a node's configuration names is there",
    needs: &[Need::NodeAccess],
    judge,
};

const DIRECTORY: &str = "/opt/cni/bin";
const CONFIGURATIONS: &str = "/etc/cni/net.d/";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| reads.directories.get(DIRECTORY).unwrap_or(&super::NOT_READ),
        find,
    )
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<String>)], judgement: &mut Judgement) {
    for &(node, names) in part {
        let files = &nodes.evidence[node].before.files;
        let configurations = files
            .iter()
            .filter(|(path, _)| path.starts_with(CONFIGURATIONS) && super::is_configuration(path))
            .filter_map(|(path, text)| Some((path, text.seen()?)));
        for (path, text) in configurations {
            for plugin in plugins(text) {
                if names.contains(&plugin) {
                    continue;
                }
                let mut finding = Finding::new(
                    CHECK.id,
                    Severity::Error,
                    Subject::node(node),
                    format!(
                        "{node} lacks the CNI plugin {plugin}, which its configuration names: new pods fail"
                    ),
                    Evidence::command(
                        format!("there is no {DIRECTORY}/{plugin}"),
                        on_node(node, &[&format!("ls {DIRECTORY}")]),
                    ),
                );
                finding.evidence.push(Evidence::command(
                    format!("{path} names it"),
                    on_node(node, &[&format!("cat {path}")]),
                ));
                finding.explains = super::NO_NETWORK.map(str::to_owned).to_vec();
                finding.hint = Some(
                    "install it: the package of the CNI plugins, or the init container of the CNI's DaemonSet brings it"
                        .to_owned(),
                );
                judgement.cause(finding, Breaks::Nothing);
            }
        }
    }
}

/// The plugins of a configuration, of either form, with those that they delegate to for addresses.
fn plugins(text: &str) -> BTreeSet<String> {
    let Ok(configuration) = serde_json::from_str::<serde_json::Value>(text) else {
        return BTreeSet::new();
    };
    let listed = configuration["plugins"].as_array().cloned();
    let entries = listed.unwrap_or_else(|| vec![configuration.clone()]);
    let mut types = BTreeSet::new();
    for entry in &entries {
        for value in [&entry["type"], &entry["ipam"]["type"], &entry["delegate"]["type"]] {
            types.extend(value.as_str().map(str::to_owned));
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, directory};
    use crate::shown;

    #[test]
    fn a_plugin_that_is_named_and_absent_is_found() {
        let observation = Scene::privileged(3)
            .change("node2", |reads| {
                directory(reads, DIRECTORY, &["bridge", "flannel", "host-local"]);
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].summary,
            "node2 lacks the CNI plugin portmap, which its configuration names: new pods fail"
        );
    }

    #[test]
    fn what_is_no_configuration_names_no_plugin() {
        assert_eq!(plugins("{"), BTreeSet::new());
        assert_eq!(plugins("[]"), BTreeSet::new());
        assert_eq!(plugins(r#"{"type": 3}"#), BTreeSet::new());
    }

    #[test]
    fn plugins_that_are_there_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::privileged(3).observation());
        shown::cannot_tell(&CHECK, &Scene::privileged(3).unread("node3").observation());
    }
}
