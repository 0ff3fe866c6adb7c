//! How far a probe pod has come, read from its status. Pure.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{Pod, PodCondition};

use crate::over::{Again, Over, deleted, ended, stuck};

/// How far a probe pod has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The agent runs, and the pod has addresses.
    Ready {
        /// `status.podIPs`.
        addresses: Vec<IpAddr>,
    },
    /// It may still become ready.
    Waiting {
        /// Whether the kubelet has written anything about the pod.
        seen_by_kubelet: bool,
        /// What is known of the reason: `ContainerCreating`.
        last: String,
    },
    /// It will never become ready, and waiting does not help.
    Over(Over),
}

/// Reads how far a pod has come. `pull` says whether the image may be pulled, because the user named it.
pub(crate) fn judge(pod: &Pod, pull: bool) -> Standing {
    let Some(status) = &pod.status else {
        return Standing::Waiting {
            seen_by_kubelet: false,
            last: "no status yet".to_owned(),
        };
    };
    if matches!(status.phase.as_deref(), Some("Failed" | "Succeeded")) {
        return Standing::Over(ended(status, pull));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Standing::Over(deleted());
    }
    let container = status.container_statuses.iter().flatten().next();
    if let Some(waiting) = container
        .and_then(|c| c.state.as_ref())
        .and_then(|state| state.waiting.as_ref())
    {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        let message = waiting.message.as_deref().unwrap_or("");
        if let Some(over) = stuck(reason, message, pull) {
            return Standing::Over(over);
        }
        return Standing::Waiting {
            seen_by_kubelet: true,
            last: sentence(reason, message),
        };
    }
    let addresses: Vec<IpAddr> = status
        .pod_ips
        .iter()
        .flatten()
        .filter_map(|address| address.ip.parse().ok())
        .collect();
    if container.is_some_and(|c| c.ready) && !addresses.is_empty() {
        return Standing::Ready { addresses };
    }
    // Only the scheduler writes this; a pinned pod meets it when something takes `nodeName` away.
    let unscheduled = status
        .conditions
        .iter()
        .flatten()
        .find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    if let Some(condition) = unscheduled {
        return Standing::Over(Over {
            reason: condition
                .reason
                .clone()
                .unwrap_or_else(|| "Unschedulable".to_owned()),
            message: condition
                .message
                .clone()
                .unwrap_or_else(|| "the scheduler found no node".to_owned()),
            hint: Some("a webhook seems to have removed the pod's nodeName".to_owned()),
            again: Again::No,
        });
    }
    // `PodScheduled` is not proof of a kubelet: schedulers write it as well.
    let written = |conditions: &Vec<PodCondition>| {
        conditions
            .iter()
            .any(|condition| condition.type_ != "PodScheduled")
    };
    let seen_by_kubelet =
        status.start_time.is_some() || status.conditions.as_ref().is_some_and(written) || container.is_some();
    let last = if seen_by_kubelet {
        "the kubelet has begun"
    } else {
        "the kubelet has not begun"
    };
    Standing::Waiting {
        seen_by_kubelet,
        last: last.to_owned(),
    }
}

fn sentence(reason: &str, message: &str) -> String {
    if message.is_empty() {
        reason.to_owned()
    } else {
        format!("{reason}: {message}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(status: &serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "p"},
            "status": status,
        }))
        .unwrap()
    }

    fn waiting(reason: &str, message: &str) -> Pod {
        pod(&serde_json::json!({
            "phase": "Pending",
            "startTime": "2026-01-01T00:00:00Z",
            "containerStatuses": [{
                "name": "netprobe", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": reason, "message": message}},
            }],
        }))
    }

    fn over(standing: Standing) -> Over {
        match standing {
            Standing::Over(over) => over,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pod_is_ready_when_its_container_is_and_it_has_an_address() {
        let mut status = serde_json::json!({
            "phase": "Running",
            "podIP": "10.244.1.7",
            "podIPs": [{"ip": "10.244.1.7"}, {"ip": "fd00:244::7"}],
            "containerStatuses": [{
                "name": "netprobe", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        });
        assert_eq!(
            judge(&pod(&status), false),
            Standing::Ready {
                addresses: vec!["10.244.1.7".parse().unwrap(), "fd00:244::7".parse().unwrap()]
            }
        );
        status["podIPs"] = serde_json::json!([]);
        assert!(matches!(
            judge(&pod(&status), false),
            Standing::Waiting {
                seen_by_kubelet: true,
                ..
            }
        ));
    }

    #[test]
    fn a_pod_of_which_only_the_api_server_wrote_was_not_seen_by_its_kubelet() {
        for status in [
            serde_json::json!({"phase": "Pending", "qosClass": "Burstable"}),
            serde_json::json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}),
        ] {
            assert_eq!(
                judge(&pod(&status), false),
                Standing::Waiting {
                    seen_by_kubelet: false,
                    last: "the kubelet has not begun".to_owned()
                }
            );
        }
    }

    #[test]
    fn creating_is_waited_for() {
        assert_eq!(
            judge(&waiting("ContainerCreating", ""), false),
            Standing::Waiting {
                seen_by_kubelet: true,
                last: "ContainerCreating".to_owned()
            }
        );
    }

    /// Reasons and texts as kubelet 1.34 with containerd writes them.
    #[test]
    fn what_waiting_does_not_cure_ends_the_wait() {
        for (reason, message, pull, again, hint) in [
            (
                "ErrImageNeverPull",
                "Container image \"pause:3\" is not present with pull policy of Never",
                false,
                Again::OtherImage,
                "none of the node's images",
            ),
            (
                "ImagePullBackOff",
                "Back-off pulling image \"tiny:1\"",
                true,
                Again::No,
                "the node cannot pull --image",
            ),
            (
                "ErrImagePull",
                "failed to resolve reference: dial tcp: i/o timeout",
                false,
                Again::No,
                "something changed the pod's imagePullPolicy",
            ),
            (
                "CreateContainerConfigError",
                "container has runAsNonRoot and image will run as root",
                true,
                Again::No,
                "the kubelet cannot prepare",
            ),
            (
                "CreateContainerError",
                "failed to create containerd container: get apparmor_parser version",
                false,
                Again::OtherImage,
                "the container runtime",
            ),
            (
                "RunContainerError",
                "failed to create containerd task: exec: \"/netprobe/netprobe\": permission denied: unknown",
                true,
                Again::No,
                "the node forbids to execute",
            ),
            (
                "RunContainerError",
                "exec /netprobe/netprobe: exec format error: unknown",
                true,
                Again::No,
                "the agent was built for another architecture",
            ),
            (
                "InvalidImageName",
                "couldn't parse image name",
                false,
                Again::OtherImage,
                "the node cannot use this image",
            ),
        ] {
            let over = over(judge(&waiting(reason, message), pull));
            assert_eq!((over.reason.as_str(), over.again), (reason, again), "{message}");
            assert!(over.hint.as_deref().unwrap().starts_with(hint), "{over:?}");
            assert_eq!(over.message, message);
        }
    }

    #[test]
    fn a_pod_that_its_kubelet_rejects_says_why() {
        for (reason, message, again) in [
            (
                "OutOfcpu",
                "Pod was rejected: Node didn't have enough resource: cpu, requested: 25, used: 2000, capacity: 2000",
                Again::No,
            ),
            (
                "SysctlForbidden",
                "Pod was rejected: forbidden sysctl: \"net.ipv4.ping_group_range\" not allowlisted",
                Again::WithoutSysctl,
            ),
            ("Evicted", "The node was low on resource: memory.", Again::No),
        ] {
            let over = over(judge(
                &pod(&serde_json::json!({"phase": "Failed", "reason": reason, "message": message})),
                false,
            ));
            assert_eq!((over.reason.as_str(), over.again), (reason, again));
            assert_eq!(over.message, message);
        }
    }

    #[test]
    fn an_agent_that_ended_is_no_agent() {
        let terminated = |reason: &str, code: i32, message: &str| {
            pod(&serde_json::json!({
                "phase": "Failed",
                "containerStatuses": [{
                    "name": "netprobe", "image": "", "imageID": "", "ready": false, "restartCount": 0,
                    "state": {"terminated": {"exitCode": code, "reason": reason, "message": message}},
                }],
            }))
        };
        let oom = over(judge(&terminated("OOMKilled", 137, ""), false));
        assert_eq!(oom.message, "the agent ended with exit code 137");
        assert_eq!(oom.hint.as_deref(), Some("give it more memory with --limits"));
        let start = over(judge(&terminated("StartError", 128, "exec format error"), false));
        assert_eq!(start.again, Again::OtherImage);
    }
}
