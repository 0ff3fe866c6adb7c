use std::collections::BTreeMap;
use std::net::IpAddr;

use report::{Gap, Observed};
use serde::{Deserialize, Serialize};

/// What was seen of NetworkPolicies, of what they select, and of who enforces them.
///
/// The lists are of the whole cluster where the user may list that, else of the namespaces that were asked about; what is missing from
/// them then stands in [`PolicyFacts::partial`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFacts {
    /// What was asked.
    pub question: PolicyQuestion,
    /// The NetworkPolicies of the cluster.
    pub policies: Observed<Vec<PolicyObject>>,
    /// NetworkPolicies that are not in the cluster, and are judged as if they were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<PolicyObject>,
    /// Pods, except those that have ended.
    pub pods: Observed<Vec<PolicyPod>>,
    /// Namespaces.
    pub namespaces: Observed<Vec<PolicyNamespace>>,
    /// Services.
    pub services: Observed<Vec<PolicyService>>,
    /// What makes pods.
    pub workloads: Observed<Vec<PolicyWorkload>>,
    /// Policies of other APIs that the cluster serves, those kinds without objects included.
    pub other_kinds: Observed<Vec<OtherPolicies>>,
    /// What is missing from the lists that were seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<Gap>,
    /// What became of a policy that was applied in a namespace of the run's own, to see whether it is enforced; `None` when that was
    /// not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforcement: Option<Observed<Enforcement>>,
}

/// What is asked about policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyQuestion {
    /// The namespace whose policies are asked about; `None` for all.
    pub namespace: Option<String>,
    /// One end: whatever concerns this pod, or the source of a flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PolicyEnd>,
    /// The other end of a flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<PolicyEnd>,
    /// The port of the flow: of the Service where the destination is one, else of the pod; `None` for every port that is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `TCP`, `UDP` or `SCTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// An end of a flow, as it was named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum PolicyEnd {
    /// A pod, a Service, or something that makes pods: one of its pods stands for all.
    #[serde(rename_all = "camelCase")]
    Object {
        /// In lower case and singular: `pod`, `service`, `deployment`.
        kind: String,
        /// `metadata.namespace`.
        namespace: String,
        /// `metadata.name`.
        name: String,
    },
    /// An address.
    #[serde(rename_all = "camelCase")]
    Address {
        /// Of a pod, a node, or outside.
        address: IpAddr,
    },
}

/// A `networking.k8s.io/v1` NetworkPolicy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyObject {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.creationTimestamp`, RFC 3339; `None` for one that is not in a cluster.
    pub created: Option<String>,
    /// `spec`, as the API wrote it.
    pub spec: serde_json::Value,
}

/// What policies need to know of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyPod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `metadata.creationTimestamp`, RFC 3339.
    pub created: Option<String>,
    /// `spec.nodeName`; `None` while it is not scheduled.
    pub node: Option<String>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// `spec.dnsPolicy`; `None` where the API did not say.
    pub dns_policy: Option<String>,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// What its containers and sidecars declare.
    pub ports: Vec<PolicyPort>,
    /// Those of its containers that have the name of a service mesh's proxy, as `istio-proxy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mesh_proxies: Vec<String>,
    /// What its containers are told of proxies: `HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY` and their names in lower case, as far
    /// as the values stand in the pod itself. User names and passwords are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proxy_settings: BTreeMap<String, String>,
    /// What made it, as `replicaset/web-5d4f`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyPort {
    /// Its name; most have none.
    pub name: Option<String>,
    /// `containerPort`.
    pub number: u16,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
}

/// A namespace and its labels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyNamespace {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
}

/// What policies need to know of a Service: their ports are those of pods, after a Service's were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyService {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, String>,
    /// `spec.selector`; empty where somebody else makes its EndpointSlices.
    pub selector: BTreeMap<String, String>,
    /// `spec.ports`.
    pub ports: Vec<PolicyServicePort>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyServicePort {
    /// Its name; a single port may have none.
    pub name: Option<String>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// `port`.
    pub port: u16,
    /// `targetPort`, a number or the name of a pod's port; the API fills it in.
    pub target: String,
}

/// What makes pods: a Deployment, StatefulSet, DaemonSet or CronJob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyWorkload {
    /// In lower case and singular: `deployment`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`: of the object itself, which policies never see.
    pub labels: BTreeMap<String, String>,
    /// The labels of the pods that it makes.
    pub template_labels: BTreeMap<String, String>,
    /// The images of the pods that it makes.
    pub images: Vec<String>,
    /// How many pods are ready; `None` where the API did not say.
    pub ready: Option<u32>,
}

/// A kind of policy beside NetworkPolicy, and how many objects of it there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherPolicies {
    /// As `ciliumnetworkpolicies.cilium.io`.
    pub resource: String,
    /// Its objects, as `namespace/name`, or `name` alone.
    pub objects: Observed<Vec<String>>,
}

/// What a policy that denies everything did to connections that worked before, in a namespace of the run's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enforcement {
    /// The nodes of the pods between which was probed.
    pub nodes: Vec<String>,
    /// Whether every connection was answered before the policy was applied.
    pub before: bool,
    /// Whether any connection was answered while the policy was there, after so many milliseconds.
    pub during: bool,
    /// Whether every connection was answered after the policy was taken away.
    pub after: bool,
    /// How long the policy was there when the last probe was made, in milliseconds.
    pub applied_for_ms: u64,
}
