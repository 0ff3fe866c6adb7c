use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

/// Addresses from one to another, both included, of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// The first.
    pub first: IpAddr,
    /// The last; never below the first.
    pub last: IpAddr,
}

impl AddressRange {
    /// `None` when the two are of different families or in the wrong order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// Reads `10.0.0.0/8`, `10.0.0.1` or `10.0.0.0/255.0.0.0`. A mask with holes is no range, and then this is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((address, mask)) = text.split_once('/') else {
            return text.parse::<IpAddr>().ok().map(Self::from);
        };
        let address: IpAddr = address.parse().ok()?;
        let length = match mask.parse::<u8>() {
            Ok(length) => length,
            Err(_) => mask_length(mask.parse().ok()?)?,
        };
        IpNet::new(address, length)
            .ok()
            .map(|net| Self::from(net.trunc()))
    }

    /// Whether every address of `other` is in it.
    pub fn covers(&self, other: &Self) -> bool {
        self.first.is_ipv4() == other.first.is_ipv4() && self.first <= other.first && other.last <= self.last
    }

    /// Whether any address is in both.
    pub fn meets(&self, other: &Self) -> bool {
        self.first.is_ipv4() == other.first.is_ipv4() && self.first <= other.last && other.first <= self.last
    }
}

/// The length of a network mask without holes.
fn mask_length(mask: IpAddr) -> Option<u8> {
    let (bits, width) = match mask {
        IpAddr::V4(mask) => (u128::from(mask.to_bits()) << 96, 32),
        IpAddr::V6(mask) => (mask.to_bits(), 128),
    };
    let ones = bits.leading_ones();
    let whole = ones == 128 || bits << ones == 0;
    (whole && ones <= width)
        .then(|| u8::try_from(ones).ok())
        .flatten()
}

impl From<IpAddr> for AddressRange {
    fn from(address: IpAddr) -> Self {
        Self {
            first: address,
            last: address,
        }
    }
}

impl From<IpNet> for AddressRange {
    fn from(net: IpNet) -> Self {
        Self {
            first: net.network(),
            last: net.broadcast(),
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return write!(f, "{}", self.first);
        }
        let highest = match self.first {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let net = (0..highest)
            .filter_map(|length| IpNet::new(self.first, length).ok())
            .find(|net| net.network() == self.first && net.broadcast() == self.last);
        match net {
            Some(net) => write!(f, "{net}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// The name of an interface, or how it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The name, or its beginning.
    pub text: String,
    /// Whether more may follow: `cali+` of iptables, `cali*` of nft.
    pub is_prefix: bool,
}

impl Pattern {
    /// Reads a name that may end in this wildcard.
    pub fn parse(text: &str, wildcard: char) -> Self {
        match text.strip_suffix(wildcard) {
            Some(prefix) => Self {
                text: prefix.to_owned(),
                is_prefix: true,
            },
            None => Self {
                text: text.to_owned(),
                is_prefix: false,
            },
        }
    }

    /// Whether an interface of this name is meant.
    pub fn fits(&self, name: &str) -> bool {
        if self.is_prefix {
            name.starts_with(&self.text)
        } else {
            name == self.text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        AddressRange::parse(text).expect("an address or a network")
    }

    #[test]
    fn networks_are_read_with_a_length_or_a_mask() {
        assert_eq!(range("10.244.0.0/16"), range("10.244.0.0/255.255.0.0"));
        assert_eq!(range("10.244.3.7/16"), range("10.244.0.0/16"));
        assert_eq!(range("10.0.0.1"), range("10.0.0.1/32"));
        assert_eq!(range("fd00::/64"), range("fd00::/ffff:ffff:ffff:ffff::"));
    }

    #[test]
    fn a_mask_with_holes_is_no_network() {
        assert_eq!(AddressRange::parse("10.0.0.0/255.0.255.0"), None);
        assert_eq!(AddressRange::parse("10.0.0.0/33"), None);
        assert_eq!(AddressRange::parse("web"), None);
    }

    #[test]
    fn families_never_meet() {
        assert!(!range("0.0.0.0/0").meets(&range("::1")));
        assert!(!range("::/0").covers(&range("10.0.0.1")));
    }

    #[test]
    fn a_range_prints_as_a_network_where_it_is_one() {
        assert_eq!(range("10.0.0.0/8").to_string(), "10.0.0.0/8");
        let odd = AddressRange::new("10.0.0.1".parse().expect("v4"), "10.0.0.9".parse().expect("v4"));
        assert_eq!(odd.expect("in order").to_string(), "10.0.0.1-10.0.0.9");
    }
}
