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
    if protocol == "icmpv6" {
        icmpv6(name)
    } else {
        icmp(name)
    }
}

fn icmp(name: &str) -> Option<u8> {
    Some(match name {
        "echo-reply" => 0,
        "destination-unreachable" => 3,
        "redirect" => 5,
        "echo-request" => 8,
        "time-exceeded" => 11,
        "parameter-problem" => 12,
        _ => return None,
    })
}

fn icmpv6(name: &str) -> Option<u8> {
    Some(match name {
        "destination-unreachable" => 1,
        "packet-too-big" => 2,
        "time-exceeded" => 3,
        "parameter-problem" => 4,
        "echo-request" => 128,
        "echo-reply" => 129,
        "mld-listener-query" => 130,
        "mld-listener-report" => 131,
        "nd-router-solicit" => 133,
        "nd-router-advert" => 134,
        "nd-neighbor-solicit" => 135,
        "nd-neighbor-advert" => 136,
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
