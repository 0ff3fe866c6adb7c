//! kube-proxy, as the API shows it: pods, logs, configuration, and what may do its work instead.

mod objects;
mod replacement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt as _};
use observation::{ConfigDocument, KubeProxy, LogTail, ProxyConfig, ProxyDaemonSet, ProxyPod};
use report::Observed;

use self::objects::{DaemonSetItem, PodItem};
use crate::cluster::Cluster;
use crate::list::ListQuery;
use crate::pod_log::LogOf;

/// Where every distribution runs kube-proxy.
const NAMESPACE: &str = "kube-system";
/// How kubeadm and most clouds label its pods, and how static pods of GKE, AKS and RKE2 are labelled.
const LABELS: [&str; 2] = ["k8s-app=kube-proxy", "component=kube-proxy"];
/// ConfigMaps that hold its configuration, and under which key: those of kubeadm, and those of EKS.
const CONFIGS: [(&str, &str); 2] = [("kube-proxy", "config.conf"), ("kube-proxy-config", "config")];
/// Logs read at once.
const READING: usize = 8;

impl Cluster {
    /// Reads what the API shows of kube-proxy. Logs are read of the pods on `nodes` only, or where that is `None` of all.
    /// `read_at` is the time now, RFC 3339, UTC.
    pub async fn kube_proxy(&self, nodes: Option<&[String]>, read_at: String) -> KubeProxy {
        let every = ListQuery::new("apps", "v1", "daemonsets");
        let (pods, sets, config) = tokio::join!(
            self.proxy_pods(nodes),
            self.list::<DaemonSetItem>("DaemonSets", &every),
            self.proxy_config(),
        );
        let replacements = match &sets {
            Observed::Seen(sets) => self.replacements(sets).await,
            Observed::Unseen(gap) => Observed::Unseen(gap.clone()),
        };
        KubeProxy {
            read_at,
            only: nodes.map(<[String]>::to_vec),
            daemon_sets: sets.map(|sets| {
                let own = sets.into_iter().filter(DaemonSetItem::is_kube_proxy);
                let mut own: Vec<ProxyDaemonSet> = own.map(ProxyDaemonSet::from).collect();
                own.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
                own
            }),
            pods,
            config,
            replacements,
            nodes: BTreeMap::new(),
        }
    }

    async fn proxy_pods(&self, nodes: Option<&[String]>) -> Observed<Vec<ProxyPod>> {
        let mut items: Vec<PodItem> = Vec::new();
        for labels in LABELS {
            let query = ListQuery::new("", "v1", "pods")
                .in_namespace(NAMESPACE)
                .with_labels(labels);
            match self.list::<PodItem>("pods of kube-proxy", &query).await {
                Observed::Seen(more) => items.extend(more),
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            }
        }
        items.sort_by(|one, other| one.name().cmp(other.name()));
        items.dedup_by(|one, other| one.name() == other.name());
        let is_wanted = |item: &PodItem| {
            nodes.is_none_or(|nodes| item.node().is_none_or(|node| nodes.iter().any(|it| it == node)))
        };
        let wanted: Vec<PodItem> = items.into_iter().filter(is_wanted).collect();
        let logs: Vec<Observed<LogTail>> =
            stream::iter(wanted.iter().map(|item| self.log_tail(log_of(item))))
                .buffered(READING)
                .collect()
                .await;
        let pods = wanted.into_iter().zip(logs).map(|(item, log)| item.pod(log));
        Observed::Seen(pods.collect())
    }

    async fn proxy_config(&self) -> Observed<Option<ProxyConfig>> {
        for (name, key) in CONFIGS {
            let found = self.config_map(NAMESPACE, name).await;
            let map = match found {
                Observed::Seen(Some(map)) => map,
                Observed::Seen(None) => continue,
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            };
            if let Some(text) = map.get(key) {
                return Observed::Seen(Some(ProxyConfig {
                    config_map: name.to_owned(),
                    key: key.to_owned(),
                    document: document(text),
                }));
            }
        }
        Observed::Seen(None)
    }
}

fn log_of(pod: &PodItem) -> LogOf<'_> {
    LogOf {
        namespace: NAMESPACE,
        pod: pod.name(),
        container: pod.container(),
        previous: false,
    }
}

/// A configuration as its author wrote it.
fn document(text: &str) -> ConfigDocument {
    match serde_saphyr::from_str::<serde_json::Value>(text) {
        Ok(value) => ConfigDocument::Read { value },
        Err(error) => ConfigDocument::Broken {
            message: crate::sanitize(error.to_string().lines().next().unwrap_or_default()).into_owned(),
        },
    }
}
