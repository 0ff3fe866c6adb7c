//! The CNI, node by node.

use std::collections::{BTreeMap, BTreeSet};

use observation::{Cni, CniController, CniNode, CniPod, CniProduct, Node, PodAddresses};
use report::{Gap, Observed};

use crate::endpoints::time::seconds;
use crate::view::View;

/// For so many seconds a node that joined is not judged: its CNI is still on its way.
pub(crate) const JOINING: i64 = 120;

/// What is known of the CNI.
#[derive(Debug)]
pub(crate) struct Cnis<'a> {
    pub(crate) facts: &'a Cni,
    /// Linux nodes, by name.
    pub(crate) nodes: Vec<&'a Node>,
    states: BTreeMap<&'a str, &'a CniNode>,
}

impl<'a> Cnis<'a> {
    /// `None` where the CNI was not asked about, and the gap where the nodes are not known.
    pub(crate) fn of(view: &View<'a>) -> Option<Result<Self, &'a Gap>> {
        let facts = view.observation.cni.as_deref()?;
        let nodes = match &view.observation.nodes {
            Observed::Seen(nodes) => nodes,
            Observed::Unseen(gap) => return Some(Err(gap)),
        };
        let states = facts.nodes.seen().into_iter().flatten();
        Some(Ok(Self {
            facts,
            nodes: nodes
                .iter()
                .filter(|node| node.operating_system == "linux")
                .collect(),
            states: states.map(|state| (state.name.as_str(), state)).collect(),
        }))
    }

    /// The DaemonSets that want a pod somewhere; none where they could not be read.
    pub(crate) fn controllers(&self) -> impl Iterator<Item = &'a CniController> {
        self.facts.controllers.seen().into_iter().flatten()
    }

    /// The CNIs that give pods their network, of those that run in DaemonSets.
    pub(crate) fn primaries(&self) -> BTreeSet<CniProduct> {
        let products = self.controllers().map(|controller| controller.product);
        products.filter(|product| !product.is_meta()).collect()
    }

    /// Whether each node's pods get their addresses from the range that the API gave it.
    pub(crate) fn uses_pod_cidrs(&self) -> bool {
        let all = self.primaries();
        // Others have address managers of their own, and may stand beside it for their policies.
        let own = |product: &CniProduct| {
            matches!(
                product,
                CniProduct::Flannel | CniProduct::Canal | CniProduct::Kindnet | CniProduct::KubeRouter
            )
        };
        all.iter().any(own) || self.is_in_process()
    }

    /// Whether nodes' own agent runs flannel in its process, so that no pod does: k3s and RKE2 can.
    pub(crate) fn is_in_process(&self) -> bool {
        let is_embedding =
            |node: &&Node| node.kubelet_version.contains("+k3s") || node.kubelet_version.contains("+rke2");
        self.primaries().is_empty() && self.nodes.iter().any(is_embedding)
    }

    /// Whether flannel makes the network.
    pub(crate) fn has_flannel(&self) -> bool {
        let primaries = self.primaries();
        primaries.contains(&CniProduct::Flannel) || primaries.contains(&CniProduct::Canal)
    }

    pub(crate) fn state(&self, node: &str) -> Option<&'a CniNode> {
        self.states.get(node).copied()
    }

    /// How many seconds ago a node joined, where that is so short ago that nothing can be expected of it yet.
    pub(crate) fn joining(&self, node: &str) -> Option<i64> {
        let created = self.state(node)?.created.as_deref();
        seconds(created, &self.facts.read_at).filter(|age| *age < JOINING)
    }

    /// Whether the kubelet of a node reports: what else the API says of the node and its pods may be old.
    pub(crate) fn is_reported(node: &Node) -> bool {
        node.ready.as_ref().is_none_or(|ready| ready.status != "Unknown")
    }

    /// The pods of the CNI on a node, those that are being deleted left out.
    pub(crate) fn pods_on(&self, node: &str) -> impl Iterator<Item = &'a CniPod> {
        let pods = self.facts.pods.seen().into_iter().flatten();
        let node = node.to_owned();
        pods.filter(move |pod| pod.node.as_deref() == Some(node.as_str()) && pod.deleted.is_none())
    }

    /// The pods of a node that have a network of their own, or wait for one.
    pub(crate) fn pods_of(&self, node: &str) -> impl Iterator<Item = &'a PodAddresses> {
        let pods = self.facts.cluster_pods.seen().into_iter().flatten();
        let node = node.to_owned();
        pods.filter(move |pod| {
            pod.node.as_deref() == Some(node.as_str()) && !pod.host_network && !pod.has_ended()
        })
    }

    /// The seconds since a moment.
    pub(crate) fn ago(&self, moment: Option<&str>) -> Option<i64> {
        seconds(moment, &self.facts.read_at)
    }
}
