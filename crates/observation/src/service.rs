//! What is needed of Services and of their EndpointSlices.

use std::collections::BTreeMap;
use std::net::IpAddr;

use report::Subject;
use serde::{Deserialize, Serialize};

/// What is needed of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent settings of the API object"
)]
pub struct Service {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `spec.type`, as `ClusterIP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `spec.clusterIPs`; empty when it is headless or an ExternalName.
    pub cluster_ips: Vec<IpAddr>,
    /// Whether `spec.clusterIP` is `None`.
    pub headless: bool,
    /// `spec.externalName`.
    pub external_name: Option<String>,
    /// `spec.externalIPs`.
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress`.
    pub load_balancer: Vec<LoadBalancerIngress>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// Whether `spec.internalTrafficPolicy` is `Local`.
    pub internal_local: bool,
    /// Whether `spec.externalTrafficPolicy` is `Local`.
    pub external_local: bool,
    /// `spec.healthCheckNodePort`.
    pub health_check_node_port: Option<u16>,
    /// Whether it has the label `k8s-app=kube-dns`, which the cluster's DNS has.
    pub is_dns: bool,
    /// How else it is set up.
    #[serde(default, skip_serializing_if = "is_default")]
    pub settings: ServiceSettings,
}

/// Settings of a Service that few ask about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSettings {
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `metadata.deletionTimestamp`, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// `metadata.finalizers`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    /// The label `service.kubernetes.io/service-proxy-name`: kube-proxy leaves the Service to the proxy of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_name: Option<String>,
    /// Those of `metadata.annotations` that tell load balancers or the choice of endpoints something.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// `spec.ipFamilies`, as `IPv4`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub families: Vec<String>,
    /// `spec.ipFamilyPolicy`, as `RequireDualStack`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_policy: Option<String>,
    /// `spec.publishNotReadyAddresses`.
    #[serde(skip_serializing_if = "crate::backends::is_false")]
    pub publish_not_ready: bool,
    /// `spec.sessionAffinityConfig.clientIP.timeoutSeconds` where `spec.sessionAffinity` is `ClientIP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity_seconds: Option<u32>,
    /// `spec.trafficDistribution`, as `PreferSameZone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<String>,
    /// `spec.loadBalancerClass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_balancer_class: Option<String>,
    /// `spec.loadBalancerSourceRanges`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_ranges: Vec<String>,
    /// Whether `spec.allocateLoadBalancerNodePorts` is false.
    #[serde(skip_serializing_if = "crate::backends::is_false")]
    pub without_node_ports: bool,
}

impl ServiceSettings {
    /// Whether nodes may be led to different endpoints of it, by where they are: KEP-4444 and KEP-2433.
    pub fn is_topology_aware(&self) -> bool {
        let mut keys = self.annotations.keys();
        self.traffic_distribution.is_some()
            || keys.any(|key| key.ends_with("/topology-mode") || key.ends_with("/topology-aware-hints"))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Service {
    /// As kubectl prints it: `service/web -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "service".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }

    /// A port of it as kube-proxy names it: `shop/web:http`.
    pub fn port_name(&self, port: &ServicePort) -> String {
        let (namespace, name) = (&self.namespace, &self.name);
        if port.name.is_empty() {
            format!("{namespace}/{name}")
        } else {
            format!("{namespace}/{name}:{}", port.name)
        }
    }
}

/// One way in from a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerIngress {
    /// `ip`.
    pub ip: Option<IpAddr>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// Whether `ipMode` is `Proxy`: nodes then send what is for it out to the load balancer.
    pub proxy: bool,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// `name`; empty where it has none.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// `port`.
    pub port: u16,
    /// `targetPort` as it is written: a number or a name.
    pub target_port: String,
    /// `nodePort`.
    pub node_port: Option<u16>,
}

/// What is needed of an EndpointSlice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// The label `kubernetes.io/service-name`.
    pub service: Option<String>,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: String,
    /// `ports`.
    pub ports: Vec<SlicePort>,
    /// `endpoints`.
    #[serde(deserialize_with = "crate::backends::exact")]
    pub endpoints: Vec<Endpoint>,
    /// The label `endpointslice.kubernetes.io/managed-by`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// The annotation `endpoints.kubernetes.io/last-change-trigger-time`: when the change was made that the slice last followed,
    /// RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub triggered: Option<String>,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SlicePort {
    /// The name of the Service's port; empty where it has none.
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// The number; `None` when it is not restricted.
    pub port: Option<u16>,
}

/// An endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// `addresses`, as far as they are addresses.
    #[serde(deserialize_with = "crate::backends::exact")]
    pub addresses: Vec<IpAddr>,
    /// `conditions.ready`; an absent condition counts as true, as the API says.
    pub ready: bool,
    /// `conditions.serving`; as ready where it is absent.
    pub serving: bool,
    /// `conditions.terminating`.
    pub terminating: bool,
    /// `nodeName`.
    pub node: Option<String>,
    /// `targetRef.name`, where `targetRef.kind` is `Pod`.
    pub pod: Option<String>,
    /// `targetRef.uid`, where `targetRef.kind` is `Pod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_uid: Option<String>,
    /// `zone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `hints.forZones`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_zones: Vec<String>,
    /// `hints.forNodes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_nodes: Vec<String>,
    /// `hostname`: the first part of the endpoint's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
}

/// Whether a selector of plain labels selects an object with these labels. The empty selector selects nothing, as that of a Service: somebody
/// else writes its slices.
pub fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
