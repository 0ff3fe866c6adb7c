//! The packet rules of nodes as checks read them: parsed once, with the interfaces and addresses of the flows to ask about.

#[cfg(test)]
pub(crate) mod fixture;
mod flows;
mod gaps;
mod reading;
mod show;
mod stops;
mod tunnel;

use std::cell::OnceCell;
use std::net::IpAddr;

use ipnet::IpNet;
use netmodel::ipvs::{self, VirtualServer};
use netmodel::rules::{Decider, Family, NodeRules, View, parse_iptables_save};
use observation::{Node, NodeReads, Observation};
use report::Gap;

use crate::nodes::pod_cidrs;

pub(crate) use flows::Leg;
pub(crate) use gaps::{gap, gaps, skipped};
pub(crate) use reading::read as parse;
pub(crate) use show::{Way, evidence, joined, percent, repair, restart, widths};
pub(crate) use stops::{Manner, Stopping, share, sizes};
pub(crate) use tunnel::{Loss, TunnelStop};

/// One node whose rules were read, wholly or in part.
#[derive(Debug)]
pub(crate) struct Firewall<'a> {
    pub(crate) node: &'a Node,
    /// Other nodes: all of them, or those to ask about.
    pub(crate) peers: Vec<&'a Node>,
    /// How many other nodes there are.
    pub(crate) others: usize,
    pub(crate) reads: &'a NodeReads,
    /// What was read once more after the probes.
    after: Option<&'a NodeReads>,
    rules_after: OnceCell<Option<NodeRules>>,
    pub(crate) rules: NodeRules,
    /// What of the rules could not be read. Who finds nothing has these gaps.
    pub(crate) gaps: Vec<Gap>,
}

impl<'a> Firewall<'a> {
    /// The nodes that were read, by name.
    pub(crate) fn all(observation: &'a Observation) -> Vec<Self> {
        let nodes: Vec<&Node> = observation.nodes.seen().into_iter().flatten().collect();
        nodes
            .iter()
            .filter_map(|node| {
                let evidence = observation.node_evidence.get(&node.name)?.seen()?;
                let reads = &evidence.before;
                let (rules, gaps) = reading::read(&node.name, reads);
                let others = nodes.iter().copied().filter(|peer| peer.name != node.name);
                Some(Self {
                    node,
                    peers: flows::asked(others.collect(), &rules),
                    others: nodes.len() - 1,
                    reads,
                    after: evidence.after.as_ref(),
                    rules_after: OnceCell::new(),
                    rules,
                    gaps,
                })
            })
            .collect()
    }

    pub(crate) fn name(&self) -> &'a str {
        &self.node.name
    }

    /// The rules as they were after the probes, where they were read once more.
    pub(crate) fn rules_after(&self) -> Option<&NodeRules> {
        let read = || {
            let (rules, gaps) = reading::read(self.name(), self.after?);
            gaps.is_empty().then_some(rules)
        };
        self.rules_after.get_or_init(read).as_ref()
    }

    /// The kernel's virtual servers in each look; nothing where they were not read, or not all.
    pub(crate) fn virtual_servers(&self) -> Vec<Vec<VirtualServer>> {
        let looks = std::iter::once(self.reads).chain(self.after);
        let read = looks.map(|reads| {
            let text = reads.kernel.ipvs.seen()?.as_deref().unwrap_or_default();
            ipvs::parse(text).ok()
        });
        read.collect::<Option<_>>().unwrap_or_default()
    }

    /// The packets that came to a rule of iptables between the two reads, where both counted them.
    pub(crate) fn rise(&self, by: &Decider<'_>) -> Option<u64> {
        let rule = by.rule?;
        let after = self.after?;
        let text = match (by.view, by.table.family) {
            (View::IptablesNft, Family::Ip) => &after.iptables,
            (View::IptablesNft, Family::Ip6) => &after.ip6tables,
            (View::IptablesLegacy, Family::Ip) => &after.iptables_legacy,
            _ => return None,
        };
        let set = parse_iptables_save(&text.seen()?.text, by.view, by.table.family);
        let chain = set
            .table(by.table.family, &by.table.name)?
            .chains
            .get(&by.chain.name)?;
        let later = chain.rules.iter().find(|known| known.text == rule.text)?;
        let (then, now) = (rule.counters?.packets, later.counters?.packets);
        now.checked_sub(then).filter(|rise| *rise > 0)
    }

    /// The node's range of pod addresses of a family.
    pub(crate) fn pods(&self, v4: bool) -> Option<IpNet> {
        pods(self.node, v4)
    }

    /// The interface behind which the node's own pods are: that of the route to them, or the bridge that has one of their
    /// addresses. `None` where each pod has its own, or where it could not be read.
    pub(crate) fn pod_interface(&self, v4: bool) -> Option<&str> {
        let own = self.pods(v4)?;
        self.route_to(own).or_else(|| {
            let links = self.reads.links.seen()?;
            let bridge = links.iter().find(|link| {
                let is_gateway = link.addresses.iter().any(|held| own.contains(&held.address));
                link.kind.as_deref() == Some("bridge") && is_gateway
            });
            bridge.map(|link| link.name.as_str())
        })
    }

    /// The interface by which packets go to the pods of another node: that of the route, or the only tunnel.
    pub(crate) fn interface_to(&self, peer: &Node, v4: bool) -> Option<&str> {
        self.route_to(pods(peer, v4)?).or_else(|| {
            let mut tunnels = self.tunnels().map(|(name, _)| name);
            let tunnel = tunnels.next()?;
            tunnels.next().is_none().then_some(tunnel)
        })
    }

    fn route_to(&self, net: IpNet) -> Option<&str> {
        let routes = self.reads.routes.seen()?;
        let wanted = net.trunc().to_string();
        let route = routes
            .iter()
            .find(|route| route.table == MAIN && route.kind == "unicast" && route.destination == wanted);
        route?.device.as_deref()
    }

    /// The interface of the default route.
    pub(crate) fn uplink(&self, v4: bool) -> Option<&str> {
        let routes = self.reads.routes.seen()?;
        let wanted = if v4 { "0.0.0.0/0" } else { "::/0" };
        let default = routes
            .iter()
            .filter(|route| route.table == MAIN && route.kind == "unicast" && route.destination == wanted)
            .min_by_key(|route| route.metric);
        default?.device.as_deref()
    }

    /// The VXLAN devices of the node.
    pub(crate) fn tunnels(&self) -> impl Iterator<Item = (&str, &observation::Vxlan)> {
        let links = self.reads.links.seen().into_iter().flatten();
        links.filter_map(|link| Some((link.name.as_str(), link.vxlan.as_ref()?)))
    }

    /// The node's own address of a family.
    pub(crate) fn address(&self, v4: bool) -> Option<IpAddr> {
        address(self.node, v4)
    }

    /// The families in which the node has pods.
    pub(crate) fn families(&self) -> impl Iterator<Item = bool> {
        [true, false].into_iter().filter(|v4| self.pods(*v4).is_some())
    }
}

/// The number of the routing table `main`.
const MAIN: u32 = 254;

/// A node's range of pod addresses of a family.
pub(crate) fn pods(node: &Node, v4: bool) -> Option<IpNet> {
    pod_cidrs(node).into_iter().find(|net| net.addr().is_ipv4() == v4)
}

/// A node's own address of a family.
pub(crate) fn address(node: &Node, v4: bool) -> Option<IpAddr> {
    node.internal_ips
        .iter()
        .copied()
        .find(|address| address.is_ipv4() == v4)
}
