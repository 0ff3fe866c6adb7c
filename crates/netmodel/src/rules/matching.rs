use std::ops::RangeInclusive;

use super::packet::{Mark, Packet, State, protocol};
use super::test::{Bits, Match, Test};
use super::values::{AddressRange, Pattern};

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// For some of the packets that are meant, or not to be told from what is known.
    Maybe,
}

impl Truth {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            (Self::Maybe, _) | (_, Self::Maybe) => Self::Maybe,
        }
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.not().and(other.not()).not()
    }

    #[expect(
        clippy::should_implement_trait,
        reason = "a word of logic like `and` and `or`, not the operator"
    )]
    /// It does not hold.
    #[must_use]
    pub fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
        }
    }
}

impl From<bool> for Truth {
    fn from(so: bool) -> Self {
        if so { Self::Yes } else { Self::No }
    }
}

/// What changes of a packet on its way through the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) packet: Mark,
    pub(super) connection: Mark,
    /// Whether connection tracking still sees it.
    pub(super) is_tracked: Truth,
}

impl Marks {
    pub(super) fn either(self, other: Self) -> Self {
        Self {
            packet: self.packet.either(other.packet),
            connection: self.connection.either(other.connection),
            is_tracked: if self.is_tracked == other.is_tracked {
                self.is_tracked
            } else {
                Truth::Maybe
            },
        }
    }
}

/// Whether a packet is what a rule asks for.
pub(super) fn holds(wanted: &Match, packet: &Packet, marks: Marks) -> Truth {
    let so = test(&wanted.test, packet, marks);
    if wanted.negated { so.not() } else { so }
}

/// Whether it is all of this.
pub(super) fn all_hold<'a>(
    wanted: impl IntoIterator<Item = &'a Match>,
    packet: &Packet,
    marks: Marks,
) -> Truth {
    wanted
        .into_iter()
        .fold(Truth::Yes, |so, wanted| so.and(holds(wanted, packet, marks)))
}

fn test(test: &Test, packet: &Packet, marks: Marks) -> Truth {
    match test {
        Test::Always => Truth::Yes,
        Test::InInterface(patterns) => interface(patterns, packet.in_interface.as_deref()),
        Test::OutInterface(patterns) => interface(patterns, packet.out_interface.as_deref()),
        Test::BridgePortIn(patterns) => interface(patterns, packet.bridge_port_in.as_deref()),
        Test::BridgePortOut(patterns) => interface(patterns, packet.bridge_port_out.as_deref()),
        Test::Bridged => packet.is_bridged.into(),
        Test::Source(ranges) => within(ranges, packet.source),
        Test::Destination(ranges) => within(ranges, packet.destination),
        Test::Protocol(numbers) => numbers.contains(&packet.protocol).into(),
        Test::IsIpv4(four) => (packet.is_ipv4() == *four).into(),
        Test::SourcePort(ranges) => port(ranges, packet, packet.source_port),
        Test::DestinationPort(ranges) => port(ranges, packet, packet.destination_port),
        Test::State(states) => states
            .iter()
            .fold(Truth::No, |so, state| so.or(tracked(*state, packet, marks))),
        Test::Mark(bits) => marked(*bits, marks.packet),
        Test::ConnectionMark(bits) => marked(*bits, marks.connection),
        Test::Length(ranges) => packet.length.map_or(Truth::Maybe, |length| {
            ranges.iter().any(|range| range.contains(&length)).into()
        }),
        Test::Icmp { kind, codes } => icmp(*kind, codes.as_ref(), packet),
        Test::TcpFlags { mask, set } => flags(*mask, *set, packet),
        Test::SourceIsLocal => packet.source_is_local.map_or(Truth::Maybe, Truth::from),
        Test::DestinationIsLocal => packet.destination_is_local.map_or(Truth::Maybe, Truth::from),
        Test::ToMany => to_many(packet.destination),
        Test::Share(share) => match *share {
            share if share <= 0.0 => Truth::No,
            share if share >= 1.0 => Truth::Yes,
            _ => Truth::Maybe,
        },
        Test::AnyOf(groups) => groups
            .iter()
            .fold(Truth::No, |so, group| so.or(all_hold(group, packet, marks))),
        Test::Rate(_) | Test::Unread(_) => Truth::Maybe,
    }
}

fn interface(patterns: &[Pattern], name: Option<&str>) -> Truth {
    match name {
        Some(name) => patterns.iter().any(|pattern| pattern.fits(name)).into(),
        // `-i +` is any interface.
        None if patterns
            .iter()
            .any(|pattern| pattern.is_prefix && pattern.text.is_empty()) =>
        {
            Truth::Yes
        }
        None => Truth::Maybe,
    }
}

fn within(ranges: &[AddressRange], addresses: AddressRange) -> Truth {
    if ranges.iter().any(|range| range.covers(&addresses)) {
        Truth::Yes
    } else if ranges.iter().any(|range| range.meets(&addresses)) {
        Truth::Maybe
    } else {
        Truth::No
    }
}

fn port(ranges: &[RangeInclusive<u16>], packet: &Packet, port: Option<u16>) -> Truth {
    if !matches!(packet.protocol, protocol::TCP | protocol::UDP | protocol::SCTP) {
        return Truth::No;
    }
    match port {
        Some(port) => ranges.iter().any(|range| range.contains(&port)).into(),
        None if ranges
            .iter()
            .any(|range| *range.start() == 0 && *range.end() == u16::MAX) =>
        {
            Truth::Yes
        }
        None => Truth::Maybe,
    }
}

fn tracked(state: State, packet: &Packet, marks: Marks) -> Truth {
    match state {
        State::Untracked => marks
            .is_tracked
            .not()
            .or((packet.state == State::Untracked).into()),
        State::Dnat => marks
            .is_tracked
            .and(packet.is_dnat.map_or(Truth::Maybe, Truth::from)),
        // Sources are translated at the very end of the way; an answer may belong to such a connection.
        State::Snat => marks.is_tracked.and(if packet.state == State::New {
            Truth::No
        } else {
            Truth::Maybe
        }),
        State::New | State::Established | State::Related | State::Invalid => {
            marks.is_tracked.and((packet.state == state).into())
        }
    }
}

fn marked(bits: Bits, mark: Mark) -> Truth {
    let known = bits.mask & mark.known;
    if (mark.value ^ bits.value) & known != 0 || bits.value & !bits.mask != 0 {
        Truth::No
    } else if known == bits.mask {
        Truth::Yes
    } else {
        Truth::Maybe
    }
}

fn icmp(kind: Option<u8>, codes: Option<&RangeInclusive<u8>>, packet: &Packet) -> Truth {
    if !matches!(packet.protocol, protocol::ICMP | protocol::ICMPV6) {
        return Truth::No;
    }
    let Some((its_kind, its_code)) = packet.icmp else {
        return Truth::Maybe;
    };
    (kind.is_none_or(|kind| kind == its_kind) && codes.is_none_or(|codes| codes.contains(&its_code))).into()
}

/// The first packet of a connection has SYN set and nothing else; of later ones nothing is said.
fn flags(mask: u8, set: u8, packet: &Packet) -> Truth {
    const SYN: u8 = 0x02;
    if packet.protocol != protocol::TCP {
        Truth::No
    } else if packet.state == State::New {
        (SYN & mask == set).into()
    } else {
        Truth::Maybe
    }
}

fn to_many(destination: AddressRange) -> Truth {
    let many = if destination.first.is_ipv4() {
        ["224.0.0.0/4", "255.255.255.255/32"].as_slice()
    } else {
        ["ff00::/8"].as_slice()
    };
    let many: Vec<AddressRange> = many.iter().filter_map(|text| AddressRange::parse(text)).collect();
    within(&many, destination)
}
