//! A small cluster with Services, for the tests of their checks.

use std::collections::BTreeMap;

use observation::{
    BackendContainer, BackendEvent, BackendPod, BackendWorkload, Backends, BackendsQuestion, Condition,
    ControllerLease, Endpoint, EndpointSlice, Node, Observation, PolicyPort, Service, ServicePort,
    ServiceSettings, SlicePort, selects,
};
use report::{Family, Gap, GapReason, Observed};

use super::expected::{CONTROLLER, expected, families};

/// When everything was read.
pub(crate) const READ_AT: &str = "2026-03-01T09:00:00Z";
/// Long before that.
pub(crate) const BEFORE: &str = "2026-03-01T08:00:00Z";

/// What is put together before it is observed.
pub(crate) struct Fixture {
    backends: Backends,
    nodes: Vec<Node>,
    /// Whether the controller writes the slices of what was put together.
    is_live: bool,
}

impl Fixture {
    /// Three nodes; in the namespace shop a Deployment web of three pods, its Service on port 80, and a Deployment cache without pods
    /// and its Service.
    pub(crate) fn shop() -> Self {
        let pods = (1..=3).map(|number| pod("web", number)).collect();
        Self {
            backends: Backends {
                question: BackendsQuestion {
                    namespace: Some("shop".into()),
                    ..BackendsQuestion::default()
                },
                read_at: READ_AT.into(),
                services: Observed::Seen(vec![service("web")]),
                elsewhere: None,
                slices: Observed::Seen(Vec::new()),
                pods: Observed::Seen(pods),
                workloads: Observed::Seen(vec![workload("web", 3)]),
                events: Observed::Seen(Vec::new()),
                controller_manager: Observed::Seen(Some(ControllerLease {
                    holder: Some("node1_x".into()),
                    renewed: Some("2026-03-01T08:59:58Z".into()),
                })),
                callers: Observed::Seen(Vec::new()),
                endpoints: None,
                load_balancers: None,
                asked_callers: Vec::new(),
                grants: None,
                second_look: None,
            },
            nodes: (1..=3).map(node).collect(),
            is_live: true,
        }
    }

    /// Changes anything.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Backends)) -> Self {
        change(&mut self.backends);
        self
    }

    /// Changes the Service web.
    pub(crate) fn web(self, change: impl FnOnce(&mut Service)) -> Self {
        self.with(|backends| change(&mut list(&mut backends.services)[0]))
    }

    /// Changes every pod.
    pub(crate) fn each_pod(self, change: impl FnMut(&mut BackendPod)) -> Self {
        self.with(|backends| list(&mut backends.pods).iter_mut().for_each(change))
    }

    /// Changes the pods that are there.
    pub(crate) fn pods(self, change: impl FnOnce(&mut Vec<BackendPod>)) -> Self {
        self.with(|backends| change(list(&mut backends.pods)))
    }

    /// Changes every node.
    pub(crate) fn each_node(mut self, change: impl FnMut(&mut Node)) -> Self {
        self.nodes.iter_mut().for_each(change);
        self
    }

    /// A Service beside web.
    pub(crate) fn beside(self, service: Service) -> Self {
        self.with(|backends| list(&mut backends.services).push(service))
    }

    /// A slice that somebody wrote by hand.
    pub(crate) fn slice(self, slice: EndpointSlice) -> Self {
        self.with(|backends| list(&mut backends.slices).push(slice))
    }

    /// A warning about a pod or a Service.
    pub(crate) fn event(self, kind: &str, name: &str, reason: &str, message: &str) -> Self {
        self.with(|backends| {
            list(&mut backends.events).push(BackendEvent {
                kind: kind.into(),
                namespace: "shop".into(),
                name: name.into(),
                reason: reason.into(),
                message: message.into(),
                last: Some(READ_AT.into()),
            });
        })
    }

    /// Asks about one Service.
    pub(crate) fn ask(self, name: &str) -> Self {
        self.with(|backends| backends.question.name = Some(name.into()))
    }

    /// From here on nobody writes slices.
    pub(crate) fn stuck(mut self) -> Self {
        self.write_slices();
        self.is_live = false;
        self
    }

    pub(crate) fn observe(mut self) -> Observation {
        self.write_slices();
        let version = Observed::Unseen(gap("version"));
        let mut observation = Observation::new("test", READ_AT, version, Observed::Seen(self.nodes));
        observation.backends = Some(Box::new(self.backends));
        observation
    }

    fn write_slices(&mut self) {
        if !self.is_live {
            return;
        }
        let (Observed::Seen(services), Observed::Seen(pods), Observed::Seen(slices)) = (
            &self.backends.services,
            &self.backends.pods,
            &mut self.backends.slices,
        ) else {
            return;
        };
        for service in services.iter().filter(|service| service.kind != "ExternalName") {
            slices.extend(controlled(service, pods));
        }
    }
}

/// The slices that the controller writes, one for each family and set of ports.
pub(crate) fn controlled(service: &Service, pods: &[BackendPod]) -> Vec<EndpointSlice> {
    let selected: Vec<&BackendPod> = pods
        .iter()
        .filter(|pod| pod.namespace == service.namespace && selects(&service.selector, &pod.labels))
        .collect();
    if service.selector.is_empty() {
        return Vec::new();
    }
    let all = expected(service, &selected);
    let mut slices = Vec::new();
    for family in families(service) {
        let of_family: Vec<_> = all.iter().filter(|it| Family::of(it.address) == family).collect();
        let mut sets: Vec<_> = of_family.iter().map(|it| &it.ports).collect();
        sets.sort();
        sets.dedup();
        for ports in sets {
            let endpoints = of_family
                .iter()
                .filter(|it| it.ports == *ports)
                .map(|it| Endpoint {
                    addresses: vec![it.address],
                    ready: it.flags.ready,
                    serving: it.flags.serving,
                    terminating: it.flags.terminating,
                    node: it.pod.node.clone(),
                    pod: Some(it.pod.name.clone()),
                    pod_uid: Some(it.pod.uid.clone()),
                    ..Endpoint::default()
                });
            slices.push(EndpointSlice {
                name: format!("{}-{}", service.name, slices.len()),
                namespace: service.namespace.clone(),
                service: Some(service.name.clone()),
                address_type: family.to_string(),
                ports: ports
                    .iter()
                    .map(|port| SlicePort {
                        name: port.name.clone(),
                        protocol: port.protocol.clone(),
                        port: Some(port.number),
                    })
                    .collect(),
                endpoints: endpoints.collect(),
                managed_by: Some(CONTROLLER.into()),
                triggered: None,
            });
        }
    }
    slices
}

/// A Service of port 80 that leads to the pods' port http.
pub(crate) fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        namespace: "shop".into(),
        kind: "ClusterIP".into(),
        cluster_ips: vec![[10, 96, 0, 7].into()],
        ports: vec![ServicePort {
            name: "http".into(),
            protocol: "TCP".into(),
            port: 80,
            target_port: "http".into(),
            node_port: None,
        }],
        selector: labels(&format!("app={name}")),
        settings: ServiceSettings {
            created: Some(BEFORE.into()),
            families: vec!["IPv4".into()],
            ..ServiceSettings::default()
        },
        ..Service::default()
    }
}

/// A ready pod of a Deployment, on the node of the same number.
pub(crate) fn pod(app: &str, number: u8) -> BackendPod {
    BackendPod {
        namespace: "shop".into(),
        name: format!("{app}-{number}"),
        uid: format!("uid-{app}-{number}"),
        labels: labels(&format!("app={app},pod-template-hash=5d4f")),
        controller: Some(format!("replicaset/{app}-5d4f")),
        created: Some(BEFORE.into()),
        phase: "Running".into(),
        addresses: vec![[10, 244, number, 5].into()],
        node: Some(format!("node{number}")),
        ready: true,
        ready_since: Some(BEFORE.into()),
        containers: vec![BackendContainer {
            name: app.into(),
            image: format!("{app}:1"),
            ports: vec![PolicyPort {
                name: Some("http".into()),
                number: 8080,
                protocol: "TCP".into(),
            }],
            has_readiness_probe: true,
            ..BackendContainer::default()
        }],
        ..BackendPod::default()
    }
}

pub(crate) fn workload(name: &str, wanted: u32) -> BackendWorkload {
    BackendWorkload {
        kind: "deployment".into(),
        namespace: "shop".into(),
        name: name.into(),
        wanted,
        template_labels: labels(&format!("app={name}")),
        service_name: None,
    }
}

/// A slice of the Service web that was written by hand, with one ready address.
pub(crate) fn manual(port: &str) -> EndpointSlice {
    EndpointSlice {
        name: "web-by-hand".into(),
        namespace: "shop".into(),
        service: Some("web".into()),
        address_type: "IPv4".into(),
        ports: vec![SlicePort {
            name: port.into(),
            protocol: "TCP".into(),
            port: Some(8080),
        }],
        endpoints: vec![Endpoint {
            addresses: vec![[192, 0, 2, 9].into()],
            ready: true,
            serving: true,
            ..Endpoint::default()
        }],
        ..EndpointSlice::default()
    }
}

fn node(number: u8) -> Node {
    Node {
        name: format!("node{number}"),
        ready: Some(Condition {
            status: "True".into(),
            reason: "KubeletReady".into(),
            message: String::new(),
            since: None,
        }),
        taints: Vec::new(),
        architecture: "amd64".into(),
        operating_system: "linux".into(),
        kubelet_version: "v1.34.4".into(),
        container_runtime_version: "containerd://2.1".into(),
        kernel_version: "6.18".into(),
        internal_ips: vec![[172, 30, 0, 10 + number].into()],
        external_ips: Vec::new(),
        pod_cidrs: vec![format!("10.244.{number}.0/24")],
        zone: None,
        annotations: BTreeMap::new(),
    }
}

pub(crate) fn labels(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn gap(what: &str) -> Gap {
    Gap {
        what: what.into(),
        why: GapReason::Failed,
        message: "could not be read".into(),
        hint: None,
    }
}

/// The items of a list that a fixture has.
pub(crate) fn list<T>(list: &mut Observed<Vec<T>>) -> &mut Vec<T> {
    match list {
        Observed::Seen(items) => items,
        Observed::Unseen(gap) => panic!("a fixture does not have {}", gap.what),
    }
}

/// The same without pods, which could not be read.
pub(crate) fn without_pods(fixture: Fixture) -> Observation {
    fixture
        .stuck()
        .with(|backends| backends.pods = Observed::Unseen(gap("pods")))
        .observe()
}

/// The same without slices, which could not be read.
pub(crate) fn without_slices(fixture: Fixture) -> Observation {
    fixture
        .with(|backends| backends.slices = Observed::Unseen(gap("EndpointSlices")))
        .observe()
}

/// The same without Services, which could not be read.
pub(crate) fn without_services(fixture: Fixture) -> Observation {
    fixture
        .with(|backends| backends.services = Observed::Unseen(gap("Services")))
        .observe()
}
