//! Values as CoreDNS reads them: numbers, durations, addresses and names in the forms that Go's library takes.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};

/// A whole number with an optional sign.
pub(crate) fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// A whole number without a sign that fits into 32 bits.
pub(crate) fn unsigned(text: &str) -> Option<u32> {
    unsigned_up_to(text, u64::from(u32::MAX)).and_then(|number| u32::try_from(number).ok())
}

/// A whole number without a sign, at most `most`.
pub(crate) fn unsigned_up_to(text: &str, most: u64) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= most)
}

/// A number of 16 bits, in base 2, 8, 10 or 16 by its prefix.
pub(crate) fn number_of_any_base(text: &str) -> Option<u16> {
    let (digits, base) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    // An underscore may stand between digits, and after a prefix.
    let prefixed = digits.len() < text.len();
    let bad = digits.ends_with('_') || digits.contains("__") || (digits.starts_with('_') && !prefixed);
    let plain = digits.replace('_', "");
    if bad || (base == 10 && digits.contains('_')) || plain.starts_with('+') {
        return None;
    }
    u16::from_str_radix(&plain, base).ok()
}

/// A duration in nanoseconds: `30s`, `1h2m`, `1.5s`, `-5ms`. A bare number other than 0 has no unit and is none.
pub(crate) fn duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: f64 = 0.0;
    while !rest.is_empty() {
        let number_end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, after) = rest.split_at(number_end);
        if number.matches('.').count() > 1 || !number.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let unit_end = after
            .find(|letter: char| letter.is_ascii_digit() || letter == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale = match unit {
            "ns" => 1.0,
            "us" | "µs" | "μs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        // `.5` and `5.` are numbers to Go; Rust's parser takes both as well.
        total += number.parse::<f64>().ok()? * scale;
        rest = after;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "what is compared with it are whole seconds far below the limit, which is checked"
    )]
    (total < i64::MAX as f64).then(|| {
        let whole = total as i64;
        if negative { -whole } else { whole }
    })
}

/// One second as [`duration`] counts.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// An address and a port as they are listened on: `:8080`, `10.0.0.1:53`, `[::1]:53`. Neither is looked at.
pub(crate) fn host_port(text: &str) -> Option<(&str, &str)> {
    let colon = text.rfind(':')?;
    let (host, port) = (&text[..colon], &text[colon + 1..]);
    if let Some(rest) = text.strip_prefix('[') {
        let end = rest.find(']')? + 1;
        let host = &text[1..end];
        if end + 1 != colon || host.contains('[') || port.contains(['[', ']']) {
            return None;
        }
        return Some((host, port));
    }
    if host.contains([':', '[', ']']) || port.contains(['[', ']']) {
        return None;
    }
    Some((host, port))
}

/// An IP address without a zone.
pub(crate) fn ip(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// An IP address as upstreams are written: a zone behind `%` is left out.
pub(crate) fn ip_without_zone(text: &str) -> Option<IpAddr> {
    ip(text.rsplit_once('%').map_or(text, |(address, _)| address))
}

/// The address and the length of a prefix.
pub(crate) fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address = ip(address)?;
    let length = unsigned_up_to(length, if address.is_ipv4() { 32 } else { 128 })?;
    Some((address, u8::try_from(length).ok()?))
}

/// The name with a dot at its end, if it has none that counts.
pub(crate) fn fully_qualified(name: &str) -> String {
    let Some(body) = name.strip_suffix('.') else {
        return format!("{name}.");
    };
    let escapes = body.len() - body.trim_end_matches('\\').len();
    if escapes % 2 == 0 {
        name.to_owned()
    } else {
        format!("{name}.")
    }
}

/// The name as plugins compare it: lower case, with its final dot.
pub(crate) fn normal_name(name: &str) -> String {
    fully_qualified(name).to_lowercase()
}

/// Whether a text can be a domain name: labels of at most 63 bytes, no empty ones, 255 bytes together.
pub(crate) fn is_domain_name(name: &str) -> bool {
    const LONGEST: usize = 256;
    if name.is_empty() {
        return false;
    }
    let name = fully_qualified(name);
    let bytes = name.as_bytes();
    let (mut length, mut start, mut after_dot, mut escape) = (0, 0, false, false);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => {
                escape = !escape;
                if length + 1 > LONGEST {
                    return false;
                }
                let decimal = bytes
                    .get(at + 1..at + 4)
                    .is_some_and(|digits| digits.iter().all(u8::is_ascii_digit));
                let skipped = if decimal { 3 } else { 1 };
                at += skipped;
                start += skipped;
                after_dot = false;
            }
            b'.' => {
                escape = false;
                if (at == 0 && bytes.len() > 1) || after_dot {
                    return false;
                }
                after_dot = true;
                let label = at - start.min(at);
                if label >= 64 {
                    return false;
                }
                length += 1 + label;
                if length > LONGEST {
                    return false;
                }
                start = at + 1;
            }
            _ => {
                escape = false;
                after_dot = false;
            }
        }
        at += 1;
    }
    !escape
}

/// Splits `scheme://rest` off the schemes that CoreDNS knows.
pub(crate) fn scheme(text: &str) -> (&'static str, &str) {
    for scheme in ["tls", "dns", "quic", "grpc", "https", "unix"] {
        if let Some(rest) = text
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("://"))
        {
            return (scheme, rest);
        }
    }
    ("dns", text)
}

/// The reverse zones that a prefix stands for: one where it ends between labels, else several.
pub(crate) fn reverse_zones(address: IpAddr, length: u8) -> Vec<String> {
    let (bits, step) = if address.is_ipv4() { (32, 8) } else { (128, 4) };
    let length = u32::from(length);
    let wanted = length.div_ceil(step) * step;
    let all: u128 = match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let mask = |ones: u32| -> u128 {
        let width = if bits == 128 {
            u128::MAX
        } else {
            u128::from(u32::MAX)
        };
        if ones == 0 {
            0
        } else {
            width & !((1_u128 << (bits - ones)) - 1)
        }
    };
    let first = all & mask(length);
    (0..1_u128 << (wanted - length))
        .map(|index| {
            let value = if wanted == 0 {
                0
            } else {
                first + (index << (bits - wanted))
            };
            reverse_name(value, bits, wanted)
        })
        .collect()
}

fn reverse_name(value: u128, bits: u32, length: u32) -> String {
    let (step, suffix) = if bits == 32 {
        (8, "in-addr.arpa.")
    } else {
        (4, "ip6.arpa.")
    };
    let mut name = String::new();
    for index in (0..length / step).rev() {
        let part = (value >> (bits - step * (index + 1))) & ((1 << step) - 1);
        let _ = if bits == 32 {
            write!(name, "{part}.")
        } else {
            write!(name, "{part:x}.")
        };
    }
    name + suffix
}

/// Whether the address is one that is written in IPv6 but means IPv4.
pub(crate) fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if Ipv6Addr::to_ipv4_mapped(&address).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_units() {
        assert_eq!(duration("30s"), Some(30 * SECOND));
        assert_eq!(duration("1h2m"), Some(3720 * SECOND));
        assert_eq!(duration("1.5s"), Some(1_500_000_000));
        assert_eq!(duration("-5ms"), Some(-5_000_000));
        assert_eq!(duration("0"), Some(0));
        for bad in ["", "30", "s", "1d", "10%", ".s", "1s2", "1..2s", "+", "99999999h"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_are_read_in_the_forms_of_go() {
        assert_eq!(integer("+5"), Some(5));
        assert_eq!(integer("1_0"), None);
        assert_eq!(unsigned("+5"), None);
        assert_eq!(number_of_any_base("0xffee"), Some(0xffee));
        assert_eq!(number_of_any_base("010"), Some(8));
        assert_eq!(number_of_any_base("65536"), None);
    }

    #[test]
    fn listening_addresses_need_a_port() {
        assert_eq!(host_port(":8080"), Some(("", "8080")));
        assert_eq!(host_port("[::1]:53"), Some(("::1", "53")));
        assert_eq!(host_port("[::1]"), None);
        assert_eq!(host_port("::1"), None);
        assert_eq!(host_port("8080"), None);
        assert_eq!(host_port("localhost:"), Some(("localhost", "")));
    }

    #[test]
    fn names_have_labels_of_at_most_63_bytes() {
        assert!(is_domain_name("."));
        assert!(is_domain_name("cluster.local"));
        assert!(is_domain_name(r"a\.b."));
        assert!(!is_domain_name(""));
        assert!(!is_domain_name("a..b"));
        assert!(!is_domain_name(".a"));
        assert!(!is_domain_name(&"a".repeat(64)));
        assert!(!is_domain_name(&"abcdefg.".repeat(40)));
    }

    #[test]
    fn prefixes_are_reverse_zones() {
        let zones = |text: &str| {
            let (address, length) = cidr(text).unwrap();
            reverse_zones(address, length)
        };
        assert_eq!(zones("10.0.0.0/8"), ["10.in-addr.arpa."]);
        assert_eq!(zones("10.244.1.7/24"), ["1.244.10.in-addr.arpa."]);
        assert_eq!(
            zones("10.96.0.0/15"),
            ["96.10.in-addr.arpa.", "97.10.in-addr.arpa."]
        );
        assert_eq!(zones("fd00::/8"), ["d.f.ip6.arpa."]);
        assert_eq!(zones("0.0.0.0/0"), ["in-addr.arpa."]);
    }
}
