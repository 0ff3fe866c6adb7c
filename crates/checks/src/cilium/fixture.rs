//! A made-up cluster of three nodes with Cilium, and ways to break it.

use std::collections::BTreeMap;

use observation::{
    Cilium, CiliumDrops, CiliumEndpoint, CiliumNode, CiliumState, CiliumStatus, Cni, CniAgent, DropReason,
    Observation,
};
use report::{Gap, GapReason, Observed};

use crate::calico::fixture::{agent, pod};
use crate::node_scene::Scene;

const NODES: [&str; 3] = ["node1", "node2", "node3"];

#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    cni: Cni,
}

fn of_cilium(component: &str, container: &str, node: &str) -> CniAgent {
    CniAgent {
        namespace: "kube-system".into(),
        container: container.into(),
        ..agent(component, node)
    }
}

fn endpoint(number: u8) -> CiliumEndpoint {
    CiliumEndpoint {
        namespace: "shop".into(),
        name: format!("web-{number}"),
        state: "ready".into(),
        node_ip: format!("172.30.0.1{number}").parse().ok(),
        addresses: vec![format!("10.244.{number}.2").parse().unwrap()],
    }
}

fn node(number: u8) -> CiliumNode {
    CiliumNode {
        name: format!("node{number}"),
        internal_ips: vec![format!("172.30.0.1{number}").parse().unwrap()],
        pod_cidrs: vec![format!("10.0.{number}.0/24")],
        ..CiliumNode::default()
    }
}

fn config(pairs: &[(&str, &str)]) -> Observed<Option<BTreeMap<String, String>>> {
    let all = pairs
        .iter()
        .map(|&(key, value)| (key.to_owned(), value.to_owned()));
    Observed::Seen(Some(all.collect()))
}

fn well() -> CiliumStatus {
    let ok = CiliumState {
        state: "Ok".into(),
        message: String::new(),
    };
    CiliumStatus {
        command: "cilium-dbg".into(),
        parts: BTreeMap::from([("cilium".into(), ok.clone()), ("kubernetes".into(), ok)]),
        unreachable: Some(Vec::new()),
        ..CiliumStatus::default()
    }
}

impl Fixture {
    /// VXLAN, and ranges of a pool of the cluster.
    pub(crate) fn tunnel() -> Self {
        let mut agents: Vec<CniAgent> = NODES
            .iter()
            .map(|node| of_cilium("cilium", "cilium-agent", node))
            .collect();
        agents.push(of_cilium("cilium-operator", "cilium-operator", "node1"));
        let mut cni = crate::product::bare();
        cni.cluster_pods = Observed::Seen((1..=3).map(pod).collect());
        cni.cilium = Some(Box::new(Cilium {
            agents: Observed::Seen(agents),
            config: config(&[
                ("ipam", "cluster-pool"),
                ("cluster-pool-ipv4-cidr", "10.0.0.0/8"),
                ("cluster-pool-ipv4-mask-size", "24"),
                ("routing-mode", "tunnel"),
                ("tunnel-protocol", "vxlan"),
                ("kube-proxy-replacement", "false"),
            ]),
            nodes: Observed::Seen((1..=3).map(node).collect()),
            endpoints: Observed::Seen((1..=3).map(endpoint).collect()),
            asked: BTreeMap::new(),
            drops: BTreeMap::new(),
        }));
        Self { cni }
    }

    /// Without tunnels, in place of kube-proxy, with addresses of a cloud.
    pub(crate) fn native() -> Self {
        Self::tunnel().with(|cilium| {
            cilium.config = config(&[
                ("ipam", "eni"),
                ("routing-mode", "native"),
                ("kube-proxy-replacement", "true"),
            ]);
            for node in Self::list(&mut cilium.nodes) {
                node.pod_cidrs.clear();
                node.pool = Some(30);
                node.used = Some(12);
            }
        })
    }

    pub(crate) fn unseen<T>() -> Observed<T> {
        Observed::Unseen(Gap {
            what: "a part".into(),
            why: GapReason::Failed,
            message: "it was not read".into(),
            hint: None,
        })
    }

    pub(crate) fn list<T>(part: &mut Observed<Vec<T>>) -> &mut Vec<T> {
        match part {
            Observed::Seen(all) => all,
            Observed::Unseen(_) => panic!("it was not seen"),
        }
    }

    pub(crate) fn agents(cilium: &mut Cilium) -> &mut Vec<CniAgent> {
        Self::list(&mut cilium.agents)
    }

    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Cilium)) -> Self {
        change(self.cni.cilium.as_mut().expect("there is Cilium"));
        self
    }

    #[must_use]
    pub(crate) fn node(self, name: &str, change: impl FnOnce(&mut CiliumNode)) -> Self {
        self.with(|cilium| {
            let own = Self::list(&mut cilium.nodes)
                .iter_mut()
                .find(|node| node.name == name);
            change(own.expect("a node"));
        })
    }

    #[must_use]
    pub(crate) fn setting(self, key: &str, value: &str) -> Self {
        self.with(|cilium| {
            if let Observed::Seen(Some(config)) = &mut cilium.config {
                config.insert(key.into(), value.into());
            }
        })
    }

    /// So many endpoints on the first node, whose pods nobody compares.
    #[must_use]
    pub(crate) fn endpoints(mut self, count: u8) -> Self {
        self.cni.cluster_pods = Observed::Seen(Vec::new());
        self.with(|cilium| {
            let all = (0..count).map(|number| CiliumEndpoint {
                name: format!("job-{number}"),
                ..endpoint(1)
            });
            cilium.endpoints = Observed::Seen(all.collect());
        })
    }

    /// What the agent of a node says, which is well otherwise.
    #[must_use]
    pub(crate) fn asked(self, node: &str, change: impl FnOnce(&mut CiliumStatus)) -> Self {
        let mut status = well();
        change(&mut status);
        self.with(|cilium| {
            cilium.asked.insert(node.into(), Observed::Seen(status));
        })
    }

    /// Agents that were listened to, and dropped nothing.
    #[must_use]
    pub(crate) fn listened(self) -> Self {
        self.with(|cilium| {
            for node in NODES {
                let drops = CiliumDrops {
                    seconds: 10,
                    ..CiliumDrops::default()
                };
                cilium.drops.entry(node.into()).or_insert(Observed::Seen(drops));
            }
        })
    }

    #[must_use]
    pub(crate) fn dropped(self, node: &str, reason: &str, count: u32) -> Self {
        self.listened().with(|cilium| {
            if let Some(Observed::Seen(drops)) = cilium.drops.get_mut(node) {
                let example =
                    "flow 0x0 to endpoint 3, identity 1->2: 10.0.1.2:4 -> 10.0.2.2:80 tcp SYN".into();
                drops.reasons.insert(reason.into(), DropReason { count, example });
            }
        })
    }

    pub(crate) fn observe(&self) -> Observation {
        let mut observation = Scene::healthy(3).observation();
        observation.cni = Some(Box::new(self.cni.clone()));
        observation
    }
}
