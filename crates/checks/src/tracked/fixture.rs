//! A made-up cluster of three nodes that track connections to the cluster's DNS, and ways to break it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use observation::{
    Backends, BackendsQuestion, Endpoint, EndpointSlice, NodeReads, Observation, SecondLook, Service,
    ServicePort, SlicePort, Tracked, TrackedFlow, TrackedLook, TrackedNode,
};
use report::{Gap, GapReason, Observed};

use crate::node_scene::Scene;

const NODES: [&str; 3] = ["node1", "node2", "node3"];
const DNS: &str = "10.96.0.10:53";

pub(super) struct Fixture {
    scene: Scene,
    nodes: BTreeMap<String, Observed<TrackedNode>>,
    endpoints: Vec<Endpoint>,
}

fn flow(source: &str, endpoint: &str, left_s: u64) -> TrackedFlow {
    let address = |text: &str| -> SocketAddr { text.parse().expect("an address") };
    TrackedFlow {
        protocol: "udp".into(),
        state: None,
        left_s,
        source: address(source),
        destination: address(DNS),
        reply_source: address(endpoint),
        reply_destination: address(source),
        replied: true,
        assured: true,
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

impl Fixture {
    pub(super) fn healthy() -> Self {
        let look = || TrackedLook {
            flows: Observed::Seen(vec![flow("10.244.1.4:5000", "10.244.1.2:53", 119)]),
            more: false,
        };
        let node = || TrackedNode {
            memory_kib: Observed::Seen(4 * 1024 * 1024),
            first: look(),
            second: Some(look()),
        };
        Self {
            scene: Scene::privileged(3),
            nodes: NODES.map(|name| (name.to_owned(), Observed::Seen(node()))).into(),
            endpoints: vec![endpoint("10.244.1.2"), endpoint("10.244.2.2")],
        }
    }

    pub(super) fn observe(&self) -> Observation {
        let mut observation = self.scene.observation();
        let slice = EndpointSlice {
            name: "kube-dns-x".into(),
            namespace: "kube-system".into(),
            service: Some("kube-dns".into()),
            address_type: "IPv4".into(),
            ports: vec![SlicePort {
                name: "dns".into(),
                protocol: "UDP".into(),
                port: Some(53),
            }],
            endpoints: self.endpoints.clone(),
            ..EndpointSlice::default()
        };
        let service = Service {
            name: "kube-dns".into(),
            namespace: "kube-system".into(),
            kind: "ClusterIP".into(),
            cluster_ips: vec!["10.96.0.10".parse().expect("an address")],
            ports: vec![ServicePort {
                name: "dns".into(),
                protocol: "UDP".into(),
                port: 53,
                target_port: "53".into(),
                node_port: None,
            }],
            ..Service::default()
        };
        observation.backends = Some(Box::new(Backends {
            question: BackendsQuestion::default(),
            read_at: "2026-03-01T09:00:00Z".into(),
            services: Observed::Seen(vec![service]),
            elsewhere: None,
            slices: Observed::Seen(vec![slice.clone()]),
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
                read_at: "2026-03-01T09:00:09Z".into(),
                slices: Observed::Seen(vec![slice]),
                pods: Observed::Seen(Vec::new()),
            }),
        }));
        observation.tracked = Some(Box::new(Tracked {
            all_protocols: false,
            nodes: self.nodes.clone(),
        }));
        observation
    }

    fn change(mut self, node: &str, change: impl FnOnce(&mut TrackedNode)) -> Self {
        if let Some(Observed::Seen(node)) = self.nodes.get_mut(node) {
            change(node);
        }
        self
    }

    /// An entry that both looks have.
    pub(super) fn udp(self, node: &str, source: &str, endpoint: &str, left_s: u64) -> Self {
        let first = self.change(node, |node| {
            if let Observed::Seen(flows) = &mut node.first.flows {
                flows.push(flow(source, endpoint, left_s));
            }
        });
        first.udp_later(node, source, endpoint, left_s)
    }

    /// An entry that only the second look has.
    pub(super) fn udp_later(self, node: &str, source: &str, endpoint: &str, left_s: u64) -> Self {
        self.change(node, |node| {
            if let Some(TrackedLook {
                flows: Observed::Seen(flows),
                ..
            }) = &mut node.second
            {
                flows.push(flow(source, endpoint, left_s));
            }
        })
    }

    /// An endpoint that ends and still serves.
    pub(super) fn serving(mut self, address: &str) -> Self {
        self.endpoints.push(Endpoint {
            ready: false,
            terminating: true,
            ..endpoint(address)
        });
        self
    }

    pub(super) fn cut_off(self, node: &str) -> Self {
        self.change(node, |node| {
            node.second.iter_mut().for_each(|look| look.more = true);
        })
    }

    pub(super) fn once(self, node: &str) -> Self {
        self.change(node, |node| node.second = None)
    }

    pub(super) fn unread(mut self, node: &str) -> Self {
        let gap = Gap {
            what: format!("answers from {node}"),
            why: GapReason::Failed,
            message: "it did not answer".into(),
            hint: None,
        };
        self.nodes.insert(node.to_owned(), Observed::Unseen(gap));
        self
    }

    pub(super) fn reads(mut self, node: &str, change: impl Fn(&mut NodeReads)) -> Self {
        self.scene = self.scene.change(node, change);
        self
    }
}
