//! What is to be tried of the control plane, from pods.

use std::net::SocketAddr;

use observation::{EndpointSlice, Expected, Node, Purpose, Service};
use report::{Family, Subject};

use super::{Place, ReachOptions, Wanted, connect, ready_endpoints, ring};

const KUBELET: u16 = 10250;

/// The API servers by the addresses that the EndpointSlice of `service/kubernetes` has for them, and the kubelets: that of
/// the own node, and of the next few.
pub fn plan_control_plane(
    kubernetes: Option<&Service>,
    slices: &[EndpointSlice],
    nodes: &[Node],
    places: &[Place],
    options: &ReachOptions,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    if let Some(service) = kubernetes {
        for port in &service.ports {
            for (address, _) in ready_endpoints(service, port, slices).into_iter().take(5) {
                wanted.push(Wanted {
                    source: None,
                    purpose: Purpose::ApiServer,
                    subject: service.subject(),
                    address,
                    kind: connect(options),
                    expected: Expected::Answer,
                    tries: 2,
                });
            }
        }
    }
    for place in places {
        let own = place.source.node();
        let Some(position) = nodes.iter().position(|node| Some(node.name.as_str()) == own) else {
            continue;
        };
        let own = std::iter::once(&nodes[position]);
        let most = if nodes.len() <= 10 {
            nodes.len()
        } else {
            options.neighbours
        };
        for node in own.chain(ring::next(nodes, position, most)) {
            let ip = node.internal_ips.iter().find(|ip| {
                place
                    .addresses
                    .iter()
                    .any(|own| Family::of(*own) == Family::of(**ip))
            });
            let Some(ip) = ip else { continue };
            wanted.push(Wanted {
                source: Some(place.source.clone()),
                purpose: Purpose::Kubelet {
                    node: node.name.clone(),
                },
                subject: Subject::node(&node.name),
                address: SocketAddr::new(*ip, KUBELET),
                kind: connect(options),
                expected: Expected::Answer,
                tries: 1,
            });
        }
    }
    wanted
}
