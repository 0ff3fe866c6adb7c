//! Which entries are of which Service.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use observation::{
    Backends, EndpointSlice, Service, ServicePort, Tracked, TrackedFlow, TrackedLook, TrackedNode,
};
use report::{Gap, GapReason, Observed};

use crate::reach::belongs;
use crate::view::View;

/// Which entries of nodes are of Services: what they mean by their addresses, or by a port of any address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrackedAsked {
    /// ClusterIPs, and addresses from outside.
    pub addresses: Vec<IpAddr>,
    /// Node ports.
    pub ports: Vec<u16>,
}

/// What to look for of the Services that were asked about; `None` where there is nothing that is translated.
pub fn asked(backends: &Backends, udp_only: bool) -> Option<TrackedAsked> {
    let mut found = TrackedAsked::default();
    for service in of_question(backends)? {
        let ports = || {
            let wanted = service.ports.iter();
            wanted.filter(|port| !udp_only || port.protocol == "UDP")
        };
        if ports().next().is_some() {
            found.addresses.extend(addresses(service));
            found.ports.extend(ports().filter_map(|port| port.node_port));
        }
    }
    (!found.addresses.is_empty()).then_some(found)
}

/// The Services that were asked about, where they were read.
pub(super) fn of_question(backends: &Backends) -> Option<impl Iterator<Item = &Service>> {
    let services = backends.services.seen()?.iter();
    Some(services.filter(|service| backends.question.is_about(service)))
}

fn addresses(service: &Service) -> impl Iterator<Item = IpAddr> {
    let balancers = service.load_balancer.iter().filter_map(|ingress| ingress.ip);
    let all = service.cluster_ips.iter().chain(&service.external_ips).copied();
    all.chain(balancers)
}

/// Tracked connections, beside what the API says.
pub(super) struct Scene<'a> {
    pub(super) tracked: &'a Tracked,
    pub(super) services: &'a [Service],
    /// EndpointSlices of both looks.
    looks: Vec<&'a [EndpointSlice]>,
    node_addresses: BTreeSet<IpAddr>,
}

/// That not all were listed: what is missing may be anything. A table that is large takes longer to read than it is read for, whatever
/// is looked for in it.
pub(super) fn cut_off(node: &str, look: &TrackedLook) -> Option<Gap> {
    look.more.then(|| Gap {
        what: format!("tracked connections of {node}"),
        why: GapReason::Truncated,
        message: "the table is too large to be read whole, or has more of them than are listed".to_owned(),
        hint: None,
    })
}

/// What an entry is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Of<'a> {
    pub(super) service: &'a Service,
    pub(super) port: &'a ServicePort,
}

impl Of<'_> {
    /// As kube-proxy names it: `shop/web:http`.
    pub(super) fn name(&self) -> String {
        self.service.port_name(self.port)
    }
}

impl<'a> Scene<'a> {
    /// `None` where tracked connections were not asked about, and the gap where the API's side of them is not known.
    pub(super) fn of(view: &View<'a>) -> Option<Result<Self, &'a Gap>> {
        let tracked = view.observation.tracked.as_deref()?;
        let backends = view.observation.backends.as_deref()?;
        let (services, slices) = match (&backends.services, &backends.slices) {
            (Observed::Seen(services), Observed::Seen(slices)) => (services, slices),
            (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => return Some(Err(gap)),
        };
        let later = backends.second_look.as_ref().and_then(|look| look.slices.seen());
        let nodes = view.observation.nodes.seen().into_iter().flatten();
        Some(Ok(Self {
            tracked,
            services,
            looks: std::iter::once(slices.as_slice())
                .chain(later.map(Vec::as_slice))
                .collect(),
            node_addresses: nodes.flat_map(|node| &node.internal_ips).copied().collect(),
        }))
    }

    /// The nodes whose entries were listed, with what they track at last.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&'a str, &'a TrackedNode)> {
        let nodes = self.tracked.nodes.iter();
        nodes.filter_map(|(node, seen)| Some((node.as_str(), seen.seen()?)))
    }

    /// The port of a Service that the connection meant.
    pub(super) fn meant(&self, flow: &TrackedFlow) -> Option<Of<'a>> {
        let (ip, number) = (flow.destination.ip(), flow.destination.port());
        self.services.iter().find_map(|service| {
            let mut ports = service
                .ports
                .iter()
                .filter(|port| port.protocol.eq_ignore_ascii_case(&flow.protocol));
            let is_own = addresses(service).any(|own| own == ip);
            let is_node = self.node_addresses.contains(&ip);
            let port = ports.find(|port| {
                (is_own && port.port == number) || (is_node && port.node_port == Some(number))
            })?;
            Some(Of { service, port })
        })
    }

    /// The endpoints of a port in either look that may have traffic: those that end but still serve among them.
    pub(super) fn endpoints(&self, of: Of<'_>) -> BTreeSet<SocketAddr> {
        let slices = self.looks.iter().copied().flatten();
        let own = slices.filter(|slice| belongs(slice, of.service));
        let mut found = BTreeSet::new();
        for slice in own {
            let is_it = |name: &str, protocol: &str| name == of.port.name && protocol == of.port.protocol;
            let port = slice.ports.iter().find(|port| is_it(&port.name, &port.protocol));
            let Some(number) = port.and_then(|port| port.port) else {
                continue;
            };
            let usable = slice
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.ready || endpoint.serving);
            let addresses = usable.filter_map(|endpoint| endpoint.addresses.first());
            found.extend(addresses.map(|address| SocketAddr::new(*address, number)));
        }
        found
    }
}
