use std::collections::BTreeMap;
use std::net::IpAddr;

use netmodel::policy::{End, Family, Flow, Outcome, Pod, PolicyRef, Protocol, World, evaluate};
use report::{Evidence, Finding, Gap, GapReason, Severity};

use super::net_pol_svcport::translations;
use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, count, dns_servers, judged_flows, lint, pod_name, subject};
use crate::view::View;

/// What the policies that were given beside those of the cluster would change. What they would stop is a warning, what they would
/// open a note.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-diff",
    claim: "the policies that were given stop nothing that is allowed now",
    needs: &[Need::Policies],
    judge,
};

/// Stands for everything outside of the cluster: an address that is reserved for documentation.
const OUTSIDE: [u8; 4] = [203, 0, 113, 1];
/// So many pairs of kinds of pods are compared at the most.
const MOST_PAIRS: usize = 100_000;
/// Labels that differ between pods of one kind.
const ROLLOUT: [&str; 5] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
];

fn judge(view: &View<'_>) -> Judgement {
    let Some(before) = view.scene.as_ref().and_then(|scene| scene.before.as_ref()) else {
        return Judgement::not_asked();
    };
    let mut too_many = false;
    let mut judgement = lint(
        view,
        &[Objects::Pods, Objects::Namespaces, Objects::Services],
        |scene| {
            let changes = changes(scene, before, &mut too_many);
            [(false, Severity::Warning), (true, Severity::Note)]
                .into_iter()
                .filter_map(|(opened, severity)| {
                    let of_kind: Vec<&Change> =
                        changes.iter().filter(|change| change.opened == opened).collect();
                    finding(scene, &of_kind, severity)
                })
                .collect()
        },
    );
    if too_many {
        judgement.gaps.push(Gap {
            what: "all flows between pods".to_owned(),
            why: GapReason::Truncated,
            message: format!(
                "there are more than {MOST_PAIRS} pairs of kinds of pods; ask about a pod or a flow"
            ),
            hint: None,
        });
    }
    judgement
}

/// A flow on which the verdict changes.
struct Change {
    source: String,
    destination: String,
    port: String,
    opened: bool,
}

fn changes(scene: &Scene<'_>, before: &World, too_many: &mut bool) -> Vec<Change> {
    if let Some(asked) = scene.asked(&scene.world) {
        let after = judged_flows(&asked, &scene.world);
        return after
            .iter()
            .filter_map(|(asked, verdict)| {
                let was = evaluate(&asked.flow, before).outcome();
                change(
                    &asked.flow,
                    (&asked.source, &asked.destination),
                    was,
                    verdict.outcome(),
                )
            })
            .collect();
    }
    let kinds = kinds(scene.world.pods());
    let touched: Vec<&Pod> = kinds
        .iter()
        .copied()
        .filter(|pod| is_touched(scene, before, pod))
        .collect();
    if touched.len().saturating_mul(kinds.len()) > MOST_PAIRS {
        *too_many = true;
        return Vec::new();
    }
    let outside = IpAddr::from(OUTSIDE);
    let mut flows: Vec<Flow<'_>> = Vec::new();
    for pod in &touched {
        let mut ends: Vec<End<'_>> = kinds.iter().map(|other| End::Pod(other)).collect();
        ends.push(End::Outside(outside));
        for end in ends {
            for (protocol, port) in ports(scene, &End::Pod(pod)) {
                flows.push(flow(end, End::Pod(pod), protocol, port));
            }
            for (protocol, port) in ports(scene, &end) {
                flows.push(flow(End::Pod(pod), end, protocol, port));
            }
        }
    }
    // Those within a namespace first, then those between namespaces, then those from and to outside.
    let mut all: BTreeMap<(u8, String, String, String), Change> = BTreeMap::new();
    for flow in flows {
        let (was, is) = (
            evaluate(&flow, before).outcome(),
            evaluate(&flow, &scene.world).outcome(),
        );
        if let Some(change) = change(&flow, (&name(&flow.source), &name(&flow.destination)), was, is) {
            let key = (
                distance(&flow),
                change.source.clone(),
                change.destination.clone(),
                change.port.clone(),
            );
            all.insert(key, change);
        }
    }
    all.into_values().collect()
}

fn change(flow: &Flow<'_>, (source, destination): (&str, &str), was: Outcome, is: Outcome) -> Option<Change> {
    let opened = match (was, is) {
        (Outcome::Allowed | Outcome::Unknown, Outcome::Denied) => false,
        (Outcome::Denied, Outcome::Allowed | Outcome::Unknown) => true,
        _ => return None,
    };
    Some(Change {
        source: source.to_owned(),
        destination: destination.to_owned(),
        port: format!("{} {}", flow.protocol, flow.port),
        opened,
    })
}

fn flow<'a>(source: End<'a>, destination: End<'a>, protocol: Protocol, port: u16) -> Flow<'a> {
    let both = |family: &Family| source.address(*family).is_some() && destination.address(*family).is_some();
    let family = [Family::V4, Family::V6]
        .into_iter()
        .find(both)
        .unwrap_or(Family::V4);
    Flow {
        source,
        destination,
        protocol,
        port,
        family,
    }
}

/// One pod of each kind: those of a namespace with the same labels.
fn kinds(pods: &[Pod]) -> Vec<&Pod> {
    let mut kinds = BTreeMap::new();
    // Pods in their node's network are told apart by nobody: policies see a node's address.
    for pod in pods.iter().filter(|pod| !pod.host_network) {
        let labels: Vec<_> = pod
            .labels
            .iter()
            .filter(|(key, _)| !ROLLOUT.contains(&key.as_str()))
            .collect();
        kinds.entry((&pod.namespace, labels)).or_insert(pod);
    }
    kinds.into_values().collect()
}

/// Whether a policy that was given, or that one replaces, isolates it.
fn is_touched(scene: &Scene<'_>, before: &World, pod: &Pod) -> bool {
    let given = |name: &PolicyRef| {
        let mut added = scene.facts.added.iter();
        added.any(|object| object.name == name.name && object.namespace == name.namespace)
    };
    let touches = |world: &World| {
        let mut policies = world.policies_of(&pod.namespace).iter();
        policies.any(|policy| given(&policy.name) && policy.selects(pod))
    };
    !pod.host_network && (touches(&scene.world) || touches(before))
}

/// Where an end may be reached: what it declares, and what Services send to it.
fn ports(scene: &Scene<'_>, end: &End<'_>) -> Vec<(Protocol, u16)> {
    let Some(pod) = end.pod() else {
        return vec![(Protocol::Tcp, 443)];
    };
    let declared = pod.ports.iter().map(|port| (port.protocol, port.number));
    let behind = translations(scene, pod)
        .into_iter()
        .map(|it| (it.protocol, it.target));
    let mut ports: Vec<(Protocol, u16)> = declared.chain(behind).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn distance(flow: &Flow<'_>) -> u8 {
    match (flow.source.pod(), flow.destination.pod()) {
        (Some(source), Some(destination)) if source.namespace == destination.namespace => 0,
        (Some(_), Some(_)) => 1,
        _ => 2,
    }
}

fn name(end: &End<'_>) -> String {
    match end {
        End::Pod(pod) => pod_name(pod),
        End::Node { name, .. } => format!("node/{name}"),
        End::Outside(address) => format!("outside (as {address})"),
    }
}

fn finding(scene: &Scene<'_>, changes: &[&Change], severity: Severity) -> Option<Finding> {
    let first = scene.facts.added.first()?;
    let policy = PolicyRef {
        namespace: first.namespace.clone(),
        name: first.name.clone(),
    };
    if changes.is_empty() {
        return None;
    }
    let given = match scene.facts.added.len() {
        1 => policy.to_string(),
        more => format!("{policy} and {} more", more - 1),
    };
    let flows = count(changes.len(), "flow");
    let summary = match severity {
        Severity::Note => format!("{given} would open {flows}"),
        Severity::Warning | Severity::Error => {
            let dns: Vec<String> = dns_servers(scene)
                .iter()
                .map(|server| pod_name(server.pod))
                .collect();
            let names = if changes.iter().any(|change| dns.contains(&change.destination)) {
                ", questions for names among them"
            } else {
                ""
            };
            format!("{given} would stop {flows} that policies allow now{names}")
        }
    };
    let evidence = changes.iter().map(|change| {
        let Change {
            source,
            destination,
            port,
            opened,
        } = change;
        let (was, is) = if *opened {
            ("denied", "allowed")
        } else {
            ("allowed", "denied")
        };
        Evidence::field(
            format!("{was} now, {is} with it"),
            format!("{source} → {destination}, {port}"),
        )
    });
    Some(Finding {
        id: CHECK.id.to_owned(),
        severity,
        subject: subject(&policy),
        summary,
        evidence: evidence.collect(),
        hint: None,
        explains: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    #[test]
    fn what_a_policy_would_stop_is_named_flow_by_flow() {
        let spec = json!({"podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]});
        let findings = shown::finds(&CHECK, &Fixture::shop().added("shop", "db", spec).observe());
        assert!(
            findings[0]
                .summary
                .starts_with("networkpolicy/db -n shop would stop "),
            "{findings:?}"
        );
        let stopped: Vec<String> = findings[0]
            .evidence
            .iter()
            .map(|it| format!("{:?}", it.from))
            .collect();
        assert!(
            stopped
                .iter()
                .any(|it| it.contains("pod/prometheus-1 -n ops → pod/db-1 -n shop, TCP 5432"))
        );
        assert!(
            !stopped
                .iter()
                .any(|it| it.contains("pod/web-1 -n shop → pod/db-1")),
            "{stopped:?}"
        );
    }

    #[test]
    fn what_takes_names_away_says_so() {
        let findings = shown::finds(
            &CHECK,
            &Fixture::shop().added("shop", "deny", deny_all()).observe(),
        );
        assert!(
            findings[0].summary.ends_with("questions for names among them"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn what_opens_is_a_note() {
        let open = json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{}]});
        let fixture = Fixture::shop()
            .with("shop", "deny", json!({"podSelector": {}}))
            .added("shop", "open", open);
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings
                .iter()
                .map(|finding| finding.severity)
                .collect::<Vec<_>>(),
            [Severity::Note]
        );
        shown::passes(&CHECK, &fixture.observe());
    }

    #[test]
    fn without_pods_no_flow_can_be_compared() {
        let observation = without_pods(Fixture::shop().added("shop", "deny", deny_all()).observe());
        shown::cannot_tell(&CHECK, &observation);
    }
}
