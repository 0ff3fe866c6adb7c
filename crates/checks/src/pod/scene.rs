//! Pods of `node1` of a made-up cluster, with their networks as a healthy CNI makes them, and ways to break them.

use std::net::IpAddr;

use observation::{
    InterfaceAddress, Link, LinkCounters, Neighbour, NodePod, Observation, PodNetwork, PodNetworks, Route,
};
use report::{Gap, GapReason, Observed};

use crate::node_scene::{Scene, link as node_link, seen};

/// The cluster with its pods.
#[derive(Clone, Debug)]
pub(crate) struct PodScene {
    nodes: Scene,
    pods: Vec<NodePod>,
    networks: PodNetworks,
}

impl PodScene {
    /// The pods of node1, in the order in which they came: 10.244.1.5 and so on.
    pub(crate) const PODS: [&str; 3] = ["web-1", "db-1", "api-1"];

    /// Every pod has its address, its route and its port of the bridge.
    pub(crate) fn healthy() -> Self {
        let numbered = (5_u8..).zip(Self::PODS);
        let mut nodes = Scene::privileged(3);
        for (number, _) in numbered.clone() {
            nodes = nodes.change("node1", |reads| {
                let mut port = node_link(reads, "veth0").clone();
                (port.name, port.index) = (format!("veth{number}"), u32::from(number) + 100);
                seen(&mut reads.links).push(port);
            });
        }
        let pods = numbered.clone().map(|(number, name)| NodePod {
            namespace: "shop".to_owned(),
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            node: "node1".to_owned(),
            created: Some(format!("2026-03-01T08:00:{number:02}Z")),
            controller: Some("replicaset/some".to_owned()),
            addresses: vec![IpAddr::from([10, 244, 1, number])],
        });
        let networks = numbered.map(|(number, name)| network(number, name));
        Self {
            nodes,
            pods: pods.collect(),
            networks: PodNetworks {
                pods: networks.collect(),
                partial: None,
            },
        }
    }

    /// Changes the network of a pod.
    #[must_use]
    pub(crate) fn change(mut self, pod: &str, change: impl Fn(&mut PodNetwork)) -> Self {
        let uid = format!("uid-{pod}");
        self.networks
            .pods
            .iter_mut()
            .filter(|it| it.uid == uid)
            .for_each(change);
        self
    }

    /// The CNI gave a pod this address.
    #[must_use]
    pub(crate) fn given(mut self, pod: &str, given: &str) -> Self {
        for it in self.pods.iter_mut().filter(|it| it.name == pod) {
            it.addresses = vec![given.parse().unwrap()];
        }
        self.change(pod, |network| {
            link(network, "eth0").addresses.clear();
            address(network, "eth0", given, 24);
        })
    }

    /// No process of the pod was found.
    #[must_use]
    pub(crate) fn without_network(mut self, pod: &str) -> Self {
        let uid = format!("uid-{pod}");
        self.networks.pods.retain(|it| it.uid != uid);
        self
    }

    /// The network of the pod could not be entered.
    #[must_use]
    pub(crate) fn unread(self, pod: &str) -> Self {
        self.change(pod, |network| {
            let gap = gap("cannot enter it");
            network.links = Observed::Unseen(gap.clone());
            network.routes = Observed::Unseen(gap);
        })
    }

    /// Some pods were not reached.
    #[must_use]
    pub(crate) fn cut_short(mut self) -> Self {
        self.networks.partial = Some(gap("the time was over"));
        self
    }

    /// What the node has in its neighbour table.
    #[must_use]
    pub(crate) fn neighbour_of_node(mut self, address: &str, mac: &str) -> Self {
        let entry = Neighbour {
            address: address.parse().unwrap(),
            device: "cni0".to_owned(),
            mac: Some(mac.to_owned()),
            state: "reachable".to_owned(),
        };
        self.nodes = self
            .nodes
            .change("node1", |reads| seen(&mut reads.neighbours).push(entry.clone()));
        self
    }

    /// Changes the end of a pod on its node.
    #[must_use]
    pub(crate) fn change_end(mut self, pod: &str, change: impl Fn(&mut Link)) -> Self {
        let index = Self::PODS
            .iter()
            .position(|name| *name == pod)
            .expect("the scene has it");
        let name = format!("veth{}", index + 5);
        self.nodes = self
            .nodes
            .change("node1", |reads| change(node_link(reads, &name)));
        self
    }

    /// The CNI has no bridge.
    #[must_use]
    pub(crate) fn routed(mut self) -> Self {
        self.nodes = self.nodes.change("node1", |reads| {
            for link in seen(&mut reads.links) {
                link.master = None;
            }
        });
        self
    }

    pub(crate) fn observation(&self) -> Observation {
        let mut observation = self.nodes.observation();
        observation.node_pods = Some(Observed::Seen(self.pods.clone()));
        for (node, evidence) in &mut observation.node_evidence {
            if let Observed::Seen(evidence) = evidence {
                let networks = if node == "node1" {
                    self.networks.clone()
                } else {
                    PodNetworks::default()
                };
                evidence.pods = Some(Observed::Seen(networks));
            }
        }
        observation
    }
}

fn gap(message: &str) -> Gap {
    Gap {
        what: "networks of the pods of node1".to_owned(),
        why: GapReason::Failed,
        message: message.to_owned(),
        hint: None,
    }
}

fn network(number: u8, name: &str) -> PodNetwork {
    let device = |name: &str, index: u32, kind: Option<&str>, own: &str, prefix: u8| Link {
        name: name.to_owned(),
        index,
        kind: kind.map(str::to_owned),
        up: true,
        carrier: true,
        operstate: "up".to_owned(),
        mtu: 1450,
        mac: Some(format!("0a:00:00:00:{:02x}:{number:02x}", index - 1)),
        master: None,
        lower: kind.map(|_| u32::from(number) + 100),
        addresses: vec![InterfaceAddress {
            address: own.parse().unwrap(),
            prefix,
        }],
        vxlan: None,
        hairpin: None,
        counters: LinkCounters::default(),
    };
    let mut network = PodNetwork {
        uid: format!("uid-{name}"),
        process: u32::from(number) + 996,
        links: Observed::Seen(vec![
            device("lo", 1, None, "127.0.0.1", 8),
            device("eth0", 2, Some("veth"), &format!("10.244.1.{number}"), 24),
        ]),
        routes: Observed::Seen(Vec::new()),
        neighbours: Observed::Seen(Vec::new()),
        listeners: Observed::Seen(Vec::new()),
    };
    route(&mut network, "0.0.0.0/0", "10.244.1.1", "eth0");
    network
}

pub(crate) fn link<'a>(network: &'a mut PodNetwork, name: &str) -> &'a mut Link {
    let links = seen(&mut network.links);
    links.iter_mut().find(|link| link.name == name).unwrap()
}

pub(crate) fn address(network: &mut PodNetwork, device: &str, address: &str, prefix: u8) {
    let address = address.parse().unwrap();
    link(network, device)
        .addresses
        .push(InterfaceAddress { address, prefix });
}

pub(crate) fn without_route(network: &mut PodNetwork, destination: &str) {
    seen(&mut network.routes).retain(|route| route.destination != destination);
}

pub(crate) fn route(network: &mut PodNetwork, destination: &str, gateway: &str, device: &str) {
    seen(&mut network.routes).push(Route {
        table: 254,
        destination: destination.to_owned(),
        kind: "unicast".to_owned(),
        gateway: Some(gateway.parse().unwrap()),
        device: Some(device.to_owned()),
        source: None,
        metric: 0,
        protocol: "boot".to_owned(),
        on_link: false,
    });
}

pub(crate) fn neighbour(network: &mut PodNetwork, address: &str, state: &str) {
    seen(&mut network.neighbours).push(Neighbour {
        address: address.parse().unwrap(),
        device: "eth0".to_owned(),
        mac: None,
        state: state.to_owned(),
    });
}
