//! What the API asks of kube-proxy: the endpoints of each Service port, at each address that it has.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use observation::{Endpoint, EndpointSlice, Service, ServicePort};

use super::place::Place;

/// What rules must and may make of a port of a Service at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Connections must be able to come to these.
    pub(super) required: BTreeSet<SocketAddr>,
    /// And may come to these too: where hints choose among endpoints, any of them is right.
    pub(super) allowed: BTreeSet<SocketAddr>,
    /// Where connections from outside may only come to endpoints of the node itself: those.
    pub(super) own: Option<BTreeSet<SocketAddr>>,
    /// Whether the Service has an endpoint anywhere, though perhaps none that this node may use.
    pub(super) is_anywhere: bool,
}

impl Wanted {
    /// The same of virtual servers, which have one list for all connections: endpoints of the node itself, or where it has none any.
    pub(super) fn by_ipvs(mut self) -> Self {
        if let Some(own) = self.own.take().filter(|own| !own.is_empty()) {
            self.required = own;
        }
        self
    }

    /// Whether some connections are rightly turned away while others are led to endpoints.
    pub(super) fn may_refuse(&self) -> bool {
        self.own.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

/// EndpointSlices by the Service that they are of.
#[derive(Debug, Default)]
pub(super) struct Slices<'a> {
    by_service: HashMap<(&'a str, &'a str), Vec<&'a EndpointSlice>>,
}

impl<'a> Slices<'a> {
    pub(super) fn new(slices: &'a [EndpointSlice]) -> Self {
        let mut by_service: HashMap<_, Vec<_>> = HashMap::new();
        for slice in slices {
            if let Some(service) = slice.service.as_deref() {
                let of = by_service.entry((slice.namespace.as_str(), service));
                of.or_default().push(slice);
            }
        }
        Self { by_service }
    }

    /// The endpoints of a port of a family, each with its address. kube-proxy takes the first address of each.
    fn endpoints(&self, service: &Service, port: &ServicePort, v4: bool) -> Vec<(SocketAddr, &'a Endpoint)> {
        let family = if v4 { "IPv4" } else { "IPv6" };
        let of = self
            .by_service
            .get(&(service.namespace.as_str(), service.name.as_str()));
        let mut all = Vec::new();
        for slice in of
            .into_iter()
            .flatten()
            .filter(|slice| slice.address_type == family)
        {
            let is_meant =
                |it: &&observation::SlicePort| it.name == port.name && it.protocol == port.protocol;
            let number = slice.ports.iter().find(is_meant).and_then(|it| it.port);
            let Some(number) = number.filter(|number| *number > 0) else {
                continue;
            };
            for endpoint in &slice.endpoints {
                let address = endpoint.addresses.first();
                all.extend(address.map(|address| (SocketAddr::new(*address, number), endpoint)));
            }
        }
        all
    }

    /// What rules of a node have to make of a port of a Service at one of its places.
    ///
    /// kube-proxy takes the endpoints that are ready; where none is, those that still serve while they end. With the internal
    /// traffic policy `Local` it leads a ClusterIP only to those of the node itself, and with the external one what comes to other
    /// addresses from outside. Where every one has hints, it may take those alone that are hinted for the node or its zone.
    pub(super) fn wanted(&self, service: &Service, port: &ServicePort, place: &Place, node: &str) -> Wanted {
        let mut all = self.endpoints(service, port, place.is_ipv4());
        let is_anywhere = !usable(&all).is_empty();
        let is_own = |(_, endpoint): &(SocketAddr, &Endpoint)| endpoint.node.as_deref() == Some(node);
        let is_outer = !matches!(place, Place::ClusterIp(_));
        let own = (is_outer && service.external_local)
            .then(|| usable(&all.iter().copied().filter(is_own).collect::<Vec<_>>()));
        if !is_outer && service.internal_local {
            all.retain(is_own);
        }
        let allowed = usable(&all);
        let mut ready = all.iter().filter(|(_, endpoint)| endpoint.ready).peekable();
        let is_hinted = ready.peek().is_some()
            && ready.all(|(_, endpoint)| !endpoint.for_zones.is_empty() || !endpoint.for_nodes.is_empty());
        Wanted {
            required: if is_hinted {
                BTreeSet::new()
            } else {
                allowed.clone()
            },
            allowed,
            own,
            is_anywhere,
        }
    }
}

fn usable(of: &[(SocketAddr, &Endpoint)]) -> BTreeSet<SocketAddr> {
    let those = |is: fn(&Endpoint) -> bool| -> BTreeSet<SocketAddr> {
        let found = of.iter().filter(|(_, endpoint)| is(endpoint));
        found.map(|(address, _)| *address).collect()
    };
    let ready = those(|endpoint| endpoint.ready);
    if ready.is_empty() {
        those(|endpoint| endpoint.serving && endpoint.terminating)
    } else {
        ready
    }
}

/// Whether kube-proxy makes rules for a Service.
pub(super) fn is_proxied(service: &Service) -> bool {
    !service.headless && service.external_name.is_none() && service.settings.proxy_name.is_none()
}

/// Where a port of a Service is to be come to, and whether rules must be there or only may.
///
/// Of each family that the Service has a ClusterIP of; without one kube-proxy makes no rules of that family. Traffic to a load
/// balancer that is a proxy of its own (`ipMode: Proxy`) is not for the node, though versions before 1.30 caught it.
pub(super) fn places(service: &Service, port: &ServicePort) -> Vec<(Place, bool)> {
    let has_family = |v4: bool| service.cluster_ips.iter().any(|ip| ip.is_ipv4() == v4);
    let is_real = |ip: &IpAddr| has_family(ip.is_ipv4()) && !ip.is_loopback() && !ip.is_unspecified();
    let mut places: Vec<(Place, bool)> = service
        .cluster_ips
        .iter()
        .map(|ip| (Place::ClusterIp(ip.to_canonical()), true))
        .collect();
    if let Some(number) = port.node_port.filter(|number| *number > 0) {
        let families = [true, false].into_iter().filter(|v4| has_family(*v4));
        places.extend(families.map(|v4| (Place::NodePort { number, v4 }, true)));
    }
    let external = service
        .external_ips
        .iter()
        .map(IpAddr::to_canonical)
        .filter(is_real);
    places.extend(external.map(|ip| (Place::External(ip), true)));
    for ingress in &service.load_balancer {
        if let Some(ip) = ingress.ip.map(|ip| ip.to_canonical()).filter(is_real) {
            let is_required = service.kind == "LoadBalancer" && !ingress.proxy;
            places.push((Place::Balancer(ip), is_required));
        }
    }
    places.dedup_by_key(|(place, _)| place.clone());
    places
}
