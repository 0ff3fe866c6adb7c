use std::collections::{BTreeMap, BTreeSet};

use observation::{Cni, Node, Terway, TerwayInterface, TerwayNode};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::endpoints::time::seconds;
use crate::firewall::joined;
use crate::product::{STARTING, Unready, count, gap, grade, of_agent, of_node_agent, share, unready};
use crate::shell::word;
use crate::view::View;

/// Pods have addresses of the VPC, of vSwitches, on interfaces of their node. A node runs out when its interfaces are full, and all do when
/// the vSwitches are.
pub(crate) static CHECK: Check = Check {
    id: "cni-terway",
    claim: "Terway is ready and has addresses for more pods on every node",
    needs: &[Need::Cni],
    judge,
};

/// What cannot be known from a cluster.
const UNSEEN: &str = "how many addresses a vSwitch has left is only to be seen in the cloud";

fn judge(view: &View<'_>) -> Judgement {
    let cni = view.observation.cni.as_deref();
    let nodes = view.observation.nodes.seen().map(Vec::as_slice);
    crate::product::on(cni, cni.and_then(|cni| cni.terway.as_deref()), |cni, terway| {
        if terway.agents.seen().is_some_and(Vec::is_empty) {
            return Judgement::skipped(
                "the API server has objects of Terway, but no pod of it is there: something else builds the network",
            );
        }
        let parts = [
            terway.agents.gap(),
            terway.config.gap(),
            terway.nodes.gap(),
            terway.sufficient.gap(),
            terway.networkings.gap(),
            terway.pod_enis.gap(),
        ];
        let mut judgement = Judgement {
            gaps: parts.into_iter().flatten().cloned().collect(),
            ..Judgement::default()
        };
        agents(cni, terway, nodes, &mut judgement);
        addresses(terway, &mut judgement);
        conditions(terway, &mut judgement);
        configuration(terway, nodes, &mut judgement);
        interfaces_of_pods(cni, terway, &mut judgement);
        judgement
    })
}

fn agents(cni: &Cni, terway: &Terway, nodes: Option<&[Node]>, judgement: &mut Judgement) {
    for one in unready(terway.agents.seen().into_iter().flatten(), nodes, &cni.read_at) {
        match one {
            Unready::Unknown(gap) => judgement.gaps.push(gap),
            Unready::Known(agent, why) => {
                let node = agent.node.as_deref().unwrap_or("no node");
                let finding = if agent.component == "terway-controlplane" {
                    let summary = format!(
                        "Terway's control plane is not ready, and no node gets further addresses: {why}"
                    );
                    of_agent(CHECK.id, Severity::Error, agent, summary, &why)
                } else {
                    let summary =
                        format!("Terway of {node} is not ready, and no new pod gets an address there: {why}");
                    of_node_agent(CHECK.id, agent, summary, &why)
                };
                judgement.cause(finding, Breaks::Nothing);
            }
        }
    }
}

fn show(node: &str) -> String {
    format!(
        "kubectl get nodes.network.alibabacloud.com {} -o yaml",
        word(node)
    )
}

/// Interfaces that pods share. The first is the node's own; those of single pods are counted elsewhere.
fn shared(node: &TerwayNode) -> impl Iterator<Item = &TerwayInterface> {
    node.interfaces
        .iter()
        .filter(|it| !matches!(it.kind.as_deref(), Some("Primary" | "Member")))
}

/// Of how many addresses that a node can have at most how many are taken; `None` where its limits are not known.
pub(super) fn usage(node: &TerwayNode) -> Option<(u128, u128)> {
    let most = u128::from(node.adapters?.saturating_sub(1)) * u128::from(node.ipv4_per_adapter?);
    let used: u128 = shared(node).map(|it| u128::from(it.used)).sum();
    (most > 0).then_some((used, most))
}

fn addresses(terway: &Terway, judgement: &mut Judgement) {
    let lacking: BTreeSet<&str> = terway
        .sufficient
        .seen()
        .into_iter()
        .flatten()
        .filter(|(_, condition)| condition.status == "False")
        .map(|(node, _)| node.as_str())
        .collect();
    for (node, condition) in terway
        .sufficient
        .seen()
        .into_iter()
        .flatten()
        .filter(|(node, _)| lacking.contains(node.as_str()))
    {
        let own = terway
            .nodes
            .seen()
            .into_iter()
            .flatten()
            .find(|it| it.name == *node);
        let message = condition.message.trim();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!("{node} is out of addresses for pods: {message}{}", vswitches(own)),
            Evidence::field(
                format!(
                    "SufficientIP is False, with the reason {}: {message}",
                    condition.reason
                ),
                format!("node/{node} .status.conditions[SufficientIP]"),
            ),
        );
        let conditions = own
            .into_iter()
            .flat_map(|own| &own.interfaces)
            .flat_map(|it| it.conditions.iter().map(move |(kind, what)| (it, kind, what)));
        finding
            .evidence
            .extend(conditions.take(4).map(|(it, kind, what)| {
                Evidence::command(
                    format!("{} of {}: {kind}: {}", it.id, node, what.message),
                    show(node),
                )
            }));
        finding.hint = Some(more(terway));
        finding.explains = vec!["cni-ipam-use".to_owned(), "net-probe-pod".to_owned()];
        judgement.cause(finding, Breaks::Nothing);
    }
    for node in terway
        .nodes
        .seen()
        .into_iter()
        .flatten()
        .filter(|node| !lacking.contains(node.name.as_str()))
    {
        let Some((used, most)) = usage(node) else { continue };
        let Some(severity) = grade(used, most) else {
            continue;
        };
        let name = &node.name;
        let mut finding = Finding::new(
            CHECK.id,
            severity,
            Subject::node(name),
            format!(
                "{name} can have {most} addresses for pods by its instance type, and {} are taken",
                share(used, most)
            ),
            Evidence::command(
                format!(
                    "{} interfaces of which one is the node's own, with {} addresses each",
                    node.adapters.unwrap_or_default(),
                    node.ipv4_per_adapter.unwrap_or_default()
                ),
                show(name),
            ),
        );
        finding.hint = Some(format!(
            "have fewer pods on {name}, or nodes of a type with more interfaces than {}",
            node.instance_type.as_deref().unwrap_or("this one")
        ));
        finding.explains = vec!["cni-ipam-use".to_owned()];
        judgement.cause(finding, Breaks::Nothing);
    }
}

/// The vSwitches of which an interface could not get more.
fn vswitches(node: Option<&TerwayNode>) -> String {
    let interfaces = node.into_iter().flat_map(|node| &node.interfaces);
    let lacking: BTreeSet<&str> = interfaces
        .filter(|it| it.conditions.contains_key("InsufficientIP"))
        .filter_map(|it| it.vswitch.as_deref())
        .collect();
    if lacking.is_empty() {
        return String::new();
    }
    let lacking: Vec<&str> = lacking.into_iter().collect();
    format!("; {} had none left when it was asked", joined(&lacking))
}

fn more(terway: &Terway) -> String {
    let config = terway.config.seen().and_then(Option::as_ref);
    let all: BTreeSet<&str> = config
        .into_iter()
        .flat_map(|config| config.vswitches.values().flatten())
        .map(String::as_str)
        .collect();
    let all: Vec<&str> = all.into_iter().collect();
    let now = if all.is_empty() {
        String::new()
    } else {
        format!(", which are {}", joined(&all))
    };
    format!(
        "add a vSwitch of the zone to vswitches in eni_conf{now}, and have Terway started anew; {UNSEEN}: `kubectl -n kube-system edit \
         configmap eni-config`"
    )
}

/// What is wrong with interfaces of nodes that say that they have enough.
fn conditions(terway: &Terway, judgement: &mut Judgement) {
    let lacking = |name: &str| {
        let all = terway.sufficient.seen();
        all.and_then(|all| all.get(name))
            .is_some_and(|condition| condition.status == "False")
    };
    for node in terway
        .nodes
        .seen()
        .into_iter()
        .flatten()
        .filter(|node| !lacking(&node.name))
    {
        let mut by_kind: BTreeMap<&str, Vec<(&TerwayInterface, &str)>> = BTreeMap::new();
        for interface in &node.interfaces {
            for (kind, condition) in &interface.conditions {
                by_kind
                    .entry(kind)
                    .or_default()
                    .push((interface, &condition.message));
            }
        }
        for (kind, interfaces) in by_kind {
            let (first, message) = interfaces[0];
            let what = if kind == "InsufficientIP" {
                format!(
                    "{} has no address left for {}",
                    first.vswitch.as_deref().unwrap_or("the vSwitch"),
                    node.name
                )
            } else {
                format!(
                    "the cloud refuses what Terway wants of interfaces of {}",
                    node.name
                )
            };
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                Subject::node(&node.name),
                format!("{what}, which still has some: {}", message.trim()),
                Evidence::command(
                    format!("{kind} at {}: {}", first.id, message.trim()),
                    show(&node.name),
                ),
            );
            finding.hint = Some(if kind == "InsufficientIP" {
                more(terway)
            } else {
                "its controller says more: `kubectl -n kube-system logs -l app=terway-controlplane --tail=100`".to_owned()
            });
            judgement.findings.push(finding);
        }
    }
}

fn configuration(terway: &Terway, nodes: Option<&[Node]>, judgement: &mut Judgement) {
    let show = "kubectl -n kube-system get configmap eni-config -o yaml";
    let Some(config) = terway.config.seen().and_then(Option::as_ref) else {
        return;
    };
    if let Some(broken) = &config.broken {
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Object {
                kind: "configmap".to_owned(),
                name: "eni-config".to_owned(),
                namespace: Some("kube-system".to_owned()),
            },
            format!(
                "eni_conf of configmap/eni-config is no JSON, at {broken}: Terway does not start with it"
            ),
            Evidence::command(format!("it cannot be read at {broken}"), show),
        );
        finding.hint = Some("correct it: `kubectl -n kube-system edit configmap eni-config`".to_owned());
        judgement.cause(finding, Breaks::Nothing);
        return;
    }
    // Where each node is told its vSwitches otherwise, none is here.
    if config.vswitches.is_empty() {
        return;
    }
    let zones: BTreeMap<&str, Vec<&str>> =
        nodes
            .into_iter()
            .flatten()
            .fold(BTreeMap::new(), |mut zones, node| {
                if let Some(zone) = node.zone.as_deref() {
                    zones.entry(zone).or_default().push(&node.name);
                }
                zones
            });
    for (zone, names) in zones
        .into_iter()
        .filter(|(zone, _)| !config.vswitches.contains_key(*zone))
    {
        let told = terway.nodes.seen().into_iter().flatten();
        if told
            .filter(|it| names.contains(&it.name.as_str()))
            .any(|it| !it.vswitches.is_empty())
        {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::node(names[0]),
            format!(
                "there is no vSwitch for zone {zone}, where {} is: only the node's own is left to take addresses of",
                joined(&names)
            ),
            Evidence::command(
                format!(
                    "vswitches are of {}",
                    joined(&config.vswitches.keys().map(String::as_str).collect::<Vec<_>>())
                ),
                show,
            ),
        );
        finding.hint = Some(format!(
            "add one of {zone}: `kubectl -n kube-system edit configmap eni-config`"
        ));
        judgement.findings.push(finding);
    }
}

/// Interfaces of single pods.
fn interfaces_of_pods(cni: &Cni, terway: &Terway, judgement: &mut Judgement) {
    for networking in terway.networkings.seen().into_iter().flatten() {
        let (name, show) = (
            &networking.name,
            format!(
                "kubectl get podnetworkings.network.alibabacloud.com {} -o yaml",
                word(&networking.name)
            ),
        );
        match networking.status.as_str() {
            "Fail" => {
                let mut finding = Finding::new(
                    CHECK.id,
                    Severity::Error,
                    Subject::Object {
                        kind: "podnetworking".to_owned(),
                        name: name.clone(),
                        namespace: None,
                    },
                    format!(
                        "podnetworking/{name} does not work, and pods that it selects do not start: {}",
                        networking.message.trim()
                    ),
                    Evidence::command("status.status is Fail", show.clone()),
                );
                finding.hint = Some(format!(
                    "see whether its vSwitches exist in the zones of the nodes: `{show}`"
                ));
                judgement.cause(finding, Breaks::Nothing);
            }
            "" => judgement.gaps.push(gap(
                format!("podnetworking/{name}"),
                "its controller has not looked at it yet",
                None,
            )),
            _ => {}
        }
    }
    let stuck = terway
        .pod_enis
        .seen()
        .into_iter()
        .flat_map(|enis| &enis.others)
        .filter(|eni| {
            let age = seconds(eni.created.as_deref(), &cni.read_at);
            ["", "Binding"].contains(&eni.phase.as_str()) && age.is_some_and(|age| age >= STARTING)
        });
    let stuck: Vec<_> = stuck.collect();
    if let Some(first) = stuck.first() {
        let show = format!(
            "kubectl -n {} get podenis.network.alibabacloud.com {} -o yaml",
            word(&first.namespace),
            word(&first.name)
        );
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::Object {
                kind: "pod".to_owned(),
                name: first.name.clone(),
                namespace: Some(first.namespace.clone()),
            },
            format!(
                "{} waiting for an interface for more than two minutes: {}",
                count(stuck.len(), "pod")
                    .replacen("pods", "pods are", 1)
                    .replacen("1 pod", "1 pod is", 1),
                first.message.trim()
            ),
            Evidence::command(
                format!("pod {}/{}: phase {:?}", first.namespace, first.name, first.phase),
                show,
            ),
        );
        finding.hint = Some(
            "the control plane says why: `kubectl -n kube-system logs -l app=terway-controlplane --tail=100`"
                .to_owned(),
        );
        judgement.cause(finding, Breaks::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use observation::{PodEni, PodEnis, PodNetworking, TerwayConfig};
    use report::{Gap, GapReason, Observed};

    use super::super::fixture::{insufficient, interface, node, observe, out_of_addresses};
    use super::*;
    use crate::shown;

    fn unseen<T>() -> Observed<T> {
        Observed::Unseen(Gap {
            what: "a part".into(),
            why: GapReason::Failed,
            message: "it was not read".into(),
            hint: None,
        })
    }

    #[test]
    fn a_node_out_of_addresses_is_found_with_the_vswitch() {
        let broken = observe(out_of_addresses);
        let findings = shown::finds(&CHECK, &broken);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            findings[0].summary,
            "node2 is out of addresses for pods: node has insufficient IP; vsw-1 had none left when it was asked"
        );
        assert!(
            findings[0]
                .hint
                .as_ref()
                .unwrap()
                .contains("only to be seen in the cloud")
        );
        let still = shown::finds(&CHECK, &observe(insufficient));
        assert_eq!(still[0].severity, Severity::Warning);
    }

    #[test]
    fn interfaces_that_are_full_are_told_before_the_node_is() {
        let nearly = observe(|terway| node(terway).interfaces = vec![interface(10), interface(7)]);
        let findings = shown::finds(&CHECK, &nearly);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(findings[0].summary.contains("17 of 20 (85 %)"), "{findings:?}");
        // The node's own, and those of single pods, are not shared.
        let others = observe(|terway| {
            for kind in ["Primary", "Member"] {
                let own = TerwayInterface {
                    kind: Some(kind.into()),
                    ..interface(10)
                };
                node(terway).interfaces.push(own);
            }
        });
        shown::passes(&CHECK, &others);
    }

    #[test]
    fn a_zone_without_a_vswitch_and_a_broken_configuration_are_found() {
        let other = observe(|terway| {
            if let Observed::Seen(Some(config)) = &mut terway.config {
                config.vswitches = BTreeMap::from([("zone-b".into(), vec!["vsw-2".into()])]);
            }
        });
        assert!(
            shown::finds(&CHECK, &other)[0]
                .summary
                .contains("no vSwitch for zone zone-a")
        );
        let broken = observe(|terway| {
            terway.config = Observed::Seen(Some(TerwayConfig {
                broken: Some("line 1, column 2".into()),
                ..TerwayConfig::default()
            }));
        });
        assert_eq!(shown::finds(&CHECK, &broken)[0].severity, Severity::Error);
    }

    #[test]
    fn interfaces_of_single_pods_that_do_not_come_are_found() {
        let failed = observe(|terway| {
            terway.networkings = Observed::Seen(vec![PodNetworking {
                name: "fixed".into(),
                status: "Fail".into(),
                message: "no vswitch".into(),
                vswitches: Vec::new(),
            }]);
        });
        assert!(
            shown::finds(&CHECK, &failed)[0]
                .summary
                .ends_with("do not start: no vswitch")
        );
        let stuck = |created: &str| {
            let eni = PodEni {
                namespace: "shop".into(),
                name: "web-2".into(),
                phase: "Binding".into(),
                message: "QuotaExceeded.PrivateIpAddress".into(),
                created: Some(created.into()),
            };
            observe(move |terway| {
                terway.pod_enis = Observed::Seen(PodEnis {
                    bound: 3,
                    others: vec![eni],
                });
            })
        };
        let findings = shown::finds(&CHECK, &stuck("2026-03-01T08:00:00Z"));
        assert!(
            findings[0].summary.starts_with("1 pod is waiting"),
            "{findings:?}"
        );
        shown::passes(&CHECK, &stuck("2026-03-01T08:59:30Z"));
    }

    #[test]
    fn an_agent_that_is_not_ready_is_found() {
        let broken = observe(|terway| {
            if let Observed::Seen(agents) = &mut terway.agents {
                agents[0].ready = false;
            }
        });
        assert!(
            shown::finds(&CHECK, &broken)[0]
                .summary
                .starts_with("Terway of node1 is not ready")
        );
    }

    #[test]
    fn a_healthy_one_passes_and_what_was_not_read_is_unknown() {
        shown::passes(&CHECK, &observe(|_| {}));
        shown::cannot_tell(&CHECK, &observe(|terway| terway.nodes = unseen()));
        shown::cannot_tell(&CHECK, &observe(|terway| terway.sufficient = unseen()));
    }
}
