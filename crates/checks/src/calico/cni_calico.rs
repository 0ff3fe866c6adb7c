use observation::TigeraStatus;
use report::{Evidence, Finding, Severity, Subject};

use super::bgp::named_peers;
use super::on_calico;
use super::scene::{Scene, gaps, optional};
use crate::check::{Check, Judgement, Need};
use crate::endpoints::time::{seconds, words};
use crate::product::{Unready, of_agent, of_node_agent, unready};
use crate::shell::word;
use crate::view::View;

/// `calico-node` says itself which of its parts is not ready: Felix, which writes rules and routes, or BIRD, which spreads them.
pub(crate) static CHECK: Check = Check {
    id: "cni-calico",
    claim: "the parts of Calico are ready",
    needs: &[Need::Cni],
    judge,
};

/// The operator may be so long about a change.
const PROGRESS: i64 = 10 * 60;

fn judge(view: &View<'_>) -> Judgement {
    on_calico(view, |scene, judgement| {
        judgement.gaps = gaps([
            scene.calico.agents.gap(),
            optional(scene.calico.statuses.as_ref()),
        ]);
        of_nodes(scene, judgement);
        of_helpers(scene, judgement);
        let statuses = scene.calico.statuses.as_ref().and_then(|all| all.seen());
        for status in statuses.into_iter().flatten() {
            judgement.findings.extend(of_status(status, &scene.cni.read_at));
        }
    })
}

fn of_nodes(scene: &Scene<'_>, judgement: &mut Judgement) {
    for one in unready(scene.node_agents(), scene.nodes, &scene.cni.read_at) {
        match one {
            Unready::Unknown(gap) => judgement.gaps.push(gap),
            // Which sessions are down, and why, is what cni-bgp says.
            Unready::Known(_, why) if named_peers(&why).is_some() => {}
            Unready::Known(agent, why) => {
                let node = agent.node.as_deref().unwrap_or("no node");
                let said = why.split("calico/node is not ready: ").last().unwrap_or(&why);
                let what = if said.starts_with("felix") {
                    "new pods get no rules and no routes there"
                } else {
                    "the network of its pods is not kept up"
                };
                let summary = format!(
                    "{} of {node} is not ready, and {what}: {}",
                    agent.component,
                    said.trim()
                );
                judgement
                    .findings
                    .push(of_node_agent(CHECK.id, agent, summary, &why));
            }
        }
    }
}

fn of_helpers(scene: &Scene<'_>, judgement: &mut Judgement) {
    for (component, is_needed, harm) in [
        (
            "calico-kube-controllers",
            false,
            "addresses of pods and nodes that are gone stay taken",
        ),
        ("calico-typha", true, "nodes do not hear of changes"),
    ] {
        let all: Vec<_> = scene.agents(component).collect();
        let are_all_down = all.iter().all(|agent| !agent.ready);
        for one in unready(all.iter().copied(), scene.nodes, &scene.cni.read_at) {
            match one {
                Unready::Unknown(gap) => judgement.gaps.push(gap),
                Unready::Known(agent, why) => {
                    let (severity, rest) = match (are_all_down, is_needed) {
                        (true, true) => (Severity::Error, format!("no other is, so that {harm}")),
                        (true, false) => (Severity::Warning, format!("no other is, so that {harm}")),
                        (false, _) => (Severity::Warning, "others are".to_owned()),
                    };
                    let summary = format!("{} is not ready; {rest}: {why}", agent.subject());
                    judgement
                        .findings
                        .push(of_agent(CHECK.id, severity, agent, summary, &why));
                }
            }
        }
    }
    // Canal and others leave it out where nobody gives addresses away.
    if scene.agents("calico-node").next().is_some()
        && scene.agents("calico-kube-controllers").next().is_none()
        && scene.other_ipam().is_none()
    {
        judgement.findings.push(Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::Cluster,
            "no calico-kube-controllers runs: addresses and blocks of pods and nodes that are gone stay taken",
            Evidence::command("no pod is listed", "kubectl get pods -A -l k8s-app=calico-kube-controllers"),
        ));
    }
}

fn of_status(status: &TigeraStatus, read_at: &str) -> Option<Finding> {
    let is = |kind: &str, value: &str| status.conditions.get(kind).filter(|it| it.status == value);
    let for_long = |since: Option<&str>| seconds(since, read_at).filter(|ago| *ago >= PROGRESS);
    let (severity, condition, what) = if let Some(degraded) = is("Degraded", "True") {
        (Severity::Error, degraded, "is degraded".to_owned())
    } else if let Some(available) = is("Available", "False") {
        // It is not available yet while it is being installed.
        for_long(available.since.as_deref())?;
        (Severity::Error, available, "is not available".to_owned())
    } else {
        let progressing = is("Progressing", "True")?;
        let ago = for_long(progressing.since.as_deref())?;
        (
            Severity::Warning,
            progressing,
            format!("is being changed for {}", words(ago)),
        )
    };
    let name = word(&status.name);
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::Object {
            kind: "tigerastatus".to_owned(),
            name: status.name.clone(),
            namespace: None,
        },
        format!(
            "Calico's operator says that {} {what}: {}",
            status.name,
            condition.message.trim()
        ),
        Evidence::command(
            format!("{}: {}", condition.reason, condition.message.trim()),
            format!("kubectl get tigerastatuses.operator.tigera.io {name} -o yaml"),
        ),
    );
    finding.hint = Some(
        "its log has what it tried: `kubectl -n tigera-operator logs deployment/tigera-operator --tail=50`"
            .to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use observation::{CniProduct, Waiting};
    use report::Observed;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::judge::{JudgeOptions, judge};
    use crate::pod_network::fixture::container;
    use crate::product::by_api;
    use crate::shown;

    fn crashing() -> Waiting {
        Waiting {
            reason: "CrashLoopBackOff".to_owned(),
            message: String::new(),
        }
    }

    #[test]
    fn a_felix_that_is_not_ready_is_found_with_its_own_words() {
        let broken = Fixture::vxlan().not_ready(
            "node2",
            "Readiness probe failed: calico/node is not ready: felix is not ready: readiness probe reporting 503",
        );
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(
            findings[0].summary,
            "calico-node of node2 is not ready, and new pods get no rules and no routes there: felix is not ready: readiness \
             probe reporting 503"
        );
    }

    #[test]
    fn an_agent_that_is_not_ready_is_one_cause_and_one_that_does_not_run_another() {
        let causes = |runs: bool| {
            let broken = Fixture::vxlan().not_ready("node2", "Readiness probe failed: felix is not ready");
            let broken = broken.with(|calico| {
                let own = Fixture::agents(calico).iter_mut().find(|agent| !agent.ready);
                own.expect("an agent").waiting = (!runs).then(crashing);
            });
            let mut observation = by_api(broken.observe(), CniProduct::Calico);
            let cni = observation.cni.as_mut().expect("a CNI");
            let Observed::Seen(pods) = &mut cni.pods else {
                panic!("pods are seen")
            };
            let own = pods.iter_mut().find(|pod| pod.node.as_deref() == Some("node2"));
            let own = own.expect("a pod");
            own.ready = false;
            let mut container = container("calico-node", &[]);
            container.waiting = (!runs).then(crashing);
            own.containers = vec![container];
            let options = JudgeOptions {
                command: "status".to_owned(),
                tool: "test".to_owned(),
            };
            let report = judge(&observation, &options);
            let ids = report.root_causes.into_iter().map(|cause| cause.id);
            ids.collect::<Vec<_>>()
        };
        assert_eq!(causes(true), ["cni-calico"]);
        assert_eq!(causes(false), ["cni-ds-ready"]);
    }

    #[test]
    fn what_the_operator_says_is_found() {
        let broken = Fixture::vxlan().status("ippools", "Degraded", "True", "IP pools overlap");
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings[0]
                .summary
                .ends_with("ippools is degraded: IP pools overlap"),
            "{findings:?}"
        );
    }

    #[test]
    fn one_that_has_just_been_made_is_not_known_yet_and_neither_is_one_of_a_silent_kubelet() {
        let young = Fixture::vxlan().not_ready("node2", "x").with(|calico| {
            for agent in Fixture::agents(calico) {
                agent.created = Some("2026-03-01T08:59:30Z".to_owned());
            }
        });
        shown::cannot_tell(&CHECK, &young.observe());
        let silent = Fixture::vxlan().not_ready("node2", "x").node("node2", |node| {
            node.ready = Some(observation::Condition {
                status: "Unknown".to_owned(),
                reason: "NodeStatusUnknown".to_owned(),
                message: String::new(),
                since: None,
            });
        });
        shown::cannot_tell(&CHECK, &silent.observe());
    }

    #[test]
    fn a_calico_without_its_controllers_is_a_warning() {
        let broken = Fixture::vxlan().with(|calico| {
            Fixture::agents(calico).retain(|agent| agent.component != "calico-kube-controllers");
        });
        assert_eq!(
            shown::finds(&CHECK, &broken.observe())[0].severity,
            Severity::Warning
        );
    }

    #[test]
    fn healthy_ones_pass_and_what_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Fixture::vxlan().observe());
        shown::passes(&CHECK, &Fixture::bgp().observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::vxlan()
                .with(|calico| calico.agents = Fixture::unseen())
                .observe(),
        );
    }

    #[test]
    fn objects_that_another_product_brings_along_are_not_judged() {
        let left = Fixture::vxlan().with(|calico| Fixture::agents(calico).clear());
        let judgement = (CHECK.judge)(&View::new(&left.observe()));
        assert!(
            judgement
                .skipped
                .is_some_and(|reason| reason.contains("no pod of it"))
        );
    }
}
