//! What keeps a pod from being ready.

use observation::BackendPod;

use super::super::scene::Scene;
use super::super::words::{count, some};

/// What keeps one pod from being ready.
#[derive(Clone, Debug)]
pub(super) struct Why {
    /// In a clause that other pods may share.
    pub(super) reason: String,
    /// With what is this pod's own.
    pub(super) fact: String,
    /// What to do, in a clause.
    pub(super) advice: &'static str,
    /// Whether a probe was not answered in time.
    pub(super) is_timeout: bool,
}

pub(super) fn why(scene: &Scene<'_>, pod: &BackendPod) -> Why {
    let restarts: u32 = pod.containers.iter().map(|container| container.restarts).sum();
    let restarts = match restarts {
        0 => String::new(),
        number => format!(", {}", count(number as usize, "restart")),
    };
    let of = |reason: String, advice| Why {
        fact: format!("{reason}{restarts}"),
        reason,
        advice,
        is_timeout: false,
    };
    if pod.node.is_none() {
        return of(
            "it is not scheduled".to_owned(),
            "its events say what no node has",
        );
    }
    let waiting = pod
        .containers
        .iter()
        .find_map(|container| Some((&container.name, container.waiting.as_ref()?)));
    if let Some((name, reason)) = waiting {
        let advice = match reason.as_str() {
            "ContainerCreating" | "PodInitializing" => {
                "its events say what it waits for: an image, a volume or the network plugin"
            }
            "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" => "name an image that can be pulled",
            _ => "its last words say why it ends",
        };
        return of(format!("{name} waits: {reason}"), advice);
    }
    if !pod.pending_gates.is_empty() {
        let gates = some(&pod.pending_gates);
        return of(
            format!("its readiness gate {gates} is not met"),
            "the controller that sets this condition, often that of a load balancer, has to say yes",
        );
    }
    let events = scene.events_of("pod", &pod.namespace, &pod.name);
    let probe = events
        .iter()
        .find(|event| event.reason == "Unhealthy" && event.message.starts_with("Readiness"));
    if let Some(event) = probe {
        let (reason, advice, is_timeout) = of_probe(&event.message);
        return Why {
            fact: format!("{}{restarts}", event.message.trim()),
            reason,
            advice,
            is_timeout,
        };
    }
    let has_probe = pod
        .containers
        .iter()
        .any(|container| container.has_readiness_probe);
    if has_probe {
        of(
            "its readiness probe has not passed".to_owned(),
            "its events say what the probe is answered",
        )
    } else {
        of(
            "its containers are not all running".to_owned(),
            "its events say why",
        )
    }
}

/// What the kubelet's words on a probe mean.
fn of_probe(message: &str) -> (String, &'static str, bool) {
    if let Some((_, status)) = message.split_once("statuscode: ") {
        let status = status.split_whitespace().next().unwrap_or(status);
        return (
            format!("its readiness probe is answered with status {status}"),
            "the application does not call itself ready, or the path of the probe is not its: compare both",
            false,
        );
    }
    if message.contains("connection refused") {
        return (
            "its readiness probe is refused".to_owned(),
            "nothing listens on the port of the probe at the pod's address: compare it with where the application listens",
            false,
        );
    }
    if message.contains("deadline exceeded") || message.contains("timeout") || message.contains("Timeout") {
        return (
            "its readiness probe is not answered in time".to_owned(),
            "the application is slow, or the node does not reach its own pods",
            true,
        );
    }
    (
        "its readiness probe fails".to_owned(),
        "its events quote the probe",
        false,
    )
}
