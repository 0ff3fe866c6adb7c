use observation::CniEvent;
use report::{Evidence, Finding, Severity, Subject};

use super::cni_events::{own_words, without_address};
use super::room::{FULL, NEARLY, Room, room};
use super::{Cnis, count, ids, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::shell::{on_node, word};
use crate::view::View;

/// A node that has given all addresses of its range away starts no further pod, however much memory it has. How many pods its kubelet
/// would take says nothing of that.
pub(crate) static CHECK: Check = Check {
    id: "cni-ipam-use",
    claim: "every node has addresses left for its pods",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let (Some(_), Some(_)) = (
            part(&scene.facts.controllers, judgement),
            part(&scene.facts.cluster_pods, judgement),
        ) else {
            return;
        };
        if !scene.uses_pod_cidrs() {
            judgement.skipped = Some("addresses do not come from nodes' ranges here: the address manager of the CNI has its own checks".to_owned());
            return;
        }
        for node in &scene.nodes {
            let Some(room) = room(view, scene, node) else {
                continue;
            };
            if room.share() >= NEARLY {
                let finding = crowded(&node.name, &room, without_address(scene, &node.name));
                if finding.severity == Severity::Error {
                    judgement.cause(finding, Breaks::Nothing);
                } else {
                    judgement.findings.push(finding);
                }
            } else {
                judgement.findings.extend(narrow(scene, &node.name, &room));
            }
        }
    })
}

fn crowded(node: &str, room: &Room, waiting: Option<&CniEvent>) -> Finding {
    let (used, usable, cidr) = (room.used(), room.usable, room.cidr);
    // Addresses are booked before and given back after what the API shows: the address manager itself knows best.
    let (severity, what) = if waiting.is_some() && used < usable {
        (
            Severity::Error,
            format!(
                "{node} is out of pod addresses: {used} of {usable} of {cidr} are seen to be taken, and no other was to be had for new pods"
            ),
        )
    } else if room.share() >= FULL {
        let left = usable.saturating_sub(used);
        let what = if left == 0 {
            format!("{node} is out of pod addresses: all {usable} of {cidr} are taken")
        } else {
            format!("{node} is about to run out of pod addresses: {left} of {usable} are left in {cidr}")
        };
        (Severity::Error, what)
    } else {
        (
            Severity::Warning,
            format!("{node} has given away {used} of {usable} pod addresses of {cidr}"),
        )
    };
    let list = format!(
        "kubectl get pods -A -o wide --field-selector spec.nodeName={}",
        word(node)
    );
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(node),
        what,
        Evidence::command(
            format!("{} of {node} with an address of {cidr}", count(room.pods, "pod")),
            list,
        ),
    );
    if let Some(event) = waiting {
        finding.evidence.push(Evidence::command(
            format!(
                "pod/{} -n {}: {}",
                event.pod,
                event.namespace,
                own_words(&event.message)
            ),
            format!(
                "kubectl -n {} describe pod {}",
                word(&event.namespace),
                word(&event.pod)
            ),
        ));
    }
    let is_leak = room.booked.as_ref().is_some_and(|(path, booked)| {
        finding.evidence.push(Evidence::command(
            format!("{booked} addresses are booked in {path}"),
            on_node(node, &[&format!("ls {path}")]),
        ));
        booked * 2 > room.pods * 3
    });
    finding.evidence.push(Evidence::field(
        format!(
            "a range of /{} has {usable} addresses for pods",
            cidr.prefix_len()
        ),
        format!("node/{} .spec.podCIDRs", word(node)),
    ));
    finding.explains = ids(&["net-probe-pod", "cni-events", "cni-log"]);
    finding.hint = Some(if is_leak {
        "most of them belong to no pod: see which can be released with `kubectl cnicheck ipam --node-access`"
            .to_owned()
    } else if room.booked.is_none() {
        format!(
            "move pods to other nodes: `kubectl cordon {}`; `kubectl cnicheck ipam --node-access` shows whether addresses are held for pods \
             that are gone; nodes that join later can be given larger ranges (--node-cidr-mask-size)",
            word(node)
        )
    } else {
        format!(
            "they belong to pods that are there: move some to other nodes with `kubectl cordon {}`, and lower maxPods there below {usable}; nodes \
             that join later can be given larger ranges (--node-cidr-mask-size)",
            word(node)
        )
    });
    finding
}

/// The kubelet takes more pods than there are addresses.
fn narrow(scene: &Cnis<'_>, node: &str, room: &Room) -> Option<Finding> {
    let most = usize::try_from(scene.state(node)?.max_pods?).ok()?;
    if most <= room.usable {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!(
            "the kubelet of {node} takes {most} pods, and the node's range has {} addresses for them",
            room.usable
        ),
        Evidence::field(
            format!("{most} pods"),
            format!("node/{} .status.allocatable.pods", word(node)),
        ),
    );
    finding.hint = Some(
        "lower maxPods of its kubelet, so that the scheduler sends further pods to other nodes".to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use observation::CniProduct;

    use super::super::fixture::{Fixture, controller, no, seen};
    use super::*;
    use crate::node_scene::directory;
    use crate::shown;

    #[test]
    fn the_share_that_is_given_away_decides() {
        for (pods, severity) in [(210, Severity::Warning), (243, Severity::Error)] {
            let findings = shown::finds(&CHECK, &Fixture::healthy().crowded(2, pods).observe());
            assert_eq!(findings.len(), 1);
            assert_eq!(
                (findings[0].severity, &findings[0].subject),
                (severity, &Subject::node("node2"))
            );
        }
        let small = Fixture::healthy()
            .crowded(2, 4)
            .node("node2", |node| node.pod_cidrs = vec!["10.244.2.0/28".into()]);
        let small = small.change(|cni| seen(&mut cni.nodes)[1].max_pods = Some(10));
        shown::passes(&CHECK, &small.observe());
        let full = small
            .crowded(2, 9)
            .node("node2", |node| node.pod_cidrs = vec!["10.244.2.0/28".into()]);
        shown::finds(&CHECK, &full.observe());
    }

    #[test]
    fn where_the_address_manager_itself_has_none_a_range_that_seems_nearly_full_is() {
        let small = Fixture::healthy()
            .crowded(2, 10)
            .node("node2", |node| node.pod_cidrs = vec!["10.244.2.0/28".into()])
            .waits("web-2");
        let nearly = shown::finds(&CHECK, &small.clone().crowded(2, 1).observe());
        assert_eq!(nearly[0].severity, Severity::Warning);
        let text = "plugin type=\"flannel\" failed (add): failed to allocate for range 0: no IP addresses available in range set: 10.244.2.1-10.244.2.14";
        let full = small
            .crowded(2, 1)
            .event("web-2", "node2", text, "2026-03-01T08:59:30Z");
        let findings = shown::finds(&CHECK, &full.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].evidence[1].fact.contains("no IP addresses available"));
    }

    #[test]
    fn what_is_booked_counts_and_is_told_from_pods_that_are_there() {
        let mut fixture = Fixture::healthy().with_nodes();
        fixture.scene = fixture.scene.change("node2", |reads| {
            let names: Vec<String> = (2..255).map(|last| format!("10.244.2.{last}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            directory(reads, "/var/lib/cni/networks/cbr0", &names);
        });
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "node2 is out of pod addresses: all 253 of 10.244.2.0/24 are taken"
        );
        assert!(findings[0].hint.as_ref().unwrap().contains("belong to no pod"));
    }

    #[test]
    fn more_pods_than_addresses_are_a_warning_before_they_come() {
        let fixture = Fixture::healthy().node("node2", |node| node.pod_cidrs = vec!["10.244.2.0/26".into()]);
        assert!(
            shown::finds(&CHECK, &fixture.observe())[0]
                .summary
                .contains("takes 110 pods")
        );
    }

    #[test]
    fn ranges_with_room_pass_and_absurd_ones_do_no_harm() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        for cidr in ["10.0.0.0/0", "10.244.2.0/32", "fd00::/64", "x"] {
            let fixture = Fixture::healthy().node("node2", move |node| node.pod_cidrs = vec![cidr.into()]);
            judge(&View::new(&fixture.observe()));
        }
        let own = Fixture::healthy()
            .crowded(2, 250)
            .change(|cni| *seen(&mut cni.controllers) = vec![controller(CniProduct::Calico, "calico-node")]);
        assert!(judge(&View::new(&own.observe())).skipped.is_some());
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
