use std::collections::BTreeSet;

use observation::{DnsController, DnsRole};
use report::{Evidence, Finding, Severity};

use super::{Scene, count, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// Fewer DNS pods than the cluster's size asks for, or all of them on one node.
pub(crate) static CHECK: Check = Check {
    id: "dns-scale",
    claim: "there are enough DNS pods, apart from each other",
    needs: &[Need::Dns],
    judge,
};

/// One for so many nodes, as the autoscaler of kubeadm's documentation counts.
const NODES_EACH: usize = 16;

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let gaps = Scene::gaps([
            gap(&dns.controllers),
            gap(&dns.pods),
            view.observation.nodes.gap(),
        ]);
        let own = scene
            .controllers()
            .filter(|it| it.role == DnsRole::Cluster && it.kind == "deployment" && gaps.is_empty());
        Judgement {
            findings: own.flat_map(|controller| findings(scene, controller)).collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

/// How many there should be: one for each sixteen nodes, and two where there is more than one node.
pub(crate) fn advised(nodes: usize) -> usize {
    nodes.div_ceil(NODES_EACH).max(if nodes > 1 { 2 } else { 1 })
}

fn findings<'a>(scene: &Scene<'a>, controller: &'a DnsController) -> Vec<Finding> {
    let nodes = scene.nodes.into_iter().flatten();
    let nodes = nodes.filter(|node| node.operating_system == "linux").count();
    let wanted = usize::try_from(controller.wanted).unwrap_or(usize::MAX);
    let subject = controller.subject();
    let (name, namespace) = (word(&controller.name), word(&controller.namespace));
    let mut findings = Vec::new();
    let least = advised(nodes);
    if wanted > 0 && wanted < least {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            format!(
                "{subject} has {} for {}: {least} are advised",
                count(wanted, "pod"),
                count(nodes, "node")
            ),
            Evidence::command(
                format!("it wants {}", count(wanted, "pod")),
                format!("kubectl get {} {name} -n {namespace}", controller.kind),
            ),
        );
        let autoscaler = scene.dns.autoscalers.seen().and_then(|all| all.first());
        finding.hint = Some(match autoscaler {
            Some(autoscaler) => format!("{autoscaler} chooses the number: see its ConfigMap"),
            None => format!(
                "`kubectl scale {} {name} -n {namespace} --replicas={least}`",
                controller.kind
            ),
        });
        findings.push(finding);
    }
    let pods: Vec<&str> = scene
        .pods_of(controller)
        .filter_map(|pod| pod.node.as_deref())
        .collect();
    let places: BTreeSet<&str> = pods.iter().copied().collect();
    if let (Some(node), true) = (places.first(), places.len() == 1 && pods.len() > 1 && nodes > 1) {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            format!(
                "all {} of {subject} are on {node}: names end with that node",
                count(pods.len(), "pod")
            ),
            Evidence::command(
                format!("they are all on {node}"),
                format!(
                    "kubectl get pods -n {namespace} -l {} -o wide",
                    word(&super::labels(&controller.template_labels))
                ),
            ),
        );
        finding.hint = Some(if controller.spreads {
            "it asks to be spread, which only counts when pods start: delete one of them when it suits"
                .to_owned()
        } else {
            "give its pods topologySpreadConstraints over kubernetes.io/hostname".to_owned()
        });
        findings.push(finding);
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, each_pod, list};
    use crate::shown;

    #[test]
    fn one_pod_is_enough_for_one_node_only() {
        let one = || {
            Fixture::healthy().with(|dns| {
                list(&mut dns.controllers)[0].wanted = 1;
                list(&mut dns.pods).pop();
            })
        };
        assert!(
            shown::finds(&CHECK, &one().observe())[0]
                .summary
                .ends_with("1 pod for 3 nodes: 2 are advised")
        );
        shown::passes(&CHECK, &one().nodes(1).observe());
        assert_eq!([advised(1), advised(2), advised(32), advised(33)], [1, 2, 2, 3]);
    }

    #[test]
    fn pods_that_are_all_on_one_node_are_told() {
        let together = Fixture::healthy().with(|dns| each_pod(dns, |pod| pod.node = Some("node1".into())));
        assert!(
            shown::finds(&CHECK, &together.observe())[0]
                .summary
                .contains("are on node1")
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(&CHECK, &Fixture::healthy().pods_unseen().observe());
    }
}
