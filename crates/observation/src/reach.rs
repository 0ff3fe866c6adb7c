//! What was tried beyond the mesh of probe pods: Services and their endpoints, names, addresses outside, the control
//! plane. And what of the API is needed to judge it.

use std::net::{IpAddr, SocketAddr};

use netprobe::{Kind, Sample};
use report::{Observed, Subject};
use serde::{Deserialize, Serialize};

use crate::{Condition, EndpointSlice, HostPort, Service};

/// What was tried beyond the mesh, and the API objects that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reach {
    /// What the user asked about. A check that belongs to none of it is not made.
    pub topics: Vec<Topic>,
    /// The Services that the user asked about. Others were read to compare with, or for something else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Subject>,
    /// The Services that it is about, and those that are needed to compare: not all of the cluster. `None` when no
    /// Service was to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Observed<Vec<Service>>>,
    /// The EndpointSlices of [`Reach::services`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<Observed<Vec<EndpointSlice>>>,
    /// Admission webhooks, of both kinds. `None` when they were not to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Observed<Vec<Webhook>>>,
    /// APIServices that are served by a Service. `None` when they were not to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_services: Option<Observed<Vec<ApiService>>>,
    /// The ports of nodes that pods ask for. `None` when they were not to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ports: Option<Observed<Vec<HostPort>>>,
    /// A Service that the run made before its own pods, or why none. `None` when none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_service: Option<Observed<MadeService>>,
    /// The pods at the ends of a path that the user asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PathPod>,
    /// The ends of a path, as the user named them; `None` where no path was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<PathEnds>,
    /// The domain of the cluster's names, without a final dot: as `cluster.local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_domain: Option<String>,
    /// What each source answered, or why not.
    pub sources: Vec<SourceState>,
    /// Everything that was planned.
    pub attempts: Vec<Attempt>,
    /// What was not tried on purpose, one sentence each without a full stop: ports of a protocol that cannot be probed,
    /// endpoints beyond the limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

impl Reach {
    /// What these topics begin with: nothing read, and nothing tried.
    pub fn about(topics: Vec<Topic>) -> Self {
        Self {
            topics,
            asked: Vec::new(),
            services: None,
            slices: None,
            webhooks: None,
            api_services: None,
            host_ports: None,
            own_service: None,
            pods: Vec::new(),
            ends: None,
            cluster_domain: None,
            sources: Vec::new(),
            attempts: Vec::new(),
            left_out: Vec::new(),
        }
    }
}

/// What a user asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    /// Services: ClusterIPs, endpoints, node ports, load balancers.
    Service,
    /// What lies outside of the cluster, from inside.
    Egress,
    /// Node ports and load balancers, from outside.
    External,
    /// The API server, kubelets, webhooks, aggregated APIs.
    ControlPlane,
    /// One source and one destination.
    Path,
    /// How long things take, and how much gets lost.
    Performance,
}

/// Where an attempt is made from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "eyes")]
pub enum Source {
    /// The probe pod of a node, in the pod network.
    #[serde(rename_all = "camelCase")]
    Pod {
        /// The node's name.
        node: String,
    },
    /// A probe pod in the network of its node.
    #[serde(rename_all = "camelCase")]
    Host {
        /// The node's name.
        node: String,
    },
    /// A pod of the cluster itself, in its own network.
    #[serde(rename_all = "camelCase")]
    Inside {
        /// The name of its node.
        node: String,
        /// `metadata.namespace`.
        namespace: String,
        /// `metadata.name`.
        pod: String,
    },
    /// The machine on which the program runs. Errors seen there have no offender.
    Outside,
}

impl Source {
    /// The node, where there is one.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Pod { node } | Self::Host { node } | Self::Inside { node, .. } => Some(node),
            Self::Outside => None,
        }
    }
}

/// What became of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceState {
    /// Which one.
    pub source: Source,
    /// Whether all of its answers arrived, or why not. A source that was cut off keeps the attempts that did arrive.
    pub answered: Observed<()>,
}

/// One thing that was tried from one place, one address, one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// From where.
    pub source: Source,
    /// What it shows.
    pub purpose: Purpose,
    /// What it is about, as `service/web -n shop`; the address outside or the cluster where no object stands for it.
    pub subject: Subject,
    /// Address and port that were tried.
    pub address: SocketAddr,
    /// How it was tried.
    pub kind: Kind,
    /// What is right.
    pub expected: Expected,
    /// All that was seen, first tries in the order in which they were made, then retries. Empty when no answer arrived:
    /// then [`Reach::sources`] says why.
    pub samples: Vec<Sample>,
}

/// What an attempt shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Purpose {
    /// A Service by its ClusterIP.
    ClusterIp,
    /// One endpoint of a Service, by the pod's address and the target port.
    #[serde(rename_all = "camelCase")]
    Endpoint {
        /// `targetRef.name`, where it is a pod.
        pod: Option<String>,
        /// `nodeName`.
        node: Option<String>,
    },
    /// A Service by the port that every node has for it.
    #[serde(rename_all = "camelCase")]
    NodePort {
        /// The node whose address was tried.
        node: String,
    },
    /// A Service of the run's own by its ClusterIP.
    OwnService,
    /// A pod by a port of its node that it asks for.
    #[serde(rename_all = "camelCase")]
    HostPort {
        /// The pod's node, whose address was tried.
        node: String,
    },
    /// A Service by the address of its load balancer.
    LoadBalancer,
    /// A Service by one of its `externalIPs`.
    ExternalIp,
    /// The health check of `externalTrafficPolicy: Local`: 200 on nodes with a ready endpoint, else 503.
    #[serde(rename_all = "camelCase")]
    HealthCheck {
        /// The node whose address was tried.
        node: String,
        /// Whether a ready endpoint is there, by the EndpointSlices.
        has_endpoint: bool,
    },
    /// A Service's name, asked of the cluster's DNS.
    #[serde(rename_all = "camelCase")]
    Name {
        /// The addresses that it should have.
        expected: Vec<IpAddr>,
    },
    /// A Service of type ExternalName: the name that it stands for, asked of the cluster's DNS.
    ExternalName,
    /// A name outside, asked of the cluster's DNS by its ClusterIP.
    NameOutside,
    /// The same name, asked of one DNS pod by its own address.
    #[serde(rename_all = "camelCase")]
    NameOutsideByPod {
        /// `targetRef.name` of the DNS server's endpoint.
        pod: Option<String>,
    },
    /// An address outside of the cluster.
    AddressOutside,
    /// One API server by the address in the EndpointSlice of `service/kubernetes`.
    ApiServer,
    /// The kubelet of a node.
    #[serde(rename_all = "camelCase")]
    Kubelet {
        /// The node.
        node: String,
    },
    /// A port of a probe pod where nothing listens: it has to refuse.
    #[serde(rename_all = "camelCase")]
    ClosedPort {
        /// The node of the probe pod.
        node: String,
    },
    /// A probe pod, to compare with.
    #[serde(rename_all = "camelCase")]
    ProbePod {
        /// Its node.
        node: String,
    },
    /// What the user named as the destination of a path.
    Destination,
    /// A node by its own address, at any port: whatever comes back shows that there is a way.
    #[serde(rename_all = "camelCase")]
    Node {
        /// The node.
        node: String,
    },
    /// The next hop of a pod's own default route.
    #[serde(rename_all = "camelCase")]
    Gateway {
        /// The node of the pod.
        node: String,
    },
}

/// What is right for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expected {
    /// An answer.
    Answer,
    /// A refusal: nothing listens, and somebody has to say so.
    Refusal,
    /// No answer: by a setting of the Service nobody answers here. Packets are dropped, or refused.
    Silence,
    /// Nothing in particular; it is shown and not judged.
    Anything,
    /// An answer or a refusal: either shows that there is a way.
    Sign,
}

/// A Service that the run made in its own namespace, and took away again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeService {
    /// As `service/own-service -n netcheck-0a1b2c3d4e`.
    pub subject: Subject,
    /// From when it was there to the last try of it, in milliseconds: nodes need a moment to write rules for it.
    pub waited_ms: u64,
}

/// The ends of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathEnds {
    /// Where it begins: a pod or a node.
    pub source: Subject,
    /// The node where it begins.
    pub source_node: String,
    /// Where it ends: a pod, a node, a Service, or an address outside as text.
    pub destination: Subject,
    /// The port that was named, where one was.
    pub port: Option<u16>,
}

/// A pod at an end of a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PathPod {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `spec.nodeName`; `None` while it is not scheduled.
    pub node: Option<String>,
    /// `status.phase`, as `Running`.
    pub phase: String,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
}

/// A reference of the control plane to a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceReference {
    /// `name`.
    pub name: String,
    /// `namespace`.
    pub namespace: String,
    /// `port`; 443 where it is absent, as the API says.
    pub port: u16,
}

/// An admission webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// `validatingwebhookconfiguration` or `mutatingwebhookconfiguration`.
    pub kind: String,
    /// The configuration's name.
    pub configuration: String,
    /// The webhook's name in it.
    pub name: String,
    /// Where it is called, when that is a Service and not a URL.
    pub service: Option<ServiceReference>,
    /// Whether `failurePolicy` is `Fail`: what it cannot be asked about is then refused.
    pub fails_closed: bool,
    /// `timeoutSeconds`.
    pub timeout_seconds: u32,
}

/// An APIService that is served by a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiService {
    /// As `v1beta1.metrics.k8s.io`.
    pub name: String,
    /// What serves it.
    pub service: ServiceReference,
    /// The condition `Available`; `None` when it has none.
    pub available: Option<Condition>,
}
