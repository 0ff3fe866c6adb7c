use std::fmt;
use std::net::IpAddr;

use super::world::Pod;

/// A new connection, or a datagram that nobody asked for. Its answers need no rule of their own: replies are always allowed.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a> {
    /// Who begins.
    pub source: End<'a>,
    /// Who is meant, after a Service's address was replaced by a pod's.
    pub destination: End<'a>,
    /// Over what.
    pub protocol: Protocol,
    /// The destination's own port: of the pod, not of a Service in front of it.
    pub port: u16,
    /// Which of the addresses of both ends are used.
    pub family: Family,
}

/// One end of a flow.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// A pod.
    Pod(&'a Pod),
    /// A node itself, or what runs in its network without being a pod.
    Node {
        /// `metadata.name`.
        name: &'a str,
        /// The address that the flow shows.
        address: IpAddr,
    },
    /// An address that is no pod's and no node's.
    Outside(IpAddr),
}

/// What policies can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A side of a flow, as policies see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// What is begun towards a pod.
    Ingress,
    /// What a pod begins.
    Egress,
}

impl Protocol {
    /// By its name in the API, in upper case.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// As the API spells it in fields: `ingress`.
impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}

impl Family {
    /// Of an address; an IPv4 address written as IPv6 counts as IPv4.
    pub fn of(address: IpAddr) -> Self {
        if address.to_canonical().is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

impl<'a> End<'a> {
    /// The pod, where it is one.
    pub fn pod(&self) -> Option<&'a Pod> {
        match self {
            Self::Pod(pod) => Some(pod),
            Self::Node { .. } | Self::Outside(_) => None,
        }
    }

    /// The address that the other end sees, in this family; `None` where there is none.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        match self {
            Self::Pod(pod) => pod
                .addresses
                .iter()
                .copied()
                .find(|address| Family::of(*address) == family),
            Self::Node { address, .. } | Self::Outside(address) => {
                Some(*address).filter(|address| Family::of(*address) == family)
            }
        }
    }

    /// The node in whose own network it is: a node, or a pod with `hostNetwork`.
    pub fn host(&self) -> Option<&'a str> {
        match self {
            Self::Pod(pod) => pod.node.as_deref().filter(|_| pod.host_network),
            Self::Node { name, .. } => Some(name),
            Self::Outside(_) => None,
        }
    }
}
