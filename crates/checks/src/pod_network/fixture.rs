//! A made-up cluster with flannel, as the API shows a healthy one, and ways to break it.

use observation::{
    ClusterRanges, Cni, CniContainer, CniController, CniEvent, CniNode, CniPod, CniProduct, Condition,
    ConfigDocument, FlannelConfig, LogTail, Node, Observation, PodAddresses, RangeSign,
};
use report::{Gap, GapReason, Observed};
use serde_json::json;

use crate::node_scene::Scene;

pub(crate) const NOW: &str = "2026-03-01T09:00:00Z";

/// The cluster: `node1` to `node3`, each with a pod of flannel and one of somebody.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    pub(crate) cni: Cni,
    pub(crate) scene: Scene,
    reads_nodes: bool,
}

pub(crate) fn container(name: &str, lines: &[&str]) -> CniContainer {
    CniContainer {
        name: name.into(),
        image: "ghcr.io/flannel-io/flannel:v0.27.0".into(),
        init: false,
        restarts: 0,
        started: Some("2026-03-01T07:00:00Z".into()),
        waiting: None,
        ended: None,
        log: Some(Observed::Seen(LogTail {
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
            more: false,
        })),
        previous: None,
    }
}

pub(crate) fn pod_of(product: CniProduct, node: &str) -> CniPod {
    CniPod {
        product,
        namespace: "kube-flannel".into(),
        name: format!("kube-flannel-ds-{node}"),
        node: Some(node.into()),
        phase: "Running".into(),
        ready: true,
        refused: None,
        created: Some("2026-03-01T07:00:00Z".into()),
        deleted: None,
        containers: vec![container(
            "kube-flannel",
            &["I0301 08:59:00.000000       1 main.go:1] running"],
        )],
    }
}

pub(crate) fn controller(product: CniProduct, name: &str) -> CniController {
    CniController {
        product,
        namespace: "kube-flannel".into(),
        name: name.into(),
        selector: "app=flannel".into(),
        node_selector: Vec::new(),
        images: vec!["ghcr.io/flannel-io/flannel:v0.27.0".into()],
        desired: 3,
        updated: 3,
        ready: 3,
    }
}

pub(crate) fn sign(cidr: &str) -> RangeSign {
    RangeSign {
        cidr: cidr.into(),
        from: "kube-controller-manager --cluster-cidr".into(),
        command: "kubectl -n kube-system get pods".into(),
    }
}

impl Fixture {
    pub(crate) fn healthy() -> Self {
        let nodes = ["node1", "node2", "node3"];
        let somebody = |(index, node): (usize, &&str)| PodAddresses {
            namespace: "shop".into(),
            name: format!("web-{}", index + 1),
            node: Some((*node).into()),
            phase: "Running".into(),
            addresses: vec![format!("10.244.{}.5", index + 1).parse().unwrap()],
            ready: true,
            created: Some("2026-03-01T08:00:00Z".into()),
            controller: Some("replicaset/web".into()),
            ..PodAddresses::default()
        };
        let state = |node: &&str| CniNode {
            name: (*node).into(),
            created: Some("2026-02-01T00:00:00Z".into()),
            network_unavailable: None,
            max_pods: Some(110),
        };
        Self {
            cni: Cni {
                read_at: NOW.into(),
                controllers: Observed::Seen(vec![controller(CniProduct::Flannel, "kube-flannel-ds")]),
                pods: Observed::Seen(
                    nodes
                        .iter()
                        .map(|node| pod_of(CniProduct::Flannel, node))
                        .collect(),
                ),
                groups: Observed::Seen(Vec::new()),
                flannel: Observed::Seen(Some(flannel(&json!({
                    "Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}
                })))),
                events: Observed::Seen(Vec::new()),
                cluster_pods: Observed::Seen(nodes.iter().enumerate().map(somebody).collect()),
                nodes: Observed::Seen(nodes.iter().map(state).collect()),
                ranges: ClusterRanges {
                    pods: Observed::Seen(vec![sign("10.244.0.0/16")]),
                    services: Observed::Seen(vec![sign("10.96.0.0/12")]),
                },
                policies: Observed::Seen(0),
                calico: None,
                cilium: None,
                terway: None,
            },
            scene: Scene::privileged(3)
                .change_object("node1", ready)
                .change_object("node2", ready)
                .change_object("node3", ready),
            reads_nodes: false,
        }
    }

    /// The same, with what nodes show.
    pub(crate) fn with_nodes(mut self) -> Self {
        self.reads_nodes = true;
        self
    }

    /// Changes what the API says of the CNI.
    pub(crate) fn change(mut self, change: impl FnOnce(&mut Cni)) -> Self {
        change(&mut self.cni);
        self
    }

    /// Changes the object of a node.
    pub(crate) fn node(mut self, name: &str, change: impl Fn(&mut Node)) -> Self {
        self.scene = self.scene.change_object(name, change);
        self
    }

    /// Changes the pod of the CNI on a node.
    pub(crate) fn cni_pod(self, node: &str, change: impl FnOnce(&mut CniPod)) -> Self {
        self.change(|cni| {
            let pods = seen(&mut cni.pods);
            change(
                pods.iter_mut()
                    .find(|pod| pod.node.as_deref() == Some(node))
                    .unwrap(),
            );
        })
    }

    /// Changes somebody's pod.
    pub(crate) fn pod(self, name: &str, change: impl FnOnce(&mut PodAddresses)) -> Self {
        self.change(|cni| {
            let pods = seen(&mut cni.cluster_pods);
            change(pods.iter_mut().find(|pod| pod.name == name).unwrap());
        })
    }

    /// With so many further pods on a node, from 10.244.NODE.2 on.
    pub(crate) fn crowded(self, node: u8, pods: u8) -> Self {
        self.change(|cni| {
            for number in 0..pods {
                seen(&mut cni.cluster_pods).push(PodAddresses {
                    namespace: "crowd".into(),
                    name: format!("one-{number}"),
                    node: Some(format!("node{node}")),
                    phase: "Running".into(),
                    addresses: vec![
                        format!("10.244.{node}.{}", 2 + u32::from(number))
                            .parse()
                            .unwrap(),
                    ],
                    ready: true,
                    ..PodAddresses::default()
                });
            }
        })
    }

    /// With an event about a pod.
    pub(crate) fn event(self, pod: &str, node: &str, message: &str, last: &str) -> Self {
        self.change(|cni| {
            seen(&mut cni.events).push(CniEvent {
                namespace: "shop".into(),
                pod: pod.into(),
                node: Some(node.into()),
                reason: "FailedCreatePodSandBox".into(),
                message: message.into(),
                last: Some(last.into()),
            });
        })
    }

    /// A pod that waits for its network.
    pub(crate) fn waits(self, name: &str) -> Self {
        self.pod(name, |pod| {
            pod.phase = "Pending".into();
            pod.addresses.clear();
            pod.ready = false;
            pod.reason = Some("ContainerCreating".into());
        })
    }

    pub(crate) fn observe(&self) -> Observation {
        let mut observation = self.scene.observation();
        if !self.reads_nodes {
            observation.node_reading = None;
            observation.node_evidence.clear();
        }
        observation.cni = Some(Box::new(self.cni.clone()));
        observation
    }
}

fn ready(node: &mut Node) {
    node.ready = Some(Condition {
        status: "True".into(),
        reason: "KubeletReady".into(),
        message: "kubelet is posting ready status".into(),
        since: None,
    });
    node.annotations
        .insert("flannel.alpha.coreos.com/backend-type".into(), "vxlan".into());
}

pub(crate) fn flannel(net_conf: &serde_json::Value) -> FlannelConfig {
    FlannelConfig {
        namespace: "kube-flannel".into(),
        name: "kube-flannel-cfg".into(),
        net_conf: ConfigDocument::Read {
            value: net_conf.clone(),
        },
        changed: Some("2026-02-01T00:00:00Z".into()),
    }
}

pub(crate) fn seen<T>(part: &mut Observed<T>) -> &mut T {
    match part {
        Observed::Seen(value) => value,
        Observed::Unseen(gap) => panic!("the fixture has it: {gap:?}"),
    }
}

pub(crate) fn no<T>(what: &str) -> Observed<T> {
    Observed::Unseen(Gap {
        what: what.into(),
        why: GapReason::Failed,
        message: "no".into(),
        hint: None,
    })
}
