use serde_json::Value;

use crate::rules::packet::State;

pub(super) fn state(value: &Value) -> Option<State> {
    Some(match value.as_str()? {
        "new" => State::New,
        "established" => State::Established,
        "related" => State::Related,
        "invalid" => State::Invalid,
        "untracked" => State::Untracked,
        _ => return None,
    })
}

pub(super) fn flags(value: &Value) -> Option<u8> {
    match value {
        Value::String(name) => flag(name),
        Value::Array(names) => names
            .iter()
            .try_fold(0, |flags, name| Some(flags | flag(name.as_str()?)?)),
        Value::Object(both) => {
            let parts = both.get("|")?.as_array()?;
            parts.iter().try_fold(0, |found, part| Some(found | flags(part)?))
        }
        _ => u8::try_from(value.as_u64()?).ok(),
    }
}

fn flag(name: &str) -> Option<u8> {
    Some(match name {
        "fin" => 0x01,
        "syn" => 0x02,
        "rst" => 0x04,
        "psh" => 0x08,
        "ack" => 0x10,
        "urg" => 0x20,
        "ecn" => 0x40,
        "cwr" => 0x80,
        _ => return None,
    })
}

pub(super) fn icmp_type(protocol: &str, value: &Value) -> Option<u8> {
    let Some(name) = value.as_str() else {
        return u8::try_from(value.as_u64()?).ok();
    };
    Some(match (protocol, name) {
        ("icmp", "echo-reply") => 0,
        ("icmp", "destination-unreachable") => 3,
        ("icmp", "redirect") => 5,
        ("icmp", "echo-request") => 8,
        ("icmp", "time-exceeded") => 11,
        ("icmp", "parameter-problem") => 12,
        ("icmpv6", "destination-unreachable") => 1,
        ("icmpv6", "packet-too-big") => 2,
        ("icmpv6", "time-exceeded") => 3,
        ("icmpv6", "parameter-problem") => 4,
        ("icmpv6", "echo-request") => 128,
        ("icmpv6", "echo-reply") => 129,
        ("icmpv6", "mld-listener-query") => 130,
        ("icmpv6", "mld-listener-report") => 131,
        ("icmpv6", "nd-router-solicit") => 133,
        ("icmpv6", "nd-router-advert") => 134,
        ("icmpv6", "nd-neighbor-solicit") => 135,
        ("icmpv6", "nd-neighbor-advert") => 136,
        _ => return None,
    })
}

pub(super) fn icmp_code(value: &Value) -> Option<u8> {
    let Some(name) = value.as_str() else {
        return u8::try_from(value.as_u64()?).ok();
    };
    Some(match name {
        "net-unreachable" => 0,
        "host-unreachable" => 1,
        "prot-unreachable" => 2,
        "port-unreachable" => 3,
        "frag-needed" => 4,
        "net-prohibited" => 9,
        "host-prohibited" => 10,
        "admin-prohibited" => 13,
        _ => return None,
    })
}
