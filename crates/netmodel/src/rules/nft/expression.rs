use std::ops::RangeInclusive;

use serde_json::Value;

use super::names::{flags, icmp_code, icmp_type, state};
use super::sets::{Sets, plain};
use crate::rules::model::Family;
use crate::rules::packet::{State, protocol};
use crate::rules::test::{Bits, Match, Test};
use crate::rules::values::{AddressRange, Pattern};

/// Where a rule stands, which says what its names mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) family: Family,
    pub(super) table: &'a str,
    pub(super) sets: &'a Sets<'a>,
}

/// What a rule asks for when it compares `left` with `right`; `None` when that is not known.
pub(super) fn comparison(place: &Place<'_>, op: &str, left: &Value, right: &Value) -> Option<Vec<Match>> {
    let values = match right {
        // Flags, any of which may be set: `ct state new,related`.
        Value::Array(flags) if op != "==" => flags.iter().collect(),
        _ => place.sets.elements(place.family.name(), place.table, right)?,
    };
    let (op, negated) = match op {
        "!=" => (Op::Equal, true),
        "==" | "in" => (Op::Equal, false),
        "<" => (Op::Below, false),
        "<=" => (Op::UpTo, false),
        ">" => (Op::Above, false),
        ">=" => (Op::From, false),
        _ => return None,
    };
    if let Some(parts) = left.get("concat").and_then(Value::as_array) {
        let groups = values
            .iter()
            .map(|value| group(place, parts, value))
            .collect::<Option<_>>()?;
        return Some(vec![Match {
            negated,
            test: Test::AnyOf(groups),
        }]);
    }
    let mut matches = implied(place, left);
    matches.push(Match {
        negated,
        test: test(place, op, left, &values)?,
    });
    Some(matches)
}

/// What a rule asks for when it looks up `key` and finds this element.
pub(super) fn element(place: &Place<'_>, key: &Value, value: &Value) -> Option<Vec<Match>> {
    let value = plain(value);
    if value.as_str() == Some("*") {
        return Some(Vec::new());
    }
    match key.get("concat").and_then(Value::as_array) {
        Some(parts) => group(place, parts, value),
        None => comparison(place, "==", key, value),
    }
}

fn group(place: &Place<'_>, parts: &[Value], value: &Value) -> Option<Vec<Match>> {
    let values = value.get("concat")?.as_array()?;
    if values.len() != parts.len() {
        return None;
    }
    let matches: Vec<Vec<Match>> = parts
        .iter()
        .zip(values)
        .map(|(part, value)| comparison(place, "==", part, value))
        .collect::<Option<_>>()?;
    Some(matches.into_iter().flatten().collect())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    Below,
    UpTo,
    Above,
    From,
}

fn field<'a>(expression: &'a Value, kind: &str, key: &str) -> Option<&'a str> {
    expression.get(kind)?.get(key)?.as_str()
}

/// What nft asks for without printing it: `tcp dport` is of TCP only, `ip saddr` of IPv4 only.
fn implied(place: &Place<'_>, left: &Value) -> Vec<Match> {
    let left = masked(left).map_or(left, |(left, _)| left);
    let implied = match field(left, "payload", "protocol") {
        Some("ip" | "icmp") if place.family != Family::Ip => Some(Test::IsIpv4(true)),
        Some("ip6" | "icmpv6") if place.family != Family::Ip6 => Some(Test::IsIpv4(false)),
        Some(name @ ("tcp" | "udp" | "sctp" | "dccp" | "udplite")) => {
            protocol::number(name).map(|number| Test::Protocol(vec![number]))
        }
        _ => None,
    };
    implied.into_iter().map(Match::new).collect()
}

/// `key & mask`, taken apart.
fn masked(left: &Value) -> Option<(&Value, &Value)> {
    match left.get("&")?.as_array()?.as_slice() {
        [key, mask] => Some((key, mask)),
        _ => None,
    }
}

fn test(place: &Place<'_>, op: Op, left: &Value, values: &[&Value]) -> Option<Test> {
    if let Some((key, mask)) = masked(left) {
        return masked_test(op, key, mask, values);
    }
    if let Some(key) = field(left, "meta", "key") {
        return meta(place, op, key, values);
    }
    if let Some(key) = field(left, "ct", "key") {
        return (op == Op::Equal).then(|| tracked(key, values)).flatten();
    }
    if let Some(protocol) = field(left, "payload", "protocol") {
        return payload(op, protocol, field(left, "payload", "field")?, values);
    }
    if let Some(fib) = left.get("fib") {
        return (op == Op::Equal).then(|| routed(fib, values)).flatten();
    }
    let numgen = left.get("numgen")?;
    share(op, numgen, values)
}

fn masked_test(op: Op, key: &Value, mask: &Value, values: &[&Value]) -> Option<Test> {
    let ([value], Op::Equal) = (values, op) else {
        return None;
    };
    match (
        field(key, "meta", "key"),
        field(key, "ct", "key"),
        field(key, "payload", "field"),
    ) {
        (Some("mark"), _, _) => Some(Test::Mark(Bits {
            value: number(value)?,
            mask: number(mask)?,
        })),
        (_, Some("mark"), _) => Some(Test::ConnectionMark(Bits {
            value: number(value)?,
            mask: number(mask)?,
        })),
        (_, _, Some("flags")) => Some(Test::TcpFlags {
            mask: flags(mask)?,
            set: flags(value)?,
        }),
        _ => None,
    }
}

fn meta(place: &Place<'_>, op: Op, key: &str, values: &[&Value]) -> Option<Test> {
    if key == "length" {
        return Some(Test::Length(numbers(op, values, u32::MAX)?));
    }
    if op != Op::Equal {
        return None;
    }
    let patterns = || {
        let names = values.iter().map(|value| value.as_str());
        names
            .map(|name| Some(Pattern::parse(name?, '*')))
            .collect::<Option<Vec<_>>>()
    };
    Some(match (key, place.family) {
        // In a bridge's chains the devices are its ports; the bridge itself is `ibrname`.
        ("iifname", Family::Bridge) => Test::BridgePortIn(patterns()?),
        ("oifname", Family::Bridge) => Test::BridgePortOut(patterns()?),
        ("iifname" | "iif", _) | ("ibrname", Family::Bridge) => Test::InInterface(patterns()?),
        ("oifname" | "oif", _) | ("obrname", Family::Bridge) => Test::OutInterface(patterns()?),
        ("mark", _) => marks(values, Test::Mark)?,
        ("l4proto", _) => Test::Protocol(protocols(values)?),
        ("nfproto", _) => versions(values, "ipv4", "ipv6")?,
        ("protocol", _) => versions(values, "ip", "ip6")?,
        ("pkttype", _) => any_of(values, |value| match value.as_str()? {
            "broadcast" | "multicast" => Some(Test::ToMany),
            _ => None,
        })?,
        _ => return None,
    })
}

fn tracked(key: &str, values: &[&Value]) -> Option<Test> {
    match key {
        "state" => Some(Test::State(
            values.iter().map(|value| state(value)).collect::<Option<_>>()?,
        )),
        "status" => any_of(values, |value| match value.as_str()? {
            "dnat" => Some(Test::State(vec![State::Dnat])),
            "snat" => Some(Test::State(vec![State::Snat])),
            _ => None,
        }),
        "mark" => marks(values, Test::ConnectionMark),
        _ => None,
    }
}

fn payload(op: Op, protocol: &str, field: &str, values: &[&Value]) -> Option<Test> {
    let lengths = |more: u32| {
        let found = numbers(op, values, u32::MAX)?;
        let longer = |range: &RangeInclusive<u32>| {
            range.start().saturating_add(more)..=range.end().saturating_add(more)
        };
        Some(found.iter().map(longer).collect::<Vec<_>>())
    };
    match (protocol, field) {
        ("ip" | "ip6", "saddr") if op == Op::Equal => Some(Test::Source(addresses(values)?)),
        ("ip" | "ip6", "daddr") if op == Op::Equal => Some(Test::Destination(addresses(values)?)),
        ("ip", "protocol") | ("ip6", "nexthdr") if op == Op::Equal => {
            Some(Test::Protocol(protocols(values)?))
        }
        ("ip", "length") => Some(Test::Length(lengths(0)?)),
        ("ip6", "length") => Some(Test::Length(lengths(40)?)),
        ("udp", "length") => Some(Test::AnyOf(vec![
            vec![
                Match::new(Test::IsIpv4(true)),
                Match::new(Test::Length(lengths(20)?)),
            ],
            vec![
                Match::new(Test::IsIpv4(false)),
                Match::new(Test::Length(lengths(40)?)),
            ],
        ])),
        ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th", "dport") => {
            Some(Test::DestinationPort(numbers(op, values, u16::MAX)?))
        }
        ("tcp" | "udp" | "sctp" | "dccp" | "udplite" | "th", "sport") => {
            Some(Test::SourcePort(numbers(op, values, u16::MAX)?))
        }
        ("tcp", "flags") if op == Op::Equal => match values {
            [value] => {
                let set = flags(value)?;
                Some(Test::TcpFlags { mask: set, set })
            }
            _ => None,
        },
        ("icmp" | "icmpv6", "type") if op == Op::Equal => any_of(values, |value| {
            Some(Test::Icmp {
                kind: Some(icmp_type(protocol, value)?),
                codes: None,
            })
        }),
        ("icmp" | "icmpv6", "code") if op == Op::Equal => any_of(values, |value| {
            let code = icmp_code(value)?;
            Some(Test::Icmp {
                kind: None,
                codes: Some(code..=code),
            })
        }),
        ("ether", "type") if op == Op::Equal => versions(values, "ip", "ip6"),
        _ => None,
    }
}

fn routed(fib: &Value, values: &[&Value]) -> Option<Test> {
    let flags: Vec<&str> = fib
        .get("flags")?
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let ("type", [side]) = (fib.get("result")?.as_str()?, flags.as_slice()) else {
        return None;
    };
    let side = *side;
    any_of(values, |value| match (side, value.as_str()?) {
        ("daddr", "local") => Some(Test::DestinationIsLocal),
        ("saddr", "local") => Some(Test::SourceIsLocal),
        ("daddr", "broadcast" | "multicast" | "anycast") => Some(Test::ToMany),
        _ => None,
    })
}

/// `numgen random mod 100 < 20` picks a fifth.
fn share(op: Op, numgen: &Value, values: &[&Value]) -> Option<Test> {
    let modulus = u32::try_from(numgen.get("mod")?.as_u64()?)
        .ok()
        .filter(|modulus| *modulus > 0)?;
    let offset = u32::try_from(numgen.get("offset").map_or(Some(0), Value::as_u64)?).ok()?;
    let highest = offset.checked_add(modulus)?.checked_sub(1)?;
    let picked: u64 = numbers(op, values, u32::MAX)?
        .iter()
        .map(|range| {
            let (first, last) = ((*range.start()).max(offset), (*range.end()).min(highest));
            if first <= last {
                u64::from(last - first) + 1
            } else {
                0
            }
        })
        .sum();
    Some(Test::Share(
        f64::from(u32::try_from(picked).ok()?) / f64::from(modulus),
    ))
}

/// One test per value, any of which will do.
fn any_of(values: &[&Value], test: impl Fn(&Value) -> Option<Test>) -> Option<Test> {
    if let [value] = values {
        return test(value);
    }
    let groups = values.iter().map(|value| Some(vec![Match::new(test(value)?)]));
    Some(Test::AnyOf(groups.collect::<Option<_>>()?))
}

fn marks(values: &[&Value], test: impl Fn(Bits) -> Test) -> Option<Test> {
    any_of(values, |value| {
        Some(test(Bits {
            value: number(value)?,
            mask: u32::MAX,
        }))
    })
}

fn versions(values: &[&Value], four: &str, six: &str) -> Option<Test> {
    any_of(values, |value| match value.as_str()? {
        name if name == four => Some(Test::IsIpv4(true)),
        name if name == six => Some(Test::IsIpv4(false)),
        _ => None,
    })
}

fn addresses(values: &[&Value]) -> Option<Vec<AddressRange>> {
    values.iter().map(|value| address(value)).collect()
}

fn address(value: &Value) -> Option<AddressRange> {
    if let Some(prefix) = value.get("prefix") {
        let (address, length) = (prefix.get("addr")?.as_str()?, prefix.get("len")?.as_u64()?);
        return AddressRange::parse(&format!("{address}/{length}"));
    }
    if let Some([first, last]) = value.get("range").and_then(Value::as_array).map(Vec::as_slice) {
        return AddressRange::new(first.as_str()?.parse().ok()?, last.as_str()?.parse().ok()?);
    }
    AddressRange::parse(value.as_str()?)
}

fn protocols(values: &[&Value]) -> Option<Vec<u8>> {
    values
        .iter()
        .map(|value| match value {
            Value::String(name) => protocol::number(name),
            _ => u8::try_from(value.as_u64()?).ok(),
        })
        .collect()
}

/// The numbers that compare so with these.
fn numbers<T>(op: Op, values: &[&Value], highest: T) -> Option<Vec<RangeInclusive<T>>>
where
    T: TryFrom<u64> + Copy + From<u8> + PartialOrd + std::ops::Add<Output = T> + std::ops::Sub<Output = T>,
{
    let (zero, one) = (T::from(0), T::from(1));
    values
        .iter()
        .map(|value| {
            if let Some([first, last]) = value.get("range").and_then(Value::as_array).map(Vec::as_slice) {
                let convert = |value: &Value| T::try_from(value.as_u64()?).ok();
                return (op == Op::Equal).then_some(convert(first)?..=convert(last)?);
            }
            let value = T::try_from(value.as_u64()?).ok()?;
            Some(match op {
                Op::Equal => value..=value,
                Op::Below if value == zero => return None,
                Op::Below => zero..=value - one,
                Op::UpTo => zero..=value,
                Op::Above if value == highest => return None,
                Op::Above => value + one..=highest,
                Op::From => value..=highest,
            })
        })
        .collect()
}

pub(super) fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}
