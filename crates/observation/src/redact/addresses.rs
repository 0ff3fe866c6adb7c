use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Other addresses for addresses.
///
/// Two that have the first so many bits in common still have them in common, and no more: whatever lies in a range lies
/// in what becomes of the range. Private stays private and public public. The last eight bits of IPv4 and the last
/// sixty-four of IPv6 stay, because a network's own address and its first one have a meaning.
pub(super) struct Addresses {
    seed: u64,
}

impl Addresses {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    pub(super) fn map(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V4(address) => IpAddr::V4(self.map_v4(address)),
            IpAddr::V6(address) => IpAddr::V6(self.map_v6(address)),
        }
    }

    fn map_v4(&self, address: Ipv4Addr) -> Ipv4Addr {
        let [first, second, ..] = address.octets();
        // So many bits say what kind of address it is.
        let kind = match (first, second) {
            (0 | 127 | 224..=255, _) | (169, 254) => return address,
            (172, 16..=31) => 12,
            (100, 64..=127) => 10,
            (100 | 169 | 172 | 192 | 198 | 203, _) => 16,
            _ => 8,
        };
        let bits = self.flip(u128::from(u32::from(address)) << 96, kind, 24) >> 96;
        Ipv4Addr::from(u32::try_from(bits).unwrap_or_default())
    }

    fn map_v6(&self, address: Ipv6Addr) -> Ipv6Addr {
        if let Some(inner) = address.to_ipv4_mapped() {
            return self.map_v4(inner).to_ipv6_mapped();
        }
        let bits = u128::from(address);
        if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
            return address;
        }
        if address.is_unicast_link_local() {
            return Ipv6Addr::from(self.flip(bits, 64, 128));
        }
        let kind = if address.is_unique_local() { 8 } else { 3 };
        // An interface's own part that is made from its link-layer address tells that.
        let is_made_from_mac = (bits >> 24) & 0xffff == 0xfffe;
        let bits = self.flip(bits, kind, if is_made_from_mac { 128 } else { 64 });
        Ipv6Addr::from(bits)
    }

    /// Flips bits from `kind` to `end`, each by what stands before it alone: what two addresses have in common stays in
    /// common. The first one always flips, so that nothing stays what it was.
    fn flip(&self, bits: u128, kind: u32, end: u32) -> u128 {
        let mut flipped = bits;
        for position in kind..end {
            let before = if position == 0 {
                0
            } else {
                bits >> (128 - position)
            };
            if position == kind || self.hash(&(position, before)) & 1 == 1 {
                flipped ^= 1 << (127 - position);
            }
        }
        flipped
    }

    fn hash(&self, of: &(u32, u128)) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, of).hash(&mut hasher);
        hasher.finish()
    }

    /// Another link-layer address. Groups and the empty one stay.
    fn map_mac(&self, octets: [u8; 6]) -> [u8; 6] {
        if octets[0] & 1 == 1 || octets == [0; 6] {
            return octets;
        }
        let whole = octets
            .iter()
            .fold(0_u128, |whole, octet| (whole << 8) | u128::from(*octet));
        // As an odd number is never 0, it is always another.
        let other = (self.hash(&(48, whole)) | 1).to_be_bytes();
        let mut mapped = octets;
        for (octet, change) in mapped[1..].iter_mut().zip(&other[3..]) {
            *octet ^= change;
        }
        mapped
    }

    /// A text with all addresses in it replaced, ranges with their ends as zeros.
    pub(super) fn replace_in(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let mut is_within_word = false;
        while let Some(first) = rest.chars().next() {
            let length = rest
                .bytes()
                .take_while(|byte| byte.is_ascii_hexdigit() || b".:".contains(byte))
                .count();
            if length == 0 || is_within_word {
                is_within_word = first.is_alphanumeric() || first == '_';
                out.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let (run, after) = rest.split_at(length);
            let ends = !after.starts_with(|next: char| next.is_alphanumeric() || next == '_');
            let (replaced, used) = if ends || after.starts_with("in-addr.arpa") {
                self.replace_run(run, after)
            } else {
                (run.to_owned(), 0)
            };
            out.push_str(&replaced);
            rest = &after[used..];
            is_within_word = out.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        }
        out
    }

    /// What a run of digits, dots and colons becomes, and how much of what follows it was taken with it.
    fn replace_run(&self, run: &str, after: &str) -> (String, usize) {
        if after.starts_with("in-addr.arpa") {
            let reversed = run.strip_suffix('.').and_then(reversed);
            let mapped = reversed.map(|address| self.map_v4(address).octets());
            let text = mapped.map(|[a, b, c, d]| format!("{d}.{c}.{b}.{a}."));
            return (text.unwrap_or_else(|| run.to_owned()), 0);
        }
        let head = run.trim_end_matches(['.', ':']);
        // `::` closes an address, and is not cut off from it.
        let head = if run.starts_with(&format!("{head}::")) {
            &run[..head.len() + 2]
        } else {
            head
        };
        let tail = &run[head.len()..];
        if let Ok(address) = head.parse::<IpAddr>() {
            let (length, used) = if tail.is_empty() {
                prefix_length(after)
            } else {
                (None, 0)
            };
            let mapped = match length {
                Some(length) => format!("{}/{length}", self.map_range(address, length)),
                None => self.map(address).to_string(),
            };
            return (format!("{mapped}{tail}"), used);
        }
        if let Some(mac) = mac(head) {
            let octets = self.map_mac(mac).map(|octet| format!("{octet:02x}"));
            return (format!("{}{tail}", octets.join(":")), 0);
        }
        let Some((address, port)) = head.rsplit_once(':') else {
            return (run.to_owned(), 0);
        };
        if let Ok(address) = address.parse::<Ipv4Addr>() {
            return (format!("{}:{port}{tail}", self.map_v4(address)), 0);
        }
        // As the kernel lists IPVS: `0A600001:01BB`.
        let is_hex = address.len() == 8 && port.len() == 4;
        match u32::from_str_radix(address, 16).ok().filter(|_| is_hex) {
            Some(bits) => (
                format!("{:08X}:{port}{tail}", u32::from(self.map_v4(bits.into()))),
                0,
            ),
            None => (run.to_owned(), 0),
        }
    }

    /// An address with the length of its prefix. What is zero behind the prefix stays zero.
    fn map_range(&self, address: IpAddr, length: u32) -> IpAddr {
        let (bits, width) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let host = if length >= width {
            0
        } else {
            u128::MAX >> (128 - (width - length))
        };
        let mapped = self.map(address);
        if bits & host != 0 {
            return mapped;
        }
        match mapped {
            IpAddr::V4(mapped) => {
                let kept = u128::from(u32::from(mapped)) & !host;
                IpAddr::V4(Ipv4Addr::from(u32::try_from(kept).unwrap_or_default()))
            }
            IpAddr::V6(mapped) => IpAddr::V6(Ipv6Addr::from(u128::from(mapped) & !host)),
        }
    }
}

fn reversed(run: &str) -> Option<Ipv4Addr> {
    let [d, c, b, a] = run.parse::<Ipv4Addr>().ok()?.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

/// The length behind an address, as `/24`, and how much text it is.
fn prefix_length(after: &str) -> (Option<u32>, usize) {
    let digits = after
        .strip_prefix('/')
        .map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
    let length = after
        .get(1..=digits)
        .and_then(|digits| digits.parse().ok())
        .filter(|length| *length <= 128);
    (length, if length.is_some() { digits + 1 } else { 0 })
}

fn mac(text: &str) -> Option<[u8; 6]> {
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(octets)
}
