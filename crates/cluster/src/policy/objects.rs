//! The objects that policies are about, with only the fields that are needed.

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{PolicyObject, PolicyPod, PolicyPort, PolicyService, PolicyServicePort, PolicyWorkload};
use serde::Deserialize;

// In the API an absent list, map or string of these is an empty one: the server leaves out what is empty.

#[derive(Deserialize)]
pub(super) struct Item {
    pub(super) metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    pub(super) creation_timestamp: Option<String>,
    #[serde(default)]
    pub(super) owner_references: Vec<Owner>,
}

#[derive(Deserialize)]
pub(super) struct Owner {
    kind: String,
    name: String,
    #[serde(default)]
    controller: bool,
}

#[derive(Deserialize)]
pub(super) struct PolicyItem {
    metadata: Metadata,
    #[serde(default)]
    spec: serde_json::Value,
}

impl PolicyItem {
    pub(super) fn policy(self) -> PolicyObject {
        PolicyObject {
            namespace: self.metadata.namespace.unwrap_or_default(),
            name: self.metadata.name,
            created: self.metadata.creation_timestamp,
            spec: self.spec,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct PodItem {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: Option<String>,
    host_network: bool,
    dns_policy: Option<String>,
    containers: Vec<Container>,
    init_containers: Vec<Container>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Container {
    name: String,
    env: Vec<Variable>,
    image: String,
    ports: Vec<ContainerPort>,
    restart_policy: Option<String>,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    /// Absent where it comes from somewhere else.
    value: Option<String>,
}

#[derive(Deserialize)]
struct ContainerPort {
    name: Option<String>,
    #[serde(rename = "containerPort")]
    number: u16,
    protocol: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    phase: Option<String>,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Deserialize)]
struct PodIp {
    ip: String,
}

impl PodItem {
    /// `None` for a pod that has ended: it has no network any more.
    pub(super) fn pod(self) -> Option<PolicyPod> {
        if matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            return None;
        }
        // Init containers that do not restart have ended when the pod serves; those that do are sidecars.
        let sidecars = self
            .spec
            .init_containers
            .into_iter()
            .filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let containers: Vec<Container> = self.spec.containers.into_iter().chain(sidecars).collect();
        let proxy_settings = proxy_settings(&containers);
        let names = containers.iter().map(|container| container.name.as_str());
        let mesh_proxies = names
            .filter(|name| MESH_PROXIES.contains(name))
            .map(str::to_owned)
            .collect();
        let owners = self.metadata.owner_references.into_iter();
        let controller = owners
            .filter(|owner| owner.controller)
            .map(|owner| format!("{}/{}", owner.kind.to_lowercase(), owner.name))
            .next();
        let ports = containers
            .into_iter()
            .flat_map(|container| container.ports)
            .map(|port| PolicyPort {
                name: port.name,
                number: port.number,
                protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()),
            });
        Some(PolicyPod {
            namespace: self.metadata.namespace.unwrap_or_default(),
            name: self.metadata.name,
            labels: self.metadata.labels,
            created: self.metadata.creation_timestamp,
            node: self.spec.node_name,
            host_network: self.spec.host_network,
            dns_policy: self.spec.dns_policy,
            addresses: self
                .status
                .pod_ips
                .iter()
                .filter_map(|address| address.ip.parse::<IpAddr>().ok())
                .collect(),
            ports: ports.collect(),
            mesh_proxies,
            proxy_settings,
            controller,
        })
    }
}

/// What meshes call the container that takes all traffic of a pod: Istio, Linkerd, Kuma, Consul, Open Service Mesh.
const MESH_PROXIES: &[&str] = &[
    "istio-proxy",
    "linkerd-proxy",
    "kuma-sidecar",
    "consul-dataplane",
    "envoy-sidecar",
];
/// Variables that nearly every HTTP client follows.
const PROXY_VARIABLES: &[&str] = &[
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

fn proxy_settings(containers: &[Container]) -> BTreeMap<String, String> {
    let variables = containers.iter().flat_map(|container| &container.env);
    let wanted = variables.filter(|variable| PROXY_VARIABLES.contains(&variable.name.as_str()));
    wanted
        .filter_map(|variable| {
            let value = variable.value.as_deref()?;
            Some((variable.name.clone(), without_credentials(value)))
        })
        .collect()
}

/// `http://user:secret@proxy:3128` without the part before the `@`.
fn without_credentials(value: &str) -> String {
    match (value.split_once("://"), value.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => value.to_owned(),
    }
}

#[derive(Deserialize)]
pub(super) struct ServiceItem {
    metadata: Metadata,
    #[serde(default)]
    spec: ServiceSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ServiceSpec {
    selector: BTreeMap<String, String>,
    ports: Vec<ServicePort>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServicePort {
    name: Option<String>,
    protocol: Option<String>,
    port: u16,
    target_port: Option<serde_json::Value>,
}

impl ServiceItem {
    pub(super) fn service(self) -> PolicyService {
        let ports = self.spec.ports.into_iter().map(|port| PolicyServicePort {
            target: match port.target_port {
                Some(serde_json::Value::String(name)) => name,
                Some(serde_json::Value::Number(number)) => number.to_string(),
                // The API server fills in the Service's own port.
                _ => port.port.to_string(),
            },
            name: port.name,
            protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()),
            port: port.port,
        });
        PolicyService {
            namespace: self.metadata.namespace.unwrap_or_default(),
            name: self.metadata.name,
            labels: self.metadata.labels,
            selector: self.spec.selector,
            ports: ports.collect(),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct WorkloadItem {
    metadata: Metadata,
    #[serde(default)]
    spec: WorkloadSpec,
    #[serde(default)]
    status: WorkloadStatus,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadSpec {
    template: Template,
    job_template: JobTemplate,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JobSpec {
    template: Template,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Template {
    metadata: TemplateMetadata,
    spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WorkloadStatus {
    ready_replicas: Option<u32>,
    number_ready: Option<u32>,
}

impl WorkloadItem {
    pub(super) fn workload(self, kind: &str) -> PolicyWorkload {
        let template = if kind == "cronjob" {
            self.spec.job_template.spec.template
        } else {
            self.spec.template
        };
        PolicyWorkload {
            kind: kind.to_owned(),
            namespace: self.metadata.namespace.unwrap_or_default(),
            name: self.metadata.name,
            labels: self.metadata.labels,
            template_labels: template.metadata.labels,
            images: template
                .spec
                .containers
                .into_iter()
                .map(|container| container.image)
                .collect(),
            ready: self.status.ready_replicas.or(self.status.number_ready),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_is_read_with_the_ports_of_its_sidecars() {
        let item: PodItem = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
            "spec": {"nodeName": "node1", "dnsPolicy": "ClusterFirst",
                "containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 80, "name": "http"}]}],
                "initContainers": [
                    {"name": "proxy", "image": "p:1", "restartPolicy": "Always", "ports": [{"containerPort": 53, "protocol": "UDP"}]},
                    {"name": "init", "image": "i:1", "ports": [{"containerPort": 1}]}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}
        }))
        .unwrap();
        let pod = item.pod().unwrap();
        let ports: Vec<(u16, &str)> = pod
            .ports
            .iter()
            .map(|port| (port.number, port.protocol.as_str()))
            .collect();
        assert_eq!(ports, [(80, "TCP"), (53, "UDP")]);
        assert_eq!(pod.addresses.len(), 2);
    }

    #[test]
    fn what_a_pod_is_told_of_proxies_is_read_without_passwords() {
        let item: PodItem = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "ownerReferences": [
                {"kind": "Other", "name": "x"}, {"kind": "ReplicaSet", "name": "web-5d4f", "controller": true}]},
            "spec": {"containers": [
                {"name": "istio-proxy"},
                {"name": "web", "env": [
                    {"name": "HTTPS_PROXY", "value": "http://me:secret@proxy.example.com:3128"},
                    {"name": "http_proxy", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                    {"name": "NO_PROXY", "value": ".svc,10.0.0.0/8"},
                    {"name": "PASSWORD", "value": "secret"}]}]}
        }))
        .unwrap();
        let pod = item.pod().unwrap();
        let settings: Vec<(&str, &str)> = pod
            .proxy_settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            settings,
            [
                ("HTTPS_PROXY", "http://proxy.example.com:3128"),
                ("NO_PROXY", ".svc,10.0.0.0/8")
            ]
        );
        assert_eq!(pod.mesh_proxies, ["istio-proxy"]);
        assert_eq!(pod.controller.as_deref(), Some("replicaset/web-5d4f"));
        assert_eq!(without_credentials("me:secret@proxy:3128"), "proxy:3128");
    }

    #[test]
    fn a_pod_that_has_ended_is_not_there() {
        let item: PodItem = serde_json::from_value(json!({
            "metadata": {"name": "job", "namespace": "shop"}, "status": {"phase": "Succeeded"}
        }))
        .unwrap();
        assert_eq!(item.pod(), None);
    }

    #[test]
    fn a_service_keeps_names_and_numbers_of_target_ports() {
        let item: ServiceItem = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"ports": [{"port": 80, "targetPort": 8080}, {"port": 81, "targetPort": "http"}, {"port": 82}]}
        }))
        .unwrap();
        let targets: Vec<String> = item.service().ports.into_iter().map(|port| port.target).collect();
        assert_eq!(targets, ["8080", "http", "82"]);
    }

    #[test]
    fn a_workload_is_read_by_the_labels_of_its_pods() {
        let item: WorkloadItem = serde_json::from_value(json!({
            "metadata": {"name": "night", "namespace": "shop", "labels": {"own": "x"}},
            "spec": {"jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "night"}},
                "spec": {"containers": [{"image": "n:1"}]}}}}}
        }))
        .unwrap();
        let workload = item.workload("cronjob");
        assert_eq!(workload.template_labels["app"], "night");
        assert_eq!((workload.images, workload.ready), (vec!["n:1".to_owned()], None));
    }
}
