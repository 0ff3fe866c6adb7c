//! What the API has of Terway.

mod objects;

use std::collections::BTreeMap;

use observation::{Condition, Terway, TerwayConfig};
use report::Observed;
use serde::Deserialize;

use self::objects::{Eni, Networking, Node};
use super::parts::Served;
use crate::cluster::Cluster;
use crate::list::ListQuery;

const AGENTS: [&str; 2] = [
    "app in (terway-eniip,terway-eni,terway-controlplane)",
    "k8s-app in (terway-eniip,terway-eni,terway-controlplane)",
];
const SUFFICIENT: &str = "SufficientIP";

#[derive(Deserialize)]
struct NodeItem {
    metadata: super::parts::Named,
    #[serde(default)]
    status: NodeState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NodeState {
    conditions: Vec<NodeCondition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct NodeCondition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    reason: String,
    message: String,
    last_transition_time: Option<String>,
}

impl Cluster {
    /// Terway, where the API server has its API or a pod of it is there.
    pub(super) async fn read_terway(&self, groups: &[String]) -> Option<Terway> {
        let agents = self.cni_agents("pods of Terway", &AGENTS).await;
        let is_served = groups.iter().any(|group| group == "network.alibabacloud.com");
        if !is_served && agents.seen().is_some_and(Vec::is_empty) {
            return None;
        }
        let served = Served {
            api: is_served.then_some(("network.alibabacloud.com", "v1beta1")),
            otherwise: "the API server has no objects of Terway",
        };
        // Which of its resources there are depends on its mode and release.
        let (nodes, networkings, enis, config, sufficient) = tokio::join!(
            self.custom_or_none::<Node>(&served, "nodes"),
            self.custom_or_none::<Networking>(&served, "podnetworkings"),
            self.custom_or_none::<Eni>(&served, "podenis"),
            self.terway_config(),
            self.sufficient_ip(),
        );
        Some(Terway {
            agents,
            config,
            nodes: nodes.map(objects::nodes),
            sufficient,
            networkings: networkings.map(objects::networkings),
            pod_enis: enis.map(objects::enis),
        })
    }

    async fn terway_config(&self) -> Observed<Option<TerwayConfig>> {
        let map = self.config_map("kube-system", "eni-config").await;
        map.map(|map| {
            let map = map?;
            let text = map.get("eni_conf").map_or("", String::as_str);
            let mut config = objects::config(text);
            config.disable_network_policy = map.get("disable_network_policy").cloned();
            Some(config)
        })
    }

    async fn sufficient_ip(&self) -> Observed<BTreeMap<String, Condition>> {
        let query = ListQuery::new("", "v1", "nodes").from_cache();
        let listed = self.list::<NodeItem>("nodes", &query).await;
        listed.map(|items| {
            let conditions = items.into_iter().filter_map(|item| {
                let mut all = item.status.conditions.into_iter();
                let own = all.find(|it| it.kind == SUFFICIENT)?;
                let condition = Condition {
                    status: own.status,
                    reason: own.reason,
                    message: own.message,
                    since: own.last_transition_time,
                };
                Some((item.metadata.name, condition))
            });
            conditions.collect()
        })
    }
}
