use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{HeldAddress, PodAddresses};
use report::{Evidence, Finding, Observed, Severity};

use super::on_calico;
use super::scene::{Scene, gaps};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::product::is_settled;
use crate::shell::word;
use crate::view::View;

/// Calico derives its endpoints from pods, from what its plugin wrote on them, and from what its addresses are held for. Where these
/// differ, rules and routes are made for an address that the pod does not have.
pub(crate) static CHECK: Check = Check {
    id: "cni-calico-wep",
    claim: "what Calico has of a pod is what the pod has",
    needs: &[Need::Cni],
    judge,
};

/// So many are told one by one.
const TOLD: usize = 20;

fn judge(view: &View<'_>) -> Judgement {
    on_calico(view, |scene, judgement| {
        let blocks = scene.calico.blocks.gap().filter(|_| scene.other_ipam().is_none());
        judgement.gaps = gaps([scene.cni.cluster_pods.gap(), blocks]);
        let Observed::Seen(pods) = &scene.cni.cluster_pods else {
            return;
        };
        let held: BTreeMap<IpAddr, (&HeldAddress, Option<&str>)> = scene
            .calico
            .blocks
            .seen()
            .into_iter()
            .flatten()
            .flat_map(|block| block.held.iter().map(|held| (held, block.node.as_deref())))
            .map(|(held, node)| (held.address, (held, held.node.as_deref().or(node))))
            .collect();
        let settled = pods.iter().filter(|pod| is_settled(pod, &scene.cni.read_at));
        let findings = settled.filter_map(|pod| of_pod(scene, pod, &held));
        for finding in findings.take(TOLD) {
            let pods = vec![finding.subject.clone()];
            judgement.cause(finding, Breaks::Pods { pods });
        }
    })
}

fn of_pod(
    scene: &Scene<'_>,
    pod: &PodAddresses,
    held: &BTreeMap<IpAddr, (&HeldAddress, Option<&str>)>,
) -> Option<Finding> {
    let (subject, given) = (pod.subject(), &pod.given);
    let show = format!(
        "kubectl -n {} get pod {} -o yaml",
        word(&pod.namespace),
        word(&pod.name)
    );
    let own = pod.addresses.first()?;
    let list = |all: &[IpAddr]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let name = format!("{}/{}", pod.namespace, pod.name);
    let mut finding = if !given.is_empty() && !pod.addresses.iter().all(|address| given.contains(address)) {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            format!(
                "{subject} has {}, and Calico's plugin gave it {}: rules and routes are for the latter",
                list(&pod.addresses),
                list(given)
            ),
            Evidence::command(
                format!("cni.projectcalico.org/podIP is {}", list(given)),
                show.clone(),
            ),
        );
        finding.evidence.push(Evidence::command(
            format!("status.podIPs are {}", list(&pod.addresses)),
            show,
        ));
        finding
    } else {
        let (holder, node) = held.get(own)?;
        let at = node.filter(|node| pod.node.as_deref().is_some_and(|own| own != *node));
        let what = if holder.pod == name {
            format!(
                "{subject} runs on {}, and Calico has its address {own} on {}",
                pod.node.as_deref()?,
                at?
            )
        } else {
            format!(
                "{subject} has the address {own}, which Calico holds for pod {}",
                holder.pod
            )
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            subject.clone(),
            what,
            Evidence::command(format!("status.podIPs are {}", list(&pod.addresses)), show),
        );
        finding
            .evidence
            .push(scene.fact(format!("{own} is held for {}", holder.pod), "ipamblocks", ""));
        finding
    };
    finding.hint = Some(format!(
        "make the pod anew, which has its controller start another: `kubectl -n {} delete pod {}`",
        word(&pod.namespace),
        word(&pod.name)
    ));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn an_address_other_than_the_one_that_was_given_is_found() {
        let broken = Fixture::vxlan().pods(|pod| {
            if pod.name == "web-1" {
                pod.addresses = vec!["10.244.1.9".parse().unwrap()];
            }
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .summary
                .contains("has 10.244.1.9, and Calico's plugin gave it 10.244.1.2"),
            "{findings:?}"
        );
    }

    #[test]
    fn an_address_that_is_held_for_another_pod_or_on_another_node_is_found() {
        let broken = Fixture::vxlan().block("node1", |block| block.held[0].pod = "shop/gone".into());
        assert!(
            shown::finds(&CHECK, &broken.observe())[0]
                .summary
                .ends_with("holds for pod shop/gone")
        );
        let moved = Fixture::vxlan().block("node1", |block| block.held[0].node = Some("node3".into()));
        assert!(
            shown::finds(&CHECK, &moved.observe())[0]
                .summary
                .contains("on node3")
        );
    }

    #[test]
    fn pods_that_come_and_go_and_finished_ones_are_left_alone() {
        let moving = Fixture::vxlan().pods(|pod| {
            pod.addresses = vec!["10.244.1.77".parse().unwrap()];
            match pod.name.as_str() {
                "web-1" => pod.phase = "Succeeded".into(),
                "web-2" => pod.deleted = Some("2026-03-01T09:00:00Z".into()),
                _ => pod.created = Some("2026-03-01T08:59:30Z".into()),
            }
        });
        shown::passes(&CHECK, &moving.observe());
    }

    #[test]
    fn equal_ones_pass_and_without_the_pods_nothing_is_known() {
        shown::passes(&CHECK, &Fixture::vxlan().observe());
        shown::cannot_tell(&CHECK, &Fixture::vxlan().pods_unseen().observe());
    }
}
