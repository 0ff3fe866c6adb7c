use std::collections::BTreeSet;

use report::{Evidence, Finding, Severity, Subject};
use serde_json::Value;

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, majority, on_nodes};
use crate::shell::{on_node, word};
use crate::view::View;

/// Of several configurations a runtime takes the one whose name sorts first, and nothing of the others. A leftover that sorts before the
/// cluster's own gives every new pod of the node another network. What a name of another ending hides is no configuration.
pub(crate) static CHECK: Check = Check {
    id: "cni-conf-order",
    claim: "the CNI configuration that comes first on a node is the cluster's, and the only one",
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

/// A configuration that a runtime would take.
#[derive(Debug)]
struct Configuration<'a> {
    name: &'a str,
    types: BTreeSet<String>,
}

impl Configuration<'_> {
    /// Whether it gives a pod its network: not its loopback only, and not by calling another.
    fn is_network(&self) -> bool {
        !self.types.iter().all(|kind| kind == "loopback")
    }

    fn is_meta(&self) -> bool {
        self.types.iter().any(|kind| kind.starts_with("multus"))
    }
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<String>)], judgement: &mut Judgement) {
    let all: Vec<(&str, Vec<Configuration<'_>>)> = part
        .iter()
        .map(|(node, names)| (*node, configurations(nodes, node, names)))
        .collect();
    let usual = majority(
        all.iter()
            .filter_map(|(_, own)| own.first().map(|first| first.name)),
    );
    for (node, own) in &all {
        let [first, rest @ ..] = own.as_slice() else {
            continue;
        };
        // One that calls others needs them there.
        if first.is_meta() {
            continue;
        }
        let is_foreign =
            usual.is_some_and(|usual| usual != first.name && rest.iter().any(|it| it.name == usual));
        if is_foreign && let Some(usual) = usual {
            judgement.cause(foreign(node, first, usual), Breaks::Nothing);
        } else if !rest.is_empty() {
            judgement.findings.push(several(node, first, rest));
        }
    }
}

/// Those of a node that give pods a network, in the order in which runtimes take them.
fn configurations<'a>(nodes: &Nodes<'_>, node: &str, names: &'a [String]) -> Vec<Configuration<'a>> {
    let files = &nodes.evidence[node].before.files;
    let mut names: Vec<&str> = names
        .iter()
        .map(String::as_str)
        .filter(|name| super::is_configuration(name))
        .collect();
    names.sort_unstable();
    let read = names.into_iter().map(|name| Configuration {
        name,
        types: files
            .get(&format!("{DIRECTORY}/{name}"))
            .and_then(report::Observed::seen)
            .map(|text| types(text))
            .unwrap_or_default(),
    });
    // One that was not read, or cannot be, is taken for one that counts: a runtime would try it.
    read.filter(|it| it.types.is_empty() || it.is_network()).collect()
}

fn types(text: &str) -> BTreeSet<String> {
    let Ok(document) = serde_json::from_str::<Value>(text) else {
        return BTreeSet::new();
    };
    let listed = document["plugins"].as_array().into_iter().flatten();
    let kinds = listed
        .chain([&document])
        .filter_map(|entry| entry["type"].as_str());
    kinds.map(str::to_owned).collect()
}

fn look(node: &str) -> String {
    on_node(node, &[&format!("ls {DIRECTORY}")])
}

fn named(configuration: &Configuration<'_>) -> String {
    let kinds: Vec<&str> = configuration.types.iter().map(String::as_str).collect();
    if kinds.is_empty() {
        configuration.name.to_owned()
    } else {
        format!("{} ({})", configuration.name, kinds.join(", "))
    }
}

fn away(node: &str, name: &str) -> String {
    let path = word(&format!("{DIRECTORY}/{name}"));
    on_node(node, &[&format!("mv {path} {path}.bak")])
}

fn foreign(node: &str, first: &Configuration<'_>, usual: &str) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!(
            "{node} uses the CNI configuration {}, which comes before {usual}, that of the other nodes: new pods there are given another \
             network",
            named(first)
        ),
        Evidence::command(format!("{} sorts before {usual}", first.name), look(node)),
    );
    finding.explains = [
        "cni-pod-ip",
        "cni-bin",
        "net-probe-pod",
        "cni-events",
        "net-mesh",
        "cni-bridge",
        "net-egr-overmasq",
        "cni-overlay",
    ]
    .map(str::to_owned)
    .to_vec();
    finding.hint = Some(format!(
        "move it away, and start the pods anew that were started with it: `{}`",
        away(node, first.name)
    ));
    finding
}

fn several(node: &str, first: &Configuration<'_>, rest: &[Configuration<'_>]) -> Finding {
    let others: Vec<String> = rest.iter().map(named).collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "{node} has several CNI configurations; {} is in force, {} not",
            named(first),
            others.join(", ")
        ),
        Evidence::command(format!("{} sorts first", first.name), look(node)),
    );
    finding.hint = Some(format!(
        "if it is a leftover, move it away before it comes first: `{}`",
        away(node, rest[0].name)
    ));
    finding
}

#[cfg(test)]
mod tests {
    use observation::NodeReads;
    use report::Observed;

    use super::*;
    use crate::node_scene::{Scene, directory};
    use crate::shown;

    fn conf(reads: &mut NodeReads, names: &[(&str, &str)]) {
        let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        directory(reads, DIRECTORY, &all);
        for (name, text) in names {
            reads
                .files
                .insert(format!("{DIRECTORY}/{name}"), Observed::Seen((*text).to_owned()));
        }
    }

    const FLANNEL: (&str, &str) = (
        "10-flannel.conflist",
        r#"{"plugins":[{"type":"flannel"},{"type":"portmap"}]}"#,
    );

    fn with(other: (&'static str, &'static str)) -> observation::Observation {
        Scene::privileged(3)
            .change("node2", |reads| conf(reads, &[other, FLANNEL]))
            .observation()
    }

    #[test]
    fn a_leftover_that_comes_first_is_an_error_and_one_that_comes_last_a_warning() {
        let first = with(("05-cilium.conflist", r#"{"plugins":[{"type":"cilium-cni"}]}"#));
        let findings = shown::finds(&CHECK, &first);
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].summary.starts_with(
            "node2 uses the CNI configuration 05-cilium.conflist (cilium-cni), which comes before"
        ));
        let last = with(("87-podman.conflist", r#"{"plugins":[{"type":"bridge"}]}"#));
        assert_eq!(shown::finds(&CHECK, &last)[0].severity, Severity::Warning);
        let broken = with(("00-broken.conf", "{"));
        assert_eq!(shown::finds(&CHECK, &broken)[0].severity, Severity::Error);
    }

    #[test]
    fn leftovers_of_another_name_loopback_and_what_calls_others_are_right() {
        for other in [
            ("05-cilium.conflist.cilium_bak", "{}"),
            ("10-flannel.conflist.bak", "{}"),
            ("99-loopback.conf", r#"{"type":"loopback"}"#),
            ("00-multus.conf", r#"{"type":"multus-shim"}"#),
        ] {
            shown::passes(&CHECK, &with(other));
        }
    }

    #[test]
    fn a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::privileged(3).observation());
        shown::cannot_tell(&CHECK, &Scene::privileged(3).unread("node3").observation());
    }
}
