//! Made-up clusters in which Services were tried: the real plan, with answers as a closure gives them.

use std::collections::BTreeMap;

use netprobe::{Answer, Kind, Outcome, Sample};
use observation::{
    Attempt, Endpoint, EndpointSlice, Expected, Node, Observation, Place, Placement, ProbePod, Purpose,
    Reach, ServerVersion, Service, ServicePort, SlicePort, Source, Topic,
};
use report::{Gap, GapReason, Observed};

use crate::fold::SourceAnswers;
use crate::reach::{
    Effort, Place as From, ReachOptions, ServiceDepth, Wanted, assemble, dns_service, fold_reach,
    plan_controls, plan_services,
};

/// A cluster with a Service `web` of two pods on node1 and node2, a Service `api` of one on node2, an empty one, that of
/// the API and that of the DNS.
pub(crate) struct Scene {
    pub(crate) nodes: u8,
    pub(crate) services: Vec<Service>,
    pub(crate) slices: Vec<EndpointSlice>,
    pub(crate) options: ReachOptions,
    pub(crate) topics: Vec<Topic>,
    /// What is to be tried besides the Services.
    pub(crate) more: Vec<Wanted>,
    /// Whether the nodes' own networks try as well.
    pub(crate) hosts: bool,
    /// Whether the machine on which the program runs tries as well.
    pub(crate) outside: bool,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let mut services = vec![
            service("default", "kubernetes", 1, 443, "TCP"),
            service("kube-system", "kube-dns", 10, 53, "UDP"),
            service("shop", "api", 20, 80, "TCP"),
            service("shop", "web", 21, 80, "TCP"),
        ];
        services[1].is_dns = true;
        let slices = vec![
            slice(&services[0], &[(None, [172, 30, 0, 1])], 6443),
            slice(
                &services[1],
                &[(Some(1), [10, 244, 1, 5]), (Some(2), [10, 244, 2, 5])],
                53,
            ),
            slice(&services[2], &[(Some(2), [10, 244, 2, 20])], 8080),
            slice(
                &services[3],
                &[(Some(1), [10, 244, 1, 21]), (Some(2), [10, 244, 2, 21])],
                8080,
            ),
        ];
        Self {
            nodes: 3,
            services,
            slices,
            options: ReachOptions {
                count: 4,
                ..ReachOptions::default()
            },
            topics: vec![Topic::Service],
            more: Vec::new(),
            hosts: false,
            outside: false,
        }
    }

    pub(crate) fn service(&mut self, name: &str) -> &mut Service {
        self.services
            .iter_mut()
            .find(|service| service.name == name)
            .expect("a service of the scene")
    }

    pub(crate) fn slice(&mut self, name: &str) -> &mut EndpointSlice {
        self.slices
            .iter_mut()
            .find(|slice| slice.service.as_deref() == Some(name))
            .expect("a slice of the scene")
    }

    /// Where the probe pods are.
    pub(crate) fn places(&self) -> Vec<From> {
        let pod = |node| From {
            source: Source::Pod { node: name(node) },
            addresses: vec![[10, 244, node, 2].into()],
            effort: Effort::Full,
        };
        let host = |node| From {
            source: Source::Host { node: name(node) },
            addresses: vec![[172, 30, 0, 10 + node].into()],
            effort: Effort::Full,
        };
        let hosts = if self.hosts { self.nodes } else { 0 };
        let here = self.outside.then(|| From {
            source: Source::Outside,
            addresses: Vec::new(),
            effort: Effort::Full,
        });
        let inside = (1..=self.nodes).map(pod).chain((1..=hosts).map(host));
        inside.chain(here).collect()
    }

    pub(crate) fn node_objects(&self) -> Vec<Node> {
        (1..=self.nodes).map(node_object).collect()
    }

    /// What is seen when each try ends as the closure says, or well where it says nothing. It gets the attempt and which
    /// try it is.
    pub(crate) fn observe(&self, outcome: impl Fn(&Attempt, usize) -> Option<Outcome>) -> Observation {
        let places = self.places();
        let depths: Vec<(&Service, ServiceDepth)> = self
            .services
            .iter()
            .map(|service| (service, ServiceDepth::Full))
            .collect();
        let nodes = self.node_objects();
        let dns = dns_service(&self.services);
        let mut within = places.clone();
        within.retain(|place| place.source != Source::Outside);
        let (mut wanted, left_out) =
            plan_services(&depths, &self.slices, dns, &nodes, &within, &self.options);
        wanted.extend(self.more.clone());
        wanted.extend(plan_controls(&places, &self.options));
        let plan = assemble("r", &places, &wanted, &self.options);
        let mut answers = BTreeMap::new();
        for (source, tries) in &plan.sources {
            let answer = |(id, attempt): (u32, usize)| {
                let attempt = &tries.attempts[attempt];
                let outcome = |at: usize| outcome(attempt, at).unwrap_or_else(|| well(attempt));
                let first = sample(false, id, outcome(id as usize));
                let again = (!first.outcome.is_ok()).then(|| sample(true, id, first.outcome.clone()));
                Answer {
                    id,
                    samples: std::iter::once(first).chain(again).collect(),
                }
            };
            let given = (0..).zip(tries.attempt_of.iter().copied()).map(answer);
            let given = SourceAnswers {
                answers: given.collect(),
                complete: Observed::Seen(()),
            };
            answers.insert(source.clone(), given);
        }
        let (sources, attempts) = fold_reach(&plan, &answers);
        let server = Observed::Seen(ServerVersion {
            git_version: "v1.34.4".into(),
            platform: "linux/amd64".into(),
        });
        let mut observation = Observation::new("test", "2026-01-01T00:00:00Z", server, Observed::Seen(nodes));
        observation.placement = Some(self.placement());
        observation.reach = Some(Reach {
            asked: self.services.iter().map(Service::subject).collect(),
            services: Some(Observed::Seen(self.services.clone())),
            slices: Some(Observed::Seen(self.slices.clone())),
            cluster_domain: Some("cluster.local".into()),
            sources,
            attempts,
            left_out,
            ..Reach::about(self.topics.clone())
        });
        observation
    }

    fn placement(&self) -> Placement {
        let ready = |node: u8| {
            let pod = ProbePod {
                name: format!("probe-{node}"),
                addresses: vec![[10, 244, node, 2].into()],
                image: "registry.example/pause:3.10".into(),
                ready_after_ms: 900,
                twin: None,
            };
            (name(node), Place::Ready(pod))
        };
        Placement {
            run: "r".into(),
            namespace: "netcheck-r".into(),
            own_namespace: Observed::Seen(()),
            nodes: (1..=self.nodes).map(ready).collect(),
            notes: Vec::new(),
        }
    }
}

/// The same observation as it is when the API may not be read for Services.
pub(crate) fn forbidden(mut observation: Observation) -> Observation {
    let gap = Gap {
        what: "Services".into(),
        why: GapReason::Forbidden {
            verb: "list".into(),
            resource: "services".into(),
            namespace: None,
        },
        message: "services is forbidden".into(),
        hint: None,
    };
    if let Some(reach) = &mut observation.reach {
        reach.services = Some(Observed::Unseen(gap));
        reach.attempts.clear();
    }
    observation
}

/// Silence.
pub(crate) fn silence() -> Outcome {
    Outcome::TimedOut { after_us: 4_000_000 }
}

/// A reset by the far end.
pub(crate) fn reset() -> Outcome {
    Outcome::Refused {
        offender: None,
        after_us: 300,
    }
}

/// Whether an attempt is made from this node.
pub(crate) fn is_from(attempt: &Attempt, node: &str) -> bool {
    attempt.source.node() == Some(node)
}

/// What is right.
pub(crate) fn well(attempt: &Attempt) -> Outcome {
    match (attempt.expected, &attempt.kind, &attempt.purpose) {
        (Expected::Anything, _, Purpose::ClosedPort { .. }) | (Expected::Refusal, ..) => reset(),
        (Expected::Silence, ..) => silence(),
        (_, Kind::Dns { .. }, Purpose::Name { expected }) => dns(0, expected.clone()),
        (_, Kind::Dns { .. }, _) => dns(0, vec![[192, 0, 2, 7].into()]),
        (_, Kind::Http { .. }, Purpose::HealthCheck { has_endpoint, .. }) => Outcome::Http {
            rtt_us: 900,
            status: if *has_endpoint { 200 } else { 503 },
            head: String::new(),
        },
        _ => Outcome::Ok {
            rtt_us: 300,
            peer: None,
        },
    }
}

/// What a DNS server says.
pub(crate) fn dns(rcode: u8, addresses: Vec<std::net::IpAddr>) -> Outcome {
    Outcome::Dns {
        rtt_us: 400,
        rcode,
        addresses,
        truncated: false,
        message: String::new(),
    }
}

fn sample(retry: bool, id: u32, outcome: Outcome) -> Sample {
    Sample {
        at_us: u64::from(id) * 10 + if retry { 5_000_000 } else { 0 },
        retry,
        outcome,
    }
}

pub(crate) fn name(node: u8) -> String {
    format!("node{node}")
}

fn node_object(node: u8) -> Node {
    Node {
        name: name(node),
        ready: Some(observation::Condition {
            status: "True".into(),
            reason: "KubeletReady".into(),
            message: "ready".into(),
            since: None,
        }),
        taints: Vec::new(),
        architecture: "amd64".into(),
        operating_system: "linux".into(),
        kubelet_version: "v1.34.4".into(),
        container_runtime_version: "containerd://2".into(),
        kernel_version: "6.18".into(),
        internal_ips: vec![[172, 30, 0, 10 + node].into()],
        external_ips: Vec::new(),
        pod_cidrs: vec![format!("10.244.{node}.0/24")],
        zone: None,
        annotations: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn service(namespace: &str, name: &str, last: u8, port: u16, protocol: &str) -> Service {
    Service {
        name: name.into(),
        namespace: namespace.into(),
        kind: "ClusterIP".into(),
        cluster_ips: vec![[10, 96, 0, last].into()],
        headless: false,
        external_name: None,
        external_ips: Vec::new(),
        load_balancer: Vec::new(),
        ports: vec![ServicePort {
            name: String::new(),
            protocol: protocol.into(),
            port,
            target_port: port.to_string(),
            node_port: None,
        }],
        selector: BTreeMap::from([("app".to_owned(), name.to_owned())]),
        internal_local: false,
        external_local: false,
        health_check_node_port: None,
        is_dns: false,
        settings: observation::ServiceSettings::default(),
    }
}

/// Endpoints of a Service: on which node, at which address.
pub(crate) fn slice(service: &Service, endpoints: &[(Option<u8>, [u8; 4])], port: u16) -> EndpointSlice {
    EndpointSlice {
        name: format!("{}-x", service.name),
        namespace: service.namespace.clone(),
        service: Some(service.name.clone()),
        address_type: "IPv4".into(),
        ports: vec![SlicePort {
            name: String::new(),
            protocol: service.ports[0].protocol.clone(),
            port: Some(port),
        }],
        endpoints: endpoints
            .iter()
            .zip(1..)
            .map(|((node, address), number)| Endpoint {
                addresses: vec![(*address).into()],
                ready: true,
                serving: true,
                terminating: false,
                node: node.map(name_of),
                pod: node.map(|_| format!("{}-{number}", service.name)),
                ..Endpoint::default()
            })
            .collect(),
        ..EndpointSlice::default()
    }
}

fn name_of(node: u8) -> String {
    name(node)
}
