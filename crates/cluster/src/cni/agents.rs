//! Pods of a CNI, with what kubelets say of them.

use std::collections::BTreeMap;

use observation::{CniAgent, Unhealthy};
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::list::ListQuery;
use crate::pod_state::PodState;

/// Labels that name a component, the first that a pod has.
const NAMES: [&str; 3] = ["k8s-app", "app", "name"];
/// The containers that do the work, of those that have others beside them.
const CONTAINERS: [&str; 5] = [
    "calico-node",
    "cilium-agent",
    "terway",
    "cilium-operator",
    "calico-kube-controllers",
];

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: String,
    namespace: String,
    labels: BTreeMap<String, String>,
    creation_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct PodItem {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodState,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Container {
    name: String,
    image: String,
}

impl Cluster {
    /// Pods of a CNI in all namespaces, by what their labels say, with what kubelets said last of their probes.
    pub(super) async fn cni_agents(&self, what: &str, selectors: &[&str]) -> Observed<Vec<CniAgent>> {
        let mut agents: Vec<CniAgent> = Vec::new();
        for selector in selectors {
            let query = ListQuery::new("", "v1", "pods")
                .with_labels(*selector)
                .from_cache();
            match self.list::<PodItem>(what, &query).await {
                Observed::Seen(items) => agents.extend(items.into_iter().map(PodItem::agent)),
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            }
        }
        agents.sort_by(|one, other| {
            (&one.component, &one.namespace, &one.name).cmp(&(
                &other.component,
                &other.namespace,
                &other.name,
            ))
        });
        agents.dedup_by(|one, other| one.namespace == other.namespace && one.name == other.name);
        if agents.iter().any(|agent| !agent.ready) {
            self.add_reasons(&mut agents).await;
        }
        Observed::Seen(agents)
    }

    /// Events that cannot be read leave the reasons unsaid: that the pod is not ready is seen all the same.
    async fn add_reasons(&self, agents: &mut [CniAgent]) {
        let Observed::Seen(events) = self.pod_events_of("Unhealthy").await else {
            return;
        };
        for event in events {
            let of = |agent: &&mut CniAgent| agent.namespace == event.namespace && agent.name == event.name;
            if let Some(agent) = agents.iter_mut().find(of) {
                agent.unhealthy = Some(Unhealthy {
                    message: crate::sanitize(&event.message).into_owned(),
                    at: event.last,
                });
            }
        }
    }
}

impl PodItem {
    fn agent(self) -> CniAgent {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let component = NAMES.iter().find_map(|key| metadata.labels.get(*key));
        let component = component.cloned().unwrap_or_default();
        let is_known = |container: &&Container| CONTAINERS.contains(&container.name.as_str());
        let own = spec.containers.iter().find(is_known).or(spec.containers.first());
        let (container, image) =
            own.map_or_else(Default::default, |own| (own.name.clone(), own.image.clone()));
        let state = status.of_container(&container);
        CniAgent {
            component,
            namespace: metadata.namespace,
            name: metadata.name,
            node: spec.node_name,
            container,
            image,
            phase: state.phase,
            ready: state.ready,
            created: metadata.creation_timestamp,
            restarts: state.restarts,
            waiting: state.waiting,
            ended: state.ended,
            unhealthy: None,
        }
    }
}
