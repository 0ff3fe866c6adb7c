//! What a source tries to know what its other tries mean: a probe pod that answers, and a port that has to refuse.

use std::net::SocketAddr;

use netprobe::Kind;
use observation::{Expected, Purpose, Source};
use report::{Family, Subject};

use super::{Place, ReachOptions, Wanted, connect, ring};

/// From each probe pod to the next node's: its agent answers, and a port beside it refuses. Without a second node there
/// is nothing to compare with.
pub fn plan_controls(places: &[Place], options: &ReachOptions) -> Vec<Wanted> {
    let pods: Vec<&Place> = places
        .iter()
        .filter(|place| matches!(place.source, Source::Pod { .. }))
        .collect();
    let mut wanted = Vec::new();
    for (position, place) in pods.iter().enumerate() {
        for other in ring::next(&pods, position, 1) {
            let Some(node) = other.source.node() else { continue };
            for address in common(place, other) {
                let want = |port: u16, purpose, kind, expected| Wanted {
                    source: Some(place.source.clone()),
                    purpose,
                    subject: Subject::node(node),
                    address: SocketAddr::new(address, port),
                    kind,
                    expected,
                    tries: 1,
                };
                let node = node.to_owned();
                let pod = Purpose::ProbePod { node: node.clone() };
                wanted.push(want(options.tcp_port, pod, Kind::Tcp, Expected::Answer));
                let closed = Purpose::ClosedPort { node };
                let port = options.tcp_port.wrapping_add(1).max(1);
                wanted.push(want(port, closed, connect(options), Expected::Refusal));
            }
        }
    }
    wanted
}

/// How long small requests take between probe pods, and how many get lost: many of each between the pairs of the ring,
/// and within each node where it has a second pod (`twins`, by the position of the place).
pub fn plan_performance(
    places: &[Place],
    twins: &[Option<std::net::IpAddr>],
    samples: u32,
    bulk_bytes: u64,
    options: &ReachOptions,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for (position, place) in places.iter().enumerate() {
        let mut targets: Vec<(String, std::net::IpAddr)> = Vec::new();
        if let (Some(node), Some(Some(twin))) = (place.source.node(), twins.get(position)) {
            targets.push((node.to_owned(), *twin));
        }
        let most = if places.len() <= 10 {
            places.len()
        } else {
            options.neighbours
        };
        for other in ring::next(places, position, most) {
            if let Some(node) = other.source.node() {
                targets.extend(common(place, other).map(|address| (node.to_owned(), address)));
            }
        }
        for (node, address) in targets {
            let kinds = [
                (Kind::Tcp, options.tcp_port, samples),
                (Kind::Udp, options.udp_port, samples),
                (Kind::Bulk { bytes: bulk_bytes }, options.tcp_port, 1),
            ];
            wanted.extend(kinds.map(|(kind, port, tries)| Wanted {
                source: Some(place.source.clone()),
                purpose: Purpose::ProbePod { node: node.clone() },
                subject: Subject::node(&node),
                address: SocketAddr::new(address, port),
                kind,
                expected: Expected::Answer,
                tries,
            }));
        }
    }
    wanted
}

/// The other's first address of each family that both have.
fn common<'a>(place: &'a Place, other: &'a Place) -> impl Iterator<Item = std::net::IpAddr> + 'a {
    [Family::IPv4, Family::IPv6].into_iter().filter_map(|family| {
        let of = |place: &Place| {
            place
                .addresses
                .iter()
                .copied()
                .find(|it| Family::of(*it) == family)
        };
        of(place)?;
        of(other)
    })
}
