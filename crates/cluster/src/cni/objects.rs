//! DaemonSets, pods and nodes of the API, as far as they are about a CNI.

use std::collections::BTreeMap;

use observation::{
    CniContainer, CniController, CniNode, CniPod, CniProduct, Condition, Ended, PodAddresses, Waiting,
};
use serde::Deserialize;

use crate::sanitize;

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

/// An object of which only the number counts.
#[derive(Deserialize)]
pub(super) struct AnyItem {}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
    owner_references: Vec<Owner>,
    annotations: Given,
}

/// Of the annotations those in which a CNI says what it gave a pod.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Given {
    #[serde(rename = "cni.projectcalico.org/podIP")]
    one: Option<String>,
    #[serde(rename = "cni.projectcalico.org/podIPs")]
    all: Option<String>,
}

impl Given {
    /// As `10.244.1.5/32,fd00::5/128`.
    fn addresses(&self) -> Vec<std::net::IpAddr> {
        let text = self.all.as_ref().or(self.one.as_ref());
        let parts = text.into_iter().flat_map(|text| text.split(','));
        parts
            .filter_map(|part| part.trim().split('/').next()?.parse().ok())
            .collect()
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Owner {
    kind: String,
    name: String,
    controller: bool,
}

#[derive(Deserialize)]
pub(super) struct DaemonSetItem {
    pub(super) metadata: Metadata,
    #[serde(default)]
    spec: DaemonSetSpec,
    #[serde(default)]
    status: DaemonSetStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DaemonSetSpec {
    selector: LabelSelector,
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LabelSelector {
    match_labels: BTreeMap<String, String>,
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
    updated_number_scheduled: u32,
    number_ready: u32,
}

impl DaemonSetItem {
    /// The labels of its pods.
    pub(super) fn labels(&self) -> &BTreeMap<String, String> {
        &self.spec.template.metadata.labels
    }

    /// The images of its containers.
    pub(super) fn images(&self) -> impl Iterator<Item = &str> {
        let spec = &self.spec.template.spec;
        let containers = spec.containers.iter().chain(&spec.init_containers);
        containers.map(|container| container.image.as_str())
    }

    /// Whether its pods run on Linux.
    pub(super) fn is_for_linux(&self) -> bool {
        let os = self.spec.template.spec.node_selector.get("kubernetes.io/os");
        os.is_none_or(|os| os == "linux")
    }

    pub(super) fn controller(self, product: CniProduct) -> CniController {
        let images = self.images().map(clean).collect();
        CniController {
            product,
            selector: pairs(&self.spec.selector.match_labels).join(","),
            node_selector: pairs(&self.spec.template.spec.node_selector),
            images,
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            desired: self.status.desired_number_scheduled,
            updated: self.status.updated_number_scheduled,
            ready: self.status.number_ready,
        }
    }
}

fn pairs(labels: &BTreeMap<String, String>) -> Vec<String> {
    let pairs = labels.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect()
}

fn clean(text: &str) -> String {
    sanitize(text).into_owned()
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    host_network: bool,
    node_selector: BTreeMap<String, String>,
    affinity: Option<serde_json::Value>,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Container {
    name: String,
    image: String,
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct PodItem {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodStatus {
    phase: String,
    reason: Option<String>,
    message: Option<String>,
    conditions: Vec<ConditionItem>,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodIp {
    ip: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConditionItem {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<String>,
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
    running: Option<Running>,
    waiting: Option<WaitingState>,
    terminated: Option<Terminated>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Running {
    started_at: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WaitingState {
    reason: String,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Terminated {
    reason: String,
    exit_code: i32,
    finished_at: Option<String>,
}

impl PodItem {
    /// The command lines of its containers.
    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        let all = self.spec.containers.iter();
        all.flat_map(|container| container.command.iter().chain(&container.args))
            .map(String::as_str)
    }

    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Where it runs, or has to: the DaemonSet controller ties each pod to its node before it is scheduled.
    fn node(&self) -> Option<String> {
        let tied = || {
            let affinity = self.spec.affinity.as_ref()?;
            let terms = affinity
                .pointer("/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms")?;
            let fields = terms
                .as_array()?
                .iter()
                .filter_map(|term| term["matchFields"].as_array());
            let mut fields = fields.flatten();
            let field = fields.find(|field| field["key"] == "metadata.name")?;
            field["values"][0].as_str().map(str::to_owned)
        };
        self.spec.node_name.clone().or_else(tied)
    }

    fn is_ready(&self) -> bool {
        let mut conditions = self.status.conditions.iter();
        conditions.any(|it| it.kind == "Ready" && it.status == "True")
    }

    /// Why no node takes it, or why one refused it.
    fn refused(&self) -> Option<Waiting> {
        let mut conditions = self.status.conditions.iter();
        let unplaced = conditions.find(|it| it.kind == "PodScheduled" && it.status == "False");
        let unplaced = unplaced.map(|it| (it.reason.as_str(), it.message.as_str()));
        let refused = || {
            let reason = self.status.reason.as_deref()?;
            Some((reason, self.status.message.as_deref().unwrap_or_default()))
        };
        let (reason, message) = unplaced.or_else(refused)?;
        Some(Waiting {
            reason: clean(reason),
            message: clean(message),
        })
    }

    pub(super) fn pod(self, product: CniProduct) -> CniPod {
        let (node, ready, refused) = (self.node(), self.is_ready(), self.refused());
        let (own, init) = (
            self.status.container_statuses,
            self.status.init_container_statuses,
        );
        let container = |spec: Container, statuses: &[ContainerStatus], init: bool| {
            let status = statuses.iter().find(|it| it.name == spec.name)?;
            Some(status.container(spec, init))
        };
        let inits = self.spec.init_containers.into_iter();
        let mut containers: Vec<CniContainer> = inits.filter_map(|it| container(it, &init, true)).collect();
        let others = self.spec.containers.into_iter();
        containers.extend(others.filter_map(|it| container(it, &own, false)));
        CniPod {
            product,
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            node,
            phase: self.status.phase,
            ready,
            refused,
            created: self.metadata.creation_timestamp,
            deleted: self.metadata.deletion_timestamp,
            containers,
        }
    }

    pub(super) fn addresses(self) -> PodAddresses {
        let (ready, refused) = (self.is_ready(), self.refused());
        let statuses = self.status.init_container_statuses.iter();
        let mut statuses = statuses.chain(&self.status.container_statuses);
        let waiting = statuses.find_map(|it| it.state.waiting.as_ref());
        let reason = waiting.map(|it| clean(&it.reason));
        let mut owners = self.metadata.owner_references.into_iter();
        let controller = owners.find(|owner| owner.controller);
        let addresses = self.status.pod_ips.iter();
        PodAddresses {
            given: self.metadata.annotations.addresses(),
            addresses: addresses.filter_map(|it| it.ip.parse().ok()).collect(),
            namespace: self.metadata.namespace,
            name: self.metadata.name,
            node: self.spec.node_name,
            phase: self.status.phase,
            host_network: self.spec.host_network,
            ready,
            reason: reason.or(refused.map(|it| it.reason)),
            created: self.metadata.creation_timestamp,
            deleted: self.metadata.deletion_timestamp,
            controller: controller.map(|owner| format!("{}/{}", owner.kind.to_lowercase(), owner.name)),
        }
    }
}

impl ContainerStatus {
    fn container(&self, spec: Container, init: bool) -> CniContainer {
        let waiting = self.state.waiting.as_ref();
        let ended = self
            .state
            .terminated
            .as_ref()
            .or(self.last_state.terminated.as_ref());
        CniContainer {
            name: spec.name,
            image: clean(&spec.image),
            init,
            restarts: self.restart_count,
            started: self.state.running.as_ref().and_then(|it| it.started_at.clone()),
            waiting: waiting.map(|it| Waiting {
                reason: clean(&it.reason),
                message: clean(&it.message),
            }),
            ended: ended.map(|it| Ended {
                reason: clean(&it.reason),
                exit_code: it.exit_code,
                at: it.finished_at.clone(),
            }),
            log: None,
            previous: None,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct NodeItem {
    metadata: Metadata,
    #[serde(default)]
    status: NodeStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeStatus {
    conditions: Vec<ConditionItem>,
    allocatable: Allocatable,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Allocatable {
    pods: Option<String>,
}

impl From<NodeItem> for CniNode {
    fn from(item: NodeItem) -> Self {
        let mut conditions = item.status.conditions.into_iter();
        let unavailable = conditions.find(|it| it.kind == "NetworkUnavailable");
        Self {
            name: item.metadata.name,
            created: item.metadata.creation_timestamp,
            network_unavailable: unavailable.map(|it| Condition {
                status: it.status,
                reason: clean(&it.reason),
                message: clean(&it.message),
                since: it.last_transition_time,
            }),
            max_pods: item.status.allocatable.pods.and_then(|pods| pods.parse().ok()),
        }
    }
}
