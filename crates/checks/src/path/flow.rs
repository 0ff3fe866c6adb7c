//! The flow of a path that was asked about: its ends as addresses, and the nodes that they are on.

use std::net::{IpAddr, SocketAddr};

use observation::{Node, NodePod, Observation, PathEnds, Purpose, Reach, Service};
use report::{Observed, Subject};

use crate::reach::ready_endpoints;

/// So many endpoints of a Service are followed.
const ENDPOINTS: usize = 3;

/// One flow, to one destination or to those of a Service.
#[derive(Clone, Debug)]
pub(crate) struct PathFlow<'a> {
    pub(crate) source: FlowEnd<'a>,
    /// The address and port of the Service, where it is one with a ClusterIP.
    pub(crate) cluster_ip: Option<SocketAddr>,
    pub(crate) destinations: Vec<FlowEnd<'a>>,
    pub(crate) is_udp: bool,
}

/// Where a flow begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlowEnd<'a> {
    /// As kubectl prints it, or an address.
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    /// `None` where none was named, and at the source.
    pub(crate) port: Option<u16>,
    /// Where it is; `None` outside of the cluster, and where that is not known.
    pub(crate) node: Option<&'a Node>,
    /// Whether it is in the network of its node.
    pub(crate) is_host: bool,
    /// As the nodes' pods are known, where it is one whose network was to be read.
    pub(crate) pod: Option<&'a NodePod>,
}

impl<'a> PathFlow<'a> {
    /// The flow that was asked about; the clause says why there is none, where one was asked about.
    pub(crate) fn of(observation: &'a Observation) -> Option<Result<Self, String>> {
        let reach = observation.reach.as_ref()?;
        let ends = reach.ends.as_ref()?;
        Some(
            Finder {
                observation,
                reach,
                ends,
            }
            .flow(),
        )
    }
}

struct Finder<'a> {
    observation: &'a Observation,
    reach: &'a Reach,
    ends: &'a PathEnds,
}

impl<'a> Finder<'a> {
    fn flow(&self) -> Result<PathFlow<'a>, String> {
        let (cluster_ip, is_udp, destinations) = match self.service() {
            Some(service) => self.of_service(service)?,
            None => (None, false, self.destination()),
        };
        let like = cluster_ip
            .map(|address| address.ip())
            .or_else(|| destinations.first().map(|end| end.address))
            .ok_or_else(|| format!("no address of {} is known", self.ends.destination))?;
        let is_alike = |address: &IpAddr| address.is_ipv4() == like.is_ipv4();
        let source = self
            .source(is_alike)
            .ok_or_else(|| format!("no such address of {} is known", self.ends.source))?;
        let mut destinations = destinations;
        destinations.retain(|end| is_alike(&end.address));
        Ok(PathFlow {
            source,
            cluster_ip,
            destinations,
            is_udp,
        })
    }

    fn node(&self, name: &str) -> Option<&'a Node> {
        let mut nodes = self.observation.nodes.seen().into_iter().flatten();
        nodes.find(|node| node.name == name)
    }

    fn node_pod(&self, namespace: &str, name: &str) -> Option<&'a NodePod> {
        let pods = self.observation.node_pods.as_ref().and_then(Observed::seen);
        let mut pods = pods.into_iter().flatten();
        pods.find(|pod| pod.namespace == namespace && pod.name == name)
    }

    /// The addresses of a pod or a node.
    fn object(&self, subject: &Subject, port: Option<u16>) -> Vec<FlowEnd<'a>> {
        let Subject::Object {
            kind,
            name,
            namespace,
        } = subject
        else {
            return Vec::new();
        };
        let of = |address: &IpAddr, node, is_host, pod| FlowEnd {
            name: subject.to_string(),
            address: *address,
            port,
            node,
            is_host,
            pod,
        };
        match (kind.as_str(), namespace) {
            ("pod", Some(namespace)) => {
                let pods = self.reach.pods.iter();
                let mut found = pods.filter(|pod| pod.name == *name && pod.namespace == *namespace);
                let Some(pod) = found.next() else {
                    return Vec::new();
                };
                let node = pod.node.as_deref().and_then(|node| self.node(node));
                let known = self.node_pod(namespace, name);
                let addresses = pod.addresses.iter();
                addresses
                    .map(|address| of(address, node, pod.host_network, known))
                    .collect()
            }
            ("node", _) => {
                let node = self.node(name);
                let addresses = node.into_iter().flat_map(|node| &node.internal_ips);
                addresses.map(|address| of(address, node, true, None)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn source(&self, is_alike: impl Fn(&IpAddr) -> bool) -> Option<FlowEnd<'a>> {
        let ends = self.object(&self.ends.source, None);
        ends.into_iter().find(|end| is_alike(&end.address))
    }

    fn destination(&self) -> Vec<FlowEnd<'a>> {
        // The kubelet's port, which is what is tried of a node where none is named.
        let is_node = matches!(&self.ends.destination, Subject::Object { kind, .. } if kind == "node");
        let port = self.ends.port.or(is_node.then_some(10250));
        let known = self.object(&self.ends.destination, port);
        if !known.is_empty() {
            return known;
        }
        let tried = self.reach.attempts.iter();
        let mut outside = tried.filter(|it| it.purpose == Purpose::AddressOutside);
        let end = outside.next().map(|attempt| FlowEnd {
            name: attempt.address.ip().to_string(),
            address: attempt.address.ip(),
            port: Some(attempt.address.port()),
            node: None,
            is_host: false,
            pod: None,
        });
        end.into_iter().collect()
    }

    fn service(&self) -> Option<&'a Service> {
        let services = self.reach.services.as_ref()?.seen()?;
        services
            .iter()
            .find(|service| service.subject() == self.ends.destination)
    }

    /// Its address, whether it is of UDP, and its endpoints.
    fn of_service(
        &self,
        service: &'a Service,
    ) -> Result<(Option<SocketAddr>, bool, Vec<FlowEnd<'a>>), String> {
        let mut ports = service.ports.iter();
        let port = ports
            .find(|port| self.ends.port.is_none_or(|wanted| wanted == port.port))
            .ok_or_else(|| format!("{} has no such port", service.subject()))?;
        let slices = self.reach.slices.as_ref().and_then(Observed::seen);
        let slices = slices.map_or(&[][..], Vec::as_slice);
        let endpoints = ready_endpoints(service, port, slices);
        let of = |(address, endpoint): &(SocketAddr, &'a observation::Endpoint)| {
            let node = endpoint.node.as_deref().and_then(|node| self.node(node));
            let pod = endpoint.pod.as_deref();
            let is_host = node.is_some_and(|node| node.internal_ips.contains(&address.ip()));
            FlowEnd {
                name: pod.map_or_else(
                    || address.ip().to_string(),
                    |pod| format!("pod/{pod} -n {}", service.namespace),
                ),
                address: address.ip(),
                port: Some(address.port()),
                node,
                is_host,
                pod: pod.and_then(|pod| self.node_pod(&service.namespace, pod)),
            }
        };
        let ends: Vec<FlowEnd<'a>> = endpoints.iter().take(ENDPOINTS).map(of).collect();
        let cluster_ip = service.cluster_ips.first();
        let address = cluster_ip.map(|ip| SocketAddr::new(*ip, port.port));
        if address.is_none() && ends.is_empty() {
            return Err(format!(
                "{} has neither a ClusterIP nor an endpoint",
                service.subject()
            ));
        }
        Ok((address, port.protocol == "UDP", ends))
    }
}
