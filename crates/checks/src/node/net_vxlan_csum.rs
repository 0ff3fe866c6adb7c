use std::collections::BTreeMap;

use observation::NodeEvidence;
use report::{Evidence, Family, Finding, Gap, Observed, Severity, Subject};

use super::rise::counted;
use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, Tunnel, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Kernels before 5.8 spoil the checksum of a tunnel's UDP packets when kube-proxy translates a node's own connection to
/// a Service and the device is left to fill the checksum in; the far end drops them. The repair went into 5.6.13, 5.4.41
/// and 4.19.123 as well. It takes four facts: such a kernel, a VXLAN tunnel, the offload, and packets with a wrong
/// checksum elsewhere while the probes ran.
pub(crate) static CHECK: Check = Check {
    id: "net-vxlan-csum",
    claim: "no node's kernel spoils the checksums of what it sends through the tunnel",
    needs: &[Need::NodeNetwork],
    judge,
};

const COUNTER: &str = "UdpInCsumErrors";
/// The first release that has the repair in each series, the last of which stands for all that follow.
const REPAIRED: &[(u32, u32, u32)] = &[(4, 19, 123), (5, 4, 41), (5, 6, 13), (5, 8, 0)];

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.kernel.release, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &String)], judgement: &mut Judgement) {
    for &(node, release) in part {
        let Some(Tunnel { link: tunnel, .. }) = nodes.tunnel(node, Family::IPv4) else {
            continue;
        };
        if is_repaired(release) {
            continue;
        }
        let evidence = nodes.evidence[node];
        match fills_in(node, evidence, &tunnel.name) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(gap) => {
                judgement.gaps.push(*gap);
                continue;
            }
        }
        let mut wrong: BTreeMap<&str, u64> = BTreeMap::new();
        for (peer, evidence) in nodes.evidence.iter().filter(|(peer, _)| **peer != node) {
            match counted(peer, evidence, COUNTER) {
                Observed::Seen(0) => {}
                Observed::Seen(rise) => drop(wrong.insert(*peer, rise)),
                Observed::Unseen(gap) => judgement.gaps.push(gap),
            }
        }
        if wrong.is_empty() {
            continue;
        }
        judgement
            .findings
            .push(finding(node, release, &tunnel.name, &wrong));
    }
}

fn fills_in(node: &str, evidence: &NodeEvidence, tunnel: &str) -> Result<bool, Box<Gap>> {
    let offloads = match &evidence.before.kernel.send_checksums {
        Observed::Seen(offloads) => offloads,
        Observed::Unseen(gap) => return Err(Box::new(gap.clone())),
    };
    offloads.get(tunnel).copied().ok_or_else(|| {
        Box::new(Gap {
            what: format!("who fills in the checksums of {tunnel} of {node}"),
            why: report::GapReason::Failed,
            message: format!("the kernel of {node} does not say it"),
            hint: None,
        })
    })
}

/// Whether a kernel of this release has the repair, by its number; one whose number cannot be read is taken for new.
fn is_repaired(release: &str) -> bool {
    let mut numbers = release
        .split(|character: char| !character.is_ascii_digit())
        .map(|number| number.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let version: (u32, u32, u32) = (next(), next(), next());
    let newest = REPAIRED.last().copied().unwrap_or_default();
    version.0 == 0
        || version >= newest
        || REPAIRED
            .iter()
            .any(|first| (first.0, first.1) == (version.0, version.1) && version.2 >= first.2)
}

fn finding(node: &str, release: &str, tunnel: &str, wrong: &BTreeMap<&str, u64>) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!(
            "the kernel of {node} spoils checksums of packets that it sends through {tunnel}, which the others drop"
        ),
        Evidence::command(
            format!("its kernel is {release}, which lacks the repair"),
            on_node(node, &["uname -r"]),
        ),
    );
    for (peer, rise) in wrong {
        finding.evidence.push(Evidence::command(
            format!("{COUNTER} of {peer} rose by {rise} while the probes ran"),
            on_node(peer, &["grep Udp: /proc/net/snmp"]),
        ));
    }
    finding.evidence.push(Evidence::command(
        format!("{tunnel} leaves checksums to the device"),
        on_node(node, &[&format!("ethtool -k {tunnel}")]),
    ));
    finding.hint = Some(format!(
        "a newer kernel repairs it; until then let the processor fill them in: `{}`",
        on_node(
            node,
            &[&format!("ethtool -K {tunnel} tx-checksum-ip-generic off")]
        )
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, count, seen, uncounted};
    use crate::shown;

    fn old(release: &'static str) -> Scene {
        Scene::healthy(3).change("node1", move |reads| {
            reads.kernel.release = Observed::Seen(release.to_owned());
        })
    }

    fn wrong(scene: Scene) -> Scene {
        scene.change_after("node2", |reads| count(reads, COUNTER, 12))
    }

    #[test]
    fn an_old_kernel_an_offload_and_wrong_checksums_elsewhere_are_found() {
        let findings = shown::finds(&CHECK, &wrong(old("5.4.0-42-generic")).observation());
        assert_eq!(findings[0].subject, Subject::node("node1"));
        assert!(findings[0].evidence[1].fact.contains("node2 rose by 12"));
    }

    #[test]
    fn any_of_them_missing_is_no_fault() {
        shown::passes(&CHECK, &wrong(old("5.10.0")).observation());
        shown::passes(&CHECK, &old("5.4.0-42-generic").observation());
        let off = wrong(old("5.4.0")).change("node1", |reads| {
            seen(&mut reads.kernel.send_checksums).insert("flannel.1".to_owned(), false);
        });
        shown::passes(&CHECK, &off.observation());
    }

    #[test]
    fn what_decides_it_and_was_not_read_is_a_gap() {
        let uncounted = old("4.18.0").change("node2", |reads| uncounted(reads, COUNTER));
        shown::cannot_tell(&CHECK, &uncounted.observation());
        let unasked = old("4.18.0").change("node1", |reads| {
            seen(&mut reads.kernel.send_checksums).clear();
        });
        shown::cannot_tell(&CHECK, &unasked.observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }

    #[test]
    fn kernels_are_told_apart_by_their_series() {
        for old in [
            "4.19.122",
            "5.4.40-gke",
            "5.6.12",
            "5.5.19",
            "5.7.3",
            "3.10.0-1160.el7",
        ] {
            assert!(!is_repaired(old), "{old}");
        }
        for new in [
            "4.19.123",
            "5.4.41",
            "5.6.13-1",
            "5.8.0",
            "5.10.0",
            "6.1.0-18-amd64",
            "unknown",
        ] {
            assert!(is_repaired(new), "{new}");
        }
    }
}
