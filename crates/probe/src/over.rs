//! Why a pod will never become ready, in the words of kubelet and runtime. Pure.

use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};

/// Why a pod will never become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    /// As Kubernetes calls it: `ErrImageNeverPull`.
    pub(crate) reason: String,
    /// In the words of kubelet or runtime.
    pub(crate) message: String,
    /// What the reader can do.
    pub(crate) hint: Option<String>,
    /// What may help.
    pub(crate) again: Again,
}

/// Which other pod might start where this one did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    No,
    OtherImage,
    WithoutSysctl,
}

/// A pod that somebody else removed.
pub(crate) fn deleted() -> Over {
    Over {
        reason: "Deleted".to_owned(),
        message: "something deleted the probe pod while it was starting".to_owned(),
        hint: Some(
            "a taint with the effect NoExecute, a controller or another user; kubectl get events -A --field-selector reason=TaintManagerEviction"
                .to_owned(),
        ),
        again: Again::No,
    }
}

/// Reads what an event of the pod says, for pods that hang before they have a container. `None` when it says nothing
/// that ends the wait.
pub(crate) fn judge_event(reason: &str, message: &str) -> Option<Over> {
    let (hint, again) = match reason {
        "FailedCreatePodSandBox" if message.contains("ping_group_range") => (None, Again::WithoutSysctl),
        "FailedCreatePodSandBox" => (
            Some(
                "the node's CNI plugin or container runtime cannot set up pods: look at the CNI's pod and at /etc/cni/net.d on that node",
            ),
            Again::No,
        ),
        "NetworkNotReady" => (
            Some("the node has no working CNI configuration: look at the CNI's pod on that node"),
            Again::No,
        ),
        _ => return None,
    };
    Some(Over {
        reason: reason.to_owned(),
        message: message.to_owned(),
        hint: hint.map(str::to_owned),
        again,
    })
}

/// Reasons of a waiting container that time does not cure within any patience.
pub(crate) fn stuck(reason: &str, message: &str, pull: bool) -> Option<Over> {
    let (hint, again) = match reason {
        "ErrImageNeverPull" => (
            "none of the node's images that were tried is there any more; name one with --image".to_owned(),
            Again::OtherImage,
        ),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" if pull => (
            "the node cannot pull --image; name one that the nodes have or can reach, with --image-pull-secret where one is needed".to_owned(),
            Again::No,
        ),
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" => (
            "something changed the pod's imagePullPolicy (the admission plugin AlwaysPullImages?); name an image that can be pulled with --image".to_owned(),
            Again::No,
        ),
        "InvalidImageName" | "ImageInspectError" => (
            "the node cannot use this image; name another with --image".to_owned(),
            if pull { Again::No } else { Again::OtherImage },
        ),
        "CreateContainerConfigError" => (
            "the kubelet cannot prepare the container; kubectl describe shows its events".to_owned(),
            Again::No,
        ),
        "CreateContainerError" | "RunContainerError" | "StartError" | "ContainerCannotRun" => {
            (runtime_hint(message), if pull { Again::No } else { Again::OtherImage })
        }
        "CrashLoopBackOff" => ("the agent does not stay up; kubectl logs shows why".to_owned(), Again::No),
        _ => return None,
    };
    Some(Over {
        reason: reason.to_owned(),
        message: message.trim().to_owned(),
        hint: Some(hint),
        again,
    })
}

fn runtime_hint(message: &str) -> String {
    if message.contains("exec format error") {
        "the agent was built for another architecture than the node's: its status.nodeInfo.architecture is wrong, or the image brings an emulator".to_owned()
    } else if message.contains("permission denied") || message.contains("operation not permitted") {
        "the node forbids to execute from a ConfigMap volume (noexec on /var/lib/kubelet, SELinux or AppArmor)".to_owned()
    } else {
        "the container runtime of the node cannot start the agent on this image; name another with --image"
            .to_owned()
    }
}

/// A pod in a final phase.
pub(crate) fn ended(status: &PodStatus, pull: bool) -> Over {
    let container = status.container_statuses.iter().flatten().next();
    let reason = status.reason.clone();
    let message = status
        .message
        .clone()
        .unwrap_or_else(|| "the kubelet gave no message".to_owned());
    if let Some(reason) = reason {
        let (hint, again) = match reason.as_str() {
            "SysctlForbidden" => (None, Again::WithoutSysctl),
            "OutOfcpu" | "OutOfmemory" | "OutOfpods" | "OutOfephemeral-storage" => (
                Some("the node is full; free some of it, or ask for less with --requests".to_owned()),
                Again::No,
            ),
            "NodeAffinity"
            | "TaintToleration"
            | "AppArmor"
            | "UnexpectedAdmissionError"
            | "PodOSNotSupported" => (
                Some("the kubelet of the node rejects the pod; see its log".to_owned()),
                Again::No,
            ),
            "Evicted" | "Preempting" => (
                Some("the node is under pressure: kubectl describe node shows its conditions".to_owned()),
                Again::No,
            ),
            "NodeShutdown" | "Terminated" => (Some("the node is being shut down".to_owned()), Again::No),
            "DeadlineExceeded" => (Some("the run took longer than it may".to_owned()), Again::No),
            _ => (None, Again::No),
        };
        return Over {
            reason,
            message,
            hint,
            again,
        };
    }
    ended_container(container, pull).unwrap_or(Over {
        reason: "Failed".to_owned(),
        message,
        hint: None,
        again: Again::No,
    })
}

fn ended_container(container: Option<&ContainerStatus>, pull: bool) -> Option<Over> {
    let terminated = container?.state.as_ref()?.terminated.as_ref()?;
    let reason = terminated
        .reason
        .clone()
        .unwrap_or_else(|| "Terminated".to_owned());
    let message = terminated.message.clone().unwrap_or_default();
    let message = format!(
        "the agent ended with exit code {}: {}",
        terminated.exit_code,
        message.trim()
    );
    let message = message.trim_end_matches([':', ' ']).to_owned();
    let (hint, again) = match (reason.as_str(), terminated.exit_code) {
        ("StartError" | "ContainerCannotRun", _) => (
            runtime_hint(&message),
            if pull { Again::No } else { Again::OtherImage },
        ),
        ("OOMKilled", _) => ("give it more memory with --limits".to_owned(), Again::No),
        _ => (
            "kubectl logs of the pod shows why (run again with --keep)".to_owned(),
            Again::No,
        ),
    };
    Some(Over {
        reason,
        message,
        hint: Some(hint),
        again,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_pod_without_a_network_carry_the_words_of_the_cni() {
        let words = "Failed to create pod sandbox: plugin type=\"flannel\" failed (add): open /run/flannel/subnet.env: no such file or directory";
        let over = judge_event("FailedCreatePodSandBox", words).unwrap();
        assert_eq!((over.message.as_str(), over.again), (words, Again::No));
        let sysctl = judge_event(
            "FailedCreatePodSandBox",
            "open /proc/sys/net/ipv4/ping_group_range: invalid argument",
        );
        assert_eq!(sysctl.unwrap().again, Again::WithoutSysctl);
        assert_eq!(judge_event("Pulled", "Container image already present"), None);
        assert_eq!(judge_event("FailedMount", "MountVolume.SetUp failed"), None);
    }
}
