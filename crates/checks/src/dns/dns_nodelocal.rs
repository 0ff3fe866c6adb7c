use std::collections::BTreeSet;

use observation::{DnsController, DnsRole};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{OUTSIDE, OWN_NAMES, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Nodes without a ready node-local cache, where there is one.
pub(crate) static CHECK: Check = Check {
    id: "dns-nodelocal",
    claim: "every node has its node-local cache, where the cluster has one",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let gaps = Scene::gaps([
            gap(&dns.controllers),
            gap(&dns.pods),
            view.observation.nodes.gap(),
        ]);
        let Some(controller) = scene.controllers().find(|it| it.role == DnsRole::NodeLocal) else {
            if gaps.is_empty() {
                return Judgement::skipped("the cluster has no node-local cache");
            }
            return Judgement {
                gaps,
                ..Judgement::default()
            };
        };
        Judgement {
            findings: if gaps.is_empty() {
                findings(scene, controller)
            } else {
                Vec::new()
            },
            gaps,
            ..Judgement::default()
        }
    })
}

fn findings(scene: &Scene<'_>, controller: &DnsController) -> Vec<Finding> {
    let ready: BTreeSet<&str> = scene
        .pods()
        .filter(|pod| pod.role == DnsRole::NodeLocal && pod.ready)
        .filter_map(|pod| pod.node.as_deref())
        .collect();
    let nodes = scene.nodes.into_iter().flatten();
    let without =
        nodes.filter(|node| node.operating_system == "linux" && !ready.contains(node.name.as_str()));
    without
        .map(|node| {
            let given = scene.dns.kubelets.get(&node.name).and_then(Observed::seen);
            let points_there = given.is_some_and(|kubelet| {
                kubelet
                    .addresses
                    .iter()
                    .any(|address| !scene.addresses().contains(address))
            });
            let subject = Subject::Object {
                kind: "node".to_owned(),
                name: node.name.clone(),
                namespace: None,
            };
            let (severity, effect) = if points_there {
                (
                    Severity::Error,
                    "and its kubelet gives pods that cache's address: names fail there",
                )
            } else {
                (
                    Severity::Warning,
                    "so that its pods ask the DNS Service, if at all",
                )
            };
            let (name, namespace) = (word(&controller.name), word(&controller.namespace));
            let mut finding = Finding::new(
                CHECK.id,
                severity,
                subject,
                format!(
                    "{} has no ready pod of {}, {effect}",
                    node.name,
                    controller.subject()
                ),
                Evidence::command(
                    "no pod of it is ready there",
                    format!(
                        "kubectl get pods -n {namespace} -l {} -o wide",
                        word(&super::labels(&controller.template_labels))
                    ),
                ),
            );
            finding.hint = Some(format!(
                "`kubectl rollout status {} {name} -n {namespace}`",
                controller.kind
            ));
            if points_there {
                finding.explains = ids(&[&OWN_NAMES, &OUTSIDE]);
            }
            finding
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use observation::Dns;

    use super::*;
    use crate::dns::fixture::{Fixture, labels, list};
    use crate::shown;

    fn with_cache(dns: &mut Dns) {
        let mut controller = list(&mut dns.controllers)[0].clone();
        controller.role = DnsRole::NodeLocal;
        controller.kind = "daemonset".into();
        controller.name = "node-local-dns".into();
        controller.template_labels = labels("k8s-app=node-local-dns");
        list(&mut dns.controllers).push(controller);
        let pods = list(&mut dns.pods);
        for number in 1..=3 {
            let mut pod = pods[0].clone();
            pod.role = DnsRole::NodeLocal;
            pod.name = format!("node-local-dns-{number}");
            pod.labels = labels("k8s-app=node-local-dns");
            pod.node = Some(format!("node{number}"));
            pods.push(pod);
        }
        for kubelet in dns.kubelets.values_mut() {
            if let Observed::Seen(kubelet) = kubelet {
                kubelet.addresses = vec!["169.254.20.10".parse().expect("an address")];
            }
        }
    }

    #[test]
    fn a_node_without_its_cache_is_named() {
        let missing = Fixture::healthy().with(with_cache).with(|dns| {
            list(&mut dns.pods).retain(|pod| pod.name != "node-local-dns-2");
        });
        let findings = shown::finds(&CHECK, &missing.observe());
        assert_eq!(
            (findings.len(), findings[0].subject.to_string().as_str()),
            (1, "node/node2")
        );
        assert_eq!(findings[0].severity, Severity::Error);
        shown::passes(&CHECK, &Fixture::healthy().with(with_cache).observe());
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(with_cache).pods_unseen().observe(),
        );
    }
}
