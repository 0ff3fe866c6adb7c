//! Workloads, pods, roles and kubelets of the API, as far as they are about DNS.

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{DnsContainer, DnsController, DnsProbe, DnsRole, KubeletDns, RoleRule, selects};
use serde::Deserialize;
use serde_json::Value;

use crate::pod_state::PodState;

// In the API an absent list, map or string of these is an empty one: the server leaves out what is empty.

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) creation_timestamp: Option<String>,
    pub(super) deletion_timestamp: Option<String>,
    owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

impl Metadata {
    /// As `replicaset/web-5d4f`.
    pub(super) fn controller(&self) -> Option<String> {
        let owner = self.owner_references.iter().find(|owner| owner.controller)?;
        Some(format!("{}/{}", owner.kind.to_lowercase(), owner.name))
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PodSpec {
    pub(super) node_name: Option<String>,
    pub(super) dns_policy: String,
    pub(super) host_network: bool,
    pub(super) service_account_name: String,
    pub(super) containers: Vec<Container>,
    pub(super) volumes: Vec<Volume>,
    affinity: Option<Value>,
    topology_spread_constraints: Vec<serde::de::IgnoredAny>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Container {
    pub(super) name: String,
    pub(super) image: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<Variable>,
    pub(super) volume_mounts: Vec<Mount>,
    ports: Vec<Port>,
    liveness_probe: Option<Probe>,
    readiness_probe: Option<Probe>,
    resources: Resources,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Mount {
    pub(super) name: String,
    #[serde(rename = "mountPath")]
    pub(super) path: String,
    pub(super) sub_path: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) config_map: Option<ConfigMapVolume>,
    pub(super) empty_dir: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ConfigMapVolume {
    pub(super) name: String,
    pub(super) items: Vec<KeyToPath>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct KeyToPath {
    pub(super) key: String,
    pub(super) path: String,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Port {
    name: String,
    container_port: u16,
}

#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Probe {
    http_get: Option<HttpGet>,
    timeout_seconds: Option<u32>,
}

#[derive(Clone, Deserialize)]
struct HttpGet {
    #[serde(default)]
    path: String,
    port: Value,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Resources {
    limits: BTreeMap<String, String>,
}

impl Container {
    fn probe(&self, probe: Option<&Probe>) -> Option<DnsProbe> {
        let get = probe?.http_get.as_ref()?;
        let port = match &get.port {
            Value::String(name) => {
                let named = self.ports.iter().find(|port| port.name == *name);
                named.map(|port| port.container_port)
            }
            number => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        }?;
        Some(DnsProbe {
            port,
            path: get.path.clone(),
            timeout_seconds: probe?.timeout_seconds.unwrap_or(1),
        })
    }

    /// Where its Corefile lies: `-conf`, or as its image has it.
    pub(super) fn corefile(&self) -> String {
        let mut words = self.args.iter().map(String::as_str);
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else {
                continue;
            };
            match flag.split_once('=') {
                Some(("conf", path)) => return path.to_owned(),
                None if flag == "conf" => return words.next().unwrap_or_default().to_owned(),
                _ => {}
            }
        }
        "/etc/coredns/Corefile".to_owned()
    }

    pub(super) fn has_port(&self, number: u16) -> bool {
        self.ports.iter().any(|port| port.container_port == number)
    }

    /// Whether it has any limit that it can come up against.
    pub(super) fn is_limited(&self) -> bool {
        !self.resources.limits.is_empty()
    }

    fn described(&self) -> DnsContainer {
        let limit = |of: &str| self.resources.limits.get(of).cloned();
        DnsContainer {
            name: self.name.clone(),
            image: self.image.clone(),
            liveness: self.probe(self.liveness_probe.as_ref()),
            readiness: self.probe(self.readiness_probe.as_ref()),
            memory_limit: limit("memory"),
            cpu_limit: limit("cpu"),
            ports: self.ports.iter().map(|port| port.container_port).collect(),
        }
    }
}

impl PodSpec {
    /// The container that answers: the one that listens on the port of DNS, else the one whose image is known, else the first.
    pub(super) fn server(&self) -> Option<&Container> {
        let listens = |container: &&Container| {
            let mut ports = container.ports.iter().map(|port| port.container_port);
            ports.any(|port| port == 53 || port == 5353)
        };
        let is_known = |container: &&Container| {
            ["coredns", "node-cache", "kube-dns"]
                .iter()
                .any(|name| container.image.contains(name))
        };
        let mut containers = self.containers.iter();
        containers
            .clone()
            .find(listens)
            .or_else(|| self.containers.iter().find(is_known))
            .or_else(|| containers.next())
    }

    fn spreads(&self) -> bool {
        let anti_affinity = self.affinity.as_ref().and_then(|it| it.get("podAntiAffinity"));
        anti_affinity.is_some() || !self.topology_spread_constraints.is_empty()
    }
}

#[derive(Deserialize)]
pub(super) struct WorkloadItem {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: WorkloadSpec,
    #[serde(default)]
    status: WorkloadStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct WorkloadSpec {
    replicas: Option<u32>,
    pub(super) template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WorkloadStatus {
    desired_number_scheduled: u32,
    number_ready: u32,
    ready_replicas: u32,
}

impl WorkloadItem {
    /// As the API calls it: `deployment`.
    pub(super) fn controller(&self, kind: &str, role: DnsRole) -> DnsController {
        let is_daemon_set = kind == "daemonset";
        let pods = &self.spec.template.spec;
        DnsController {
            role,
            kind: kind.to_owned(),
            namespace: self.metadata.namespace.clone(),
            name: self.metadata.name.clone(),
            wanted: if is_daemon_set {
                self.status.desired_number_scheduled
            } else {
                // The API server fills in one.
                self.spec.replicas.unwrap_or(1)
            },
            ready: if is_daemon_set {
                self.status.number_ready
            } else {
                self.status.ready_replicas
            },
            template_labels: self.spec.template.metadata.labels.clone(),
            service_account: match pods.service_account_name.as_str() {
                "" => "default".to_owned(),
                name => name.to_owned(),
            },
            dns_policy: pods.dns_policy.clone(),
            host_network: pods.host_network,
            spreads: is_daemon_set || pods.spreads(),
            container: pods.server().map(Container::described).unwrap_or_default(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PodItem {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: PodSpec,
    #[serde(default)]
    pub(super) status: PodState,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BindingItem {
    pub(super) role_ref: RoleRef,
    pub(super) subjects: Vec<Bound>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RoleRef {
    pub(super) name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Bound {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) namespace: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RoleItem {
    pub(super) rules: Vec<RoleRule>,
}

#[derive(Deserialize)]
pub(super) struct BudgetItem {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: BudgetSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct BudgetSpec {
    selector: BudgetSelector,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct BudgetSelector {
    match_labels: BTreeMap<String, String>,
}

impl BudgetItem {
    /// Whether it selects pods with these labels, by plain labels.
    pub(super) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        selects(&self.spec.selector.match_labels, labels)
    }
}

#[derive(Deserialize)]
pub(super) struct Configz {
    kubeletconfig: KubeletConfig,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KubeletConfig {
    #[serde(rename = "clusterDNS")]
    cluster_dns: Vec<IpAddr>,
    cluster_domain: String,
    resolv_conf: Option<String>,
}

impl From<Configz> for KubeletDns {
    fn from(configz: Configz) -> Self {
        let config = configz.kubeletconfig;
        Self {
            addresses: config.cluster_dns,
            domain: config.cluster_domain,
            resolv_conf: config.resolv_conf.unwrap_or_default(),
        }
    }
}
