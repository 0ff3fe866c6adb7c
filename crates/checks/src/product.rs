//! What checks of one CNI's product have in common.

use observation::{Cni, CniAgent, Ended, Node, PodAddresses};
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use crate::check::Judgement;
use crate::endpoints::time::seconds;
use crate::shell::word;

/// A pod takes so many seconds to start, and a node so many to join.
pub(crate) const STARTING: i64 = 120;
/// From so many hundredths of a range on it is about to run out.
const NEARLY: u128 = 80;
/// From so many on it has.
const FULL: u128 = 95;

/// Judges a product that is there; not asked where it is not, and a gap where nobody could tell.
pub(crate) fn on<'a, T>(
    cni: Option<&'a Cni>,
    product: Option<&'a T>,
    judge: impl FnOnce(&'a Cni, &'a T) -> Judgement,
) -> Judgement {
    match (cni, product) {
        (Some(cni), Some(product)) => judge(cni, product),
        (
            Some(Cni {
                groups: Observed::Unseen(gap),
                ..
            }),
            None,
        ) => Judgement {
            gaps: vec![gap.clone()],
            ..Judgement::default()
        },
        _ => Judgement::not_asked(),
    }
}

/// How bad it is that so many of so many are taken.
pub(crate) fn grade(used: u128, size: u128) -> Option<Severity> {
    let hundredths = used.saturating_mul(100).checked_div(size)?;
    match hundredths {
        FULL.. => Some(Severity::Error),
        NEARLY.. => Some(Severity::Warning),
        _ => None,
    }
}

/// As `60 of 64 (93 %)`.
pub(crate) fn share(used: u128, size: u128) -> String {
    let hundredths = used.saturating_mul(100).checked_div(size).unwrap_or(0);
    format!("{used} of {size} ({hundredths} %)")
}

/// As `1 pool`, `3 pools`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{ending}")
}

/// Something that is not known, where the reason is in the observation itself.
pub(crate) fn gap(what: String, message: impl Into<String>, hint: Option<String>) -> Gap {
    Gap {
        what,
        why: GapReason::Failed,
        message: message.into(),
        hint,
    }
}

/// Whether a pod has a network of its own and neither comes nor goes: else it is not the same everywhere at the same time.
pub(crate) fn is_settled(pod: &PodAddresses, read_at: &str) -> bool {
    let age = seconds(pod.created.as_deref(), read_at);
    let is_there = pod.phase == "Running" && pod.deleted.is_none() && !pod.host_network;
    is_there && !pod.addresses.is_empty() && age.is_none_or(|age| age >= STARTING)
}

/// A CNI of which everything was read and nothing is there.
#[cfg(test)]
pub(crate) fn bare() -> Cni {
    Cni {
        read_at: "2026-03-01T09:00:00Z".into(),
        controllers: Observed::Seen(Vec::new()),
        pods: Observed::Seen(Vec::new()),
        groups: Observed::Seen(Vec::new()),
        flannel: Observed::Seen(None),
        events: Observed::Seen(Vec::new()),
        cluster_pods: Observed::Seen(Vec::new()),
        nodes: Observed::Seen(Vec::new()),
        ranges: observation::ClusterRanges {
            pods: Observed::Seen(Vec::new()),
            services: Observed::Seen(Vec::new()),
        },
        policies: Observed::Seen(0),
        calico: None,
        cilium: None,
        terway: None,
    }
}

/// The same as a run sees it that reads the API only, with the DaemonSet of the product and its pods.
#[cfg(test)]
pub(crate) fn by_api(
    mut observation: observation::Observation,
    product: observation::CniProduct,
) -> observation::Observation {
    use crate::pod_network::fixture::{controller, pod_of};
    observation.node_reading = None;
    observation.node_evidence.clear();
    let name = product.to_string().to_lowercase();
    let version = match product {
        observation::CniProduct::Calico => "v3.31.2",
        _ => "v1.18.4",
    };
    if let Some(cni) = &mut observation.cni {
        cni.controllers = Observed::Seen(vec![observation::CniController {
            images: vec![format!("example/{name}:{version}")],
            selector: format!("app={name}"),
            namespace: "kube-system".into(),
            ..controller(product, &name)
        }]);
        let nodes = observation.nodes.seen().into_iter().flatten();
        let pods = nodes.map(|node| observation::CniPod {
            namespace: "kube-system".into(),
            name: format!("{name}-{}", node.name),
            containers: Vec::new(),
            ..pod_of(product, &node.name)
        });
        cni.pods = Observed::Seen(pods.collect());
    }
    observation
}

/// What is to be said of an agent that is not ready.
#[derive(Debug)]
pub(crate) enum Unready<'a> {
    /// It may become ready yet, or its kubelet does not report.
    Unknown(Gap),
    /// It is not, and this is why: what a kubelet said of its probes, or else its state.
    Known(&'a CniAgent, String),
}

/// Agents that are not ready, each with the reason.
pub(crate) fn unready<'a>(
    agents: impl Iterator<Item = &'a CniAgent>,
    nodes: Option<&'a [Node]>,
    read_at: &str,
) -> Vec<Unready<'a>> {
    let is_silent = |agent: &CniAgent| {
        let node = agent.node.as_ref()?;
        let object = nodes?.iter().find(|it| it.name == *node)?;
        Some(object.ready.as_ref()?.status != "True")
    };
    let of = |agent: &'a CniAgent| {
        let what = agent.subject().to_string();
        if is_silent(agent) == Some(true) {
            let message =
                "the kubelet of its node does not report, so that what the API says of it may be old";
            return Unready::Unknown(gap(what, message, None));
        }
        let age = seconds(agent.created.as_deref(), read_at);
        if agent.restarts == 0 && age.is_some_and(|age| age < STARTING) {
            let message = "it was made less than two minutes ago and is not ready yet";
            return Unready::Unknown(gap(what, message, None));
        }
        Unready::Known(agent, reason(agent))
    };
    agents.filter(|agent| !agent.ready).map(of).collect()
}

fn reason(agent: &CniAgent) -> String {
    if let Some(waiting) = &agent.waiting {
        return match waiting.message.as_str() {
            "" => format!("it waits, with the reason {}", waiting.reason),
            message => format!("it waits, with the reason {}: {message}", waiting.reason),
        };
    }
    if let Some(unhealthy) = &agent.unhealthy {
        return unhealthy.message.clone();
    }
    match &agent.ended {
        Some(ended) if agent.phase != "Running" => format!("it ended with exit status {}", ended.exit_code),
        _ => format!("its pod is {} and not ready", agent.phase),
    }
}

/// An agent that is to run on each node and is not ready there. Where it runs it says itself why, and that says more than that it is not
/// ready; where it does not run, how it ended says more.
pub(crate) fn of_node_agent(check: &str, agent: &CniAgent, summary: String, why: &str) -> Finding {
    let mut finding = of_agent(check, Severity::Error, agent, summary, why);
    if let Some(node) = &agent.node {
        finding.subject = Subject::node(node);
    }
    let ended = agent.ended.as_ref().is_some_and(Ended::is_failure);
    if agent.phase == "Running" && agent.waiting.is_none() && !ended {
        finding.explains.push("cni-ds-ready".to_owned());
    }
    finding
}

/// An agent that is not ready, with where to look and what starts it anew.
pub(crate) fn of_agent(
    check: &str,
    severity: Severity,
    agent: &CniAgent,
    summary: String,
    why: &str,
) -> Finding {
    let (name, namespace) = (word(&agent.name), word(&agent.namespace));
    let mut finding = Finding::new(
        check,
        severity,
        agent.subject(),
        summary,
        Evidence::command(why, format!("kubectl -n {namespace} describe pod {name}")),
    );
    finding.hint = Some(format!(
        "its own words say why: `kubectl -n {namespace} logs {name} -c {} --tail=100`",
        word(&agent.container)
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_graded_by_what_is_taken_of_them() {
        assert_eq!(grade(79, 100), None);
        assert_eq!(grade(80, 100), Some(Severity::Warning));
        assert_eq!(grade(95, 100), Some(Severity::Error));
        assert_eq!(grade(3, 0), None);
        assert_eq!(grade(1 << 64, 1 << 64), Some(Severity::Error));
        assert_eq!(share(60, 64), "60 of 64 (93 %)");
    }
}
