//! What nodes and containers use: the metrics API, and what kubelets count.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};
use observation::{ContainerLoad, Load, NodeLoad};
use report::{GapReason, Observed};
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::list::ListQuery;

/// Kubelets asked at once.
const ASKING: usize = 8;

impl Cluster {
    /// What all nodes use, and what the kubelets of these nodes count of the containers of these namespaces.
    pub async fn load(&self, nodes: &BTreeSet<String>, namespaces: &[&str]) -> Load {
        let asked = stream::iter(nodes.iter().map(|node| async move {
            let counted = self.used_on(node).await.map(|all| {
                let of = |((namespace, pod, container), used): (_, observation::DnsUsage)| {
                    Some(ContainerLoad {
                        namespace,
                        pod,
                        container,
                        periods: used.periods?,
                        throttled: used.throttled?,
                    })
                };
                let containers = all.into_iter().filter_map(of);
                containers
                    .filter(|it| namespaces.contains(&it.namespace.as_str()))
                    .collect()
            });
            (node.clone(), counted)
        }));
        let (nodes, containers) = tokio::join!(self.node_loads(), asked.buffered(ASKING).collect());
        Load {
            nodes,
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
            containers,
        }
    }

    async fn node_loads(&self) -> Observed<BTreeMap<String, NodeLoad>> {
        let metrics = ListQuery::new("metrics.k8s.io", "v1beta1", "nodes");
        let objects = ListQuery::new("", "v1", "nodes");
        let (used, objects) = tokio::join!(
            self.list::<MetricsObject>("what nodes use", &metrics),
            self.list::<NodeObject>("nodes", &objects),
        );
        let capacities: BTreeMap<String, Resources> = objects
            .seen()
            .into_iter()
            .flatten()
            .map(|node| (node.metadata.name.clone(), node.status.capacity.clone()))
            .collect();
        let of = |object: MetricsObject| {
            let capacity = capacities.get(&object.metadata.name);
            let load = NodeLoad {
                cpu: object.usage.cpu.unwrap_or_default(),
                cpu_capacity: capacity.and_then(|it| it.cpu.clone()),
                memory: object.usage.memory.unwrap_or_default(),
                memory_capacity: capacity.and_then(|it| it.memory.clone()),
            };
            (object.metadata.name, load)
        };
        match used {
            Observed::Seen(objects) => Observed::Seen(objects.into_iter().map(of).collect()),
            Observed::Unseen(mut gap) => {
                if gap.why == GapReason::NotServed {
                    "the cluster has no metrics API: nothing like metrics-server serves it"
                        .clone_into(&mut gap.message);
                    gap.hint = Some("`kubectl get apiservice v1beta1.metrics.k8s.io`".to_owned());
                }
                Observed::Unseen(gap)
            }
        }
    }
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
struct MetricsObject {
    metadata: Metadata,
    #[serde(default)]
    usage: Resources,
}

#[derive(Deserialize)]
struct NodeObject {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    capacity: Resources,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Resources {
    cpu: Option<String>,
    memory: Option<String>,
}

#[cfg(test)]
mod tests;
