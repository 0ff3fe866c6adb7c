//! A Service as the API writes it.

use std::collections::BTreeMap;

use observation::{LoadBalancerIngress, Service, ServicePort, ServiceSettings};
use serde::Deserialize;

use super::{Metadata, addresses, tcp};

#[derive(Deserialize)]
pub(super) struct ServiceObject {
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
    ip_families: Vec<String>,
    ip_family_policy: Option<String>,
    publish_not_ready_addresses: bool,
    session_affinity: String,
    session_affinity_config: AffinityConfig,
    traffic_distribution: Option<String>,
    load_balancer_class: Option<String>,
    load_balancer_source_ranges: Vec<String>,
    allocate_load_balancer_node_ports: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AffinityConfig {
    #[serde(rename = "clientIP")]
    client_ip: ClientIp,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ClientIp {
    timeout_seconds: Option<u32>,
}

/// `service.spec.sessionAffinityConfig.clientIP.timeoutSeconds` where it is not set.
const AFFINITY_SECONDS: u32 = 10_800;

/// How the keys of annotations begin that tell load balancers or the choice of endpoints something.
const ANNOTATIONS: [&str; 10] = [
    "service.beta.kubernetes.io/",
    "service.kubernetes.io/",
    "cloud.google.com/",
    "networking.gke.io/",
    "metallb.io/",
    "metallb.universe.tf/",
    "kube-vip.io/",
    "io.cilium/",
    "lbipam.cilium.io/",
    "loadbalancer.openstack.org/",
];

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

impl From<ServiceObject> for Service {
    fn from(object: ServiceObject) -> Self {
        let ServiceObject {
            mut metadata,
            spec,
            status,
        } = object;
        let affinity = spec.session_affinity_config.client_ip.timeout_seconds;
        let annotations = std::mem::take(&mut metadata.annotations).into_iter();
        let settings = ServiceSettings {
            created: metadata.creation_timestamp.take(),
            deleted: metadata.deletion_timestamp.take(),
            finalizers: std::mem::take(&mut metadata.finalizers),
            proxy_name: metadata.labels.remove("service.kubernetes.io/service-proxy-name"),
            annotations: annotations
                .filter(|(key, _)| ANNOTATIONS.iter().any(|start| key.starts_with(start)))
                .collect(),
            families: spec.ip_families,
            family_policy: spec.ip_family_policy,
            publish_not_ready: spec.publish_not_ready_addresses,
            affinity_seconds: (spec.session_affinity == "ClientIP")
                .then(|| affinity.unwrap_or(AFFINITY_SECONDS)),
            traffic_distribution: spec.traffic_distribution,
            load_balancer_class: spec.load_balancer_class,
            source_ranges: spec.load_balancer_source_ranges,
            without_node_ports: spec.allocate_load_balancer_node_ports == Some(false),
        };
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
            settings,
        }
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
    fn settings_are_read_and_annotations_of_others_are_not_kept() {
        let object: ServiceObject = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "2026-03-01T09:00:00Z",
                "labels": {"service.kubernetes.io/service-proxy-name": "other"},
                "annotations": {"metallb.io/address-pool": "a", "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
            "spec": {"ipFamilies": ["IPv4"], "sessionAffinity": "ClientIP", "publishNotReadyAddresses": true,
                "loadBalancerSourceRanges": ["192.0.2.0/24"]},
        }))
        .unwrap();
        let settings = Service::from(object).settings;
        assert_eq!(settings.proxy_name.as_deref(), Some("other"));
        assert_eq!(settings.annotations.len(), 1);
        assert_eq!(settings.affinity_seconds, Some(AFFINITY_SECONDS));
        assert!(settings.publish_not_ready && settings.created.is_some());
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
}
