use std::collections::BTreeMap;

use ipnet::IpNet;
use observation::Node;
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, NO_NETWORK, count, few, gap, ids, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Where the CNI gives addresses from nodes' own ranges, every node has one, and no two have the same. The controller manager hands them
/// out; a node that was given its range by hand, or is a copy of another, may have that of somebody else.
pub(crate) static CHECK: Check = Check {
    id: "cni-podcidr",
    claim: "every node has a range of its own for its pods, where the CNI uses those",
    needs: &[Need::Cni],
    judge,
};

const LIST: &str = "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs";

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if part(&scene.facts.controllers, judgement).is_none() {
            return;
        }
        if !scene.uses_pod_cidrs() {
            judgement.skipped = Some(
                "the CNI that runs here does not take addresses from nodes' ranges, as far as is known"
                    .to_owned(),
            );
            return;
        }
        let mut owners: BTreeMap<IpNet, Vec<&Node>> = BTreeMap::new();
        let mut without = Vec::new();
        for node in &scene.nodes {
            for text in &node.pod_cidrs {
                match text.parse::<IpNet>() {
                    Ok(cidr) => owners.entry(cidr.trunc()).or_default().push(node),
                    Err(_) => judgement.cause(broken(node, text), Breaks::Nothing),
                }
            }
            if node.pod_cidrs.is_empty() {
                match scene.joining(&node.name) {
                    Some(_) => judgement.gaps.push(gap(
                        format!("the range of {}", node.name),
                        "the node joined only just now",
                    )),
                    None => without.push(*node),
                }
            }
        }
        unset(scene, &without, judgement);
        for (cidr, nodes) in owners {
            if nodes.len() > 1 {
                let ends = |node: &&Node| {
                    let own = node.name.clone();
                    let others = scene.nodes.iter().filter(move |it| it.name != own);
                    let own = node.name.clone();
                    others.map(move |it| (own.clone(), it.name.clone()))
                };
                let breaks = Breaks::Pairs {
                    pairs: nodes.iter().flat_map(ends).collect(),
                };
                judgement.cause(shared(scene, cidr, &nodes), breaks);
            }
        }
    })
}

fn broken(node: &Node, text: &str) -> Finding {
    Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(&node.name),
        format!("the range of {} is none: {text:?}", node.name),
        Evidence::command(format!("it has {text:?}"), LIST),
    )
}

fn unset(scene: &Cnis<'_>, without: &[&Node], judgement: &mut Judgement) {
    let names: Vec<&str> = without.iter().map(|node| node.name.as_str()).collect();
    let is_all = without.len() == scene.nodes.len();
    if is_all && without.len() > 1 {
        let mut finding = of_unset(
            Subject::Cluster,
            "no node has a range for its pods: the CNI has nothing to give addresses from".to_owned(),
            &names,
        );
        finding.hint = Some(
            "kube-controller-manager hands them out where it is started with --allocate-node-cidrs=true and --cluster-cidr".to_owned(),
        );
        judgement.cause(finding, Breaks::Nothing);
        return;
    }
    for node in without {
        let name = node.name.as_str();
        let mut finding = of_unset(
            Subject::node(name),
            format!("{name} has no range for its pods: the CNI has nothing to give addresses from"),
            &[name],
        );
        finding.hint = Some(format!(
            "the cluster's range may be used up: `kubectl get events -A --field-selector reason=CIDRNotAvailable`; events of the node \
             say so: `kubectl describe node {}`",
            word(name)
        ));
        judgement.cause(finding, Breaks::Nothing);
    }
}

fn of_unset(subject: Subject, summary: String, names: &[&str]) -> Finding {
    let fact = format!(
        "{} without .spec.podCIDRs: {}",
        count(names.len(), "node"),
        few(names)
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        summary,
        Evidence::command(fact, LIST),
    );
    finding.explains = ids(&[
        "cni-ds-ready",
        "cni-log",
        "cni-subnetenv",
        "cni-conf",
        "cni-flannel",
    ]);
    finding.explains.extend(ids(&NO_NETWORK));
    finding
}

/// Of several nodes the one that came last.
fn newest<'a>(scene: &Cnis<'_>, nodes: &[&'a Node]) -> &'a Node {
    let created = |node: &Node| scene.state(&node.name).and_then(|state| state.created.clone());
    let last = nodes.iter().max_by_key(|node| (created(node), node.name.clone()));
    last.copied().unwrap_or(nodes[0])
}

fn shared(scene: &Cnis<'_>, cidr: IpNet, nodes: &[&Node]) -> Finding {
    let newest = newest(scene, nodes);
    let others: Vec<&str> = nodes
        .iter()
        .filter(|node| node.name != newest.name)
        .map(|node| node.name.as_str())
        .collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(&newest.name),
        format!(
            "{} has the range {cidr} of {} too: pods of both are given the same addresses, and the other nodes find only one of them",
            newest.name,
            few(&others)
        ),
        Evidence::command(format!("{cidr} is on {} and {}", newest.name, few(&others)), LIST),
    );
    if let Some(created) = scene
        .state(&newest.name)
        .and_then(|state| state.created.as_deref())
    {
        finding.evidence.push(Evidence::field(
            format!("{} came last, {created}", newest.name),
            format!("node/{} .metadata.creationTimestamp", newest.name),
        ));
    }
    finding.explains = ids(&[
        "cni-pod-ip",
        "cni-dup-ip",
        "cni-route",
        "cni-neigh",
        "cni-fdb",
        "cni-bridge",
        "cni-subnetenv",
        "cni-vxlan-if",
        "cni-ipam-use",
        "cni-log",
        "cni-flannel",
        "cni-ds-ready",
        "net-mesh",
        "cni-overlay",
        "net-rpf",
        "net-gw",
    ]);
    finding.explains.extend(ids(&NO_NETWORK));
    finding.hint = Some(format!(
        "a node's range cannot be changed: drain {name}, delete its object, and restart its kubelet, which registers it anew and has it given \
         a free range; then start its CNI's pod again: `kubectl drain {name} --ignore-daemonsets && kubectl delete node {name}`",
        name = word(&newest.name)
    ));
    finding
}

#[cfg(test)]
mod tests {
    use observation::CniProduct;

    use super::super::fixture::{Fixture, controller, no, seen};
    use super::*;
    use crate::shown;

    #[test]
    fn a_range_that_two_nodes_have_is_the_later_nodes_fault() {
        let fixture = Fixture::healthy()
            .node("node2", |node| node.pod_cidrs = vec!["10.244.3.0/24".into()])
            .change(|cni| seen(&mut cni.nodes)[1].created = Some("2026-02-20T00:00:00Z".into()));
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert!(
            findings[0]
                .summary
                .starts_with("node2 has the range 10.244.3.0/24 of node3 too")
        );
    }

    #[test]
    fn a_node_without_a_range_is_found_and_all_without_are_told_once() {
        let one = Fixture::healthy().node("node2", |node| node.pod_cidrs.clear());
        assert_eq!(
            shown::finds(&CHECK, &one.observe())[0].subject,
            Subject::node("node2")
        );
        let all = ["node1", "node2", "node3"]
            .into_iter()
            .fold(Fixture::healthy(), |fixture, node| {
                fixture.node(node, |node| node.pod_cidrs.clear())
            });
        let findings = shown::finds(&CHECK, &all.observe());
        assert_eq!((findings.len(), &findings[0].subject), (1, &Subject::Cluster));
    }

    #[test]
    fn what_is_no_range_is_found() {
        let fixture = Fixture::healthy().node("node2", |node| node.pod_cidrs = vec!["10.244.2.0/240".into()]);
        assert!(
            shown::finds(&CHECK, &fixture.observe())[0]
                .summary
                .contains("is none")
        );
    }

    #[test]
    fn a_cni_that_does_not_use_them_needs_none() {
        let fixture = Fixture::healthy()
            .node("node2", |node| node.pod_cidrs.clear())
            .change(|cni| *seen(&mut cni.controllers) = vec![controller(CniProduct::Calico, "calico-node")]);
        assert!(judge(&View::new(&fixture.observe())).skipped.is_some());
    }

    #[test]
    fn one_range_each_passes_and_a_node_that_joins_is_unknown() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        let joining = Fixture::healthy()
            .node("node2", |node| node.pod_cidrs.clear())
            .change(|cni| seen(&mut cni.nodes)[1].created = Some("2026-03-01T08:59:30Z".into()));
        shown::cannot_tell(&CHECK, &joining.observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.controllers = no("DaemonSets"))
                .observe(),
        );
    }
}
