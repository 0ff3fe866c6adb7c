use report::{Evidence, Finding, Severity, Subject};

use super::over;
use super::triage::{between_nodes, between_pods};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Pods reach those of their own node and none of another: tunnel, routes, or what lies between the nodes.
pub(crate) static CHECK: Check = Check {
    id: "cni-triage-cross",
    claim: "pods of different nodes reach each other",
    needs: &[Need::Cni, Need::Mesh],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |_, judgement| {
        let Some((across, within)) = between_pods(view) else {
            judgement.skipped = Some("pairs of nodes were not tried".to_owned());
            return;
        };
        judgement.gaps.extend(view.probing_gaps().iter().cloned());
        // On a single node there is nobody to reach.
        if across.all == 0 || across.well * 2 > across.all {
            return;
        }
        let nodes = between_nodes(view);
        let who = match nodes {
            Some(nodes) if nodes.is_whole() => ", although all nodes do",
            Some(nodes) if nodes.is_none() => ", and neither do the nodes",
            Some(_) => ", and neither do some of the nodes",
            None => "",
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Cluster,
            format!("P1, to be restored within an hour: pods of most nodes do not reach each other{who}"),
            Evidence::probe(
                format!("{across} pairs of nodes answer, {within} within a node"),
                "TCP between probe pods of every pair of nodes",
            ),
        );
        if let Some(nodes) = nodes {
            finding.evidence.push(Evidence::probe(
                format!("{nodes} pairs of nodes answer by themselves"),
                "from node to node",
            ));
        }
        finding.hint = Some(
            "in this order: the tunnel or BGP (`kubectl cnicheck overlay --node-access`), routes (the same), then what filters between the \
             nodes: UDP 8472 or 4789 of a VXLAN, protocol 4 of IPIP, TCP 179 of BGP"
                .to_owned(),
        );
        judgement.findings.push(finding);
    })
}

#[cfg(test)]
mod tests {
    use netprobe::Outcome;
    use observation::Observation;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn of(case: &str) -> Observation {
        let mut observation = Observation::from_bundle(case).expect("a case is a bundle");
        observation.cni = Fixture::healthy().observe().cni;
        observation
    }

    #[test]
    fn most_pairs_that_do_not_work_are_the_outage() {
        let mut observation = of(include_str!("../../cases/healthy/observation.json"));
        for cell in &mut observation.mesh.as_mut().unwrap().cells {
            if cell.source != cell.target {
                for sample in &mut cell.samples {
                    sample.outcome = Outcome::TimedOut { after_us: 4_000_000 };
                }
            }
        }
        assert!(shown::finds(&CHECK, &observation)[0].summary.starts_with("P1"));
    }

    #[test]
    fn pairs_that_work_pass_and_unanswered_ones_are_unknown() {
        shown::passes(&CHECK, &of(include_str!("../../cases/healthy/observation.json")));
        shown::cannot_tell(
            &CHECK,
            &of(include_str!("../../cases/answers-lost/observation.json")),
        );
    }
}
