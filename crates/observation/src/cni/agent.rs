//! Pods of a CNI, and what each of its products has in common.

use report::Subject;
use serde::{Deserialize, Serialize};

use crate::{Ended, Waiting};

/// A pod that does a part of a CNI's work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniAgent {
    /// What it is, by its label: `calico-node`, `calico-typha`, `cilium`, `terway-eniip`.
    pub component: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// The container that does the work, where the pod has several.
    pub container: String,
    /// The image of that container.
    pub image: String,
    /// `status.phase`.
    pub phase: String,
    /// Whether the condition `Ready` is `True`.
    pub ready: bool,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Option<String>,
    /// `status.containerStatuses[].restartCount`.
    pub restarts: u32,
    /// Why the container does not run, or why the pod is nowhere, as the API says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How the container ended last, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What the last event of reason `Unhealthy` says, as `Readiness probe failed: …`. The condition itself does not say why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unhealthy: Option<Unhealthy>,
}

impl CniAgent {
    /// As kubectl prints it: `pod/calico-node-x -n kube-system`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "pod".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }
}

/// What a kubelet said of a probe that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unhealthy {
    /// The event's message.
    pub message: String,
    /// When it was said last, RFC 3339.
    pub at: Option<String>,
}
