//! Routes, and the rules that choose a table of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use observation::{PolicyRule, Route};
use report::Observed;

use super::message::{Attributes, Kind, Message};
use super::{Names, each};
use crate::evidence::{Answers, id};

/// The kernel's table of the node's own addresses.
const TABLE_LOCAL: u32 = 255;
/// `RTNH_F_ONLINK`, which the header of a route carries among its flags.
const ON_LINK: u32 = 4;
/// `AF_INET` and `AF_INET6` of Linux.
const INET: u8 = 2;
const INET6: u8 = 10;

/// Attributes of a route.
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_PREFSRC: u16 = 7;
const RTA_MULTIPATH: u16 = 9;
const RTA_TABLE: u16 = 15;

pub(in crate::evidence) fn routes(answers: &Answers<'_>, names: &Names) -> Observed<Vec<Route>> {
    each(answers, (id::ROUTES, "routes"), Kind::Route, |message| {
        route(message, names).filter(|route| route.table != TABLE_LOCAL)
    })
}

fn route(message: &Message<'_>, names: &Names) -> Option<Route> {
    let any: IpAddr = match message.byte(0) {
        INET => Ipv4Addr::UNSPECIFIED.into(),
        INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let attributes = &message.attributes;
    // Several next hops: the first stands for all.
    let hop = attributes.get(RTA_MULTIPATH).and_then(next_hop);
    let (device, gateway) =
        hop.unwrap_or_else(|| (attributes.word(RTA_OIF), attributes.address(RTA_GATEWAY)));
    let destination = attributes.address(RTA_DST).unwrap_or(any);
    Some(Route {
        table: attributes.word(RTA_TABLE).unwrap_or(u32::from(message.byte(4))),
        destination: format!("{destination}/{}", message.byte(1)),
        kind: route_kind(message.byte(7)),
        gateway,
        device: device.map(|index| names.of(index)),
        source: attributes.address(RTA_PREFSRC),
        metric: attributes.word(RTA_PRIORITY).unwrap_or_default(),
        protocol: protocol(message.byte(5)),
        on_link: message.word(8) & ON_LINK != 0,
    })
}

/// Device and gateway of the first `struct rtnexthop`.
fn next_hop(bytes: &[u8]) -> Option<(Option<u32>, Option<IpAddr>)> {
    let length = usize::from(u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]));
    let index = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?);
    let attributes = Attributes::of(bytes.get(8..length)?)?;
    Some((Some(index), attributes.address(RTA_GATEWAY)))
}

/// As `ip route` names it.
fn route_kind(number: u8) -> String {
    const KINDS: [&str; 12] = [
        "unspec",
        "unicast",
        "local",
        "broadcast",
        "anycast",
        "multicast",
        "blackhole",
        "unreachable",
        "prohibit",
        "throw",
        "nat",
        "xresolve",
    ];
    let known = KINDS.get(usize::from(number));
    known.map_or_else(|| number.to_string(), |kind| (*kind).to_owned())
}

/// Who set a route, as `ip route` names it.
fn protocol(number: u8) -> String {
    let name = match number {
        0 => "unspec",
        1 => "redirect",
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        10 => "mrt",
        11 => "zebra",
        12 => "bird",
        13 => "dnrouted",
        14 => "xorp",
        15 => "ntk",
        16 => "dhcp",
        17 => "mrouted",
        18 => "keepalived",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        _ => return number.to_string(),
    };
    name.to_owned()
}

pub(in crate::evidence) fn rules(answers: &Answers<'_>) -> Observed<Vec<PolicyRule>> {
    each(answers, (id::RULES, "routing rules"), Kind::Rule, |message| {
        Some(rule(message))
    })
}

fn rule(message: &Message<'_>) -> PolicyRule {
    /// `FIB_RULE_INVERT`, of the flags in the header.
    const INVERT: u32 = 2;
    const FRA_DST: u16 = 1;
    const FRA_SRC: u16 = 2;
    const FRA_IIFNAME: u16 = 3;
    const FRA_PRIORITY: u16 = 6;
    const FRA_FWMARK: u16 = 10;
    const FRA_SUPPRESS_PREFIXLEN: u16 = 14;
    const FRA_TABLE: u16 = 15;
    const FRA_FWMASK: u16 = 16;
    const FRA_OIFNAME: u16 = 17;
    let attributes = &message.attributes;
    let mut selector = match attributes.address(FRA_SRC) {
        Some(address) => format!("from {address}/{}", message.byte(2)),
        None => "from all".to_owned(),
    };
    if message.word(8) & INVERT != 0 {
        selector.insert_str(0, "not ");
    }
    let suppressed = attributes.word(FRA_SUPPRESS_PREFIXLEN);
    let parts = [
        attributes
            .address(FRA_DST)
            .map(|address| format!(" to {address}/{}", message.byte(1))),
        attributes.text(FRA_IIFNAME).map(|name| format!(" iif {name}")),
        attributes
            .word(FRA_FWMARK)
            .map(|mark| format!(" fwmark {mark:#x}")),
        attributes.word(FRA_FWMASK).map(|mask| format!("/{mask:#x}")),
        suppressed
            .filter(|length| *length != u32::MAX)
            .map(|length| format!(" suppress_prefixlength {length}")),
        attributes.text(FRA_OIFNAME).map(|name| format!(" oif {name}")),
    ];
    selector.extend(parts.into_iter().flatten());
    let table = attributes.word(FRA_TABLE).unwrap_or(u32::from(message.byte(4)));
    PolicyRule {
        priority: attributes.word(FRA_PRIORITY).unwrap_or_default(),
        selector,
        action: rule_action(message.byte(7), table),
        ipv6: message.byte(0) == INET6,
    }
}

fn rule_action(number: u8, table: u32) -> String {
    let name = match number {
        0 => "unspec",
        1 => return format!("lookup {table}"),
        2 => "goto",
        3 => "nop",
        6 => "blackhole",
        7 => "unreachable",
        8 => "prohibit",
        _ => return number.to_string(),
    };
    name.to_owned()
}
