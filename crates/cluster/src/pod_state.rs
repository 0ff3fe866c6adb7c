//! What a pod is doing, and one container of it.

use observation::{Ended, Waiting};
use serde::Deserialize;

use crate::condition::ConditionObject;

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodState {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Vec<ConditionObject>,
    container_statuses: Vec<ContainerStatus>,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ContainerStatus {
    name: String,
    restart_count: u32,
    state: State,
    last_state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    running: Option<serde::de::IgnoredAny>,
    waiting: Option<WaitingState>,
    terminated: Option<TerminatedState>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WaitingState {
    reason: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TerminatedState {
    reason: String,
    exit_code: i32,
    finished_at: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

/// A pod, by what one container of it does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ContainerState {
    /// `status.phase`.
    pub(crate) phase: String,
    /// Whether the pod's condition `Ready` is `True`.
    pub(crate) ready: bool,
    /// How often the container was started anew.
    pub(crate) restarts: u32,
    /// Why the container does not run, or why the pod is nowhere.
    pub(crate) waiting: Option<Waiting>,
    /// How the container ended last.
    pub(crate) ended: Option<Ended>,
}

impl PodState {
    /// `status.podIPs`.
    pub(crate) fn addresses(&self) -> Vec<std::net::IpAddr> {
        self.pod_ips.iter().filter_map(|it| it.ip.parse().ok()).collect()
    }

    /// Whether the condition `Ready` is `True`.
    pub(crate) fn is_ready(&self) -> bool {
        self.conditions.iter().any(|it| it.kind == "Ready" && it.holds())
    }

    /// How often this container was started anew.
    pub(crate) fn restarts(&self, container: &str) -> u32 {
        let mut statuses = self.container_statuses.iter();
        statuses
            .find(|it| it.name == container)
            .map_or(0, |it| it.restart_count)
    }

    /// Whether this container runs.
    pub(crate) fn runs(&self, container: &str) -> bool {
        let mut statuses = self.container_statuses.iter();
        statuses.any(|it| it.name == container && it.state.running.is_some())
    }

    /// The pod and this container of it.
    pub(crate) fn of_container(self, container: &str) -> ContainerState {
        let condition = |kind: &str| self.conditions.iter().find(|it| it.kind == kind);
        let ready = self.is_ready();
        let unplaced = condition("PodScheduled")
            .filter(|it| it.status == "False")
            .map(|it| Waiting {
                reason: it.reason.clone(),
                message: it.message.clone(),
            });
        let own = self
            .container_statuses
            .into_iter()
            .find(|it| it.name == container)
            .unwrap_or_default();
        let waiting = own.state.waiting.map(|waiting| Waiting {
            reason: waiting.reason,
            message: waiting.message,
        });
        let message = self.message;
        let refused = self.reason.map(|reason| Waiting {
            reason,
            message: message.unwrap_or_default(),
        });
        let ended = own.state.terminated.or(own.last_state.terminated);
        ContainerState {
            phase: self.phase,
            ready,
            restarts: own.restart_count,
            waiting: waiting.or(unplaced).or(refused),
            ended: ended.map(|ended| Ended {
                reason: ended.reason,
                exit_code: ended.exit_code,
                at: ended.finished_at,
            }),
        }
    }
}
