use std::net::IpAddr;

use super::values::AddressRange;

/// IP protocol numbers.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMP for IPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;

    /// The number of a protocol as iptables and nft name it, or write it.
    pub(crate) fn number(name: &str) -> Option<u8> {
        Some(match name {
            "icmp" => ICMP,
            "igmp" => 2,
            "ipencap" | "ipip" => 4,
            "tcp" => TCP,
            "udp" => UDP,
            "ipv6" => 41,
            "gre" => 47,
            "esp" => 50,
            "ah" => 51,
            "ipv6-icmp" | "icmpv6" | "icmp6" => ICMPV6,
            "sctp" => SCTP,
            "udplite" => 136,
            "dccp" => 33,
            "comp" | "ipcomp" => 108,
            "all" => 0,
            _ => return name.parse().ok(),
        })
    }
}

/// What connection tracking knows of a packet's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The first packet.
    New,
    /// A later one, or an answer.
    Established,
    /// Belongs to another connection: an ICMP error.
    Related,
    /// Fits no connection.
    Invalid,
    /// Not tracked.
    Untracked,
    /// Not a state of its own: the destination of the connection was translated.
    Dnat,
    /// Not a state of its own: the source of the connection was translated.
    Snat,
}

/// The mark of a packet or connection, of which some bits may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The bits; those that are not known are zero.
    pub value: u32,
    /// Which of them are known.
    pub known: u32,
}

impl Mark {
    /// No bit is set, and that is known.
    pub const NONE: Self = Self {
        value: 0,
        known: u32::MAX,
    };

    /// What is known of it when it is either of the two.
    #[must_use]
    pub fn either(self, other: Self) -> Self {
        let known = self.known & other.known & !(self.value ^ other.value);
        Self {
            value: self.value & known,
            known,
        }
    }

    /// `(mark & keep) ^ flip`.
    #[must_use]
    pub fn changed(self, keep: u32, flip: u32) -> Self {
        let known = self.known | !keep;
        Self {
            value: ((self.value & keep) ^ flip) & known,
            known,
        }
    }
}

/// A packet that nobody sent, or a kind of packets: what is `None` is not said, and rules that ask for it are undecided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where it came in.
    pub in_interface: Option<String>,
    /// Where it goes out.
    pub out_interface: Option<String>,
    /// The port of a bridge that it came in through.
    pub bridge_port_in: Option<String>,
    /// The port of a bridge that it goes out through.
    pub bridge_port_out: Option<String>,
    /// Whether a bridge forwards it without routing.
    pub is_bridged: bool,
    /// Where it comes from: one address, or any of these.
    pub source: AddressRange,
    /// Where it goes: one address, or any of these.
    pub destination: AddressRange,
    /// IP protocol number.
    pub protocol: u8,
    /// Of TCP, UDP and SCTP.
    pub source_port: Option<u16>,
    /// Of TCP, UDP and SCTP.
    pub destination_port: Option<u16>,
    /// Type and code of an ICMP message.
    pub icmp: Option<(u8, u8)>,
    /// What connection tracking will say.
    pub state: State,
    /// Whether the destination was translated before this hook.
    pub is_dnat: Option<bool>,
    /// The mark that it comes with.
    pub mark: Mark,
    /// Of the whole IP packet, in bytes.
    pub length: Option<u32>,
    /// Whether the source is an address of this host.
    pub source_is_local: Option<bool>,
    /// Whether the destination is an address of this host.
    pub destination_is_local: Option<bool>,
}

impl Packet {
    /// The first packet of a TCP connection to this port, passing through this host, from one place to another.
    pub fn tcp(source: AddressRange, destination: AddressRange, port: u16) -> Self {
        Self::new(source, destination, protocol::TCP, Some(port))
    }

    /// A datagram to this port that opens a flow.
    pub fn udp(source: AddressRange, destination: AddressRange, port: u16) -> Self {
        Self::new(source, destination, protocol::UDP, Some(port))
    }

    /// The ICMP message "fragmentation needed" (or "packet too big") of a router somewhere on the way.
    pub fn too_big(source: AddressRange, destination: AddressRange) -> Self {
        let v4 = destination.first.is_ipv4();
        let protocol = if v4 { protocol::ICMP } else { protocol::ICMPV6 };
        Self {
            icmp: Some(if v4 { (3, 4) } else { (2, 0) }),
            state: State::Related,
            ..Self::new(source, destination, protocol, None)
        }
    }

    fn new(source: AddressRange, destination: AddressRange, protocol: u8, port: Option<u16>) -> Self {
        Self {
            in_interface: None,
            out_interface: None,
            bridge_port_in: None,
            bridge_port_out: None,
            is_bridged: false,
            source,
            destination,
            protocol,
            source_port: None,
            destination_port: port,
            icmp: None,
            state: State::New,
            is_dnat: Some(false),
            mark: Mark::NONE,
            length: None,
            source_is_local: Some(false),
            destination_is_local: Some(false),
        }
    }

    /// The same packet, coming in here.
    #[must_use]
    pub fn coming_from(mut self, interface: Option<&str>) -> Self {
        self.in_interface = interface.map(str::to_owned);
        self
    }

    /// The same packet, going out there.
    #[must_use]
    pub fn leaving_by(mut self, interface: Option<&str>) -> Self {
        self.out_interface = interface.map(str::to_owned);
        self
    }

    /// The same packet, for this host.
    #[must_use]
    pub fn to_this_host(mut self) -> Self {
        self.destination_is_local = Some(true);
        self
    }

    /// Its family.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.destination.first, IpAddr::V4(_))
    }
}
