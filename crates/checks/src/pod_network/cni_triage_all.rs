use report::{Evidence, Finding, Severity, Subject};

use super::triage::{between_pods, controllers, networks};
use super::{gap, over};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// No pod has a network, or none that leads anywhere: the one outage that all others are part of.
pub(crate) static CHECK: Check = Check {
    id: "cni-triage-all",
    claim: "the pod network is not down as a whole",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let controllers = controllers(scene);
        let networks = networks(scene);
        let pods = between_pods(view);
        if controllers.is_none() && !scene.is_in_process() {
            judgement
                .gaps
                .push(gap("whether the CNI runs", "its pods are not known"));
        }
        let dead =
            pods.is_some_and(|(across, within)| across.is_none() && (within.all == 0 || within.is_none()));
        let (what, fact, shows) = if networks.is_none() {
            (
                "no node has a network for pods",
                format!("{networks} nodes say that their network is ready"),
                "kubectl describe nodes",
            )
        } else if controllers.is_some_and(super::triage::Share::is_none) {
            (
                "the CNI is ready on no node",
                format!("{} nodes have a ready pod of it", controllers.unwrap_or_default()),
                "kubectl get pods -A -o wide",
            )
        } else if dead {
            let (across, _) = pods.unwrap_or_default();
            (
                "no pod reaches another one",
                format!("{across} pairs of nodes answer"),
                "kubectl netcheck pod-to-pod",
            )
        } else {
            return;
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            format!("P0, to be restored within 15 minutes: {what}"),
            Evidence::command(fact, shows),
        );
        finding.hint = Some(
            "in this order: the CNI's pods (`kubectl cnicheck status`), the network between nodes (`kubectl netcheck node`), then whatever was \
             changed last, to be taken back"
                .to_owned(),
        );
        judgement.findings.push(finding);
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no};
    use super::*;
    use crate::shown;

    fn everywhere(change: impl Fn(&mut observation::CniPod) + Copy) -> Fixture {
        ["node1", "node2", "node3"]
            .into_iter()
            .fold(Fixture::healthy(), |fixture, node| fixture.cni_pod(node, change))
    }

    #[test]
    fn a_cni_that_is_ready_nowhere_is_the_outage() {
        let findings = shown::finds(&CHECK, &everywhere(|pod| pod.ready = false).observe());
        assert_eq!(
            findings[0].summary,
            "P0, to be restored within 15 minutes: the CNI is ready on no node"
        );
    }

    #[test]
    fn one_node_that_is_down_is_none() {
        shown::passes(
            &CHECK,
            &Fixture::healthy()
                .cni_pod("node1", |pod| pod.ready = false)
                .observe(),
        );
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().change(|cni| cni.pods = no("pods")).observe(),
        );
    }
}
