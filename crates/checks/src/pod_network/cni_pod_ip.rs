use observation::PodAddresses;
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, count, few, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::pod_cidrs;
use crate::shell::word;
use crate::view::View;

/// A pod that runs has an address, and where the CNI gives addresses from nodes' own ranges, one of its node's. One from elsewhere was given
/// by another CNI, or before the node's range changed: the other nodes send what is for it to somewhere else.
pub(crate) static CHECK: Check = Check {
    id: "cni-pod-ip",
    claim: "every running pod has an address, of its own node's range where the CNI uses those",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if part(&scene.facts.cluster_pods, judgement).is_none() {
            return;
        }
        for node in &scene.nodes {
            let running = |pod: &&PodAddresses| pod.phase == "Running" && pod.deleted.is_none();
            let pods: Vec<&PodAddresses> = scene.pods_of(&node.name).filter(running).collect();
            let without: Vec<&PodAddresses> = pods
                .iter()
                .copied()
                .filter(|pod| pod.addresses.is_empty())
                .collect();
            if let Some(finding) = addressless(&node.name, &without) {
                judgement.findings.push(finding);
            }
            let cidrs = pod_cidrs(node);
            if !scene.uses_pod_cidrs() || cidrs.is_empty() {
                continue;
            }
            let is_outside = |pod: &&PodAddresses| {
                pod.addresses.iter().any(|address| {
                    let mut of_family = cidrs
                        .iter()
                        .filter(|cidr| cidr.addr().is_ipv4() == address.is_ipv4())
                        .peekable();
                    of_family.peek().is_some() && !of_family.any(|cidr| cidr.contains(address))
                })
            };
            let outside: Vec<&PodAddresses> = pods.into_iter().filter(is_outside).collect();
            if let Some(finding) = foreign(scene, &node.name, &node.pod_cidrs, &outside) {
                judgement.cause(finding, Breaks::Nothing);
            }
        }
    })
}

fn names(pods: &[&PodAddresses]) -> String {
    let names: Vec<String> = pods.iter().map(|pod| pod.subject().to_string()).collect();
    few(&names.iter().map(String::as_str).collect::<Vec<_>>())
}

fn list(node: &str) -> String {
    format!(
        "kubectl get pods -A -o wide --field-selector spec.nodeName={}",
        word(node)
    )
}

fn addressless(node: &str, pods: &[&PodAddresses]) -> Option<Finding> {
    if pods.is_empty() {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!(
            "{} of {node} run without an address: {}",
            count(pods.len(), "pod"),
            names(pods)
        ),
        Evidence::command(
            format!("{} without .status.podIPs", count(pods.len(), "running pod")),
            list(node),
        ),
    );
    finding.hint = Some("start them anew, and see their events: `kubectl get events -A --field-selector reason=FailedCreatePodSandBox`".to_owned());
    Some(finding)
}

fn foreign(scene: &Cnis<'_>, node: &str, cidrs: &[String], pods: &[&PodAddresses]) -> Option<Finding> {
    let first = pods.first()?;
    let address = first
        .addresses
        .first()
        .map(ToString::to_string)
        .unwrap_or_default();
    let range = cidrs.join(", ");
    let (verb, have) = if pods.len() == 1 {
        ("has", "an address")
    } else {
        ("have", "addresses")
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!(
            "{} of {node} {verb} {have} outside of the node's range {range}: other nodes do not find {}",
            count(pods.len(), "pod"),
            if pods.len() == 1 { "it" } else { "them" }
        ),
        Evidence::command(format!("{} has {address}", first.subject()), list(node)),
    );
    finding.evidence.push(Evidence::field(
        format!("{range} is what other nodes have a route for"),
        format!("node/{} .spec.podCIDRs", word(node)),
    ));
    if pods.len() > 1 {
        finding
            .evidence
            .push(Evidence::command(format!("they are {}", names(pods)), list(node)));
    }
    let all = scene
        .pods_of(node)
        .filter(|pod| !pod.addresses.is_empty())
        .count();
    finding.hint = Some(if all == pods.len() {
        format!(
            "all pods there have such: the node was given another range after they were started. Start them anew once flannel and the \
             bridge there have the new one: `kubectl drain {} --ignore-daemonsets` and uncordon it",
            word(node)
        )
    } else {
        format!(
            "another CNI gave it, or they are of before the node was given its range: see which configuration is first on {node} with \
             `kubectl cnicheck config --node-access`, then start these pods anew"
        )
    });
    finding.explains = vec!["net-mesh".to_owned()];
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, controller, no, seen};
    use super::*;
    use crate::shown;
    use observation::CniProduct;

    #[test]
    fn an_address_of_another_range_is_found() {
        let fixture = Fixture::healthy().pod("web-2", |pod| {
            pod.addresses = vec!["192.168.7.4".parse().unwrap()];
        });
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "1 pod of node2 has an address outside of the node's range 10.244.2.0/24: other nodes do not find it"
        );
    }

    #[test]
    fn a_running_pod_without_an_address_is_found() {
        let fixture = Fixture::healthy().pod("web-2", |pod| pod.addresses.clear());
        assert!(
            shown::finds(&CHECK, &fixture.observe())[0]
                .summary
                .contains("without an address")
        );
    }

    #[test]
    fn a_cni_with_its_own_address_manager_takes_them_from_elsewhere() {
        let fixture = Fixture::healthy()
            .pod("web-2", |pod| {
                pod.addresses = vec!["192.168.7.4".parse().unwrap()];
            })
            .change(|cni| *seen(&mut cni.controllers) = vec![controller(CniProduct::Calico, "calico-node")]);
        shown::passes(&CHECK, &fixture.observe());
    }

    #[test]
    fn pods_that_wait_have_ended_or_are_in_the_nodes_network_need_none() {
        let fixture = Fixture::healthy().waits("web-1").pod("web-2", |pod| {
            pod.phase = "Succeeded".into();
            pod.addresses = vec!["192.168.7.4".parse().unwrap()];
        });
        let fixture = fixture.pod("web-3", |pod| {
            pod.host_network = true;
            pod.addresses = vec!["172.30.0.13".parse().unwrap()];
        });
        shown::passes(&CHECK, &fixture.observe());
    }

    #[test]
    fn pods_that_may_not_be_listed_are_unknown() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.cluster_pods = no("pods"))
                .observe(),
        );
    }
}
