use std::collections::BTreeMap;

use observation::{ConfigDocument, Node};
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, few, gap, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// flannel of each node tells the others in annotations of the node how it is reached. Where one says something else than the others, or
/// nothing, no tunnel forms. Whether its pods run, whether its configuration fits and whether the tunnel stands are other checks' matter.
pub(crate) static CHECK: Check = Check {
    id: "cni-flannel",
    claim: "flannel of every node tells the others how it is reached, all by the same means",
    needs: &[Need::Cni],
    judge,
};

const TYPE: &str = "flannel.alpha.coreos.com/backend-type";
const DATA: &str = "flannel.alpha.coreos.com/backend-data";

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if part(&scene.facts.controllers, judgement).is_none() {
            return;
        }
        if !scene.has_flannel() {
            judgement.skipped = Some("flannel does not run here".to_owned());
            return;
        }
        let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in &scene.nodes {
            match node.annotations.get(TYPE) {
                Some(kind) => kinds.entry(kind).or_default().push(&node.name),
                None => silent(scene, node, judgement),
            }
        }
        differing(&kinds, judgement);
        if let Some(finding) = waiting(scene, &kinds) {
            judgement.findings.push(finding);
        }
    })
}

fn show(node: &str) -> String {
    format!(
        "kubectl get node {} -o jsonpath='{{.metadata.annotations}}'",
        word(node)
    )
}

/// A node of which flannel said nothing, although a pod of it runs there.
fn silent(scene: &Cnis<'_>, node: &Node, judgement: &mut Judgement) {
    let name = node.name.as_str();
    if scene.joining(name).is_some() {
        judgement
            .gaps
            .push(gap(format!("flannel of {name}"), "the node joined only just now"));
        return;
    }
    if !scene.pods_on(name).any(|pod| pod.ready) {
        // That it does not run is told as such.
        return;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        format!("flannel of {name} has not told the other nodes how it is reached"),
        Evidence::command(format!("node/{name} has no annotation {TYPE}"), show(name)),
    );
    finding.hint = Some(format!(
        "its log says why: `kubectl get pods -A -o wide -l app=flannel --field-selector spec.nodeName={}`",
        word(name)
    ));
    judgement.cause(
        finding,
        Breaks::CrossNode {
            node: name.to_owned(),
        },
    );
}

/// Nodes that use other means than most.
fn differing(kinds: &BTreeMap<&str, Vec<&str>>, judgement: &mut Judgement) {
    let Some(most) = kinds.values().map(Vec::len).max().filter(|_| kinds.len() > 1) else {
        return;
    };
    let usual: Vec<&str> = kinds
        .iter()
        .filter(|(_, nodes)| nodes.len() == most)
        .map(|(kind, _)| *kind)
        .collect();
    let [usual] = usual.as_slice() else {
        let told: Vec<String> = kinds
            .iter()
            .map(|(kind, nodes)| format!("{} by {kind}", few(nodes)))
            .collect();
        let finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            format!(
                "nodes reach each other by several means of flannel: {}",
                told.join(", ")
            ),
            Evidence::command(TYPE, "kubectl get nodes -o yaml"),
        );
        judgement.cause(finding, Breaks::Nothing);
        return;
    };
    for (kind, nodes) in kinds.iter().filter(|(kind, _)| *kind != usual) {
        for node in nodes {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Error,
                Subject::node(*node),
                format!("flannel of {node} reaches the others by {kind}, and they each other by {usual}"),
                Evidence::command(format!("{TYPE} is {kind}"), show(node)),
            );
            finding.hint =
                Some("have all read the same configuration: restart flannel's pod of that node".to_owned());
            judgement.cause(
                finding,
                Breaks::CrossNode {
                    node: (*node).to_owned(),
                },
            );
        }
    }
}

/// What is configured, and not in force yet.
fn waiting(scene: &Cnis<'_>, kinds: &BTreeMap<&str, Vec<&str>>) -> Option<Finding> {
    let config = scene.facts.flannel.seen()?.as_ref()?;
    let ConfigDocument::Read { value } = &config.net_conf else {
        return None;
    };
    let backend = &value["Backend"];
    let wanted = backend["Type"].as_str().unwrap_or("udp");
    let shown = format!(
        "kubectl -n {} get configmap {} -o yaml",
        word(&config.namespace),
        word(&config.name)
    );
    let subject = Subject::Object {
        kind: "configmap".to_owned(),
        name: config.name.clone(),
        namespace: Some(config.namespace.clone()),
    };
    let later = |what: String, fact: String| {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            what,
            Evidence::command(fact, shown.clone()),
        );
        finding.hint = Some(
            "nodes change one by one when flannel's pod starts there, and are apart from the others until all have: correct the ConfigMap, or \
             restart all at a quiet time"
                .to_owned(),
        );
        finding
    };
    let (kind, nodes) = kinds
        .iter()
        .find(|(kind, _)| !kind.eq_ignore_ascii_case(wanted))
        .unzip();
    if let (Some(kind), Some(nodes)) = (kind, nodes) {
        return Some(later(
            format!(
                "flannel is configured for {wanted}, and {} still use {kind}",
                few(nodes)
            ),
            format!("net-conf.json has Backend.Type {wanted}"),
        ));
    }
    let vni = backend["VNI"].as_u64().unwrap_or(1);
    let other = scene.nodes.iter().find_map(|node| {
        let data: serde_json::Value = serde_json::from_str(node.annotations.get(DATA)?).ok()?;
        let own = data["VNI"].as_u64()?;
        (own != vni).then_some((node.name.as_str(), own))
    });
    let (node, own) = other.filter(|_| wanted.eq_ignore_ascii_case("vxlan"))?;
    Some(later(
        format!("flannel is configured for the VXLAN identifier {vni}, and {node} still uses {own}"),
        format!("net-conf.json has Backend.VNI {vni}"),
    ))
}

#[cfg(test)]
mod tests {
    use report::Observed;
    use serde_json::json;

    use super::super::fixture::{Fixture, flannel, no, seen};
    use super::*;
    use crate::shown;

    #[test]
    fn a_node_of_which_flannel_says_nothing_is_found_unless_it_has_just_joined() {
        let silent = Fixture::healthy().node("node2", |node| {
            node.annotations.remove(TYPE);
        });
        assert_eq!(
            shown::finds(&CHECK, &silent.observe())[0].subject,
            Subject::node("node2")
        );
        let joining =
            silent.change(|cni| seen(&mut cni.nodes)[1].created = Some("2026-03-01T08:59:30Z".into()));
        shown::cannot_tell(&CHECK, &joining.observe());
    }

    #[test]
    fn nodes_that_use_other_means_do_not_reach_the_others() {
        let fixture = Fixture::healthy().node("node2", |node| {
            node.annotations.insert(TYPE.into(), "host-gw".into());
        });
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "flannel of node2 reaches the others by host-gw, and they each other by vxlan"
        );
    }

    #[test]
    fn what_is_configured_and_not_in_force_is_a_warning() {
        for backend in [json!({"Type": "host-gw"}), json!({"Type": "vxlan", "VNI": 7})] {
            let config = flannel(&json!({"Network": "10.244.0.0/16", "Backend": backend}));
            let fixture = Fixture::healthy().change(|cni| cni.flannel = Observed::Seen(Some(config)));
            assert_eq!(
                shown::finds(&CHECK, &fixture.observe())[0].severity,
                Severity::Warning
            );
        }
    }

    #[test]
    fn a_port_of_ones_own_on_all_nodes_passes_and_unread_daemon_sets_are_unknown() {
        let config =
            flannel(&json!({"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan", "Port": 4790}}));
        shown::passes(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.flannel = Observed::Seen(Some(config)))
                .observe(),
        );
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.controllers = no("DaemonSets"))
                .observe(),
        );
    }
}
