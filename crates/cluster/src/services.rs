//! Services, their EndpointSlices, and what of the control plane is served by Services.

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{
    ApiService, Condition, Endpoint, EndpointSlice, LoadBalancerIngress, PathPod, Service, ServicePort,
    ServiceReference, SlicePort, Webhook,
};
use report::Observed;
use serde::Deserialize;

use crate::cluster::Cluster;
use crate::list::ListQuery;

/// Which Services, or the EndpointSlices of which Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceScope<'a> {
    /// Of all namespaces.
    All,
    /// Of all namespaces, with the label that the cluster's DNS has.
    Dns,
    /// This one.
    One {
        /// `metadata.namespace`.
        namespace: &'a str,
        /// `metadata.name`.
        name: &'a str,
    },
}

const DNS_LABEL: &str = "k8s-app=kube-dns";

impl Cluster {
    /// Services, by namespace and name. That there is none of the name that was asked for is an empty list.
    pub async fn services(&self, scope: ServiceScope<'_>) -> Observed<Vec<Service>> {
        let query = ListQuery::new("", "v1", "services");
        let (what, query) = match scope {
            ServiceScope::All => ("Services".to_owned(), query),
            ServiceScope::Dns => ("the DNS Service".to_owned(), query.with_labels(DNS_LABEL)),
            ServiceScope::One { namespace, name } => (
                format!("service/{name} -n {namespace}"),
                query
                    .in_namespace(namespace)
                    .with_fields(format!("metadata.name={name}")),
            ),
        };
        self.list::<ServiceObject>(&what, &query).await.map(|objects| {
            let mut services: Vec<Service> = objects.into_iter().map(Service::from).collect();
            services.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            services
        })
    }

    /// EndpointSlices, by namespace and name.
    pub async fn endpoint_slices(&self, scope: ServiceScope<'_>) -> Observed<Vec<EndpointSlice>> {
        let query = ListQuery::new("discovery.k8s.io", "v1", "endpointslices");
        let (what, query) = match scope {
            ServiceScope::All => ("EndpointSlices".to_owned(), query),
            // The controller copies the labels of the Service.
            ServiceScope::Dns => (
                "EndpointSlices of the DNS Service".to_owned(),
                query.with_labels(DNS_LABEL),
            ),
            ServiceScope::One { namespace, name } => (
                format!("EndpointSlices of service/{name} -n {namespace}"),
                query
                    .in_namespace(namespace)
                    .with_labels(format!("kubernetes.io/service-name={name}")),
            ),
        };
        self.list::<SliceObject>(&what, &query).await.map(|objects| {
            let mut slices: Vec<EndpointSlice> = objects.into_iter().map(EndpointSlice::from).collect();
            slices.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            slices
        })
    }

    /// Admission webhooks of both kinds. Unseen when either kind cannot be read.
    pub async fn webhooks(&self) -> Observed<Vec<Webhook>> {
        let group = "admissionregistration.k8s.io";
        let query = |resource| ListQuery::new(group, "v1", resource);
        let (validating, mutating) = (
            query("validatingwebhookconfigurations"),
            query("mutatingwebhookconfigurations"),
        );
        let (validating, mutating) = tokio::join!(
            self.list::<WebhookConfiguration>("validating webhooks", &validating),
            self.list::<WebhookConfiguration>("mutating webhooks", &mutating),
        );
        let of = |kind: &str, configurations: Vec<WebhookConfiguration>| -> Vec<Webhook> {
            let each = configurations
                .into_iter()
                .flat_map(|configuration| configuration.webhooks(kind));
            each.collect()
        };
        match (validating, mutating) {
            (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Observed::Unseen(gap),
            (Observed::Seen(validating), Observed::Seen(mutating)) => {
                let mut webhooks = of("validatingwebhookconfiguration", validating);
                webhooks.extend(of("mutatingwebhookconfiguration", mutating));
                Observed::Seen(webhooks)
            }
        }
    }

    /// APIServices that a Service serves; those that the API server serves itself are left out.
    pub async fn api_services(&self) -> Observed<Vec<ApiService>> {
        let query = ListQuery::new("apiregistration.k8s.io", "v1", "apiservices");
        let listed = self.list::<ApiServiceObject>("APIServices", &query).await;
        listed.map(|objects| {
            objects
                .into_iter()
                .filter_map(ApiServiceObject::into_served)
                .collect()
        })
    }
}

impl Cluster {
    /// A pod at an end of a path. That there is none of that name is an empty list.
    pub async fn path_pods(&self, namespace: &str, name: &str) -> Observed<Vec<PathPod>> {
        let query = ListQuery::new("", "v1", "pods")
            .in_namespace(namespace)
            .with_fields(format!("metadata.name={name}"));
        let listed = self
            .list::<PodObject>(&format!("pod/{name} -n {namespace}"), &query)
            .await;
        listed.map(|objects| objects.into_iter().map(PathPod::from).collect())
    }
}

// In the API an absent list or string of these is an empty one: the server leaves out what is empty.

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ServiceObject {
    metadata: Metadata,
    #[serde(default)]
    spec: ServiceSpec,
    #[serde(default)]
    status: ServiceStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceSpec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    #[serde(rename = "clusterIPs")]
    cluster_ips: Vec<String>,
    external_name: Option<String>,
    #[serde(rename = "externalIPs")]
    external_ips: Vec<String>,
    ports: Vec<PortObject>,
    selector: BTreeMap<String, String>,
    internal_traffic_policy: String,
    external_traffic_policy: String,
    health_check_node_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PortObject {
    #[serde(default)]
    name: String,
    #[serde(default = "tcp")]
    protocol: String,
    port: u16,
    target_port: Option<NumberOrName>,
    node_port: Option<u16>,
}

fn tcp() -> String {
    "TCP".to_owned()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrName {
    Number(u16),
    Name(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServiceStatus {
    load_balancer: LoadBalancerStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LoadBalancerStatus {
    ingress: Vec<IngressObject>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IngressObject {
    ip: Option<String>,
    hostname: Option<String>,
    ip_mode: String,
}

fn addresses(texts: &[String]) -> Vec<IpAddr> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

impl From<ServiceObject> for Service {
    fn from(object: ServiceObject) -> Self {
        let ServiceObject {
            metadata,
            spec,
            status,
        } = object;
        let is_dns = metadata
            .labels
            .get("k8s-app")
            .is_some_and(|app| app == "kube-dns");
        let headless = spec.cluster_ip == "None";
        let ports = spec.ports.into_iter().map(|port| ServicePort {
            target_port: match port.target_port {
                Some(NumberOrName::Number(number)) => number.to_string(),
                Some(NumberOrName::Name(name)) => name,
                None => port.port.to_string(),
            },
            name: port.name,
            protocol: port.protocol,
            port: port.port,
            node_port: port.node_port.filter(|port| *port > 0),
        });
        let ingress = status.load_balancer.ingress.into_iter();
        Self {
            name: metadata.name,
            namespace: metadata.namespace,
            kind: spec.kind,
            cluster_ips: if headless {
                Vec::new()
            } else if spec.cluster_ips.is_empty() {
                addresses(&[spec.cluster_ip])
            } else {
                addresses(&spec.cluster_ips)
            },
            headless,
            external_name: spec.external_name.filter(|name| !name.is_empty()),
            external_ips: addresses(&spec.external_ips),
            load_balancer: ingress
                .map(|ingress| LoadBalancerIngress {
                    ip: ingress.ip.and_then(|text| text.parse().ok()),
                    hostname: ingress.hostname.filter(|name| !name.is_empty()),
                    proxy: ingress.ip_mode == "Proxy",
                })
                .collect(),
            ports: ports.collect(),
            selector: spec.selector,
            internal_local: spec.internal_traffic_policy == "Local",
            external_local: spec.external_traffic_policy == "Local",
            health_check_node_port: spec.health_check_node_port.filter(|port| *port > 0),
            is_dns,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SliceObject {
    metadata: Metadata,
    address_type: String,
    // Both may be null.
    #[serde(default)]
    ports: Option<Vec<SlicePortObject>>,
    #[serde(default)]
    endpoints: Option<Vec<EndpointObject>>,
}

#[derive(Deserialize)]
struct SlicePortObject {
    name: Option<String>,
    protocol: Option<String>,
    port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EndpointObject {
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    conditions: EndpointConditions,
    node_name: Option<String>,
    target_ref: Option<TargetReference>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
    serving: Option<bool>,
    terminating: Option<bool>,
}

#[derive(Deserialize)]
struct TargetReference {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

impl From<SliceObject> for EndpointSlice {
    fn from(mut object: SliceObject) -> Self {
        let ports = object.ports.into_iter().flatten().map(|port| SlicePort {
            name: port.name.into_iter().collect(),
            protocol: port.protocol.unwrap_or_else(tcp),
            port: port.port,
        });
        let endpoints = object.endpoints.into_iter().flatten().map(|endpoint| {
            // An absent condition means that the endpoint is ready (discovery/v1, EndpointConditions).
            let ready = endpoint.conditions.ready != Some(false);
            let pod = endpoint.target_ref.filter(|target| target.kind == "Pod");
            Endpoint {
                addresses: addresses(&endpoint.addresses),
                ready,
                serving: endpoint.conditions.serving.unwrap_or(ready),
                terminating: endpoint.conditions.terminating == Some(true),
                node: endpoint.node_name,
                pod: pod.map(|target| target.name),
            }
        });
        Self {
            service: object.metadata.labels.remove("kubernetes.io/service-name"),
            name: object.metadata.name,
            namespace: object.metadata.namespace,
            address_type: object.address_type,
            ports: ports.collect(),
            endpoints: endpoints.collect(),
        }
    }
}

#[derive(Deserialize)]
struct PodObject {
    metadata: Metadata,
    #[serde(default)]
    spec: PodSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSpec {
    node_name: Option<String>,
    host_network: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
    #[serde(rename = "podIPs")]
    pod_ips: Vec<PodIp>,
}

#[derive(Deserialize)]
struct PodIp {
    ip: String,
}

impl From<PodObject> for PathPod {
    fn from(object: PodObject) -> Self {
        let ips: Vec<String> = object.status.pod_ips.into_iter().map(|it| it.ip).collect();
        Self {
            name: object.metadata.name,
            namespace: object.metadata.namespace,
            node: object.spec.node_name.filter(|node| !node.is_empty()),
            phase: object.status.phase,
            addresses: addresses(&ips),
            host_network: object.spec.host_network,
        }
    }
}

#[derive(Deserialize)]
struct WebhookConfiguration {
    metadata: Metadata,
    #[serde(default)]
    webhooks: Vec<WebhookObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WebhookObject {
    name: String,
    #[serde(default)]
    client_config: ClientConfig,
    failure_policy: Option<String>,
    timeout_seconds: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ClientConfig {
    service: Option<ReferenceObject>,
}

#[derive(Deserialize)]
struct ReferenceObject {
    name: String,
    namespace: String,
    port: Option<u16>,
}

impl From<ReferenceObject> for ServiceReference {
    fn from(object: ReferenceObject) -> Self {
        Self {
            name: object.name,
            namespace: object.namespace,
            port: object.port.unwrap_or(443),
        }
    }
}

impl WebhookConfiguration {
    fn webhooks(self, kind: &str) -> Vec<Webhook> {
        let of = |webhook: WebhookObject| Webhook {
            kind: kind.to_owned(),
            configuration: self.metadata.name.clone(),
            name: webhook.name,
            service: webhook.client_config.service.map(ServiceReference::from),
            // The defaults of admissionregistration.k8s.io/v1.
            fails_closed: webhook.failure_policy.is_none_or(|policy| policy == "Fail"),
            timeout_seconds: webhook.timeout_seconds.unwrap_or(10),
        };
        self.webhooks.into_iter().map(of).collect()
    }
}

#[derive(Deserialize)]
struct ApiServiceObject {
    metadata: Metadata,
    #[serde(default)]
    spec: ApiServiceSpec,
    #[serde(default)]
    status: ApiServiceStatus,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceSpec {
    service: Option<ReferenceObject>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ApiServiceStatus {
    conditions: Vec<ConditionObject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConditionObject {
    #[serde(rename = "type")]
    kind: String,
    status: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    message: String,
    last_transition_time: Option<String>,
}

impl ApiServiceObject {
    fn into_served(self) -> Option<ApiService> {
        let service = self.spec.service?;
        let mut conditions = self.status.conditions.into_iter();
        let available = conditions.find(|condition| condition.kind == "Available");
        Some(ApiService {
            name: self.metadata.name,
            service: service.into(),
            available: available.map(|condition| Condition {
                status: condition.status,
                reason: condition.reason,
                message: condition.message,
                since: condition.last_transition_time,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_read_with_its_ports_and_ways_in() {
        let object: ServiceObject = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web", "namespace": "shop", "labels": {"k8s-app": "kube-dns"}},
            "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.7", "clusterIPs": ["10.96.0.7", "fd00::7"],
                "selector": {"app": "web"}, "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000,
                "ports": [{"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080},
                          {"port": 53, "protocol": "UDP", "targetPort": 5353}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9", "ipMode": "VIP"}, {"hostname": "lb.example"}]}},
        }))
        .unwrap();
        let service = Service::from(object);
        assert_eq!(service.subject().to_string(), "service/web -n shop");
        assert_eq!(service.cluster_ips.len(), 2);
        assert_eq!(
            (
                service.ports[0].target_port.as_str(),
                service.ports[0].protocol.as_str()
            ),
            ("web", "TCP")
        );
        assert_eq!(service.ports[1].target_port, "5353");
        assert_eq!(service.load_balancer[1].hostname.as_deref(), Some("lb.example"));
        assert!(service.external_local && service.is_dns && !service.headless);
    }

    #[test]
    fn a_headless_service_and_an_external_name_have_no_address() {
        let of = |spec: serde_json::Value| {
            let object = serde_json::json!({"metadata": {"name": "db", "namespace": "shop"}, "spec": spec});
            Service::from(serde_json::from_value::<ServiceObject>(object).unwrap())
        };
        let headless = of(serde_json::json!({"clusterIP": "None", "clusterIPs": ["None"]}));
        assert!(headless.headless && headless.cluster_ips.is_empty());
        let external = of(serde_json::json!({"type": "ExternalName", "externalName": "db.example"}));
        assert_eq!(external.external_name.as_deref(), Some("db.example"));
        assert!(!external.headless && external.cluster_ips.is_empty());
    }

    #[test]
    fn an_endpoint_without_conditions_is_ready() {
        let object: SliceObject = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"name": "", "protocol": "TCP", "port": 8080}],
            "endpoints": [
                {"addresses": ["10.244.1.3"], "nodeName": "node1", "targetRef": {"kind": "Pod", "name": "web-1"}},
                {"addresses": ["10.244.1.4"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            ],
        }))
        .unwrap();
        let slice = EndpointSlice::from(object);
        assert_eq!(slice.service.as_deref(), Some("web"));
        assert!(slice.endpoints[0].ready && slice.endpoints[0].serving);
        assert_eq!(slice.endpoints[0].pod.as_deref(), Some("web-1"));
        assert!(!slice.endpoints[1].ready && slice.endpoints[1].serving && slice.endpoints[1].terminating);
    }

    #[test]
    fn a_pod_that_is_not_scheduled_has_neither_node_nor_address() {
        let text = r#"{"metadata":{"name":"a","namespace":"b"},"spec":{},"status":{"phase":"Pending"}}"#;
        let pod = PathPod::from(serde_json::from_str::<PodObject>(text).unwrap());
        assert_eq!(
            (pod.node, pod.addresses.len(), pod.phase.as_str()),
            (None, 0, "Pending")
        );
    }

    #[test]
    fn null_lists_of_a_slice_are_empty() {
        let text =
            r#"{"metadata":{"name":"a","namespace":"b"},"addressType":"IPv4","ports":null,"endpoints":null}"#;
        let slice = EndpointSlice::from(serde_json::from_str::<SliceObject>(text).unwrap());
        assert!(slice.ports.is_empty() && slice.endpoints.is_empty() && slice.service.is_none());
    }

    #[test]
    fn absent_fields_of_a_webhook_have_the_defaults_of_the_api() {
        let text = r#"{"metadata":{"name":"c"},"webhooks":[{"name":"a.b","clientConfig":{"service":{"name":"s","namespace":"n"}}},
                      {"name":"u","clientConfig":{"url":"https://x"},"failurePolicy":"Ignore"}]}"#;
        let webhooks = serde_json::from_str::<WebhookConfiguration>(text)
            .unwrap()
            .webhooks("k");
        assert_eq!(
            webhooks[0].service.as_ref().map(|service| service.port),
            Some(443)
        );
        assert!(webhooks[0].fails_closed && webhooks[0].timeout_seconds == 10);
        assert!(!webhooks[1].fails_closed && webhooks[1].service.is_none());
    }
}
