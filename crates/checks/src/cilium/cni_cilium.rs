use std::collections::BTreeMap;

use observation::{CiliumStatus, FailingController};
use report::{Evidence, Finding, Gap, Observed, Severity, Subject};

use super::{Scene, endpoints, on_cilium, usage};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::product::{Unready, of_agent, of_node_agent, unready};
use crate::view::View;

/// Every node has an agent, which sets up its pods and says how it is; the operator gives ranges of addresses to nodes.
pub(crate) static CHECK: Check = Check {
    id: "cni-cilium",
    claim: "Cilium's agents are well, know the pods of their nodes, and have addresses for more",
    needs: &[Need::Cni],
    judge,
};

/// A controller that failed so often in a row does not fail by chance.
const FAILURES: u32 = 3;
/// Parts of an agent without which it does its work, as well as it can.
const OPTIONAL: [&str; 3] = ["hubble", "proxy", "cluster health"];

fn judge(view: &View<'_>) -> Judgement {
    on_cilium(view, |scene, judgement| {
        let cilium = scene.cilium;
        let parts = [
            cilium.agents.gap(),
            cilium.config.gap(),
            cilium.nodes.gap(),
            cilium.endpoints.gap(),
            scene.cni.cluster_pods.gap(),
        ];
        judgement.gaps = parts.into_iter().flatten().cloned().collect::<Vec<Gap>>();
        agents(scene, judgement);
        nodes(scene, judgement);
        usage::judge(scene, judgement);
        endpoints::judge(scene, judgement);
        for (node, said) in &cilium.asked {
            match said {
                Observed::Seen(status) => of_status(scene, node, status, judgement),
                Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
            }
        }
        unreachable(scene, judgement);
    })
}

fn agents(scene: &Scene<'_>, judgement: &mut Judgement) {
    for one in unready(scene.agents("cilium"), scene.nodes, &scene.cni.read_at) {
        match one {
            Unready::Unknown(gap) => judgement.gaps.push(gap),
            Unready::Known(agent, why) => {
                let node = agent.node.as_deref().unwrap_or("no node");
                let summary = format!(
                    "Cilium's agent of {node} is not ready, and no new pod gets a network there: {why}"
                );
                let mut finding = of_node_agent(CHECK.id, agent, summary, &why);
                finding.explains.push("net-probe-pod".to_owned());
                judgement.cause(finding, Breaks::Nothing);
            }
        }
    }
    let operators: Vec<_> = scene.agents("cilium-operator").collect();
    // Agents of managed clusters have theirs where nobody sees it.
    if operators.is_empty() || operators.iter().any(|agent| agent.ready) {
        return;
    }
    for one in unready(operators.into_iter(), scene.nodes, &scene.cni.read_at) {
        match one {
            Unready::Unknown(gap) => judgement.gaps.push(gap),
            Unready::Known(agent, why) => {
                let summary =
                    format!("no operator of Cilium is ready: new nodes get no range of addresses: {why}");
                judgement
                    .findings
                    .push(of_agent(CHECK.id, Severity::Error, agent, summary, &why));
            }
        }
    }
}

/// An agent that is ready has written its node's object.
fn nodes(scene: &Scene<'_>, judgement: &mut Judgement) {
    let Some(nodes) = scene.cilium.nodes.seen() else {
        return;
    };
    for agent in scene.agents("cilium").filter(|agent| agent.ready) {
        let Some(name) = agent.node.as_deref() else {
            continue;
        };
        if nodes.iter().any(|node| node.name == name) {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(name),
            format!("there is no CiliumNode of {name}: the other nodes do not know the way to its pods"),
            Evidence::command(
                format!("{name} is not listed"),
                "kubectl get ciliumnodes.cilium.io",
            ),
        );
        finding.hint = scene
            .restart(name)
            .map(|it| format!("the agent writes it when it starts: `{it}`"));
        judgement.cause(
            finding,
            Breaks::CrossNode {
                node: name.to_owned(),
            },
        );
    }
}

fn of_status(scene: &Scene<'_>, node: &str, status: &CiliumStatus, judgement: &mut Judgement) {
    let show = scene.in_agent(node, &format!("{} status --verbose", status.command));
    let mut parts = Vec::new();
    let mut worst = Severity::Warning;
    for (name, part) in status
        .parts
        .iter()
        .filter(|(_, part)| part.state != "Ok" && part.state != "Disabled")
    {
        if part.state == "Failure" && !OPTIONAL.contains(&name.as_str()) {
            worst = Severity::Error;
        }
        let message = part.message.trim();
        parts.push(if message.is_empty() {
            format!("{name} is {}", part.state)
        } else {
            format!("{name} is {}: {message}", part.state)
        });
    }
    if !parts.is_empty() {
        let words: Vec<&str> = parts.iter().map(String::as_str).collect();
        let summary = format!(
            "Cilium's agent of {node} says that not all is well: {}",
            joined(&words)
        );
        let mut finding = Finding::new(
            CHECK.id,
            worst,
            Subject::node(node),
            summary,
            Evidence::command(joined(&words), show.clone()),
        );
        finding.hint = scene
            .restart(node)
            .map(|it| format!("if its log does not say more, start it anew: `{it}`"));
        judgement.findings.push(finding);
    }
    let failing: Vec<&FailingController> = status
        .failing
        .iter()
        .filter(|it| it.failures >= FAILURES)
        .collect();
    if let Some(first) = failing.first() {
        let names: Vec<&str> = failing.iter().map(|it| it.name.as_str()).collect();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::node(node),
            format!(
                "controllers of Cilium's agent of {node} fail again and again: {}",
                joined(&names)
            ),
            Evidence::command(
                format!(
                    "{} failed {} times in a row: {}",
                    first.name, first.failures, first.message
                ),
                scene.in_agent(node, &format!("{} status --all-controllers", status.command)),
            ),
        );
        finding.hint = Some(format!("its own message says what it waits for: `{show}`"));
        judgement.findings.push(finding);
    }
}

/// Nodes that agents do not reach, by who does not reach them.
fn unreachable(scene: &Scene<'_>, judgement: &mut Judgement) {
    let mut by_node: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for (from, status) in scene
        .cilium
        .asked
        .iter()
        .filter_map(|(node, said)| Some((node, said.seen()?)))
    {
        for far in status
            .unreachable
            .iter()
            .flatten()
            .filter(|far| far.node != *from)
        {
            by_node.entry(&far.node).or_default().push((from, &far.message));
        }
    }
    for (node, from) in by_node {
        let mut names: Vec<&str> = from.iter().map(|(name, _)| *name).collect();
        names.dedup();
        let first = names[0];
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!(
                "Cilium's agents of {} do not reach {node}: {}",
                joined(&names),
                from[0].1
            ),
            Evidence::command(
                format!("{first} says of {node}: {}", from[0].1),
                scene.in_agent(first, "cilium-health status"),
            ),
        );
        let port = match scene
            .setting("tunnel-protocol")
            .or_else(|| scene.setting("tunnel"))
        {
            Some("geneve") => "UDP 6081",
            _ if scene.setting("routing-mode") == Some("native") => "the addresses of pods",
            _ => "UDP 8472",
        };
        finding.hint = Some(format!(
            "allow TCP 4240, ICMP and {port} between the nodes, and see whether its agent runs: `kubectl -n {} get pods -l k8s-app=cilium -o wide`",
            crate::shell::word(scene.namespace())
        ));
        let pairs = names.iter().map(|from| ((*from).to_owned(), node.to_owned()));
        judgement.cause(
            finding,
            Breaks::Pairs {
                pairs: pairs.collect(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use observation::{CiliumState, UnreachableNode};

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn an_agent_that_is_not_ready_is_found() {
        let broken = Fixture::tunnel().with(|cilium| {
            let agent = &mut Fixture::agents(cilium)[1];
            agent.ready = false;
            agent.unhealthy = Some(observation::Unhealthy {
                message: "Readiness probe failed: HTTP probe failed with statuscode: 503".into(),
                at: None,
            });
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings[0]
                .summary
                .starts_with("Cilium's agent of node2 is not ready"),
            "{findings:?}"
        );
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn an_operator_without_ranges_left_is_found_with_its_words() {
        let broken = Fixture::tunnel().node("node3", |node| {
            node.pod_cidrs.clear();
            node.operator_error = Some("allocator full".into());
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(
            findings[0].summary,
            "Cilium's operator has no addresses for node3: allocator full"
        );
        assert!(
            findings[0].evidence[1]
                .fact
                .contains("cluster-pool-ipv4-cidr is 10.0.0.0/8")
        );
        let bare = Fixture::tunnel().node("node3", |node| node.pod_cidrs.clear());
        assert!(
            shown::finds(&CHECK, &bare.observe())[0]
                .summary
                .contains("nobody gave it one")
        );
    }

    #[test]
    fn a_range_that_is_nearly_taken_is_a_warning_and_a_taken_one_an_error() {
        let small = |prefix: u8| {
            Fixture::tunnel().node("node1", move |node| {
                node.pod_cidrs = vec![format!("10.0.1.0/{prefix}")];
            })
        };
        // Three endpoints, the agent and its health endpoint, of six.
        let findings = shown::finds(&CHECK, &small(29).endpoints(3).observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        let findings = shown::finds(&CHECK, &small(29).endpoints(4).observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(findings[0].summary.contains("6 of 6 (100 %)"), "{findings:?}");
        let cloud = Fixture::native().node("node1", |node| {
            node.pool = Some(10);
            node.used = Some(10);
        });
        assert!(
            shown::finds(&CHECK, &cloud.observe())[0]
                .hint
                .as_ref()
                .unwrap()
                .contains("cannot be seen from here")
        );
    }

    #[test]
    fn pods_that_it_does_not_know_or_has_not_set_up_are_found() {
        let unknown = Fixture::tunnel().with(|cilium| Fixture::list(&mut cilium.endpoints).clear());
        let findings = shown::finds(&CHECK, &unknown.observe());
        assert_eq!((findings.len(), findings[0].severity), (3, Severity::Warning));
        let broken = Fixture::tunnel()
            .with(|cilium| Fixture::list(&mut cilium.endpoints)[0].state = "not-ready".into());
        assert_eq!(
            shown::finds(&CHECK, &broken.observe())[0].severity,
            Severity::Error
        );
        let without = Fixture::tunnel()
            .setting("disable-endpoint-crd", "true")
            .with(|cilium| Fixture::list(&mut cilium.endpoints).clear());
        shown::passes(&CHECK, &without.observe());
    }

    #[test]
    fn what_agents_say_of_themselves_is_found() {
        let failing = Fixture::tunnel().asked("node2", |status| {
            let state = CiliumState {
                state: "Failure".into(),
                message: "unable to connect".into(),
            };
            status.parts.insert("kvstore".into(), state);
        });
        let findings = shown::finds(&CHECK, &failing.observe());
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0]
                .summary
                .ends_with("kvstore is Failure: unable to connect"),
            "{findings:?}"
        );
        let once = |failures: u32| {
            Fixture::tunnel().asked("node2", move |status| {
                status.failing.push(FailingController {
                    name: "sync".into(),
                    failures,
                    message: "no route".into(),
                });
            })
        };
        assert!(
            shown::finds(&CHECK, &once(9).observe())[0]
                .summary
                .contains("again and again: sync")
        );
        shown::passes(&CHECK, &once(1).observe());
    }

    #[test]
    fn a_node_that_others_do_not_reach_is_found_once() {
        let mut broken = Fixture::tunnel();
        for node in ["node1", "node2"] {
            broken = broken.asked(node, |status| {
                status.unreachable = Some(vec![UnreachableNode {
                    node: "node3".into(),
                    target: "endpoint".into(),
                    message: "Connection timed out".into(),
                }]);
            });
        }
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "Cilium's agents of node1 and node2 do not reach node3: Connection timed out"
        );
    }

    #[test]
    fn a_node_without_its_object_is_unknown_to_the_others() {
        let broken = Fixture::tunnel()
            .with(|cilium| Fixture::list(&mut cilium.nodes).retain(|node| node.name != "node2"));
        assert!(
            shown::finds(&CHECK, &broken.observe())[0]
                .summary
                .starts_with("there is no CiliumNode of node2")
        );
    }

    #[test]
    fn healthy_ones_pass_and_what_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Fixture::tunnel().observe());
        shown::passes(&CHECK, &Fixture::native().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::tunnel()
                .with(|cilium| cilium.nodes = Fixture::unseen())
                .observe(),
        );
        let refused = Fixture::tunnel().with(|cilium| {
            cilium.asked.insert("node1".into(), Fixture::unseen());
        });
        shown::cannot_tell(&CHECK, &refused.observe());
    }
}
