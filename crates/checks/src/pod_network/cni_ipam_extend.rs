use ipnet::IpNet;
use report::{Evidence, Finding, Severity, Subject};

use super::room::{NEARLY, room};
use super::{count, few, over, part};
use crate::check::{Check, Judgement, Need};
use crate::nodes::{majority, pod_cidrs};
use crate::view::View;

/// Where nodes run out of addresses, or no range is left for a further node: what there is to extend with. A node's range stays what it is;
/// more room comes from more nodes, or from larger ranges for those that join.
pub(crate) static CHECK: Check = Check {
    id: "cni-ipam-extend",
    claim: "the cluster's range has room for further nodes, and nodes need no more than they have",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let (Some(_), Some(ranges)) = (
            part(&scene.facts.controllers, judgement),
            part(&scene.facts.ranges.pods, judgement),
        ) else {
            return;
        };
        if !scene.uses_pod_cidrs() {
            judgement.skipped = Some("addresses do not come from nodes' ranges here".to_owned());
            return;
        }
        let given: Vec<IpNet> = scene
            .nodes
            .iter()
            .flat_map(|node| pod_cidrs(node))
            .filter(|cidr| cidr.addr().is_ipv4())
            .collect();
        let lengths = || given.iter().map(IpNet::prefix_len);
        // What most were given is what the next will be.
        let Some(mask) = majority(lengths()).or_else(|| lengths().max()) else {
            return;
        };
        let crowded: Vec<&str> = scene
            .nodes
            .iter()
            .filter(|node| room(view, scene, node).is_some_and(|room| room.share() >= NEARLY))
            .map(|node| node.name.as_str())
            .collect();
        let known = ranges
            .iter()
            .filter_map(|sign| Some((sign, sign.cidr.parse::<IpNet>().ok()?)));
        let Some((sign, range)) = known
            .filter(|(_, range)| range.addr().is_ipv4())
            .max_by_key(|(_, range)| range.prefix_len())
        else {
            return;
        };
        let own = given.iter().filter(|cidr| range.contains(*cidr)).count();
        let Some(all) = 1_usize.checked_shl(u32::from(mask.saturating_sub(range.prefix_len()))) else {
            return;
        };
        let left = all.saturating_sub(own);
        let shown = Evidence::command(format!("{} says {}", sign.from, sign.cidr), sign.command.clone());
        if left == 0 && own > 0 {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                Subject::Cluster,
                format!("no range is left in {range} for a further node: all {all} of /{mask} are given"),
                shown,
            );
            finding.hint = Some(
                "a further range cannot be added while kube-controller-manager hands them out from one --cluster-cidr: plan a larger one, or \
                 remove nodes that are gone: `kubectl get nodes`"
                    .to_owned(),
            );
            judgement.findings.push(finding);
        } else if !crowded.is_empty() {
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Note,
                Subject::Cluster,
                format!(
                    "{} of addresses: the cluster's range {range} has room for {} of /{mask} more",
                    if crowded.len() == 1 {
                        format!("{} runs out", crowded[0])
                    } else {
                        format!("{} run out", few(&crowded))
                    },
                    count(left, "node")
                ),
                shown,
            );
            finding.hint = Some(format!(
                "add a node; a larger range for each that joins later is --node-cidr-mask-size={} of kube-controller-manager, which leaves \
                 the ranges of nodes that there are as they are",
                mask.saturating_sub(1)
            ));
            judgement.findings.push(finding);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no, seen, sign};
    use super::*;
    use crate::shown;

    #[test]
    fn what_there_is_to_extend_with_is_told_where_a_node_runs_out() {
        let findings = shown::finds(&CHECK, &Fixture::healthy().crowded(2, 240).observe());
        assert_eq!(
            findings[0].summary,
            "node2 runs out of addresses: the cluster's range 10.244.0.0/16 has room for 253 nodes of /24 more"
        );
    }

    #[test]
    fn a_range_that_is_given_to_the_last_part_is_a_warning() {
        let fixture =
            Fixture::healthy().change(|cni| *seen(&mut cni.ranges.pods) = vec![sign("10.244.0.0/22")]);
        let fixture = fixture.node("node1", |node| {
            node.pod_cidrs = vec!["10.244.0.0/24".into(), "10.244.1.0/24".into()];
        });
        assert_eq!(
            shown::finds(&CHECK, &fixture.observe())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn where_there_is_room_nothing_is_said_and_unread_ranges_are_unknown() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.ranges.pods = no("the cluster's range"))
                .observe(),
        );
    }
}
