use std::ops::RangeInclusive;

use super::packet::State;
use super::values::{AddressRange, Pattern};

/// A test of a packet, and whether its contrary is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Whether the packet must *not* be so.
    pub negated: bool,
    /// What is asked.
    pub test: Test,
}

impl Match {
    /// Asks this.
    pub fn new(test: Test) -> Self {
        Self { negated: false, test }
    }
}

/// Some bits of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bits {
    /// What they must be.
    pub value: u32,
    /// Which of them are looked at.
    pub mask: u32,
}

/// What a rule asks of a packet. Lists mean any of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Nothing: a comment, or a module without options.
    Always,
    /// Came in here.
    InInterface(Vec<Pattern>),
    /// Goes out there.
    OutInterface(Vec<Pattern>),
    /// Came in through this port of a bridge.
    BridgePortIn(Vec<Pattern>),
    /// Goes out through this port of a bridge.
    BridgePortOut(Vec<Pattern>),
    /// Is forwarded by a bridge, not routed.
    Bridged,
    /// Comes from there.
    Source(Vec<AddressRange>),
    /// Goes there.
    Destination(Vec<AddressRange>),
    /// IP protocol numbers.
    Protocol(Vec<u8>),
    /// Is IPv4 (`true`) or IPv6.
    IsIpv4(bool),
    /// From one of these ports.
    SourcePort(Vec<RangeInclusive<u16>>),
    /// To one of these ports.
    DestinationPort(Vec<RangeInclusive<u16>>),
    /// What connection tracking knows of its connection.
    State(Vec<State>),
    /// The packet's mark.
    Mark(Bits),
    /// The connection's mark.
    ConnectionMark(Bits),
    /// The length of the whole IP packet in bytes.
    Length(Vec<RangeInclusive<u32>>),
    /// An ICMP message of this type with one of these codes.
    Icmp {
        /// The type; `None` for any.
        kind: Option<u8>,
        /// `None` for any.
        codes: Option<RangeInclusive<u8>>,
    },
    /// Of the TCP flags in the mask, exactly these are set.
    TcpFlags {
        /// Looked at.
        mask: u8,
        /// Must be set.
        set: u8,
    },
    /// Comes from an address of this host.
    SourceIsLocal,
    /// Goes to an address of this host.
    DestinationIsLocal,
    /// Goes to many at once: broadcast or multicast.
    ToMany,
    /// A share of all packets, from 0 to 1, picked at random or by counting.
    Share(f64),
    /// A limited rate; the text says which.
    Rate(String),
    /// Any of these groups of tests, each of which needs all its own.
    AnyOf(Vec<Vec<Match>>),
    /// Not decidable from the rules: an ipset, an unknown module. As it was printed.
    Unread(String),
}
