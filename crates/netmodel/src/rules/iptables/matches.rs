use std::ops::RangeInclusive;
use std::str::FromStr;

use super::options::{Given, Module, Options};
use crate::rules::packet::{State, protocol};
use crate::rules::test::{Bits, Match, Test};
use crate::rules::values::{AddressRange, Pattern};

/// What a rule asks of packets. A module or option that is not known becomes [`Test::Unread`].
pub(super) fn matches(options: &Options<'_>) -> Vec<Match> {
    let basic = options.basic.iter().map(basic);
    let modules = options.modules.iter().flat_map(module);
    basic.chain(modules).collect()
}

fn asked(given: &Given<'_>, test: Option<Test>) -> Match {
    match test {
        Some(test) => Match {
            negated: given.negated,
            test,
        },
        None => unread(given.text()),
    }
}

/// Whatever it means, it may hold or not; that it is negated is in its text.
fn unread(text: String) -> Match {
    Match::new(Test::Unread(text))
}

fn basic(given: &Given<'_>) -> Match {
    let test = given.value().and_then(|value| match given.name {
        "-s" => Some(Test::Source(addresses(value)?)),
        "-d" => Some(Test::Destination(addresses(value)?)),
        "-i" => Some(Test::InInterface(vec![Pattern::parse(value, '+')])),
        "-o" => Some(Test::OutInterface(vec![Pattern::parse(value, '+')])),
        "-p" => Some(match protocol::number(value)? {
            0 => Test::Always,
            number => Test::Protocol(vec![number]),
        }),
        _ => None,
    });
    asked(given, test)
}

fn addresses(list: &str) -> Option<Vec<AddressRange>> {
    list.split(',').map(AddressRange::parse).collect()
}

fn module(module: &Module<'_>) -> Vec<Match> {
    let whole = |test: Option<Test>| vec![test.map_or_else(|| unread(module.text()), Match::new)];
    match module.name {
        "comment" | "nfacct" => Vec::new(),
        "limit" | "hashlimit" | "dstlimit" => whole(Some(Test::Rate(module.text()))),
        "statistic" => statistic(module),
        "tcp" | "udp" | "sctp" | "dccp" | "udplite" | "icmp" | "icmp6" | "ipv6-icmp" | "multiport"
        | "conntrack" | "state" | "mark" | "connmark" | "length" | "physdev" | "addrtype" | "pkttype"
        | "iprange" | "" => module
            .options
            .iter()
            .map(|given| single(module.name, given))
            .collect(),
        _ => whole(None),
    }
}

/// An option that stands for itself.
fn single(module: &str, given: &Given<'_>) -> Match {
    let value = given.value();
    let test = match (module, given.name) {
        (_, "--dport" | "--destination-port" | "--dports") => {
            value.and_then(ports).map(Test::DestinationPort)
        }
        (_, "--sport" | "--source-port" | "--sports") => value.and_then(ports).map(Test::SourcePort),
        (_, "--ports") => value.and_then(ports).map(|ports| {
            Test::AnyOf(vec![
                vec![Match::new(Test::SourcePort(ports.clone()))],
                vec![Match::new(Test::DestinationPort(ports))],
            ])
        }),
        (_, "--syn") => Some(Test::TcpFlags {
            mask: 0x17,
            set: 0x02,
        }),
        (_, "--tcp-flags") => match given.values.as_slice() {
            [mask, set] => flags(mask)
                .zip(flags(set))
                .map(|(mask, set)| Test::TcpFlags { mask, set }),
            _ => None,
        },
        ("icmp" | "", "--icmp-type") => value.and_then(icmp),
        (_, "--icmpv6-type") => value.and_then(icmpv6),
        ("conntrack" | "state", "--ctstate" | "--state") => value.and_then(states).map(Test::State),
        ("mark", "--mark") => value.and_then(bits).map(Test::Mark),
        ("connmark", "--mark") => value.and_then(bits).map(Test::ConnectionMark),
        ("length", "--length") => value
            .and_then(|value| range(value, u32::MAX))
            .map(|range| Test::Length(vec![range])),
        ("physdev", "--physdev-in") => {
            value.map(|value| Test::BridgePortIn(vec![Pattern::parse(value, '+')]))
        }
        ("physdev", "--physdev-out") => {
            value.map(|value| Test::BridgePortOut(vec![Pattern::parse(value, '+')]))
        }
        ("physdev", "--physdev-is-bridged") => Some(Test::Bridged),
        ("addrtype", "--src-type") if value == Some("LOCAL") => Some(Test::SourceIsLocal),
        ("addrtype", "--dst-type") => match value {
            Some("LOCAL") => Some(Test::DestinationIsLocal),
            Some("BROADCAST" | "MULTICAST" | "ANYCAST") => Some(Test::ToMany),
            _ => None,
        },
        ("pkttype", "--pkt-type") => match value {
            Some("broadcast" | "multicast") => Some(Test::ToMany),
            _ => None,
        },
        ("iprange", "--src-range") => value.and_then(between).map(|range| Test::Source(vec![range])),
        ("iprange", "--dst-range") => value
            .and_then(between)
            .map(|range| Test::Destination(vec![range])),
        _ => None,
    };
    asked(given, test)
}

fn statistic(module: &Module<'_>) -> Vec<Match> {
    let share = if let Some(given) = module.option("--probability") {
        given
            .value()
            .and_then(|value| value.parse::<f64>().ok())
            .map(|share| (given.negated, share))
    } else if let Some(given) = module.option("--every") {
        let every = given.value().and_then(|value| value.parse::<u32>().ok());
        every
            .filter(|every| *every > 0)
            .map(|every| (given.negated, 1.0 / f64::from(every)))
    } else {
        None
    };
    match share {
        Some((negated, share)) if (0.0..=1.0).contains(&share) => vec![Match {
            negated,
            test: Test::Share(share),
        }],
        Some(_) | None => vec![unread(module.text())],
    }
}

fn between(text: &str) -> Option<AddressRange> {
    let (first, last) = text.split_once('-')?;
    AddressRange::new(first.parse().ok()?, last.parse().ok()?)
}

fn ports(list: &str) -> Option<Vec<RangeInclusive<u16>>> {
    list.split(',').map(|item| range(item, u16::MAX)).collect()
}

/// `5`, `5:9`, `5:` or `:9`.
fn range<T: FromStr + Default + Copy>(text: &str, highest: T) -> Option<RangeInclusive<T>> {
    let Some((first, last)) = text.split_once(':') else {
        let only = text.parse().ok()?;
        return Some(only..=only);
    };
    let first = if first.is_empty() {
        T::default()
    } else {
        first.parse().ok()?
    };
    let last = if last.is_empty() {
        highest
    } else {
        last.parse().ok()?
    };
    Some(first..=last)
}

fn flags(list: &str) -> Option<u8> {
    list.split(',')
        .try_fold(0, |flags, name| Some(flags | flag(name)?))
}

fn flag(name: &str) -> Option<u8> {
    Some(match name {
        "FIN" => 0x01,
        "SYN" => 0x02,
        "RST" => 0x04,
        "PSH" => 0x08,
        "ACK" => 0x10,
        "URG" => 0x20,
        "ECE" => 0x40,
        "CWR" => 0x80,
        "ALL" => 0x3f,
        "NONE" => 0,
        _ => return None,
    })
}

fn icmp(text: &str) -> Option<Test> {
    let (kind, codes) = match text {
        "any" => return Some(Test::Always),
        "destination-unreachable" => (3, None),
        "network-unreachable" => (3, Some(0)),
        "host-unreachable" => (3, Some(1)),
        "port-unreachable" => (3, Some(3)),
        "fragmentation-needed" => (3, Some(4)),
        "echo-reply" => (0, None),
        "echo-request" => (8, None),
        "time-exceeded" => (11, None),
        _ => return numbered(text),
    };
    Some(Test::Icmp {
        kind: Some(kind),
        codes: codes.map(|code| code..=code),
    })
}

fn icmpv6(text: &str) -> Option<Test> {
    let kind = match text {
        "destination-unreachable" => 1,
        "packet-too-big" => 2,
        "time-exceeded" | "ttl-exceeded" => 3,
        "parameter-problem" => 4,
        "echo-request" => 128,
        "echo-reply" => 129,
        "router-solicitation" => 133,
        "router-advertisement" => 134,
        "neighbour-solicitation" | "neighbor-solicitation" => 135,
        "neighbour-advertisement" | "neighbor-advertisement" => 136,
        _ => return numbered(text),
    };
    Some(Test::Icmp {
        kind: Some(kind),
        codes: None,
    })
}

/// `3`, `3/4`; 255 is how any type is written.
fn numbered(text: &str) -> Option<Test> {
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind, Some(code.parse::<u8>().ok()?)),
        None => (text, None),
    };
    match kind.parse().ok()? {
        255 => Some(Test::Always),
        kind => Some(Test::Icmp {
            kind: Some(kind),
            codes: code.map(|code| code..=code),
        }),
    }
}

fn states(list: &str) -> Option<Vec<State>> {
    list.split(',')
        .map(|name| {
            Some(match name {
                "NEW" => State::New,
                "ESTABLISHED" => State::Established,
                "RELATED" => State::Related,
                "INVALID" => State::Invalid,
                "UNTRACKED" => State::Untracked,
                "DNAT" => State::Dnat,
                "SNAT" => State::Snat,
                _ => return None,
            })
        })
        .collect()
}

/// `0x4000/0x4000`; without a mask all bits are looked at.
pub(super) fn bits(text: &str) -> Option<Bits> {
    let (value, mask) = text
        .split_once('/')
        .map_or((text, None), |(value, mask)| (value, Some(mask)));
    Some(Bits {
        value: number(value)?,
        mask: match mask {
            Some(mask) => number(mask)?,
            None => u32::MAX,
        },
    })
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
