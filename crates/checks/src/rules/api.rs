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
        second_look: Some(SecondLook {
            read_at: "2026-01-01T00:00:09Z".into(),
            slices: Observed::Seen(slices),
            pods: Observed::Seen(Vec::new()),
        }),
    };
    observation.backends = Some(backends.into());
    observation
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
    Service {
        name: (*name).to_owned(),
        namespace: (*namespace).to_owned(),
        kind: "ClusterIP".into(),
        cluster_ips: vec![IpAddr::from(*ip)],
        ports: ports.iter().map(port).collect(),
        ..Service::default()
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
