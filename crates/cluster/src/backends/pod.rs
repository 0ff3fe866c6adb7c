//! A pod as the API writes it, with what Services need to know of it.

use std::collections::BTreeMap;

use observation::{BackendContainer, BackendPod, PolicyPort};
use serde::Deserialize;

use crate::condition::ConditionObject;

// In the API an absent list, map or string of these is an empty one: the server leaves out what is empty.

#[derive(Deserialize)]
pub(crate) struct PodItem {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    creation_timestamp: Option<String>,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    node_name: Option<String>,
    host_network: bool,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    readiness_gates: Vec<Gate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    #[serde(default)]
    image: String,
    #[serde(default)]
    ports: Vec<Port>,
    restart_policy: Option<String>,
    readiness_probe: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Port {
    name: Option<String>,
    #[serde(rename = "containerPort")]
    number: u16,
    protocol: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gate {
    condition_type: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    phase: String,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
    conditions: Vec<ConditionObject>,
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize)]
struct PodIp {
    ip: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    restart_count: u32,
    #[serde(default)]
    state: State,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    waiting: Option<Waiting>,
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    reason: String,
}

impl From<PodItem> for BackendPod {
    fn from(item: PodItem) -> Self {
        let PodItem {
            metadata,
            spec,
            status,
        } = item;
        let condition = |kind: &str| status.conditions.iter().find(|it| it.kind == kind);
        let ready = condition("Ready");
        let pending_gates = spec
            .readiness_gates
            .iter()
            .filter(|gate| condition(&gate.condition_type).is_none_or(|it| !it.holds()))
            .map(|gate| gate.condition_type.clone())
            .collect();
        let statuses = status
            .container_statuses
            .iter()
            .chain(&status.init_container_statuses);
        let statuses: BTreeMap<&str, &ContainerStatus> = statuses.map(|it| (it.name.as_str(), it)).collect();
        // An init container that is restarted always runs beside the others, and its ports have names that count.
        let sidecars = spec.init_containers.into_iter();
        let sidecars = sidecars.filter(|it| it.restart_policy.as_deref() == Some("Always"));
        let containers = spec.containers.into_iter().chain(sidecars);
        let containers = containers.map(|container| {
            let status = statuses.get(container.name.as_str());
            let waiting = status.and_then(|status| status.state.waiting.as_ref());
            BackendContainer {
                image: container.image,
                ports: container.ports.into_iter().map(Port::into_port).collect(),
                has_readiness_probe: container.readiness_probe.is_some(),
                waiting: waiting.map(|waiting| waiting.reason.clone()),
                restarts: status.map_or(0, |status| status.restart_count),
                name: container.name,
            }
        });
        let containers = containers.collect();
        let mut owners = metadata.owner_references.into_iter();
        let controller = owners.find(|owner| owner.controller);
        Self {
            namespace: metadata.namespace,
            name: metadata.name,
            uid: metadata.uid,
            labels: metadata.labels,
            controller: controller.map(|owner| format!("{}/{}", owner.kind.to_lowercase(), owner.name)),
            created: metadata.creation_timestamp,
            deleted: metadata.deletion_timestamp,
            addresses: status
                .pod_ips
                .iter()
                .filter_map(|it| it.ip.parse().ok())
                .collect(),
            node: spec.node_name,
            host_network: spec.host_network,
            ready: ready.is_some_and(ConditionObject::holds),
            ready_since: ready.and_then(|it| it.last_transition_time.clone()),
            pending_gates,
            containers,
            phase: status.phase,
        }
    }
}

impl Port {
    fn into_port(self) -> PolicyPort {
        PolicyPort {
            name: self.name,
            number: self.number,
            protocol: self.protocol.unwrap_or_else(|| "TCP".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(value: serde_json::Value) -> BackendPod {
        BackendPod::from(serde_json::from_value::<PodItem>(value).unwrap())
    }

    #[test]
    fn a_pod_is_read_with_why_it_is_not_ready() {
        let web = pod(json!({
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "u", "labels": {"app": "web"},
                "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d4f", "controller": true}]},
            "spec": {"nodeName": "node1", "readinessGates": [{"conditionType": "lb/ready"}, {"conditionType": "x"}],
                "containers": [{"name": "web", "image": "web:1", "readinessProbe": {"httpGet": {"port": 1}},
                    "ports": [{"name": "http", "containerPort": 8080}]}],
                "initContainers": [{"name": "once"}, {"name": "proxy", "restartPolicy": "Always",
                    "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]}]},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.244.1.5"}, {"ip": "fd00::5"}],
                "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-03-01T09:00:00Z"},
                    {"type": "x", "status": "True"}],
                "containerStatuses": [{"name": "web", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
        }));
        assert_eq!(web.subject().to_string(), "pod/web-1 -n shop");
        assert_eq!(web.controller.as_deref(), Some("replicaset/web-5d4f"));
        assert_eq!(web.pending_gates, ["lb/ready"]);
        assert_eq!(web.containers.len(), 2);
        assert!(web.containers[0].has_readiness_probe && !web.containers[1].has_readiness_probe);
        assert_eq!(web.containers[0].waiting.as_deref(), Some("CrashLoopBackOff"));
        assert_eq!(
            (web.containers[0].restarts, web.addresses.len(), web.ready),
            (4, 2, false)
        );
        assert_eq!(web.ready_since.as_deref(), Some("2026-03-01T09:00:00Z"));
    }

    #[test]
    fn a_pod_that_is_not_scheduled_yet_has_nothing() {
        let new = pod(json!({"metadata": {"name": "a"}, "status": {"phase": "Pending"}}));
        assert!(new.addresses.is_empty() && !new.ready && new.node.is_none() && !new.has_ended());
    }
}
