//! The API's side of the recorded rules, for tests.

use std::net::IpAddr;

use observation::{
    Backends, BackendsQuestion, Endpoint, EndpointSlice, Observation, SecondLook, Service, ServicePort,
    SlicePort,
};
use report::Observed;

/// Services, each with its ClusterIP, its ports, each with the port of the pods, and its endpoints.
type Row<'a> = (
    &'a str,
    &'a str,
    [u8; 4],
    &'a [(&'a str, &'a str, u16, u16)],
    &'a [&'a str],
);

const DNS: &[(&str, &str, u16, u16)] = &[
    ("dns", "UDP", 53, 53),
    ("dns-tcp", "TCP", 53, 53),
    ("metrics", "TCP", 9153, 9153),
];

/// Those of the cluster with iptables.
const IPTABLES: &[Row<'_>] = &[
    (
        "default",
        "kubernetes",
        [10, 96, 0, 1],
        &[("https", "TCP", 443, 6443)],
        &["172.30.0.1"],
    ),
    (
        "kube-system",
        "kube-dns",
        [10, 96, 0, 10],
        DNS,
        &["10.244.0.2", "10.244.2.2"],
    ),
    (
        "shop",
        "web",
        [10, 99, 43, 77],
        &[("http", "TCP", 80, 8080)],
        &["10.244.0.3", "10.244.1.2", "10.244.2.3"],
    ),
    ("shop", "empty", [10, 97, 134, 127], &[("", "TCP", 80, 8080)], &[]),
];

/// Those of the cluster with nftables.
const NFTABLES: &[Row<'_>] = &[
    (
        "default",
        "kubernetes",
        [10, 96, 0, 1],
        &[("https", "TCP", 443, 6443)],
        &["172.30.0.1"],
    ),
    (
        "kube-system",
        "kube-dns",
        [10, 96, 0, 10],
        DNS,
        &["10.244.0.2", "10.244.1.2"],
    ),
];

/// The observation with what the API says of the Services in its rules.
pub(super) fn api(mut observation: Observation) -> Observation {
    let iptables = |reads: &observation::NodeReads| {
        reads
            .iptables
            .seen()
            .is_some_and(|rules| rules.text.contains("-A KUBE-SERVICES"))
    };
    let evidence = || observation.node_evidence.values().filter_map(Observed::seen);
    let rows = if evidence().any(|evidence| iptables(&evidence.before)) {
        IPTABLES
    } else {
        NFTABLES
    };
    let slices: Vec<EndpointSlice> = rows.iter().map(slice).collect();
    let backends = Backends {
        question: BackendsQuestion::default(),
        read_at: "2026-01-01T00:00:00Z".into(),
        services: Observed::Seen(rows.iter().map(service).collect()),
        elsewhere: None,
        slices: Observed::Seen(slices.clone()),
        pods: Observed::Seen(Vec::new()),
        workloads: Observed::Seen(Vec::new()),
        events: Observed::Seen(Vec::new()),
        controller_manager: Observed::Seen(None),
        callers: Observed::Seen(Vec::new()),
        endpoints: None,
        load_balancers: None,
        asked_callers: Vec::new(),
        grants: None,
        second_look: Some(SecondLook {
            read_at: "2026-01-01T00:00:09Z".into(),
            slices: Observed::Seen(slices),
            pods: Observed::Seen(Vec::new()),
        }),
    };
    observation.backends = Some(backends.into());
    observation
}

/// As where one Service was asked about: all Services of its namespace, and the slices of this one alone.
pub(super) fn only_of(observation: &mut Observation, namespace: &str, name: &str) {
    let mut whole = api(observation.clone()).backends.expect("the API's side");
    let second = whole.second_look.as_mut().expect("a second look");
    for slices in [&mut whole.slices, &mut second.slices] {
        if let Observed::Seen(slices) = slices {
            slices.retain(|it| it.namespace == namespace && it.service.as_deref() == Some(name));
        }
    }
    if let Observed::Seen(services) = &mut whole.services {
        services.retain(|it| it.namespace == namespace);
    }
    whole.question = BackendsQuestion {
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..BackendsQuestion::default()
    };
    observation.backends = Some(whole);
}

/// Gives a Service these endpoints, in both looks.
pub(super) fn with_endpoints(observation: &mut Observation, service: &str, addresses: &[&str]) {
    let backends = observation.backends.as_mut().expect("the API's side");
    let second = backends.second_look.as_mut().expect("a second look");
    for slices in [&mut backends.slices, &mut second.slices] {
        if let Observed::Seen(slices) = slices {
            let of_service = slices
                .iter_mut()
                .filter(|it| it.service.as_deref() == Some(service));
            for slice in of_service {
                slice.endpoints = addresses.iter().map(|address| endpoint(address)).collect();
            }
        }
    }
}

fn service((namespace, name, ip, ports, _): &Row<'_>) -> Service {
    let port = |(name, protocol, port, target): &(&str, &str, u16, u16)| ServicePort {
        name: (*name).to_owned(),
        protocol: (*protocol).to_owned(),
        port: *port,
        target_port: target.to_string(),
        node_port: None,
    };
    let mut service = Service {
        name: (*name).to_owned(),
        namespace: (*namespace).to_owned(),
        kind: "ClusterIP".into(),
        cluster_ips: vec![IpAddr::from(*ip)],
        ports: ports.iter().map(port).collect(),
        ..Service::default()
    };
    if *name == "web" {
        service.kind = "NodePort".into();
        service.ports[0].node_port = Some(30_080);
    }
    service
}

/// Changes a Service of the API.
pub(super) fn service_of<'o>(observation: &'o mut Observation, name: &str) -> &'o mut Service {
    let backends = observation.backends.as_mut().expect("the API's side");
    let Observed::Seen(services) = &mut backends.services else {
        panic!("Services were not read")
    };
    let found = services.iter_mut().find(|service| service.name == name);
    found.expect("a Service of this name")
}

/// Says of endpoints of a Service, in both looks, on which nodes they are: in the order of their addresses.
pub(super) fn on_nodes(observation: &mut Observation, service: &str, nodes: &[&str]) {
    let backends = observation.backends.as_mut().expect("the API's side");
    let second = backends.second_look.as_mut().expect("a second look");
    for slices in [&mut backends.slices, &mut second.slices] {
        if let Observed::Seen(slices) = slices {
            let of_service = slices
                .iter_mut()
                .filter(|it| it.service.as_deref() == Some(service));
            let endpoints = of_service.flat_map(|slice| &mut slice.endpoints);
            for (endpoint, node) in endpoints.zip(nodes) {
                endpoint.node = Some((*node).to_owned());
            }
        }
    }
}

fn slice((namespace, name, _, ports, endpoints): &Row<'_>) -> EndpointSlice {
    let port = |(name, protocol, _, target): &(&str, &str, u16, u16)| SlicePort {
        name: (*name).to_owned(),
        protocol: (*protocol).to_owned(),
        port: Some(*target),
    };
    EndpointSlice {
        name: format!("{name}-x"),
        namespace: (*namespace).to_owned(),
        service: Some((*name).to_owned()),
        address_type: "IPv4".into(),
        ports: ports.iter().map(port).collect(),
        endpoints: endpoints.iter().map(|address| endpoint(address)).collect(),
        ..EndpointSlice::default()
    }
}

fn endpoint(address: &str) -> Endpoint {
    Endpoint {
        addresses: vec![address.parse().expect("an address")],
        ready: true,
        serving: true,
        ..Endpoint::default()
    }
}
