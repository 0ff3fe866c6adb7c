use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use super::flow::{Direction, End, Protocol};
use super::object::Policy;
use super::selector::Labels;

/// What must be known of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// The ports that its containers declare, sidecars included.
    pub ports: Vec<ContainerPort>,
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPort {
    /// Its name; most have none.
    pub name: Option<String>,
    /// `containerPort`.
    pub number: u16,
    /// TCP where the pod does not say.
    pub protocol: Protocol,
}

impl Pod {
    /// The port that it declares under this name for this protocol; the first where several containers do.
    pub fn named_port(&self, name: &str, protocol: Protocol) -> Option<u16> {
        self.ports
            .iter()
            .find(|port| port.protocol == protocol && port.name.as_deref() == Some(name))
            .map(|port| port.number)
    }

    /// Whether both are the same object.
    pub fn is(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.name == other.name
    }
}

/// The label that the API server puts on every namespace.
pub(super) const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Everything that the verdict on a flow depends on.
#[derive(Clone, Debug, Default)]
pub struct World {
    policies: BTreeMap<String, Vec<Policy>>,
    pods: Vec<Pod>,
    by_address: HashMap<IpAddr, usize>,
    by_namespace: BTreeMap<String, Vec<usize>>,
    namespaces: BTreeMap<String, Labels>,
    nodes: HashMap<IpAddr, String>,
}

impl World {
    /// All policies, all pods that run, and the labels of namespaces. A namespace that is missing from `namespaces` is one whose
    /// labels are not known, not one without labels.
    pub fn new(
        policies: impl IntoIterator<Item = Policy>,
        pods: Vec<Pod>,
        namespaces: BTreeMap<String, Labels>,
    ) -> Self {
        let mut world = Self {
            namespaces,
            ..Self::default()
        };
        for policy in policies {
            world.add(policy);
        }
        for (index, pod) in pods.iter().enumerate() {
            world
                .by_namespace
                .entry(pod.namespace.clone())
                .or_default()
                .push(index);
            if !pod.host_network {
                for address in &pod.addresses {
                    world.by_address.insert(address.to_canonical(), index);
                }
            }
        }
        world.pods = pods;
        world
    }

    /// Adds the addresses of a node.
    #[must_use]
    pub fn with_node(mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        for address in addresses {
            self.nodes.insert(address.to_canonical(), name.to_owned());
        }
        self
    }

    /// Adds a policy, in place of one of the same name and namespace.
    pub fn add(&mut self, policy: Policy) {
        let policies = self.policies.entry(policy.name.namespace.clone()).or_default();
        policies.retain(|old| old.name != policy.name);
        policies.push(policy);
    }

    /// All policies, by namespace.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values().flatten()
    }

    /// The policies of a namespace.
    pub fn policies_of(&self, namespace: &str) -> &[Policy] {
        self.policies.get(namespace).map_or(&[], Vec::as_slice)
    }

    /// All pods.
    pub fn pods(&self) -> &[Pod] {
        &self.pods
    }

    /// The pods of a namespace.
    pub fn pods_of(&self, namespace: &str) -> impl Iterator<Item = &Pod> {
        let indices = self.by_namespace.get(namespace).into_iter().flatten();
        indices.filter_map(|index| self.pods.get(*index))
    }

    /// One pod.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Pod> {
        self.pods_of(namespace).find(|pod| pod.name == name)
    }

    /// The labels of a namespace, where they are known.
    pub fn namespace(&self, name: &str) -> Option<&Labels> {
        self.namespaces.get(name)
    }

    /// The namespaces whose labels are known.
    pub fn namespaces(&self) -> &BTreeMap<String, Labels> {
        &self.namespaces
    }

    /// Whose address it is.
    pub fn end(&self, address: IpAddr) -> End<'_> {
        let address = address.to_canonical();
        if let Some(pod) = self
            .by_address
            .get(&address)
            .and_then(|index| self.pods.get(*index))
        {
            return End::Pod(pod);
        }
        match self.nodes.get(&address) {
            Some(name) => End::Node { name, address },
            None => End::Outside(address),
        }
    }

    /// The policies that isolate a pod in a direction. A pod with `hostNetwork` is selected and yet not isolated: its traffic is
    /// its node's.
    pub fn isolating<'a>(&'a self, pod: &'a Pod, direction: Direction) -> impl Iterator<Item = &'a Policy> {
        self.policies_of(&pod.namespace)
            .iter()
            .filter(move |policy| policy.rules(direction).is_some() && policy.selects(pod))
    }

    /// The pods that a policy selects.
    pub fn selected<'a>(&'a self, policy: &'a Policy) -> impl Iterator<Item = &'a Pod> {
        self.pods_of(&policy.name.namespace)
            .filter(move |pod| policy.selects(pod))
    }
}
