//! Pods and DaemonSets of the API, as far as they are about kube-proxy or what replaces it.

use std::collections::BTreeMap;

use observation::{LogTail, ProxyDaemonSet, ProxyPod};
use report::Observed;
use serde::Deserialize;

use crate::pod_state::PodState;

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    namespace: String,
    labels: BTreeMap<String, String>,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct PodItem {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodState,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    node_name: Option<String>,
    node_selector: BTreeMap<String, String>,
    affinity: Option<Affinity>,
    pub(super) containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    name: String,
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Affinity {
    node_affinity: Option<NodeAffinity>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeAffinity {
    required_during_scheduling_ignored_during_execution: Option<NodeSelector>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeSelector {
    node_selector_terms: Vec<NodeSelectorTerm>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeSelectorTerm {
    match_fields: Vec<Requirement>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Requirement {
    key: String,
    values: Vec<String>,
}

impl PodItem {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Where it runs, or has to: the DaemonSet controller ties each pod to its node before it is scheduled.
    pub(super) fn node(&self) -> Option<&str> {
        let tied = || {
            let affinity = self.spec.affinity.as_ref()?.node_affinity.as_ref()?;
            let required = affinity
                .required_during_scheduling_ignored_during_execution
                .as_ref()?;
            let mut fields = required
                .node_selector_terms
                .iter()
                .flat_map(|term| &term.match_fields);
            let field = fields.find(|field| field.key == "metadata.name")?;
            field.values.first().map(String::as_str)
        };
        self.spec.node_name.as_deref().or_else(tied)
    }

    /// The container in which kube-proxy runs.
    pub(super) fn container(&self) -> &str {
        let own = self
            .spec
            .containers
            .iter()
            .find(|container| container.name == "kube-proxy");
        own.or(self.spec.containers.first())
            .map_or("kube-proxy", |container| container.name.as_str())
    }

    pub(super) fn pod(self, log: Observed<LogTail>) -> ProxyPod {
        let container = self.container().to_owned();
        let node = self.node().map(str::to_owned);
        let image = self
            .spec
            .containers
            .iter()
            .find(|it| it.name == container)
            .map(|it| it.image.clone());
        let own = self.status.of_container(&container);
        ProxyPod {
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            node,
            ready: own.ready,
            created: self.metadata.creation_timestamp,
            deleted: self.metadata.deletion_timestamp,
            image: image.unwrap_or_default(),
            restarts: own.restarts,
            waiting: own.waiting,
            ended: own.ended,
            phase: own.phase,
            log,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct DaemonSetItem {
    metadata: Metadata,
    #[serde(default)]
    spec: DaemonSetSpec,
    #[serde(default)]
    status: DaemonSetStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DaemonSetSpec {
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: Metadata,
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DaemonSetStatus {
    desired_number_scheduled: u32,
    number_ready: u32,
}

impl DaemonSetItem {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    pub(super) fn namespace(&self) -> &str {
        &self.metadata.namespace
    }

    pub(super) fn containers(&self) -> &[Container] {
        &self.spec.template.spec.containers
    }

    /// Whether it starts kube-proxy on Linux.
    pub(super) fn is_kube_proxy(&self) -> bool {
        let labels = &self.spec.template.metadata.labels;
        let is = |key: &str| labels.get(key).is_some_and(|value| value == "kube-proxy");
        let os = self.spec.template.spec.node_selector.get("kubernetes.io/os");
        (is("k8s-app") || is("component")) && os.is_none_or(|os| os == "linux")
    }
}

impl From<DaemonSetItem> for ProxyDaemonSet {
    fn from(item: DaemonSetItem) -> Self {
        Self {
            namespace: item.metadata.namespace,
            name: item.metadata.name,
            node_selector: item.spec.template.spec.node_selector,
            desired: item.status.desired_number_scheduled,
            ready: item.status.number_ready,
        }
    }
}
