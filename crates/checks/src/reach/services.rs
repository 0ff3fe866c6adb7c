//! What is to be tried of Services.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use netprobe::Kind;
use observation::{Endpoint, EndpointSlice, Expected, Node, Purpose, Service, ServicePort, Source};
use report::Family;

use super::{Place, ReachOptions, Wanted, connect, record_type, ring};

/// How much of a Service is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceDepth {
    /// Its ClusterIP, a few times: to compare with.
    Address,
    /// ClusterIP and endpoints.
    Endpoints,
    /// All ways in, and its name.
    Full,
}

/// The Service of the cluster's DNS, where it is among these.
pub fn dns_service(services: &[Service]) -> Option<&Service> {
    let names = ["kube-dns", "coredns", "rke2-coredns-rke2-coredns", "dns-default"];
    let labelled = services.iter().find(|service| service.is_dns);
    labelled.or_else(|| {
        let is_system = |service: &&Service| {
            ["kube-system", "openshift-dns"].contains(&service.namespace.as_str())
                && names.contains(&service.name.as_str())
        };
        services.iter().find(is_system)
    })
}

/// The ready endpoints behind a port of a Service, each with the address and port that it has for it. An endpoint that
/// several slices list is there once.
pub fn ready_endpoints<'a>(
    service: &Service,
    port: &ServicePort,
    slices: &'a [EndpointSlice],
) -> Vec<(SocketAddr, &'a Endpoint)> {
    let mut seen = BTreeSet::new();
    let mut endpoints = Vec::new();
    for slice in slices.iter().filter(|slice| belongs(slice, service)) {
        let number = slice
            .ports
            .iter()
            .find(|it| it.name == port.name && it.protocol == port.protocol)
            .and_then(|it| it.port);
        let Some(number) = number else { continue };
        for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.ready) {
            // All addresses of an endpoint are of the same one; the API says to use the first.
            let Some(address) = endpoint.addresses.first() else {
                continue;
            };
            let address = SocketAddr::new(*address, number);
            if seen.insert(address) {
                endpoints.push((address, endpoint));
            }
        }
    }
    endpoints
}

/// Whether a slice is one of this Service.
pub(crate) fn belongs(slice: &EndpointSlice, service: &Service) -> bool {
    slice.namespace == service.namespace && slice.service.as_ref() == Some(&service.name)
}

/// What is to be tried of these Services, and what is left out of them, one sentence each.
pub fn plan_services(
    services: &[(&Service, ServiceDepth)],
    slices: &[EndpointSlice],
    dns: Option<&Service>,
    nodes: &[Node],
    places: &[Place],
    options: &ReachOptions,
) -> (Vec<Wanted>, Vec<String>) {
    let mut planner = Planner {
        slices,
        dns,
        nodes,
        places,
        options,
        wanted: Vec::new(),
        left_out: Vec::new(),
    };
    for (service, depth) in services {
        planner.service(service, *depth);
    }
    (planner.wanted, planner.left_out)
}

/// What is to be tried of these Services from the machine on which the program runs: the node ports of every node, and the
/// addresses of load balancers. And, to know whether that machine has any way there, the kubelets' port of the nodes, and
/// one where nothing listens: a proxy on the way may answer for everybody. Ports of another protocol than TCP are left out.
pub fn plan_outside(
    services: &[&Service],
    slices: &[EndpointSlice],
    nodes: &[Node],
    options: &ReachOptions,
) -> (Vec<Wanted>, Vec<String>) {
    let here = Place {
        source: Source::Outside,
        addresses: Vec::new(),
        effort: super::Effort::Full,
    };
    let mut planner = Planner {
        slices,
        dns: None,
        nodes,
        places: std::slice::from_ref(&here),
        options,
        wanted: Vec::new(),
        left_out: Vec::new(),
    };
    for service in services {
        for port in service.ports.iter().filter(|port| port.protocol == "TCP") {
            let kind = connect(options);
            planner.node_ports(service, port, &kind);
            planner.ways_in(service, port, &kind);
        }
    }
    for node in nodes.iter().take(10) {
        for ip in addresses_from(node, &Source::Outside) {
            let node = node.name.clone();
            let controls = [
                (Purpose::Node { node: node.clone() }, KUBELET),
                (Purpose::ClosedPort { node: node.clone() }, NOBODY),
            ];
            planner.wanted.extend(controls.map(|(purpose, port)| Wanted {
                source: None,
                subject: report::Subject::node(&node),
                purpose,
                address: SocketAddr::new(ip, port),
                kind: connect(options),
                expected: Expected::Anything,
                tries: 1,
            }));
        }
    }
    for want in &mut planner.wanted {
        want.source = Some(Source::Outside);
    }
    (planner.wanted, planner.left_out)
}

const KUBELET: u16 = 10250;
/// Of a service that nobody has run for decades (tcpmux).
const NOBODY: u16 = 1;

/// The addresses by which a node is tried: from outside also those that it has there.
fn addresses_from(node: &Node, source: &Source) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = Vec::new();
    if *source == Source::Outside {
        all.extend(first_of_each_family(&node.external_ips));
    }
    all.extend(first_of_each_family(&node.internal_ips));
    all.dedup();
    all
}

struct Planner<'a> {
    slices: &'a [EndpointSlice],
    dns: Option<&'a Service>,
    nodes: &'a [Node],
    places: &'a [Place],
    options: &'a ReachOptions,
    wanted: Vec<Wanted>,
    left_out: Vec<String>,
}

impl Planner<'_> {
    fn service(&mut self, service: &Service, depth: ServiceDepth) {
        for port in &service.ports {
            let Some(kind) = self.kind(service, port) else {
                let (subject, number, protocol) = (service.subject(), port.port, &port.protocol);
                self.left_out.push(format!(
                    "port {number}/{protocol} of {subject}: only what answers by itself can be tried, which is TCP and DNS"
                ));
                continue;
            };
            self.cluster_ip(service, port, &kind, depth);
            if depth >= ServiceDepth::Endpoints {
                self.endpoints(service, port, &kind);
            }
            if depth >= ServiceDepth::Full {
                self.node_ports(service, port, &kind);
                self.ways_in(service, port, &kind);
            }
        }
        if depth >= ServiceDepth::Full {
            self.health_checks(service);
            self.name(service);
        }
    }

    /// How a port is tried; `None` when nothing answers there by itself.
    fn kind(&self, service: &Service, port: &ServicePort) -> Option<Kind> {
        let is_dns = self.dns.is_some_and(|dns| dns.subject() == service.subject()) && port.port == 53;
        match port.protocol.as_str() {
            "TCP" | "UDP" if is_dns => Some(Kind::Dns {
                name: self.full_name("kubernetes", "default"),
                qtype: service.cluster_ips.first().copied().map_or(1, record_type),
                tcp: port.protocol == "TCP",
                whole: false,
                edns: 0,
            }),
            "TCP" => Some(connect(self.options)),
            _ => None,
        }
    }

    fn full_name(&self, service: &str, namespace: &str) -> String {
        format!("{service}.{namespace}.svc.{}.", self.options.cluster_domain)
    }

    fn want(&mut self, service: &Service, purpose: Purpose, address: SocketAddr, kind: &Kind, tries: u32) {
        self.want_from(None, service, purpose, address, kind, Expected::Answer, tries);
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of one line of the plan")]
    fn want_from(
        &mut self,
        source: Option<Source>,
        service: &Service,
        purpose: Purpose,
        address: SocketAddr,
        kind: &Kind,
        expected: Expected,
        tries: u32,
    ) {
        self.wanted.push(Wanted {
            source,
            purpose,
            subject: service.subject(),
            address,
            kind: kind.clone(),
            expected,
            tries,
        });
    }

    /// The nodes where the Service has a ready endpoint behind this port, of the family of the address.
    fn nodes_with_endpoint(&self, service: &Service, port: &ServicePort, like: IpAddr) -> BTreeSet<String> {
        ready_endpoints(service, port, self.slices)
            .into_iter()
            .filter(|(address, _)| address.is_ipv4() == like.is_ipv4())
            .filter_map(|(_, endpoint)| endpoint.node.clone())
            .collect()
    }

    fn cluster_ip(&mut self, service: &Service, port: &ServicePort, kind: &Kind, depth: ServiceDepth) {
        let tries = if depth == ServiceDepth::Address {
            self.options.count.min(3)
        } else {
            self.options.count
        };
        for ip in &service.cluster_ips {
            let address = SocketAddr::new(*ip, port.port);
            let backed = ready_endpoints(service, port, self.slices)
                .iter()
                .any(|(endpoint, _)| Family::of(endpoint.ip()) == Family::of(*ip));
            let purpose = Purpose::ClusterIp;
            if !backed {
                self.want_from(None, service, purpose, address, kind, Expected::Refusal, 1);
            } else if service.internal_local {
                let local = self.nodes_with_endpoint(service, port, *ip);
                for place in self.places {
                    let has = place.source.node().is_some_and(|node| local.contains(node));
                    let (expected, tries) = if has {
                        (Expected::Answer, tries)
                    } else {
                        (Expected::Silence, 1)
                    };
                    let source = Some(place.source.clone());
                    self.want_from(
                        source,
                        service,
                        Purpose::ClusterIp,
                        address,
                        kind,
                        expected,
                        tries,
                    );
                }
            } else {
                self.want(service, purpose, address, kind, tries);
            }
        }
    }

    fn endpoints(&mut self, service: &Service, port: &ServicePort, kind: &Kind) {
        let endpoints = ready_endpoints(service, port, self.slices);
        let most = self.options.endpoints;
        if endpoints.len() > most {
            self.left_out.push(format!(
                "{} of {} endpoints of port {} of {}: tried are those of as many nodes as possible",
                endpoints.len() - most,
                endpoints.len(),
                port.port,
                service.subject()
            ));
        }
        for (address, endpoint) in spread(endpoints, most) {
            let purpose = Purpose::Endpoint {
                pod: endpoint.pod.clone(),
                node: endpoint.node.clone(),
            };
            self.want(service, purpose, address, kind, 2);
        }
    }

    fn node_ports(&mut self, service: &Service, port: &ServicePort, kind: &Kind) {
        let Some(node_port) = port.node_port else { return };
        let all = self.nodes.len() <= 10;
        for place in self.places {
            let own = place.source.node();
            let position = self.nodes.iter().position(|node| Some(node.name.as_str()) == own);
            let targets: Vec<&Node> = match position {
                Some(position) if !all => std::iter::once(&self.nodes[position])
                    .chain(ring::next(self.nodes, position, self.options.neighbours))
                    .collect(),
                Some(_) | None => self.nodes.iter().take(10).collect(),
            };
            for node in targets {
                for ip in addresses_from(node, &place.source) {
                    let backing = self.nodes_with_endpoint(service, port, ip);
                    // What comes from a pod of the same node is not taken for outside traffic.
                    let is_own = Some(node.name.as_str()) == own;
                    let expected = if backing.is_empty() {
                        Expected::Refusal
                    } else if service.external_local && !is_own && !backing.contains(&node.name) {
                        Expected::Silence
                    } else {
                        Expected::Answer
                    };
                    let purpose = Purpose::NodePort {
                        node: node.name.clone(),
                    };
                    let address = SocketAddr::new(ip, node_port);
                    let source = Some(place.source.clone());
                    self.want_from(source, service, purpose, address, kind, expected, 2);
                }
            }
        }
    }

    fn ways_in(&mut self, service: &Service, port: &ServicePort, kind: &Kind) {
        let backed = !ready_endpoints(service, port, self.slices).is_empty();
        let expected = if backed {
            Expected::Answer
        } else {
            Expected::Refusal
        };
        for ingress in &service.load_balancer {
            match (ingress.ip, &ingress.hostname) {
                (Some(ip), _) => {
                    let address = SocketAddr::new(ip, port.port);
                    self.want_from(None, service, Purpose::LoadBalancer, address, kind, expected, 2);
                }
                (None, Some(name)) => self.left_out.push(format!(
                    "the load balancer {name} of {}: it has a name and no address",
                    service.subject()
                )),
                (None, None) => {}
            }
        }
        for ip in &service.external_ips {
            let address = SocketAddr::new(*ip, port.port);
            self.want_from(None, service, Purpose::ExternalIp, address, kind, expected, 2);
        }
    }

    fn health_checks(&mut self, service: &Service) {
        let Some(port) = service.health_check_node_port else {
            return;
        };
        let mut backing = BTreeSet::new();
        for it in &service.ports {
            let endpoints = ready_endpoints(service, it, self.slices).into_iter();
            backing.extend(endpoints.filter_map(|(_, endpoint)| endpoint.node.clone()));
        }
        for node in self.nodes.iter().take(10) {
            for ip in first_of_each_family(&node.internal_ips) {
                let purpose = Purpose::HealthCheck {
                    node: node.name.clone(),
                    has_endpoint: backing.contains(&node.name),
                };
                let kind = Kind::Http {
                    path: "/healthz".to_owned(),
                    host: node.name.clone(),
                };
                self.want(service, purpose, SocketAddr::new(ip, port), &kind, 1);
            }
        }
    }

    fn name(&mut self, service: &Service) {
        let Some(dns) = self.dns else {
            self.left_out.push(format!(
                "the name of {}: no DNS Service was found",
                service.subject()
            ));
            return;
        };
        let (full, purpose, families): (String, Purpose, Vec<u16>) =
            if let Some(name) = &service.external_name {
                (name.clone(), Purpose::ExternalName, vec![1])
            } else {
                let expected = addresses_of(service, self.slices);
                if expected.is_empty() {
                    // Without an endpoint a headless Service has no address to be found.
                    return;
                }
                let families: BTreeSet<u16> = expected.iter().copied().map(record_type).collect();
                let name = self.full_name(&service.name, &service.namespace);
                (name, Purpose::Name { expected }, families.into_iter().collect())
            };
        for server in &dns.cluster_ips {
            for qtype in &families {
                let kind = Kind::Dns {
                    name: full.clone(),
                    qtype: *qtype,
                    tcp: false,
                    whole: false,
                    edns: 0,
                };
                self.want(service, purpose.clone(), SocketAddr::new(*server, 53), &kind, 2);
            }
        }
    }
}

/// The addresses that the name of a Service has.
fn addresses_of(service: &Service, slices: &[EndpointSlice]) -> Vec<IpAddr> {
    if !service.headless {
        return service.cluster_ips.clone();
    }
    let slices = slices.iter().filter(|slice| belongs(slice, service));
    let endpoints = slices.flat_map(|slice| &slice.endpoints);
    let ready = endpoints.filter(|endpoint| endpoint.ready);
    let all: BTreeSet<IpAddr> = ready.flat_map(|endpoint| endpoint.addresses.clone()).collect();
    all.into_iter().collect()
}

pub(crate) fn first_of_each_family(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> + '_ {
    [Family::IPv4, Family::IPv6].into_iter().filter_map(|family| {
        addresses
            .iter()
            .copied()
            .find(|address| Family::of(*address) == family)
    })
}

/// So many of them, of as many nodes as possible.
fn spread(endpoints: Vec<(SocketAddr, &Endpoint)>, most: usize) -> Vec<(SocketAddr, &Endpoint)> {
    let mut by_node: BTreeMap<Option<&str>, Vec<(SocketAddr, &Endpoint)>> = BTreeMap::new();
    for (address, endpoint) in endpoints {
        let node = endpoint.node.as_deref();
        by_node.entry(node).or_default().push((address, endpoint));
    }
    let mut chosen = Vec::new();
    let mut round = 0;
    while chosen.len() < most {
        let before = chosen.len();
        for endpoints in by_node.values() {
            if let Some(endpoint) = endpoints.get(round)
                && chosen.len() < most
            {
                chosen.push(*endpoint);
            }
        }
        if chosen.len() == before {
            break;
        }
        round += 1;
    }
    chosen
}
