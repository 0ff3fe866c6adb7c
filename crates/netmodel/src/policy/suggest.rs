//! The least that would allow a flow, as a policy of its own.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::flow::{Direction, End, Flow};
use super::selector::Labels;
use super::world::{NAMESPACE_NAME, Pod};

/// A policy that would allow a flow on one side, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// For which side.
    pub direction: Direction,
    /// The NetworkPolicy, to be created beside those that are there.
    pub manifest: Value,
}

/// Labels that only some controller needs, and that change from pod to pod or from rollout to rollout.
const PASSING: [&str; 9] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
];
/// Labels that name a workload, the best first: the first set of which a pod has all is enough.
const NAMING: [&[&str]; 6] = [
    &["app.kubernetes.io/name", "app.kubernetes.io/instance"],
    &["app.kubernetes.io/name"],
    &["k8s-app"],
    &["app"],
    &["name"],
    &["run"],
];

/// The labels of a pod by which a policy should select it and its replicas; empty where it has none that last.
pub fn stable_labels(pod: &Pod) -> Labels {
    let of = |keys: &[&str]| -> Option<Labels> {
        keys.iter()
            .map(|key| {
                pod.labels
                    .get(*key)
                    .map(|value| ((*key).to_owned(), value.clone()))
            })
            .collect()
    };
    if let Some(labels) = NAMING.iter().find_map(|keys| of(keys)) {
        return labels;
    }
    let lasting = pod
        .labels
        .iter()
        .filter(|(key, _)| !PASSING.contains(&key.as_str()));
    lasting.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The policy that allows a flow on this side, under this name. `None` where it cannot be said with less than all pods: a pod of
/// the flow has no lasting label, or the end that it is for is no pod.
pub fn suggest(name: &str, flow: &Flow<'_>, direction: Direction) -> Option<Suggestion> {
    let (subject, other) = match direction {
        Direction::Ingress => (flow.destination, flow.source),
        Direction::Egress => (flow.source, flow.destination),
    };
    let pod = subject.pod().filter(|pod| !pod.host_network)?;
    let labels = Some(stable_labels(pod)).filter(|labels| !labels.is_empty())?;
    let ports = json!([{"protocol": flow.protocol.to_string(), "port": flow.port}]);
    let (list, kind, side) = match direction {
        Direction::Ingress => ("ingress", "Ingress", "from"),
        Direction::Egress => ("egress", "Egress", "to"),
    };
    let rule = json!({side: [peer(&other, &pod.namespace, flow)?], "ports": ports});
    Some(Suggestion {
        direction,
        manifest: json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": pod.namespace},
            "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": [kind], list: [rule]},
        }),
    })
}

fn peer(end: &End<'_>, own_namespace: &str, flow: &Flow<'_>) -> Option<Value> {
    let pod = match end {
        End::Pod(pod) if !pod.host_network => *pod,
        // A node, or what shows a node's address.
        End::Pod(_) | End::Node { .. } | End::Outside(_) => {
            return Some(json!({"ipBlock": {"cidr": alone(end.address(flow.family)?)}}));
        }
    };
    let labels = Some(stable_labels(pod)).filter(|labels| !labels.is_empty())?;
    let pods = json!({"matchLabels": labels});
    Some(if pod.namespace == own_namespace {
        json!({"podSelector": pods})
    } else {
        json!({"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: pod.namespace}}, "podSelector": pods})
    })
}

/// The block of this one address.
fn alone(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{address}/32"),
        IpAddr::V6(address) => format!("{address}/128"),
    }
}
