use observation::{Link, LinkCounters};
use report::{Evidence, Finding, Gap, GapReason, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, is_default, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// What a network card loses, it loses for everybody on the node. Only what rose while the probes ran counts. A card
/// also counts as dropped what nobody asked for, such as frames of protocols that the node does not speak: that alone
/// is said from one in a thousand on.
pub(crate) static CHECK: Check = Check {
    id: "net-perf-nic",
    claim: "no network card of a node drops packets or is full",
    needs: &[Need::Mesh, Need::NodeNetwork],
    judge,
};

/// In hundredths of the speed.
const FULL: u64 = 90;
const ONE_IN: u64 = 1_000;
const FEW: u64 = 10;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| &reads.links,
        |nodes, part, judgement| {
            find(view, nodes, part, judgement);
        },
    )
}

fn find(view: &View<'_>, nodes: &Nodes<'_>, part: &[(&str, &Vec<Link>)], judgement: &mut Judgement) {
    let between_ms = between_ms(view);
    for &(node, links) in part {
        let evidence = nodes.evidence[node];
        let uplinks = uplinks(nodes, node, links);
        let after = evidence.after.as_ref().and_then(|after| after.links.seen());
        let Some(after) = after else {
            if !uplinks.is_empty() {
                judgement
                    .gaps
                    .push(gap(node, "it could not be read once more after the probes"));
            }
            continue;
        };
        for link in uplinks {
            let Some(later) = after.iter().find(|later| later.index == link.index) else {
                judgement
                    .gaps
                    .push(gap(node, &format!("{} was gone after the probes", link.name)));
                continue;
            };
            let Some(rise) = Rise::between(link.counters, later.counters) else {
                judgement.gaps.push(gap(
                    node,
                    &format!("the counters of {} were not all read", link.name),
                ));
                continue;
            };
            judgement.findings.extend(drops(node, &link.name, &rise));
            let speeds = evidence.before.kernel.speeds.seen();
            let speed = speeds.and_then(|speeds| speeds.get(&link.name));
            if let (Some(&speed), Some(between_ms)) = (speed, between_ms) {
                judgement
                    .findings
                    .extend(full(node, &link.name, &rise, speed, between_ms));
            }
        }
    }
}

fn gap(node: &str, message: &str) -> Gap {
    Gap {
        what: format!("what network cards of {node} dropped"),
        why: GapReason::Failed,
        message: message.to_owned(),
        hint: None,
    }
}

/// The devices by which a node reaches others: those of default routes, and those below tunnels.
fn uplinks<'a>(nodes: &Nodes<'_>, node: &str, links: &'a [Link]) -> Vec<&'a Link> {
    let routes = nodes.evidence[node].before.routes.seen();
    let mut names: Vec<&str> = routes
        .into_iter()
        .flatten()
        .filter(|route| is_default(route))
        .filter_map(|route| route.device.as_deref())
        .collect();
    names.extend(
        links
            .iter()
            .filter_map(|link| link.vxlan.as_ref()?.device.as_deref()),
    );
    links
        .iter()
        .filter(|link| names.contains(&link.name.as_str()))
        .collect()
}

/// How long lies between both readings at the least.
fn between_ms(view: &View<'_>) -> Option<u64> {
    let phases = &view.observation.stats.phases;
    let took = phases
        .iter()
        .filter(|phase| phase.name == "start" || phase.name == "probe")
        .map(|phase| phase.took_ms);
    let sum: u64 = took.sum();
    (sum > 0).then_some(sum)
}

struct Rise {
    received: u64,
    errors: u64,
    missed: u64,
    unsent: u64,
    dropped: u64,
    bytes: u64,
}

impl Rise {
    /// `None` when something was not read, or went back.
    fn between(before: LinkCounters, after: LinkCounters) -> Option<Self> {
        let rise = |part: fn(&LinkCounters) -> u64| part(&after).checked_sub(part(&before));
        let known = |part: fn(&LinkCounters) -> Option<u64>| part(&after)?.checked_sub(part(&before)?);
        Some(Self {
            received: rise(|counters| counters.rx_packets)?,
            errors: rise(|counters| counters.rx_errors)? + rise(|counters| counters.tx_errors)?,
            missed: known(|counters| counters.rx_missed)?,
            unsent: rise(|counters| counters.tx_dropped)?,
            dropped: rise(|counters| counters.rx_dropped)?,
            bytes: known(|counters| counters.rx_bytes)?.max(known(|counters| counters.tx_bytes)?),
        })
    }
}

fn drops(node: &str, device: &str, rise: &Rise) -> Option<Finding> {
    let many = rise.dropped >= FEW && rise.dropped.saturating_mul(ONE_IN) >= rise.received;
    let lost = [
        (rise.errors, "damaged or not sendable"),
        (rise.missed, "lost for want of room in the card"),
        (rise.unsent, "dropped instead of sent"),
        (if many { rise.dropped } else { 0 }, "received and dropped"),
    ];
    let facts: Vec<String> = lost
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{count} {how}"))
        .collect();
    if facts.is_empty() {
        return None;
    }
    let show = on_node(node, &[&format!("ip -s -s link show {device}")]);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!("{device} of {node} lost packets while the probes ran"),
        Evidence::command(facts.join(", "), show),
    );
    finding.hint = Some(format!(
        "a larger ring helps against bursts (`ethtool -G`), a cable or a switch port against damage; what the card itself \
         counts: `{}`",
        on_node(node, &[&format!("ethtool -S {device}")])
    ));
    Some(finding)
}

fn full(node: &str, device: &str, rise: &Rise, speed: u64, between_ms: u64) -> Option<Finding> {
    // Mbit/s times milliseconds is kilobits.
    let room = speed.saturating_mul(between_ms).max(1);
    let percent = (rise.bytes.saturating_mul(8) / 1_000).saturating_mul(100) / room;
    if percent < FULL {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(node),
        format!("{device} of {node} is full: it carried {percent} % of what its speed allows"),
        Evidence::command(
            format!(
                "{} bytes in one direction within {between_ms} ms, at {speed} Mbit/s",
                rise.bytes
            ),
            on_node(
                node,
                &[
                    &format!("ip -s link show {device}"),
                    &format!("cat /sys/class/net/{device}/speed"),
                ],
            ),
        ),
    );
    finding.hint = Some("spread the load over more nodes, or give this one a faster card".to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use observation::Phase;

    use super::*;
    use crate::node_scene::{Scene, link};
    use crate::shown;

    fn lost(change: impl Fn(&mut LinkCounters)) -> Scene {
        Scene::healthy(3).change_after("node1", move |reads| change(&mut link(reads, "eth0").counters))
    }

    #[test]
    fn a_card_that_loses_packets_is_found() {
        let findings = shown::finds(
            &CHECK,
            &lost(|counters| counters.rx_missed = Some(4)).observation(),
        );
        assert_eq!(
            findings[0].evidence[0].fact,
            "4 lost for want of room in the card"
        );
        shown::finds(&CHECK, &lost(|counters| counters.tx_errors = 1).observation());
    }

    #[test]
    fn a_few_frames_that_nobody_asked_for_are_no_loss() {
        let dropped = |dropped, received| {
            lost(move |counters| (counters.rx_dropped, counters.rx_packets) = (dropped, received))
                .observation()
        };
        shown::passes(&CHECK, &dropped(5, 100));
        shown::passes(&CHECK, &dropped(50, 100_000));
        shown::finds(&CHECK, &dropped(200, 100_000));
    }

    #[test]
    fn losses_of_earlier_times_and_of_other_devices_do_not_count() {
        let old = Scene::healthy(3).change("node1", |reads| link(reads, "eth0").counters.rx_errors = 99);
        shown::passes(&CHECK, &old.observation());
        let tunnel =
            Scene::healthy(3).change_after("node1", |reads| link(reads, "cni0").counters.rx_errors = 9);
        shown::passes(&CHECK, &tunnel.observation());
    }

    #[test]
    fn a_card_that_carries_all_it_can_is_full() {
        let mut observation = lost(|counters| counters.rx_bytes = Some(1_200_000_000)).observation();
        observation.stats.phases = vec![Phase {
            name: "probe".to_owned(),
            took_ms: 1_000,
        }];
        let findings = shown::finds(&CHECK, &observation);
        assert!(findings[0].summary.contains("96 %"), "{}", findings[0].summary);
        observation.stats.phases[0].took_ms = 10_000;
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn counters_that_were_not_read_twice_are_a_gap() {
        shown::cannot_tell(&CHECK, &Scene::healthy(3).read_once("node1").observation());
        shown::cannot_tell(&CHECK, &lost(|counters| counters.rx_missed = None).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
