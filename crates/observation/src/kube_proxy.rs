//! kube-proxy: its pods, what configures it, what it says of itself on each node, and what does its work where it is not there.

use std::collections::BTreeMap;

use report::Observed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::HttpAnswer;

/// What was seen of kube-proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeProxy {
    /// When it was read, RFC 3339, UTC: how long ago something was is counted from here.
    pub read_at: String,
    /// The nodes that were asked about; all where this is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// The DaemonSets that start it, by namespace and name. Static pods have none.
    pub daemon_sets: Observed<Vec<ProxyDaemonSet>>,
    /// Its pods, by namespace and name.
    pub pods: Observed<Vec<ProxyPod>>,
    /// What configures it; nothing where there is no ConfigMap that is known to.
    pub config: Observed<Option<ProxyConfig>>,
    /// What does its work instead, or could.
    pub replacements: Observed<Vec<Replacement>>,
    /// What it said of itself on each node, by the node's name. Empty where no node was asked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Observed<ProxyLooks>>,
}

/// A DaemonSet that starts kube-proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyDaemonSet {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.template.spec.nodeSelector`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// `status.desiredNumberScheduled`.
    pub desired: u32,
    /// `status.numberReady`.
    pub ready: u32,
}

/// A pod of kube-proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyPod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeName`, or the node that it has to go to; `None` where neither is said.
    pub node: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// Whether the condition `Ready` is `True`.
    pub ready: bool,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Option<String>,
    /// `metadata.deletionTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// The image of its container.
    pub image: String,
    /// `status.containerStatuses[].restartCount`.
    pub restarts: u32,
    /// Why the container does not run, or why the pod is nowhere, as the API says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How the container ended last, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The end of its log.
    pub log: Observed<LogTail>,
}

/// Why something waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// As `CrashLoopBackOff`, `Unschedulable`.
    pub reason: String,
    /// In words; may be empty.
    pub message: String,
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// As `Error`, `OOMKilled`.
    pub reason: String,
    /// Its exit status.
    pub exit_code: i32,
    /// RFC 3339.
    pub at: Option<String>,
}

impl Ended {
    /// Whether it ended with another exit status than 0, which says that all went well.
    pub fn is_failure(&self) -> bool {
        self.exit_code != 0
    }
}

/// The end of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogTail {
    /// Lines of the last quarter of an hour, the oldest first.
    pub lines: Vec<String>,
    /// Whether there may be more of that time than these.
    pub more: bool,
}

/// What configures kube-proxy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyConfig {
    /// `metadata.name` of the ConfigMap, in `kube-system`.
    pub config_map: String,
    /// The key that holds it. Other keys were not read: one of them is a kubeconfig.
    pub key: String,
    /// What it says.
    pub document: ConfigDocument,
}

/// A `KubeProxyConfiguration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum ConfigDocument {
    /// As it is written: what is absent has its default.
    #[serde(rename_all = "camelCase")]
    Read {
        /// A mapping, where it is one.
        value: Value,
    },
    /// It is no YAML.
    #[serde(rename_all = "camelCase")]
    Broken {
        /// What the parser says.
        message: String,
    },
}

/// Something that does the work of kube-proxy, or can.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// As `Cilium`.
    pub name: String,
    /// What shows it, as `configmap/cilium-config -n kube-system has kube-proxy-replacement: "true"`.
    pub sign: String,
    /// A command that shows the same.
    pub command: String,
    /// Whether it does all of it, so that kube-proxy need not run.
    pub is_whole: bool,
}

/// What kube-proxy of a node said, twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyLooks {
    /// At first.
    pub first: ProxyLook,
    /// Seconds later, where it was asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<ProxyLook>,
}

/// What kube-proxy of a node said at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyLook {
    /// The node's clock, in milliseconds since 1970, UTC.
    pub unix_ms: Observed<u64>,
    /// Where it was asked about its health, as `127.0.0.1:10256`.
    pub health_address: String,
    /// Where it was asked about the rest, as `127.0.0.1:10249`.
    pub metrics_address: String,
    /// `/healthz`: 503 where rules have waited to be written for long, and where the node is being deleted.
    pub health: HttpAnswer,
    /// `/proxyMode`, as `iptables`.
    pub mode: HttpAnswer,
    /// `/metrics`: series of `kubeproxy_` and the version that was built, by their names with labels, as
    /// `kubeproxy_sync_proxy_rules_iptables_total{table="nat"}`, with their values as they are printed.
    pub metrics: Observed<BTreeMap<String, String>>,
    /// `/configz`: the configuration that it runs with.
    pub config: Observed<Value>,
    /// Whether the kernel has IPVS: `/proc/net/ip_vs`.
    pub has_ipvs: Observed<bool>,
}
