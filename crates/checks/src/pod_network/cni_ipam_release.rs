use std::collections::BTreeSet;
use std::net::IpAddr;

use observation::{NodeEvidence, PodNetwork};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::room::BOOKS;
use super::{Cnis, count, gap, over, part};
use crate::check::{Check, Judgement, Need};
use crate::shell::on_node;
use crate::view::View;

/// Addresses that nobody holds any more, with the commands that release them. An address is named only with proof: it was booked before and
/// after the look, no pod of the cluster has it by the API, no network namespace of the node has it, and no pod of the node is being
/// started or ended. Nothing is released by itself.
pub(crate) static CHECK: Check = Check {
    id: "cni-ipam-release",
    claim: "no address is booked that provably nobody holds",
    needs: &[Need::Cni, Need::NodeAccess, Need::PodNetworks],
    judge,
};

/// Fewer are what comes and goes.
const FEW: usize = 3;
/// So many are named in a command.
const NAMED: usize = 40;

fn judge(view: &View<'_>) -> Judgement {
    if view.observation.cni.is_none() {
        return Judgement::not_asked();
    }
    if let Err(judgement) = &view.read_nodes {
        return judgement.clone();
    }
    over(view, |scene, judgement| {
        if part(&scene.facts.cluster_pods, judgement).is_none() {
            return;
        }
        let mut are_allowed = false;
        for (node, evidence) in &view.observation.node_evidence {
            let Some(evidence) = part(evidence, judgement) else {
                continue;
            };
            are_allowed |= evidence.tier == observation::NodeTier::Privileged;
            of_node(scene, node, evidence, judgement);
        }
        if !are_allowed && judgement.gaps.is_empty() {
            judgement.skipped = Some(
                "it takes a privileged pod on the node to see what is booked: --node-access allows it"
                    .to_owned(),
            );
        }
    })
}

fn of_node(scene: &Cnis<'_>, node: &str, evidence: &NodeEvidence, judgement: &mut Judgement) {
    let Some(after) = &evidence.after else {
        return;
    };
    for (path, names) in &evidence.before.directories {
        let still = after.directories.get(path).and_then(Observed::seen);
        let (true, Some(names), Some(still)) = (path.starts_with(BOOKS), names.seen(), still) else {
            continue;
        };
        let held: BTreeSet<IpAddr> = scene
            .facts
            .cluster_pods
            .seen()
            .into_iter()
            .flatten()
            .flat_map(|pod| pod.addresses.iter().copied())
            .collect();
        let booked = names
            .iter()
            .filter(|name| still.contains(name))
            .filter_map(|name| name.parse::<IpAddr>().ok());
        let free: Vec<IpAddr> = booked.filter(|address| !held.contains(address)).collect();
        if free.len() <= FEW {
            continue;
        }
        let moving = scene
            .pods_of(node)
            .filter(|pod| pod.addresses.is_empty() || pod.deleted.is_some())
            .count();
        let networks = evidence
            .pods
            .as_ref()
            .and_then(Observed::seen)
            .filter(|it| it.partial.is_none());
        let Some(networks) = networks.filter(|_| moving == 0) else {
            let why = if moving > 0 {
                format!(
                    "{} of {node} just being started or ended",
                    if moving == 1 {
                        "1 pod is".to_owned()
                    } else {
                        format!("{moving} pods are")
                    }
                )
            } else {
                "the networks of its pods were not all seen".to_owned()
            };
            judgement.gaps.push(gap(
                format!(
                    "whether {} of {node} can be released",
                    count(free.len(), "address").replace("addresss", "addresses")
                ),
                why,
            ));
            continue;
        };
        let free: Vec<IpAddr> = free
            .into_iter()
            .filter(|address| !networks.pods.iter().any(|it| has(it, *address)))
            .collect();
        if free.len() > FEW {
            judgement.findings.push(finding(node, path, &free));
        }
    }
}

fn has(network: &PodNetwork, address: IpAddr) -> bool {
    // What could not be seen may have it.
    network.links.seen().is_none_or(|links| {
        let mut addresses = links.iter().flat_map(|link| &link.addresses);
        addresses.any(|own| own.address == address)
    })
}

fn finding(node: &str, path: &str, free: &[IpAddr]) -> Finding {
    let files: Vec<String> = free
        .iter()
        .take(NAMED)
        .map(|address| format!("{path}/{address}"))
        .collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::node(node),
        format!("{} addresses are booked on {node} that nobody holds", free.len()),
        Evidence::command(
            format!(
                "no pod of the cluster and no network namespace of {node} has one of {} … {}; they were booked before and after the look",
                free[0],
                free[free.len() - 1]
            ),
            on_node(node, &[&format!("ls {path}")]),
        ),
    );
    let rest = free.len().saturating_sub(NAMED);
    let more = if rest == 0 {
        String::new()
    } else {
        format!(" (these {NAMED} first; {rest} more after another look)")
    };
    finding.hint = Some(format!(
        "keep pods from the node meanwhile with `kubectl cordon {node}`, then release them{more}: `{}`",
        on_node(node, &[&format!("rm {}", files.join(" "))])
    ));
    finding
}

#[cfg(test)]
mod tests {
    use observation::PodNetworks;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::node_scene::directory;
    use crate::shown;

    fn booked(last: std::ops::Range<u32>) -> Fixture {
        let mut fixture = Fixture::healthy().with_nodes();
        fixture.scene = fixture.scene.change("node2", move |reads| {
            let names: Vec<String> = last.clone().map(|last| format!("10.244.2.{last}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).chain(["lock"]).collect();
            directory(reads, "/var/lib/cni/networks/cbr0", &names);
        });
        fixture
    }

    fn seen(fixture: &Fixture) -> observation::Observation {
        let mut observation = fixture.observe();
        for evidence in observation.node_evidence.values_mut() {
            if let Observed::Seen(evidence) = evidence {
                evidence.pods = Some(Observed::Seen(PodNetworks::default()));
            }
        }
        observation
    }

    #[test]
    fn what_nobody_holds_is_named_with_a_command_and_what_a_pod_holds_is_not() {
        let findings = shown::finds(&CHECK, &seen(&booked(2..20)));
        assert_eq!(
            findings[0].summary,
            "17 addresses are booked on node2 that nobody holds"
        );
        let hint = findings[0].hint.as_ref().unwrap();
        assert!(
            hint.contains("/cbr0/10.244.2.4 ") && !hint.contains("10.244.2.5 "),
            "{hint}"
        );
        assert_eq!(findings[0].severity, Severity::Note);
    }

    #[test]
    fn while_a_pod_is_being_started_nothing_is_proved() {
        let fixture = booked(2..20).waits("web-2");
        shown::cannot_tell(&CHECK, &seen(&fixture));
        shown::cannot_tell(&CHECK, &booked(2..20).observe());
    }

    #[test]
    fn a_few_that_come_and_go_pass() {
        shown::passes(&CHECK, &seen(&booked(4..7)));
    }
}
