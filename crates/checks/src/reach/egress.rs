//! What is to be tried outside of the cluster.

use std::net::SocketAddr;

use netprobe::Kind;
use observation::{EndpointSlice, Expected, Purpose, Service};
use report::Subject;

use super::{ReachOptions, Wanted, connect, ready_endpoints, record_type};

/// One thing outside of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EgressTarget {
    /// TCP to an address.
    Address(SocketAddr),
    /// A name, asked of the cluster's DNS, and TCP to what it stands for (see [`plan_egress`]).
    Name {
        /// As `example.com`.
        host: String,
        /// Where to connect.
        port: u16,
        /// The addresses that it is known to have by now.
        addresses: Vec<std::net::IpAddr>,
    },
    /// Whether the cluster's DNS has an upstream that answers: it is asked for the name servers of the root. Nothing is
    /// sent to a host of anybody's choice.
    Upstream,
}

/// What is to be tried outside. Names are asked of the DNS Service by its ClusterIP, and of up to two of its pods by their
/// own addresses.
pub fn plan_egress(
    targets: &[EgressTarget],
    dns: Option<&Service>,
    slices: &[EndpointSlice],
    options: &ReachOptions,
) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for target in targets {
        match target {
            EgressTarget::Address(address) => wanted.push(address_outside(*address, options)),
            EgressTarget::Name {
                host,
                port,
                addresses,
            } => {
                let asked = format!("{}.", host.trim_end_matches('.'));
                let subject = outside(host);
                wanted.extend(names(&asked, &subject, dns, slices));
                wanted.extend(addresses.iter().take(2).map(|address| Wanted {
                    subject: subject.clone(),
                    ..address_outside(SocketAddr::new(*address, *port), options)
                }));
            }
            EgressTarget::Upstream => {
                wanted.extend(names(".", &outside("the DNS root"), dns, slices));
            }
        }
    }
    wanted
}

/// Something that is no object of the cluster.
fn outside(name: &str) -> Subject {
    Subject::Object {
        kind: "outside".to_owned(),
        name: name.to_owned(),
        namespace: None,
    }
}

fn address_outside(address: SocketAddr, options: &ReachOptions) -> Wanted {
    Wanted {
        source: None,
        purpose: Purpose::AddressOutside,
        subject: outside(&address.to_string()),
        address,
        kind: connect(options),
        expected: Expected::Answer,
        tries: 3,
    }
}

const NAME_SERVERS: u16 = 2;

fn names(name: &str, subject: &Subject, dns: Option<&Service>, slices: &[EndpointSlice]) -> Vec<Wanted> {
    let Some(dns) = dns else { return Vec::new() };
    let want = |address: SocketAddr, purpose| Wanted {
        source: None,
        purpose,
        subject: subject.clone(),
        address,
        kind: Kind::Dns {
            name: name.to_owned(),
            qtype: if name == "." {
                NAME_SERVERS
            } else {
                record_type(address.ip())
            },
            tcp: false,
            whole: false,
            edns: 0,
        },
        expected: Expected::Answer,
        tries: 2,
    };
    let by_service = dns
        .cluster_ips
        .iter()
        .map(|ip| want(SocketAddr::new(*ip, 53), Purpose::NameOutside));
    let mut wanted: Vec<Wanted> = by_service.collect();
    let port = dns
        .ports
        .iter()
        .find(|port| port.port == 53 && port.protocol == "UDP");
    for (address, endpoint) in port
        .iter()
        .flat_map(|port| ready_endpoints(dns, port, slices))
        .take(2)
    {
        let purpose = Purpose::NameOutsideByPod {
            pod: endpoint.pod.clone(),
        };
        wanted.push(want(address, purpose));
    }
    wanted
}
