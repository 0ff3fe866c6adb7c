//! NetworkPolicies, and what they are about.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use observation::{
    OtherPolicies, PolicyFacts, PolicyNamespace, PolicyObject, PolicyPod, PolicyPort, PolicyQuestion,
    PolicyService, PolicyServicePort, PolicyWorkload,
};
use report::{Gap, GapReason, Observed};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::list::ListQuery;

/// Kinds of policy that this program knows of and does not evaluate: group, version, resource. A kind that is served in two groups
/// stands with the one in which its objects are kept.
const OTHER_KINDS: [(&str, &str, &str); 13] = [
    ("crd.projectcalico.org", "v1", "networkpolicies"),
    ("crd.projectcalico.org", "v1", "globalnetworkpolicies"),
    ("crd.projectcalico.org", "v1", "hostendpoints"),
    ("cilium.io", "v2", "ciliumnetworkpolicies"),
    ("cilium.io", "v2", "ciliumclusterwidenetworkpolicies"),
    ("crd.antrea.io", "v1beta1", "networkpolicies"),
    ("crd.antrea.io", "v1beta1", "clusternetworkpolicies"),
    ("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies"),
    (
        "policy.networking.k8s.io",
        "v1alpha1",
        "baselineadminnetworkpolicies",
    ),
    ("policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies"),
    ("k8s.ovn.org", "v1", "egressfirewalls"),
    ("kubeovn.io", "v1", "security-groups"),
    ("security.istio.io", "v1", "authorizationpolicies"),
];

impl Cluster {
    /// Everything that a verdict on policies depends on. What may not be listed in the whole cluster is listed in `namespaces`, and the
    /// rest is a gap of `partial`.
    pub async fn policy_facts(&self, question: PolicyQuestion, namespaces: &BTreeSet<String>) -> PolicyFacts {
        let networking = ListQuery::new("networking.k8s.io", "v1", "networkpolicies");
        let all = ListQuery::new("", "v1", "namespaces");
        let apps = |resource: &str| ListQuery::new("apps", "v1", resource);
        let (policies, pods, all_namespaces, services, deployments, stateful, daemons, cron, other_kinds) = tokio::join!(
            self.everywhere::<PolicyItem>("NetworkPolicies", networking, namespaces),
            self.everywhere::<PodItem>("pods", ListQuery::new("", "v1", "pods"), namespaces),
            self.list::<Item>("namespaces", &all),
            self.everywhere::<ServiceItem>("Services", ListQuery::new("", "v1", "services"), namespaces),
            self.everywhere::<WorkloadItem>("Deployments", apps("deployments"), namespaces),
            self.everywhere::<WorkloadItem>("StatefulSets", apps("statefulsets"), namespaces),
            self.everywhere::<WorkloadItem>("DaemonSets", apps("daemonsets"), namespaces),
            self.everywhere::<WorkloadItem>(
                "CronJobs",
                ListQuery::new("batch", "v1", "cronjobs"),
                namespaces
            ),
            self.other_policies(),
        );
        let mut partial: Vec<Gap> = Vec::new();
        let mut keep = |gap: Option<Gap>| partial.extend(gap);
        keep(policies.1);
        keep(pods.1);
        keep(services.1);
        let mut workloads = Observed::Seen(Vec::new());
        for (kind, (items, gap)) in [
            ("deployment", deployments),
            ("statefulset", stateful),
            ("daemonset", daemons),
            ("cronjob", cron),
        ] {
            keep(gap);
            workloads = match (workloads, items) {
                (Observed::Seen(mut all), Observed::Seen(items)) => {
                    all.extend(items.into_iter().map(|item| item.workload(kind)));
                    Observed::Seen(all)
                }
                (Observed::Unseen(gap), _) | (Observed::Seen(_), Observed::Unseen(gap)) => {
                    Observed::Unseen(gap)
                }
            };
        }
        PolicyFacts {
            question,
            policies: policies
                .0
                .map(|items| items.into_iter().map(PolicyItem::policy).collect()),
            added: Vec::new(),
            pods: pods
                .0
                .map(|items| items.into_iter().filter_map(PodItem::pod).collect()),
            namespaces: all_namespaces.map(|items| {
                let namespaces = items.into_iter().map(|item| PolicyNamespace {
                    name: item.metadata.name,
                    labels: item.metadata.labels,
                });
                namespaces.collect()
            }),
            services: services
                .0
                .map(|items| items.into_iter().map(ServiceItem::service).collect()),
            workloads,
            other_kinds,
            partial,
            enforcement: None,
        }
    }

    /// Lists in the whole cluster; where that is forbidden, in these namespaces, with the gap that remains.
    async fn everywhere<T: DeserializeOwned>(
        &self,
        what: &str,
        query: ListQuery,
        namespaces: &BTreeSet<String>,
    ) -> (Observed<Vec<T>>, Option<Gap>) {
        let gap = match self.list(what, &query).await {
            Observed::Unseen(gap)
                if matches!(gap.why, GapReason::Forbidden { .. }) && !namespaces.is_empty() =>
            {
                gap
            }
            listed => return (listed, None),
        };
        let mut all = Vec::new();
        for namespace in namespaces {
            let named = format!("{what} of namespace {namespace}");
            match self.list(&named, &query.clone().in_namespace(namespace)).await {
                Observed::Seen(items) => all.extend::<Vec<T>>(items),
                Observed::Unseen(gap) => return (Observed::Unseen(gap), None),
            }
        }
        let rest = Gap {
            what: format!("{what} of other namespaces"),
            ..gap
        };
        (Observed::Seen(all), Some(rest))
    }

    /// The kinds of [`OTHER_KINDS`] that the API server serves, with the names of their objects.
    async fn other_policies(&self) -> Observed<Vec<OtherPolicies>> {
        let groups = match self.client().list_api_groups().await {
            Ok(groups) => groups.groups,
            Err(error) => {
                return Observed::Unseen(self.gap("the APIs that are served", &error, "get", "/apis", None));
            }
        };
        let mut kinds = Vec::new();
        for (group, version, resource) in OTHER_KINDS {
            let served = groups.iter().any(|served| {
                served.name == group && served.versions.iter().any(|served| served.version == version)
            });
            if !served {
                continue;
            }
            let query = ListQuery::new(group, version, resource);
            let resource = format!("{resource}.{group}");
            let objects = self.list::<Item>(&resource, &query).await;
            // The group is served, and this kind is not installed.
            if objects.gap().is_some_and(|gap| gap.why == GapReason::NotServed) {
                continue;
            }
            let name = |item: Item| match item.metadata.namespace {
                Some(namespace) => format!("{namespace}/{}", item.metadata.name),
                None => item.metadata.name,
            };
            kinds.push(OtherPolicies {
                resource,
                objects: objects.map(|items| items.into_iter().map(name).collect()),
            });
        }
        Observed::Seen(kinds)
    }
}

// In the API an absent list, map or string of these is an empty one: the server leaves out what is empty.

#[derive(Deserialize)]
struct Item {
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    namespace: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    creation_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct PolicyItem {
    metadata: Metadata,
    #[serde(default)]
    spec: serde_json::Value,
}

impl PolicyItem {
    fn policy(self) -> PolicyObject {
        PolicyObject {
            namespace: self.metadata.namespace.unwrap_or_default(),
            name: self.metadata.name,
            created: self.metadata.creation_timestamp,
            spec: self.spec,
        }
    }
}

#[derive(Deserialize)]
struct PodItem {
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
    image: String,
    ports: Vec<ContainerPort>,
    restart_policy: Option<String>,
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
    fn pod(self) -> Option<PolicyPod> {
        if matches!(self.status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            return None;
        }
        // Init containers that do not restart have ended when the pod serves; those that do are sidecars.
        let sidecars = self
            .spec
            .init_containers
            .into_iter()
            .filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let containers = self.spec.containers.into_iter().chain(sidecars);
        let ports = containers
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
        })
    }
}

#[derive(Deserialize)]
struct ServiceItem {
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
    fn service(self) -> PolicyService {
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
struct WorkloadItem {
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
    fn workload(self, kind: &str) -> PolicyWorkload {
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
