//! DNS servers of the cluster, and what configures them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use report::{Observed, Subject};
use serde::{Deserialize, Serialize};

use crate::backends::is_false;
use crate::{Ended, LogTail, Waiting};

/// What a DNS server is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DnsRole {
    /// It stands behind the DNS Service.
    #[default]
    Cluster,
    /// NodeLocal DNSCache: one on each node, for the pods there.
    NodeLocal,
}

/// A Deployment or DaemonSet that starts DNS servers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsController {
    /// What its pods are for.
    pub role: DnsRole,
    /// In lower case and singular: `deployment`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// How many pods it wants: `spec.replicas`, or of a DaemonSet `status.desiredNumberScheduled`.
    pub wanted: u32,
    /// How many are ready, by its own count.
    pub ready: u32,
    /// The labels of the pods that it makes.
    pub template_labels: BTreeMap<String, String>,
    /// `spec.template.spec.serviceAccountName`.
    pub service_account: String,
    /// `spec.template.spec.dnsPolicy`.
    pub dns_policy: String,
    /// `spec.template.spec.hostNetwork`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub host_network: bool,
    /// Whether it asks for its pods to be on different nodes, by anti-affinity or spread constraints.
    #[serde(default, skip_serializing_if = "is_false")]
    pub spreads: bool,
    /// The container that answers.
    pub container: DnsContainer,
}

impl DnsController {
    /// As kubectl prints it: `deployment/coredns -n kube-system`.
    pub fn subject(&self) -> Subject {
        object(&self.kind, &self.name, &self.namespace)
    }
}

/// The container of a DNS server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsContainer {
    /// `name`.
    pub name: String,
    /// `image`.
    pub image: String,
    /// The liveness probe, where it has one that asks over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<DnsProbe>,
    /// The readiness probe, where it has one that asks over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<DnsProbe>,
    /// `resources.limits.memory`, as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<String>,
    /// `resources.limits.cpu`, as it is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<String>,
    /// Numbers of `ports`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

/// A probe of the kubelet over HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsProbe {
    /// The port, by number.
    pub port: u16,
    /// As `/health`.
    pub path: String,
    /// `timeoutSeconds`.
    pub timeout_seconds: u32,
}

/// A pod of a DNS server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsPod {
    /// What it is for.
    pub role: DnsRole,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.nodeName`; `None` while it is not scheduled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// `status.phase`.
    pub phase: String,
    /// Whether the condition `Ready` is `True`.
    pub ready: bool,
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `metadata.deletionTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// The container that answers.
    pub container: String,
    /// Its image.
    pub image: String,
    /// How often the container was started anew.
    pub restarts: u32,
    /// Why the container does not run, or why the pod is nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How the container ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The end of its log.
    pub log: Observed<LogTail>,
    /// The end of the log of the container before; `None` where it was never started anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_log: Option<Observed<LogTail>>,
    /// Its metrics: series of `coredns_` and of the process, by their names with labels, with their values as they are printed. `None`
    /// where they were not to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Observed<BTreeMap<String, String>>>,
    /// What its container uses, by the kubelet of its node. `None` where that was not to be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Observed<DnsUsage>>,
}

/// What a container uses, as its kubelet counts it. What the kubelet does not count is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsUsage {
    /// `container_memory_working_set_bytes`: what counts towards its limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// `container_cpu_cfs_periods_total`: periods of its CPU limit in which it ran, since it started. Absent without a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub periods: Option<u64>,
    /// `container_cpu_cfs_throttled_periods_total`: those of them in which it had to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttled: Option<u64>,
}

impl DnsPod {
    /// As kubectl prints it: `pod/coredns-1 -n kube-system`.
    pub fn subject(&self) -> Subject {
        object("pod", &self.name, &self.namespace)
    }
}

/// The configuration of a controller's pods, and all that it can refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsCorefile {
    /// What it is for.
    pub role: DnsRole,
    /// The controller whose pods it configures, as kubectl prints it.
    pub controller: Subject,
    /// Where it lies in the container, as `/etc/coredns/Corefile`.
    pub path: String,
    /// The ConfigMap that holds it, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<CorefileSource>,
    /// Its text, or why there is none.
    pub text: Observed<String>,
    /// Files that lie in the container, by absolute path.
    pub files: BTreeMap<String, String>,
    /// Whether `files` is all of what an import can mean.
    pub is_complete: bool,
    /// The environment of the container, as far as it is written in its object.
    pub variables: BTreeMap<String, String>,
}

/// Where a Corefile is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CorefileSource {
    /// `metadata.namespace` of the ConfigMap.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The key of its data.
    pub key: String,
}

impl CorefileSource {
    /// As kubectl prints it: `configmap/coredns -n kube-system`.
    pub fn subject(&self) -> Subject {
        object("configmap", &self.name, &self.namespace)
    }
}

/// What a DNS server may read of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsRights {
    /// The controller whose pods have them, as kubectl prints it.
    pub controller: Subject,
    /// `serviceAccountName`.
    pub service_account: String,
    /// The ClusterRoles that are bound to it, by name; those that are bound and do not exist have no rules.
    pub roles: BTreeMap<String, Vec<RoleRule>>,
}

/// A rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleRule {
    /// `apiGroups`; the core group is the empty string.
    pub api_groups: Vec<String>,
    /// `resources`.
    pub resources: Vec<String>,
    /// `verbs`.
    pub verbs: Vec<String>,
    /// `resourceNames`: where there are some, lists are not allowed.
    pub resource_names: Vec<String>,
}

fn object(kind: &str, name: &str, namespace: &str) -> Subject {
    Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
        // A file that stands for one has none.
        namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
    }
}
