//! What is to be tried below and beside the pod network.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use netprobe::Kind;
use observation::{Attempt, Expected, Node, Purpose, Source};
use report::{Family, Subject};

use crate::reach::{Place, ReachOptions, Wanted, connect, first_of_each_family, ring};

/// Where kubelets listen on every node. Whatever comes back from there shows a way, also a refusal.
const KUBELET: u16 = 10250;
/// Up to so many nodes each tries all others.
const FULL: usize = 30;

/// From the network of each node to the other nodes: to the kubelet, and to the probe where one runs there.
///
/// `hosts` are the places in the nodes' networks; `options` has the ports at which their agents listen.
pub fn plan_nodes(nodes: &[Node], hosts: &[Place], options: &ReachOptions) -> Vec<Wanted> {
    let with_agent: BTreeSet<&str> = hosts.iter().filter_map(|place| place.source.node()).collect();
    let most = if nodes.len() <= FULL {
        FULL
    } else {
        options.neighbours
    };
    let mut wanted = Vec::new();
    for place in hosts {
        let own = place.source.node();
        let Some(position) = nodes.iter().position(|node| Some(node.name.as_str()) == own) else {
            continue;
        };
        for node in ring::next(nodes, position, most) {
            for ip in first_of_each_family(&node.internal_ips) {
                let mut kinds = vec![(connect(options), KUBELET), (Kind::Icmp, 0)];
                if with_agent.contains(node.name.as_str()) {
                    kinds.extend([(Kind::Tcp, options.tcp_port), (Kind::Udp, options.udp_port)]);
                }
                let purpose = || Purpose::Node {
                    node: node.name.clone(),
                };
                wanted.extend(
                    kinds
                        .into_iter()
                        .map(|(kind, port)| want(&place.source, purpose(), ip, port, kind)),
                );
            }
        }
    }
    wanted
}

/// From each probe pod to its own node, and to the next hop of its default route.
///
/// `agents` are the nodes in whose network a probe listens, on the TCP port `port`.
pub fn plan_own_nodes(
    nodes: &[Node],
    pods: &[Place],
    agents: &BTreeSet<String>,
    port: u16,
    options: &ReachOptions,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for place in pods {
        let own = place.source.node();
        let Some(node) = nodes.iter().find(|node| Some(node.name.as_str()) == own) else {
            continue;
        };
        let name = || node.name.clone();
        let is_of = |ip: &IpAddr| {
            place
                .addresses
                .iter()
                .any(|own| Family::of(*own) == Family::of(*ip))
        };
        for ip in first_of_each_family(&node.internal_ips).filter(is_of) {
            let mut ports = vec![KUBELET];
            ports.extend(agents.contains(&node.name).then_some(port));
            for port in ports {
                let purpose = Purpose::Node { node: name() };
                wanted.push(want(&place.source, purpose, ip, port, connect(options)));
            }
            let gateway: IpAddr = match ip {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            for (kind, port) in [(connect(options), KUBELET), (Kind::Icmp, 0)] {
                let purpose = Purpose::Gateway { node: name() };
                wanted.push(want(&place.source, purpose, gateway, port, kind));
            }
        }
    }
    wanted
}

/// From the network of each node to the probe pod that runs there. `options` has the port at which it listens.
pub fn plan_own_pods(hosts: &[Place], pods: &[Place], options: &ReachOptions) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for host in hosts {
        let Some(pod) = pods.iter().find(|pod| pod.source.node() == host.source.node()) else {
            continue;
        };
        let Some(node) = host.source.node() else { continue };
        for ip in first_of_each_family(&pod.addresses) {
            let purpose = Purpose::ProbePod {
                node: node.to_owned(),
            };
            // Its agent is of another run, and would say no more than that.
            let kind = connect(options);
            wanted.push(want(&host.source, purpose, ip, options.tcp_port, kind));
        }
    }
    wanted
}

fn want(source: &Source, purpose: Purpose, ip: IpAddr, port: u16, kind: Kind) -> Wanted {
    let node = match &purpose {
        Purpose::Node { node } | Purpose::Gateway { node } | Purpose::ProbePod { node } => node.as_str(),
        _ => source.node().unwrap_or_default(),
    };
    let expected = match kind {
        Kind::Icmp => Expected::Anything,
        _ => Expected::Sign,
    };
    Wanted {
        source: Some(source.clone()),
        subject: Subject::node(node),
        purpose,
        address: SocketAddr::new(ip, port),
        kind,
        expected,
        tries: 1,
    }
}

/// Puts the gateways that sources have in the place of the unspecified addresses that stand for them.
pub fn name_gateways(attempts: &mut [Attempt], gateways: &BTreeMap<Source, Vec<IpAddr>>) {
    for attempt in attempts {
        let ip = attempt.address.ip();
        let own = gateways.get(&attempt.source).into_iter().flatten();
        let own = own.copied().find(|gateway| gateway.is_ipv4() == ip.is_ipv4());
        if let (Purpose::Gateway { .. }, true, Some(own)) = (&attempt.purpose, ip.is_unspecified(), own) {
            attempt.address.set_ip(own);
        }
    }
}
