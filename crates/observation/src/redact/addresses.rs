use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Other addresses for addresses.
///
/// Two that have the first so many bits in common still have them in common, and no more: whatever lies in a range lies
/// in what becomes of the range. Private stays private and public public. The last eight bits of IPv4 and the last
/// sixty-four of IPv6 stay, because a network's own address and its first one have a meaning. Blocks that are kept for
/// documentation stay as they are, and nothing else gets into them.
pub(super) struct Addresses {
    seed: u64,
}

/// Blocks of 24 bits whose addresses are nobody's: what is said of them is not said of public ones.
const NOBODYS: [[u8; 3]; 5] = [
    [192, 0, 0],
    [192, 0, 2],
    [192, 88, 99],
    [198, 51, 100],
    [203, 0, 113],
];

/// `2001:db8::/32`, which is for documentation.
const DOCUMENTED: u128 = 0x2001_0db8;

/// `64:ff9b::/96`, behind which stands an address of IPv4.
const TRANSLATED: u128 = 0x0064_ff9b << 64;

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
            (198, 18..=19) => 15,
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
        if bits >> 32 == TRANSLATED {
            let inner = Ipv4Addr::from(u32::try_from(bits & u128::from(u32::MAX)).unwrap_or_default());
            return Ipv6Addr::from((TRANSLATED << 32) | u128::from(u32::from(self.map_v4(inner))));
        }
        let is_documented = |bits: u128| bits >> 96 == DOCUMENTED;
        let kind = match () {
            () if address.is_unique_local() => 8,
            () if is_documented(bits) => 32,
            () => 3,
        };
        // An interface's own part that is made from its link-layer address tells that.
        let is_made_from_mac = (bits >> 24) & 0xffff == 0xfffe;
        let mapped = self.flip(bits, kind, if is_made_from_mac { 128 } else { 64 });
        let got_in = is_documented(mapped) && !is_documented(bits);
        Ipv6Addr::from(if got_in { mapped ^ (1 << 96) } else { mapped })
    }

    /// Flips bits from `kind` to `end`, each by what stands before it alone: what two addresses have in common stays in
    /// common. The first one always flips, so that nothing stays what it was; on the way to a block that is nobody's none
    /// does, so that the block stays where it is.
    fn flip(&self, bits: u128, kind: u32, end: u32) -> u128 {
        let mut flipped = bits;
        let mut has_flipped = false;
        for position in kind..end {
            let before = if position == 0 {
                0
            } else {
                bits >> (128 - position)
            };
            if is_way_to_nobodys(before, position) {
                continue;
            }
            if !has_flipped || self.hash(&(position, before)) & 1 == 1 {
                flipped ^= 1 << (127 - position);
                has_flipped = true;
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
                // The letter of `\n` is part of no word.
                let is_escape = out.ends_with('\\') && matches!(first, 'n' | 'r' | 't');
                is_within_word = first.is_alphanumeric() && !is_escape;
                out.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
            let (run, after) = rest.split_at(length);
            let is_reversed = after.starts_with("in-addr.arpa") || after.starts_with("ip6.arpa");
            let ends = !after.starts_with(|next: char| next.is_alphanumeric() || next == '_');
            let (replaced, used) = match () {
                () if out.ends_with("__") && ends => (self.replace_in_chain(run), 0),
                // `x_10.0.0.1`, and no `add::fee` of `my_add::fee`.
                () if out.ends_with('_') => (self.replace_pieces(run, ends), 0),
                () if ends || is_reversed => self.replace_run(run, after),
                () => (self.replace_pieces(run, false), 0),
            };
            out.push_str(&replaced);
            rest = &after[used..];
            is_within_word = out.ends_with(char::is_alphanumeric);
        }
        out
    }

    /// An address in the name of a chain of kube-proxy's, where those of IPv6 have dots for colons.
    fn replace_in_chain(&self, run: &str) -> String {
        match run.replace('.', ":").parse::<Ipv6Addr>() {
            Ok(address) => self.map_v6(address).to_string().replace(':', "."),
            Err(_) => self.replace_run(run, "").0,
        }
    }

    /// Addresses of IPv4 between colons and double dots, as `10.0.0.1:80:10.0.0.2:8080`, `10.0.0.1..10.0.0.9`, or before
    /// a colon that a word follows, as `10.96.0.10:domain`: the last piece is no address unless the run ends there.
    fn replace_pieces(&self, run: &str, ends: bool) -> String {
        let pieces: Vec<&str> = run.split(':').collect();
        let last = pieces.len() - 1;
        let replaced = pieces.iter().enumerate().map(|(number, piece)| {
            if number == last && !ends {
                return (*piece).to_owned();
            }
            let ends = piece.split("..").map(|end| {
                let head = end.trim_matches('.');
                match head.parse::<Ipv4Addr>() {
                    Ok(address) => end.replacen(head, &self.map_v4(address).to_string(), 1),
                    Err(_) => end.to_owned(),
                }
            });
            ends.collect::<Vec<_>>().join("..")
        });
        replaced.collect::<Vec<_>>().join(":")
    }

    /// What a run of digits, dots and colons becomes, and how much of what follows it was taken with it.
    fn replace_run(&self, run: &str, after: &str) -> (String, usize) {
        if after.starts_with("ip6.arpa") {
            let mapped = run.strip_suffix('.').and_then(nibbles).map(|address| {
                let digits = format!("{:032x}", u128::from(self.map_v6(address)));
                digits.chars().rev().flat_map(|digit| [digit, '.']).collect()
            });
            return (mapped.unwrap_or_else(|| run.to_owned()), 0);
        }
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
            return (self.replace_pieces(run, true), 0);
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
            None => (self.replace_pieces(run, true), 0),
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

/// Whether these first bits of an address are the first of a block that is nobody's.
fn is_way_to_nobodys(before: u128, length: u32) -> bool {
    (16..24).contains(&length)
        && NOBODYS
            .iter()
            .any(|[a, b, c]| u128::from(u32::from_be_bytes([0, *a, *b, *c]) >> (24 - length)) == before)
}

fn reversed(run: &str) -> Option<Ipv4Addr> {
    let [d, c, b, a] = run.parse::<Ipv4Addr>().ok()?.octets();
    Some(Ipv4Addr::new(a, b, c, d))
}

/// The address whose 32 digits are a name below `ip6.arpa`, the last one first.
fn nibbles(run: &str) -> Option<Ipv6Addr> {
    let digits: String = run.split('.').rev().collect();
    let are_digits = digits.len() == 32 && run.split('.').all(|digit| digit.len() == 1);
    let bits = u128::from_str_radix(&digits, 16).ok()?;
    are_digits.then(|| Ipv6Addr::from(bits))
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
