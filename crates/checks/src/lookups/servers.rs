//! Whom to ask: the servers of the cluster.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use observation::{EndpointSlice, LookupServer, Service};

use super::plan::LookupOptions;
use crate::reach::belongs;

/// A server that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsServerAt {
    /// Which one.
    pub server: LookupServer,
    /// Where it answers over UDP.
    pub udp: SocketAddr,
    /// Where it answers over TCP.
    pub tcp: SocketAddr,
    /// The nodes that ask it; `None` for all.
    pub from: Option<BTreeSet<String>>,
}

/// A DNS pod, as it is known from elsewhere than its Service's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsPodAt {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeName`.
    pub node: Option<String>,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
}

pub(super) const DNS_PORT: u16 = 53;

/// The servers of the cluster: its DNS Service by its addresses, the pods behind it by theirs, and addresses that kubelets give out beside.
/// Where the Service has no ready endpoint, the pods that are known otherwise. What is beyond the limit is said.
pub fn dns_servers(
    service: Option<&Service>,
    slices: &[EndpointSlice],
    pods: &[DnsPodAt],
    given_out: &[IpAddr],
    options: &LookupOptions,
) -> (Vec<DnsServerAt>, Vec<String>) {
    let mut servers: Vec<DnsServerAt> = Vec::new();
    let mut add = |server: LookupServer, address: IpAddr, udp: u16, tcp: u16| {
        servers.push(DnsServerAt {
            server,
            udp: SocketAddr::new(address, udp),
            tcp: SocketAddr::new(address, tcp),
            from: None,
        });
    };
    for address in service.iter().flat_map(|service| &service.cluster_ips) {
        add(LookupServer::Service, *address, DNS_PORT, DNS_PORT);
    }
    let is_own = |address: &IpAddr| service.is_some_and(|service| service.cluster_ips.contains(address));
    let others: BTreeSet<IpAddr> = given_out
        .iter()
        .filter(|address| !is_own(address))
        .copied()
        .collect();
    for address in others {
        add(LookupServer::NodeLocal, address, DNS_PORT, DNS_PORT);
    }
    let mut behind = service.map_or_else(Vec::new, |service| endpoints(service, slices));
    if behind.is_empty() {
        for pod in pods {
            let server = LookupServer::Pod {
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                node: pod.node.clone(),
            };
            let addresses = pod.addresses.iter();
            behind.extend(addresses.map(|address| (server.clone(), *address, DNS_PORT, DNS_PORT)));
        }
    }
    let mut left_out = Vec::new();
    if behind.len() > options.pods {
        left_out.push(format!(
            "{} of {} DNS pods were not asked by themselves",
            behind.len() - options.pods,
            behind.len()
        ));
        behind.truncate(options.pods);
    }
    for (server, address, udp, tcp) in behind {
        add(server, address, udp, tcp);
    }
    (servers, left_out)
}

/// The ready endpoints of the DNS Service, with the ports on which they answer over UDP and over TCP.
fn endpoints(service: &Service, slices: &[EndpointSlice]) -> Vec<(LookupServer, IpAddr, u16, u16)> {
    // The port of a protocol that the Service lacks is that of the other one.
    let numbers = |protocol: &str| {
        let port = service
            .ports
            .iter()
            .find(|port| port.port == DNS_PORT && port.protocol == protocol)?;
        let own = slices.iter().filter(|slice| belongs(slice, service));
        let ports = own.flat_map(|slice| &slice.ports);
        let mut same = ports.filter(|it| it.name == port.name && it.protocol == port.protocol);
        same.find_map(|it| it.port)
    };
    let (udp, tcp) = (numbers("UDP"), numbers("TCP"));
    let udp_port = udp.or(tcp).unwrap_or(DNS_PORT);
    let tcp_port = tcp.or(udp).unwrap_or(DNS_PORT);
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for slice in slices.iter().filter(|slice| belongs(slice, service)) {
        for endpoint in slice.endpoints.iter().filter(|endpoint| endpoint.ready) {
            for address in &endpoint.addresses {
                if seen.insert(*address) {
                    let server = LookupServer::Pod {
                        namespace: service.namespace.clone(),
                        name: endpoint.pod.clone().unwrap_or_else(|| address.to_string()),
                        node: endpoint.node.clone(),
                    };
                    all.push((server, *address, udp_port, tcp_port));
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tries::scene::{service, slice};

    #[test]
    fn the_service_and_each_pod_behind_it_are_asked() {
        let dns = service("kube-system", "kube-dns", 10, 53, "UDP");
        let slices = [slice(
            &dns,
            &[(Some(1), [10, 244, 1, 5]), (Some(2), [10, 244, 2, 5])],
            5353,
        )];
        let options = LookupOptions::default();
        let (servers, left_out) =
            dns_servers(Some(&dns), &slices, &[], &[[169, 254, 20, 10].into()], &options);
        let at: Vec<String> = servers.iter().map(|server| server.udp.to_string()).collect();
        assert_eq!(
            at,
            [
                "10.96.0.10:53",
                "169.254.20.10:53",
                "10.244.1.5:5353",
                "10.244.2.5:5353"
            ]
        );
        assert_eq!(servers[3].tcp.port(), 5353, "the Service names no port for TCP");
        assert!(left_out.is_empty());
    }
}
