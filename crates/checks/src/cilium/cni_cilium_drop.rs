use std::collections::BTreeMap;

use observation::CiliumDrops;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{Scene, on_cilium};
use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::view::View;

/// Cilium says of every packet that it drops for which reason it did.
pub(crate) static CHECK: Check = Check {
    id: "cni-cilium-drop",
    claim: "Cilium's agents drop no packets",
    needs: &[Need::Cni],
    judge,
};

/// What a reason means: the beginning of its name, how much it matters, what it stands for, and what to do.
struct Meaning {
    reason: &'static str,
    severity: Severity,
    means: &'static str,
    next: &'static str,
}

const MEANINGS: &[Meaning] = &[
    Meaning {
        reason: "Policy denied",
        severity: Severity::Warning,
        means: "a policy does not allow it",
        next: "see which: `kubectl netcheck policy`",
    },
    Meaning {
        reason: "Policy deny",
        severity: Severity::Warning,
        means: "a policy denies it",
        next: "see which: `kubectl get ciliumnetworkpolicies.cilium.io,networkpolicies -A`",
    },
    Meaning {
        reason: "Authentication required",
        severity: Severity::Warning,
        means: "a policy wants the two ends to prove who they are, and they have not",
        next: "see whether SPIRE runs: `kubectl get pods -A -l app=spire-agent`",
    },
    // Every interface that comes up asks for routers by IPv6, whether anybody speaks it.
    Meaning {
        reason: "Unsupported L3 protocol",
        severity: Severity::Note,
        means: "it is of a family that Cilium does not handle here, mostly IPv6 while only IPv4 is on",
        next: "nothing, unless pods are to use that family",
    },
    Meaning {
        reason: "Unsupported L2 protocol",
        severity: Severity::Note,
        means: "it is no IP packet",
        next: "nothing",
    },
    Meaning {
        reason: "Stale or unroutable IP",
        severity: Severity::Warning,
        means: "it is for an address that no pod has any more, or that no node is known to have",
        next: "see whether senders keep addresses of pods that are gone",
    },
    Meaning {
        reason: "Invalid source ip",
        severity: Severity::Warning,
        means: "a pod sent it from an address that is not its own",
        next: "see what runs in the pod: virtual machines and VPNs do so",
    },
    Meaning {
        reason: "CT: Map insertion failed",
        severity: Severity::Warning,
        means: "the table of connections is full",
        next: "make it larger: bpf-ct-global-tcp-max, bpf-ct-global-any-max or bpf-map-dynamic-size-ratio in cilium-config",
    },
    Meaning {
        reason: "No mapping for NAT masquerade",
        severity: Severity::Warning,
        means: "no port was left to translate it to, or its translation is gone",
        next: "make the table larger: bpf-nat-global-max in cilium-config",
    },
    Meaning {
        reason: "Service backend not found",
        severity: Severity::Warning,
        means: "it is for a Service whose backend is gone or which has none",
        next: "see what stands behind the Service: `kubectl epcheck`",
    },
    Meaning {
        reason: "No tunnel/encapsulation endpoint",
        severity: Severity::Warning,
        means: "the node of the other end is not known",
        next: "see whether each node has its object: `kubectl get ciliumnodes.cilium.io`",
    },
    Meaning {
        reason: "FIB lookup failed",
        severity: Severity::Warning,
        means: "the node has no route to where it is to go",
        next: "look at the node's routes",
    },
    Meaning {
        reason: "Fragmentation needed",
        severity: Severity::Warning,
        means: "it is larger than the way takes",
        next: "compare sizes: `kubectl netcheck mtu`",
    },
    Meaning {
        reason: "Missed tail call",
        severity: Severity::Warning,
        means: "a program of the agent was not loaded, as while it is being started anew",
        next: "if it goes on, start the node's agent anew",
    },
];

fn judge(view: &View<'_>) -> Judgement {
    on_cilium(view, |scene, judgement| {
        if scene.cilium.drops.is_empty() {
            judgement.skipped = Some("agents were not asked what they drop".to_owned());
            return;
        }
        // By reason, the nodes on which it was seen.
        let mut reasons: BTreeMap<&str, Vec<(&str, &CiliumDrops)>> = BTreeMap::new();
        for (node, said) in &scene.cilium.drops {
            match said {
                Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
                Observed::Seen(drops) => {
                    for reason in drops.reasons.keys() {
                        reasons.entry(reason).or_default().push((node, drops));
                    }
                }
            }
        }
        judgement.findings = reasons
            .iter()
            .map(|(reason, nodes)| finding(scene, reason, nodes))
            .collect();
    })
}

fn finding(scene: &Scene<'_>, reason: &str, nodes: &[(&str, &CiliumDrops)]) -> Finding {
    let meaning = MEANINGS.iter().find(|it| reason.starts_with(it.reason));
    let names: Vec<&str> = nodes.iter().map(|(node, _)| *node).collect();
    let total: u32 = nodes
        .iter()
        .filter_map(|(_, drops)| drops.reasons.get(reason))
        .map(|it| it.count)
        .sum();
    let seconds = nodes.first().map_or(0, |(_, drops)| drops.seconds);
    let subject = match names.as_slice() {
        [one] => Subject::node(*one),
        _ => Subject::Cluster,
    };
    let means = meaning.map_or("Cilium says no more of it", |it| it.means);
    let packets = if total == 1 {
        "1 packet was".to_owned()
    } else {
        format!("{total} packets were")
    };
    let example = nodes
        .first()
        .and_then(|(_, drops)| drops.reasons.get(reason))
        .map_or("", |it| it.example.as_str());
    let mut finding = Finding::new(
        CHECK.id,
        meaning.map_or(Severity::Warning, |it| it.severity),
        subject,
        format!(
            "{packets} dropped on {} within {seconds} s as {reason:?}: {means}",
            joined(&names)
        ),
        Evidence::command(
            format!(
                "the first on {}: {example}",
                names.first().copied().unwrap_or_default()
            ),
            scene.in_agent(
                names.first().copied().unwrap_or_default(),
                "cilium-dbg monitor --type drop",
            ),
        ),
    );
    finding.hint = meaning.map(|it| it.next.to_owned());
    finding
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn drops_are_told_by_reason_with_what_it_means() {
        let broken =
            Fixture::tunnel()
                .dropped("node1", "Policy denied", 3)
                .dropped("node2", "Policy denied", 1);
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "4 packets were dropped on node1 and node2 within 10 s as \"Policy denied\": a policy does not allow it"
        );
        let odd = Fixture::tunnel().dropped("node1", "Something new", 1);
        assert_eq!(
            shown::finds(&CHECK, &odd.observe())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn packets_that_everybody_sends_and_nobody_wants_are_no_fault() {
        let usual = Fixture::tunnel().dropped("node1", "Unsupported L3 protocol", 5);
        shown::passes(&CHECK, &usual.observe());
    }

    #[test]
    fn none_pass_and_agents_that_do_not_say_are_unknown() {
        shown::passes(&CHECK, &Fixture::tunnel().listened().observe());
        let refused = Fixture::tunnel().listened().with(|cilium| {
            cilium.drops.insert("node2".into(), Fixture::unseen());
        });
        shown::cannot_tell(&CHECK, &refused.observe());
        let judgement = (CHECK.judge)(&View::new(&Fixture::tunnel().observe()));
        assert!(judgement.skipped.is_some());
    }
}
