use std::fmt;
use std::net::IpAddr;

/// Where a port of a Service is to be come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::rules) enum Place {
    /// At one of its ClusterIPs.
    ClusterIp(IpAddr),
    /// At a port of every node.
    NodePort {
        /// The port.
        number: u16,
        /// Of the nodes' IPv4 addresses, or of their IPv6 ones.
        v4: bool,
    },
    /// At one of its `externalIPs`.
    External(IpAddr),
    /// At an address of its load balancer.
    Balancer(IpAddr),
}

impl Place {
    pub(super) fn is_ipv4(&self) -> bool {
        match self {
            Self::ClusterIp(ip) | Self::External(ip) | Self::Balancer(ip) => ip.is_ipv4(),
            Self::NodePort { v4, .. } => *v4,
        }
    }

    /// What rules ask of packets that come there.
    pub(super) fn key(&self, protocol: u8, port: u16) -> Key {
        match self {
            Self::ClusterIp(ip) | Self::External(ip) | Self::Balancer(ip) => Key {
                address: Some(*ip),
                v4: ip.is_ipv4(),
                protocol,
                port,
            },
            Self::NodePort { number, v4 } => Key {
                address: None,
                v4: *v4,
                protocol,
                port: *number,
            },
        }
    }
}

impl fmt::Display for Place {
    /// As `NodePort 30080`, `external address 198.51.100.7`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterIp(ip) => write!(f, "ClusterIP {ip}"),
            Self::NodePort { number, .. } => write!(f, "NodePort {number}"),
            Self::External(ip) => write!(f, "external address {ip}"),
            Self::Balancer(ip) => write!(f, "load balancer address {ip}"),
        }
    }
}

/// A place as rules know it: they do not say why an address is one of the Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::rules) struct Key {
    /// `None` for a NodePort, which is at any address of the node.
    pub(super) address: Option<IpAddr>,
    pub(super) v4: bool,
    pub(super) protocol: u8,
    pub(super) port: u16,
}

impl fmt::Display for Key {
    /// As `10.96.0.10 port 53`, `NodePort 30080`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => write!(f, "{address} port {}", self.port),
            None => write!(f, "NodePort {}", self.port),
        }
    }
}

/// The IP protocol number of a Service's protocol.
pub(in crate::rules) fn number(protocol: &str) -> Option<u8> {
    match protocol {
        "TCP" => Some(6),
        "UDP" => Some(17),
        "SCTP" => Some(132),
        _ => None,
    }
}
