//! What is to be tried of the ports of nodes that pods ask for.

use std::net::{IpAddr, SocketAddr};

use observation::{Expected, HostPort, Node, Purpose, Source};

use super::services::first_of_each_family;
use super::{Place, ReachOptions, Wanted, connect, ring};

/// So many host ports are tried.
const MOST: usize = 20;

/// The host ports of ready pods, from the node itself and from a few others; and beside each the pod by its own address, to tell what
/// it is. And what is left out, one sentence each. Ports on a loopback address answer nobody else, and are not tried.
pub fn plan_host_ports(
    ports: &[HostPort],
    nodes: &[Node],
    places: &[Place],
    options: &ReachOptions,
) -> (Vec<Wanted>, Vec<String>) {
    let open = ports.iter().filter(|port| port.ready);
    let (tcp, other): (Vec<&HostPort>, Vec<&HostPort>) = open
        .filter(|port| port.host_ip.is_none_or(|ip| !ip.is_loopback()))
        .partition(|port| port.protocol == "TCP");
    let mut left_out = Vec::new();
    if !other.is_empty() {
        left_out.push(format!(
            "{} host ports of another protocol than TCP: nothing answers there by itself",
            other.len()
        ));
    }
    if tcp.len() > MOST {
        left_out.push(format!(
            "{} of {} host ports: {MOST} are tried",
            tcp.len() - MOST,
            tcp.len()
        ));
    }
    let mut wanted = Vec::new();
    for port in tcp.into_iter().take(MOST) {
        let Some(node) = nodes.iter().find(|node| node.name == port.node) else {
            continue;
        };
        for source in sources(port, places, options) {
            wanted.extend(of_port(port, node, source, options));
        }
    }
    (wanted, left_out)
}

/// The places on the node itself, and the next few on others.
fn sources<'a>(port: &HostPort, places: &'a [Place], options: &ReachOptions) -> Vec<&'a Source> {
    let is_own = |place: &&Place| place.source.node() == Some(port.node.as_str());
    let own: Vec<&Place> = places.iter().filter(is_own).collect();
    let at = places.iter().position(|place| is_own(&place));
    let others: Vec<&Place> = match at {
        Some(at) => ring::next(places, at, places.len())
            .filter(|place| !is_own(place))
            .collect(),
        None => places.iter().collect(),
    };
    let few = others.into_iter().take(options.neighbours.min(2));
    own.into_iter().chain(few).map(|place| &place.source).collect()
}

fn of_port(port: &HostPort, node: &Node, source: &Source, options: &ReachOptions) -> Vec<Wanted> {
    let want = |ip: IpAddr, number: u16, purpose: Purpose| Wanted {
        source: Some(source.clone()),
        purpose,
        subject: port.subject(),
        address: SocketAddr::new(ip, number),
        kind: connect(options),
        expected: Expected::Answer,
        tries: 2,
    };
    let of_node: Vec<IpAddr> = match port.host_ip {
        Some(ip) => vec![ip],
        None => first_of_each_family(&node.internal_ips).collect(),
    };
    let mut wanted = Vec::new();
    for ip in of_node {
        // A pod without an address of the family has no port there either.
        let Some(own) = port.addresses.iter().find(|own| own.is_ipv4() == ip.is_ipv4()) else {
            continue;
        };
        let purpose = Purpose::HostPort {
            node: port.node.clone(),
        };
        wanted.push(want(ip, port.host_port, purpose));
        let control = Purpose::Endpoint {
            pod: Some(port.pod.clone()),
            node: Some(port.node.clone()),
        };
        wanted.push(want(*own, port.container_port, control));
    }
    wanted
}
