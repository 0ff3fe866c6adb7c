use report::{Evidence, Finding, Severity, Subject};

use super::triage::out_of_addresses;
use super::{count, few, over, part};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Nodes that have no addresses left: pods that run go on, and none that ends there comes back.
pub(crate) static CHECK: Check = Check {
    id: "cni-triage-ip",
    claim: "no node is out of pod addresses",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if part(&scene.facts.cluster_pods, judgement).is_none() {
            return;
        }
        let full = out_of_addresses(view, scene);
        if full.is_empty() {
            return;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            format!(
                "P1, to be restored within two hours: {} out of pod addresses",
                if full.len() == 1 {
                    format!("{} is", full[0])
                } else {
                    format!("{} are", count(full.len(), "node"))
                }
            ),
            Evidence::command(few(&full), "kubectl cnicheck ipam --node-access"),
        );
        finding.hint = Some(
            "in this order: find what holds addresses for pods that are gone, release what is proved to be free (`kubectl cnicheck ipam \
             --node-access` prints how), move pods to other nodes, then plan larger ranges"
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

    #[test]
    fn a_node_that_is_full_is_the_outage_and_one_with_room_is_none() {
        let findings = shown::finds(&CHECK, &Fixture::healthy().crowded(2, 245).observe());
        assert!(findings[0].summary.ends_with("node2 is out of pod addresses"));
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.cluster_pods = no("pods"))
                .observe(),
        );
    }
}
