//! The CNI, as the API shows it: which one there is, its pods and what they log, what configures it, what it handed out, and the events that
//! say where it failed.

mod agents;
mod bird;
mod calico;
mod cilium;
mod command;
mod events;
mod flannel;
mod objects;
#[cfg(test)]
mod on_fake;
mod parts;
mod pods;
mod products;
#[cfg(test)]
mod products_on_fake;
mod ranges;
mod terway;

use futures::stream::{self, StreamExt as _};
use observation::{Cni, CniController, CniNode, CniPod, PodAddresses};
use report::{GapReason, Observed};

use self::objects::{AnyItem, DaemonSetItem, NodeItem, PodItem};
use crate::backends::joined;
use crate::cluster::Cluster;
use crate::list::ListQuery;

/// API groups by which a CNI is known, and those that it shares with nobody.
const GROUPS: [&str; 10] = [
    "crd.projectcalico.org",
    "projectcalico.org",
    "operator.tigera.io",
    "cilium.io",
    "crd.antrea.io",
    "k8s.ovn.org",
    "kubeovn.io",
    "network.alibabacloud.com",
    "crd.k8s.amazonaws.com",
    "acn.azure.com",
];
/// Logs read at once.
const READING: usize = 8;
/// Of so many pods logs are read, those that are not well first.
const MOST_LOGS: usize = 120;

/// What products keep in the API, those that are there.
#[derive(Default)]
struct Products {
    calico: Option<observation::Calico>,
    cilium: Option<observation::Cilium>,
    terway: Option<observation::Terway>,
}

impl Cluster {
    /// Reads what the API shows of the CNI. Logs are read of the pods on `nodes` only, or where that is `None` of all.
    /// `read_at` is the time now, RFC 3339, UTC.
    pub async fn cni(&self, nodes: Option<&[String]>, read_at: String) -> Cni {
        let handed_out = async {
            let groups = self.cni_groups().await;
            let products = Box::pin(self.cni_products(groups.seen())).await;
            // After the addresses that were given away: a pod that came in between is not taken for gone.
            (groups, products, self.pods_and_addresses().await)
        };
        let (controllers, (groups, products, cluster_pods), events, states, ranges, policies) = tokio::join!(
            self.cni_controllers(),
            Box::pin(handed_out),
            self.cni_events(),
            self.cni_nodes(),
            self.cluster_ranges(),
            self.count_policies(),
        );
        let (pods, flannel) = match &controllers {
            Observed::Seen(controllers) => {
                let (pods, flannel) = tokio::join!(
                    self.cni_pods(controllers, nodes),
                    self.flannel_config(controllers)
                );
                (pods, flannel)
            }
            Observed::Unseen(gap) => (Observed::Unseen(gap.clone()), Observed::Unseen(gap.clone())),
        };
        Cni {
            read_at,
            controllers,
            pods,
            groups,
            flannel,
            events,
            cluster_pods,
            nodes: states,
            ranges,
            policies,
            calico: products.calico.map(Box::new),
            cilium: products.cilium.map(Box::new),
            terway: products.terway.map(Box::new),
        }
    }

    /// Asks the agents of the CNI on their nodes what the API does not have: BGP sessions, and how they are. Every question is a command in
    /// a pod that runs already, and only looks.
    pub async fn ask_cni(&self, cni: &mut Cni) {
        if let Some(calico) = &mut cni.calico {
            Box::pin(self.ask_birds(calico)).await;
        }
        if let Some(cilium) = &mut cni.cilium {
            Box::pin(self.ask_cilium(cilium)).await;
        }
    }

    /// Has the agents of the CNI say for so many seconds which packets they drop, where they can. As [`Cluster::ask_cni`], by commands.
    pub async fn listen_to_cni(&self, cni: &mut Cni, seconds: u32) {
        if let Some(cilium) = &mut cni.cilium {
            Box::pin(self.ask_cilium_drops(cilium, seconds)).await;
        }
    }

    /// What the products that have objects of their own keep in the API. Where the groups are not known nothing of them is.
    async fn cni_products(&self, groups: Option<&Vec<String>>) -> Products {
        let Some(groups) = groups else {
            return Products::default();
        };
        let (calico, cilium, terway) = tokio::join!(
            Box::pin(self.read_calico(groups)),
            Box::pin(self.read_cilium(groups)),
            Box::pin(self.read_terway(groups))
        );
        Products {
            calico,
            cilium,
            terway,
        }
    }

    async fn cni_controllers(&self) -> Observed<Vec<CniController>> {
        let every = ListQuery::new("apps", "v1", "daemonsets");
        let listed = self.list::<DaemonSetItem>("DaemonSets", &every).await;
        listed.map(|items| {
            let known = items.into_iter().filter_map(|item| {
                let product = products::product(&item)?;
                Some(item.controller(product))
            });
            let mut found: Vec<CniController> = known.collect();
            found.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            found
        })
    }

    async fn cni_groups(&self) -> Observed<Vec<String>> {
        match self.client().list_api_groups().await {
            Ok(groups) => {
                let names = groups.groups.into_iter().map(|group| group.name);
                Observed::Seen(names.filter(|name| GROUPS.contains(&name.as_str())).collect())
            }
            Err(error) => {
                Observed::Unseen(self.gap("the APIs that are served", &error, "get", "/apis", None))
            }
        }
    }

    async fn cni_pods(
        &self,
        controllers: &[CniController],
        nodes: Option<&[String]>,
    ) -> Observed<Vec<CniPod>> {
        let mut all = Observed::Seen(Vec::new());
        for controller in controllers {
            let query = ListQuery::new("", "v1", "pods")
                .in_namespace(&controller.namespace)
                .with_labels(&controller.selector);
            let what = format!("pods of {}", controller.subject());
            let listed = self.list::<PodItem>(&what, &query).await;
            all = joined(
                all,
                listed.map(|items| {
                    let pods = items.into_iter().map(|item| item.pod(controller.product));
                    pods.collect()
                }),
            );
        }
        let mut pods: Vec<CniPod> = match all {
            Observed::Seen(pods) => pods,
            Observed::Unseen(gap) => return Observed::Unseen(gap),
        };
        pods.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
        pods.dedup_by(|one, other| (&one.namespace, &one.name) == (&other.namespace, &other.name));
        Observed::Seen(self.with_logs(pods, nodes).await)
    }

    /// Reads the logs of pods, of those that are not well first. Which of them were not read is told by their absence.
    async fn with_logs(&self, mut pods: Vec<CniPod>, nodes: Option<&[String]>) -> Vec<CniPod> {
        let is_wanted = |pod: &CniPod| {
            nodes.is_none_or(|nodes| {
                pod.node
                    .as_ref()
                    .is_none_or(|node| nodes.iter().any(|it| it == node))
            })
        };
        let mut order: Vec<usize> = (0..pods.len()).filter(|index| is_wanted(&pods[*index])).collect();
        order.sort_by_key(|index| {
            pods[*index].ready && pods[*index].containers.iter().all(|it| it.restarts == 0)
        });
        order.truncate(MOST_LOGS);
        let wanted: Vec<(usize, usize)> = order
            .into_iter()
            .flat_map(|pod| (0..pods[pod].containers.len()).map(move |container| (pod, container)))
            .collect();
        let read: Vec<_> = stream::iter(&wanted)
            .map(|(pod, container)| self.logs_of(&pods[*pod], &pods[*pod].containers[*container]))
            .buffered(READING)
            .collect()
            .await;
        for ((pod, container), (log, previous)) in wanted.into_iter().zip(read) {
            let own = &mut pods[pod].containers[container];
            (own.log, own.previous) = (log, previous);
        }
        pods
    }

    async fn pods_and_addresses(&self) -> Observed<Vec<PodAddresses>> {
        let query = ListQuery::new("", "v1", "pods");
        let listed = self.list::<PodItem>("pods", &query).await;
        listed.map(|items| items.into_iter().map(PodItem::addresses).collect())
    }

    async fn cni_nodes(&self) -> Observed<Vec<CniNode>> {
        let query = ListQuery::new("", "v1", "nodes");
        let listed = self.list::<NodeItem>("nodes", &query).await;
        listed.map(|items| {
            let mut nodes: Vec<CniNode> = items.into_iter().map(CniNode::from).collect();
            nodes.sort_by(|one, other| one.name.cmp(&other.name));
            nodes
        })
    }

    async fn count_policies(&self) -> Observed<u32> {
        let query = ListQuery::new("networking.k8s.io", "v1", "networkpolicies");
        let listed = self.list::<AnyItem>("NetworkPolicies", &query).await;
        match listed {
            Observed::Unseen(gap) if gap.why == GapReason::NotServed => Observed::Seen(0),
            listed => listed.map(|items| u32::try_from(items.len()).unwrap_or(u32::MAX)),
        }
    }
}
