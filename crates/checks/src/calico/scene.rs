//! Calico as its checks read it.

use std::net::IpAddr;

use ipnet::IpNet;
use observation::{Calico, Cni, CniAgent, IpPool, IpamBlock, Node};
use report::{Evidence, Gap, Observed, Subject};

use crate::shell::word;
use crate::view::View;

/// What is known of Calico.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) cni: &'a Cni,
    pub(crate) calico: &'a Calico,
    /// The nodes of the cluster; `None` where they were not seen.
    pub(crate) nodes: Option<&'a [Node]>,
}

/// A pool whose range can be understood.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pool<'a> {
    pub(crate) pool: &'a IpPool,
    pub(crate) cidr: IpNet,
}

/// How the packets of a pool travel between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Encapsulation {
    Ipip,
    Vxlan,
    None,
}

impl Encapsulation {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ipip => "IPIP",
            Self::Vxlan => "VXLAN",
            Self::None => "none",
        }
    }
}

impl<'a> Pool<'a> {
    fn of(pool: &'a IpPool) -> Option<Self> {
        let cidr = pool.cidr.parse().ok()?;
        Some(Self { pool, cidr })
    }

    /// Whether pods get addresses of it without asking for it.
    pub(crate) fn is_automatic(&self) -> bool {
        self.is_enabled() && self.pool.assignment_mode.as_deref() != Some("Manual")
    }

    /// Whether it is for pods, and gives addresses away.
    pub(crate) fn is_enabled(&self) -> bool {
        let uses = &self.pool.allowed_uses;
        !self.pool.disabled && (uses.is_empty() || uses.iter().any(|it| it == "Workload"))
    }

    pub(crate) fn encapsulation(&self) -> Encapsulation {
        let is_on = |mode: &Option<String>| mode.as_deref().is_some_and(|mode| mode != "Never");
        if is_on(&self.pool.vxlan_mode) {
            Encapsulation::Vxlan
        } else if is_on(&self.pool.ipip_mode) {
            Encapsulation::Ipip
        } else {
            Encapsulation::None
        }
    }

    /// How many addresses it has.
    pub(crate) fn size(&self) -> u128 {
        let bits = self.cidr.max_prefix_len() - self.cidr.prefix_len();
        1_u128.checked_shl(u32::from(bits)).unwrap_or(u128::MAX)
    }

    /// How many addresses a block of it has.
    pub(crate) fn block_size(&self) -> u128 {
        let bits = self.cidr.max_prefix_len().saturating_sub(self.block_prefix());
        1_u128.checked_shl(u32::from(bits)).unwrap_or(u128::MAX)
    }

    pub(crate) fn block_prefix(&self) -> u8 {
        let usual = if self.cidr.addr().is_ipv4() { 26 } else { 122 };
        self.pool.block_size.unwrap_or(usual)
    }

    /// How many blocks it can be cut into.
    pub(crate) fn blocks(&self) -> u128 {
        self.size() / self.block_size().max(1)
    }

    pub(crate) fn subject(&self) -> Subject {
        subject(self.pool)
    }
}

pub(crate) fn subject(pool: &IpPool) -> Subject {
    Subject::Object {
        kind: "ippool".to_owned(),
        name: pool.name.clone(),
        namespace: None,
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(view: &View<'a>, cni: &'a Cni, calico: &'a Calico) -> Self {
        Self {
            cni,
            calico,
            nodes: view.observation.nodes.seen().map(Vec::as_slice),
        }
    }

    /// Pods of one component.
    pub(crate) fn agents(&self, component: &str) -> impl Iterator<Item = &'a CniAgent> {
        let all = self.calico.agents.seen().into_iter().flatten();
        all.filter(move |agent| agent.component == component)
    }

    /// Those that do the work on nodes.
    pub(crate) fn node_agents(&self) -> impl Iterator<Item = &'a CniAgent> {
        self.agents("calico-node").chain(self.agents("canal"))
    }

    /// Whether only objects are left of a Calico that was here, or that another product brings along.
    pub(crate) fn is_left_over(&self) -> bool {
        self.calico.agents.seen().is_some_and(Vec::is_empty)
    }

    /// The pools that can be understood.
    pub(crate) fn pools(&self) -> Vec<Pool<'a>> {
        let all = self.calico.pools.seen().into_iter().flatten();
        all.filter_map(Pool::of).collect()
    }

    /// The blocks with their ranges.
    pub(crate) fn blocks(&self) -> Vec<(&'a IpamBlock, IpNet)> {
        let all = self.calico.blocks.seen().into_iter().flatten();
        all.filter_map(|block| Some((block, block.cidr.parse().ok()?)))
            .collect()
    }

    /// What gives addresses to pods, where that is not Calico.
    pub(crate) fn other_ipam(&self) -> Option<String> {
        let is_canal = self.agents("canal").next().is_some() && self.agents("calico-node").next().is_none();
        if is_canal {
            return Some("the podCIDRs of nodes, with Canal,".to_owned());
        }
        let installation = self
            .calico
            .installations
            .as_ref()
            .and_then(|all| all.seen()?.first());
        if let Some(installation) = installation {
            let other = |kind: &Option<String>| kind.clone().filter(|kind| kind != "Calico");
            return other(&installation.cni).or_else(|| other(&installation.ipam));
        }
        let manifest = self.calico.manifest.seen()?.as_ref()?;
        manifest.ipam.clone().filter(|ipam| ipam != "calico-ipam")
    }

    /// Why no BGP is used, where none is.
    pub(crate) fn without_bgp(&self) -> Option<String> {
        if self.agents("calico-node").next().is_none() && self.agents("canal").next().is_some() {
            return Some("Canal leaves routes to flannel".to_owned());
        }
        let installation = self
            .calico
            .installations
            .as_ref()
            .and_then(|all| all.seen()?.first());
        if let Some(bgp) = installation.and_then(|it| it.bgp.as_deref()) {
            return (bgp == "Disabled").then(|| "its Installation has bgp: Disabled".to_owned());
        }
        let manifest = self.calico.manifest.seen().and_then(Option::as_ref);
        if let Some(backend) = manifest.and_then(|it| it.backend.as_deref()) {
            return (backend != "bird").then(|| format!("calico_backend is {backend}"));
        }
        let pools = self.pools();
        let mut enabled = pools.iter().filter(|pool| pool.is_enabled()).peekable();
        let all_vxlan =
            enabled.peek().is_some() && enabled.all(|pool| pool.encapsulation() == Encapsulation::Vxlan);
        all_vxlan.then(|| "every pool is VXLAN, whose routes each node makes itself".to_owned())
    }

    /// The node that has this address in the cluster's own network.
    pub(crate) fn node_of(&self, address: &str) -> Option<&'a Node> {
        let address: IpAddr = address.parse().ok()?;
        let nodes = self.nodes?;
        nodes
            .iter()
            .find(|node| bgp_addresses(node).any(|own| own == address))
            .or_else(|| nodes.iter().find(|node| node.internal_ips.contains(&address)))
    }

    /// The command that shows an object of Calico's API.
    pub(crate) fn show(&self, resource: &str, name: &str) -> String {
        let group = self.calico.api.as_deref().and_then(|api| api.split('/').next());
        let group = group.unwrap_or("crd.projectcalico.org");
        if name.is_empty() {
            format!("kubectl get {resource}.{group}")
        } else {
            format!("kubectl get {resource}.{group} {} -o yaml", word(name))
        }
    }

    /// The command that edits one.
    pub(crate) fn edit(&self, resource: &str, name: &str) -> String {
        let group = self.calico.api.as_deref().and_then(|api| api.split('/').next());
        let group = group.unwrap_or("crd.projectcalico.org");
        format!("kubectl edit {resource}.{group} {}", word(name))
    }

    /// A fact of an object of Calico's API.
    pub(crate) fn fact(&self, fact: impl Into<String>, resource: &str, name: &str) -> Evidence {
        Evidence::command(fact, self.show(resource, name))
    }
}

/// The addresses at which a node's BIRD is, by what Calico wrote to the node.
pub(crate) fn bgp_addresses(node: &Node) -> impl Iterator<Item = IpAddr> {
    let names = ["projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address"];
    names.into_iter().filter_map(|name| {
        let text = node.annotations.get(name)?;
        text.split('/').next()?.parse().ok()
    })
}

/// The gaps of parts, those that there are.
pub(crate) fn gaps<const N: usize>(parts: [Option<&Gap>; N]) -> Vec<Gap> {
    let mut all: Vec<Gap> = parts.into_iter().flatten().cloned().collect();
    all.dedup();
    all
}

/// The gap of a part that may not be asked for at all.
pub(crate) fn optional<T>(part: Option<&Observed<T>>) -> Option<&Gap> {
    part.and_then(Observed::gap)
}
