//! A made-up cluster of three nodes with Calico, and ways to break it.

use std::collections::BTreeMap;

use observation::{
    BgpSession, BirdProtocols, Calico, CalicoInstallation, CalicoManifest, CalicoNodeStatus, Cni, CniAgent,
    Condition, HeldAddress, IpPool, IpamBlock, IpamConfig, Node, Observation, PodAddresses, RangeSign, Route,
    TigeraStatus, Unhealthy,
};
use report::{Gap, GapReason, Observed};

use crate::node_scene::Scene;

const NODES: [&str; 3] = ["node1", "node2", "node3"];
const READ_AT: &str = "2026-03-01T09:00:00Z";

#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    cni: Cni,
    scene: Scene,
    only: Option<String>,
}

pub(crate) fn agent(component: &str, node: &str) -> CniAgent {
    CniAgent {
        component: component.into(),
        namespace: "calico-system".into(),
        name: format!("{component}-{node}"),
        node: Some(node.into()),
        container: component.into(),
        image: format!("quay.io/calico/{component}:v3.30.1"),
        phase: "Running".into(),
        ready: true,
        created: Some("2026-02-01T09:00:00Z".into()),
        restarts: 0,
        waiting: None,
        ended: None,
        unhealthy: None,
    }
}

pub(crate) fn pod(number: u8) -> PodAddresses {
    let address = format!("10.244.{number}.2");
    PodAddresses {
        namespace: "shop".into(),
        name: format!("web-{number}"),
        node: Some(format!("node{number}")),
        phase: "Running".into(),
        created: Some("2026-02-01T09:00:00Z".into()),
        addresses: vec![address.parse().unwrap()],
        given: vec![address.parse().unwrap()],
        ready: true,
        ..PodAddresses::default()
    }
}

fn block(number: u8) -> IpamBlock {
    IpamBlock {
        cidr: format!("10.244.{number}.0/26"),
        node: Some(format!("node{number}")),
        used: 2,
        held: vec![HeldAddress {
            address: format!("10.244.{number}.2").parse().unwrap(),
            pod: format!("shop/web-{number}"),
            node: None,
        }],
    }
}

fn pool() -> IpPool {
    IpPool {
        name: "default-ipv4-ippool".into(),
        cidr: "10.244.0.0/16".into(),
        block_size: Some(26),
        ipip_mode: Some("Never".into()),
        vxlan_mode: Some("Always".into()),
        nat_outgoing: true,
        node_selector: Some("all()".into()),
        ..IpPool::default()
    }
}

fn address(number: usize) -> String {
    format!("172.30.0.1{number}")
}

fn calico() -> Calico {
    let mut agents: Vec<CniAgent> = NODES.iter().map(|node| agent("calico-node", node)).collect();
    agents.push(agent("calico-kube-controllers", "node1"));
    agents.push(agent("calico-typha", "node2"));
    Calico {
        api: Some("crd.projectcalico.org/v1".into()),
        agents: Observed::Seen(agents),
        installations: Some(Observed::Seen(vec![CalicoInstallation {
            name: "default".into(),
            cni: Some("Calico".into()),
            ipam: Some("Calico".into()),
            bgp: Some("Disabled".into()),
            dataplane: Some("Iptables".into()),
        }])),
        statuses: Some(Observed::Seen(Vec::new())),
        manifest: Observed::Seen(None),
        felix: Observed::Seen(BTreeMap::new()),
        bgp: Observed::Seen(Vec::new()),
        peers: Observed::Seen(Vec::new()),
        filters: Observed::Seen(Vec::new()),
        pools: Observed::Seen(vec![pool()]),
        blocks: Observed::Seen((1..=3).map(block).collect()),
        affinities: Observed::Seen(Vec::new()),
        handles: Observed::Seen(6),
        ipam: Observed::Seen(Some(IpamConfig {
            auto_allocate_blocks: true,
            ..IpamConfig::default()
        })),
        policies: Observed::Seen(BTreeMap::new()),
        global_policies: Observed::Seen(0),
        node_statuses: Observed::Seen(Vec::new()),
        node_labels: Observed::Seen(NODES.iter().map(|&node| (node.into(), BTreeMap::new())).collect()),
        birds: BTreeMap::new(),
    }
}

impl Fixture {
    /// The operator's Calico with VXLAN and without BGP.
    pub(crate) fn vxlan() -> Self {
        let mut cni = crate::product::bare();
        cni.calico = Some(Box::new(calico()));
        cni.cluster_pods = Observed::Seen((1..=3).map(pod).collect());
        cni.ranges.pods = Observed::Seen(vec![RangeSign {
            cidr: "10.244.0.0/16".into(),
            from: "configmap/kube-proxy -n kube-system, clusterCIDR".into(),
            command: "kubectl -n kube-system get configmap kube-proxy -o yaml".into(),
        }]);
        let mut scene = Scene::healthy(3);
        for (index, node) in NODES.iter().enumerate() {
            let own = format!("{}/24", address(index + 1));
            scene = scene.change_object(node, |it| {
                it.annotations
                    .insert("projectcalico.org/IPv4Address".into(), own.clone());
            });
        }
        Self {
            cni,
            scene,
            only: None,
        }
    }

    /// Calico of its manifest, with IPIP, and BGP between all nodes, each of which was asked for its sessions.
    pub(crate) fn bgp() -> Self {
        let mut fixture = Self::vxlan().pool(|pool| {
            pool.ipip_mode = Some("Always".into());
            pool.vxlan_mode = Some("Never".into());
        });
        fixture = fixture.with(|calico| {
            calico.installations = None;
            calico.statuses = None;
            calico.manifest = Observed::Seen(Some(CalicoManifest {
                backend: Some("bird".into()),
                ipam: Some("calico-ipam".into()),
                veth_mtu: Some("0".into()),
            }));
            for (index, node) in NODES.iter().enumerate() {
                let sessions = (0..3).filter(|other| *other != index).map(|other| BgpSession {
                    peer: address(other + 1),
                    state: "Established".into(),
                    info: String::new(),
                    kind: "nodeMesh".into(),
                });
                let said = BirdProtocols {
                    sessions: sessions.collect(),
                };
                calico.birds.insert((*node).into(), Observed::Seen(said));
            }
        });
        for (index, node) in NODES.iter().enumerate() {
            for other in 0..3 {
                let kind = if other == index { "blackhole" } else { "unicast" };
                fixture = fixture.route(node, &format!("10.244.{}.0/26", other + 1), kind);
            }
        }
        // Those of a bridge and a tunnel are of another CNI.
        for node in NODES {
            fixture.scene = fixture.scene.change(node, |reads| {
                if let Observed::Seen(routes) = &mut reads.routes {
                    routes.retain(|route| {
                        !route.destination.starts_with("10.244.") || route.destination.ends_with("/26")
                    });
                }
            });
        }
        fixture
    }

    pub(crate) fn unseen<T>() -> Observed<T> {
        Observed::Unseen(Gap {
            what: "a part".into(),
            why: GapReason::Failed,
            message: "it was not read".into(),
            hint: None,
        })
    }

    /// What says the cluster's range of pods.
    #[must_use]
    pub(crate) fn ranges(mut self, said: Observed<Vec<RangeSign>>) -> Self {
        self.cni.ranges.pods = said;
        self
    }

    /// The agents, to be changed.
    pub(crate) fn agents(calico: &mut Calico) -> &mut Vec<CniAgent> {
        list(&mut calico.agents)
    }

    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Calico)) -> Self {
        change(self.cni.calico.as_mut().expect("there is Calico"));
        self
    }

    #[must_use]
    pub(crate) fn pool(self, change: impl FnOnce(&mut IpPool)) -> Self {
        self.with(|calico| change(&mut list(&mut calico.pools)[0]))
    }

    #[must_use]
    pub(crate) fn further_pool(self, name: &str, cidr: &str, change: impl FnOnce(&mut IpPool)) -> Self {
        self.with(|calico| {
            let mut further = IpPool {
                name: name.into(),
                cidr: cidr.into(),
                ..pool()
            };
            change(&mut further);
            list(&mut calico.pools).push(further);
        })
    }

    /// The block of a node.
    #[must_use]
    pub(crate) fn block(self, node: &str, change: impl FnOnce(&mut IpamBlock)) -> Self {
        self.with(|calico| {
            let blocks = list(&mut calico.blocks);
            let own = blocks
                .iter_mut()
                .find(|block| block.node.as_deref() == Some(node));
            change(own.expect("the node has a block"));
        })
    }

    /// So many blocks, in each of which so many addresses are given away.
    #[must_use]
    pub(crate) fn full_blocks(self, count: u8, used: u32) -> Self {
        self.with(|calico| {
            let blocks = (0..count).map(|number| IpamBlock {
                cidr: format!("10.244.0.{}/26", u32::from(number) * 64),
                node: Some(NODES[usize::from(number) % 3].into()),
                used,
                held: Vec::new(),
            });
            calico.blocks = Observed::Seen(blocks.collect());
        })
    }

    /// So many addresses of the first node are held for pods that are not there.
    #[must_use]
    pub(crate) fn leaked(self, count: u8) -> Self {
        self.block("node1", |block| {
            block.used += u32::from(count);
            block.held.extend((0..count).map(|number| HeldAddress {
                address: format!("10.244.1.{}", number + 10).parse().unwrap(),
                pod: format!("batch/job-{number}"),
                node: None,
            }));
        })
    }

    #[must_use]
    pub(crate) fn pods(mut self, change: impl FnMut(&mut PodAddresses)) -> Self {
        list(&mut self.cni.cluster_pods).iter_mut().for_each(change);
        self
    }

    #[must_use]
    pub(crate) fn pods_unseen(mut self) -> Self {
        self.cni.cluster_pods = Self::unseen();
        self
    }

    /// The agent of a node that is not ready, with what its kubelet said.
    #[must_use]
    pub(crate) fn not_ready(self, node: &str, message: &str) -> Self {
        self.with(|calico| {
            let is_own = |agent: &&mut CniAgent| {
                agent.component == "calico-node" && agent.node.as_deref() == Some(node)
            };
            let own = Self::agents(calico).iter_mut().find(is_own).expect("an agent");
            own.ready = false;
            own.unhealthy = Some(Unhealthy {
                message: message.into(),
                at: Some(READ_AT.into()),
            });
        })
    }

    #[must_use]
    pub(crate) fn status(self, name: &str, kind: &str, status: &str, message: &str) -> Self {
        let condition = Condition {
            status: status.into(),
            reason: "ResourceNotReady".into(),
            message: message.into(),
            since: Some("2026-03-01T08:00:00Z".into()),
        };
        self.with(|calico| {
            calico.statuses = Some(Observed::Seen(vec![TigeraStatus {
                name: name.into(),
                conditions: BTreeMap::from([(kind.into(), condition)]),
            }]));
        })
    }

    /// The session between two nodes, as both see it.
    #[must_use]
    pub(crate) fn session(self, one: &str, other: &str, state: &str, info: &str) -> Self {
        let number = |node: &str| NODES.iter().position(|it| *it == node).expect("a node") + 1;
        let ends = [(one, address(number(other))), (other, address(number(one)))];
        self.with(|calico| {
            for (node, peer) in ends {
                let Some(Observed::Seen(said)) = calico.birds.get_mut(node) else {
                    continue;
                };
                for session in said.sessions.iter_mut().filter(|it| it.peer == peer) {
                    state.clone_into(&mut session.state);
                    info.clone_into(&mut session.info);
                }
            }
        })
    }

    /// All sessions of a node.
    #[must_use]
    pub(crate) fn down(self, node: &str, state: &str, info: &str) -> Self {
        let others = NODES.iter().filter(|other| **other != node);
        others.fold(self, |fixture, other| fixture.session(node, other, state, info))
    }

    /// Nobody was asked by a command.
    #[must_use]
    pub(crate) fn unasked(self) -> Self {
        self.with(|calico| calico.birds.clear())
    }

    /// A CalicoNodeStatus of each node that was written at this time.
    #[must_use]
    pub(crate) fn node_statuses(self, updated: &str) -> Self {
        let status = |index: usize| CalicoNodeStatus {
            name: NODES[index].into(),
            node: NODES[index].into(),
            updated: Some(updated.into()),
            period_seconds: Some(10),
            peers: Some(
                (0..3)
                    .filter(|other| *other != index)
                    .map(|other| BgpSession {
                        peer: address(other + 1),
                        state: "Established".into(),
                        info: String::new(),
                        kind: "nodeMesh".into(),
                    })
                    .collect(),
            ),
            routes: None,
        };
        self.with(|calico| calico.node_statuses = Observed::Seen((0..3).map(status).collect()))
    }

    #[must_use]
    pub(crate) fn route(mut self, node: &str, destination: &str, kind: &str) -> Self {
        self.scene = self.scene.change(node, |reads| {
            if let Observed::Seen(routes) = &mut reads.routes {
                routes.push(Route {
                    table: 254,
                    destination: destination.into(),
                    kind: kind.into(),
                    gateway: None,
                    device: Some("tunl0".into()),
                    source: None,
                    metric: 0,
                    protocol: "12".into(),
                    on_link: true,
                });
            }
        });
        self
    }

    #[must_use]
    pub(crate) fn without_route(mut self, node: &str, to: &str) -> Self {
        let number = NODES.iter().position(|it| *it == to).expect("a node") + 1;
        self.scene = self.scene.change(node, |reads| {
            if let Observed::Seen(routes) = &mut reads.routes {
                routes.retain(|route| route.destination != format!("10.244.{number}.0/26"));
            }
        });
        self
    }

    #[must_use]
    pub(crate) fn labels(self, node: &str, key: &str, value: &str) -> Self {
        self.with(|calico| {
            if let Observed::Seen(all) = &mut calico.node_labels {
                all.entry(node.into())
                    .or_default()
                    .insert(key.into(), value.into());
            }
        })
    }

    #[must_use]
    pub(crate) fn node(mut self, name: &str, change: impl Fn(&mut Node)) -> Self {
        self.scene = self.scene.change_object(name, change);
        self
    }

    #[must_use]
    pub(crate) fn each_node(self, change: impl Fn(&mut Node)) -> Self {
        NODES
            .iter()
            .fold(self, |fixture, node| fixture.node(node, &change))
    }

    /// A node of which nothing could be read.
    #[must_use]
    pub(crate) fn unread(mut self, node: &str) -> Self {
        self.scene = self.scene.unread(node);
        self
    }

    /// A cluster of this node alone.
    #[must_use]
    pub(crate) fn only(mut self, node: &str) -> Self {
        self.only = Some(node.into());
        self
    }

    pub(crate) fn observe(&self) -> Observation {
        let mut observation = self.scene.observation();
        observation.cni = Some(Box::new(self.cni.clone()));
        if let (Some(only), Observed::Seen(nodes)) = (&self.only, &mut observation.nodes) {
            nodes.retain(|node| node.name == *only);
            observation.node_evidence.retain(|node, _| node == only);
            let calico = observation
                .cni
                .as_mut()
                .and_then(|cni| cni.calico.as_mut())
                .expect("Calico");
            Self::agents(calico).retain(|agent| agent.node.as_ref() == Some(only));
        }
        observation
    }
}

fn list<T>(part: &mut Observed<Vec<T>>) -> &mut Vec<T> {
    match part {
        Observed::Seen(all) => all,
        Observed::Unseen(_) => panic!("it was not seen"),
    }
}
