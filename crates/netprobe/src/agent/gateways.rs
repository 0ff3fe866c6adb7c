//! The next hops of the agent's own default routes.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `RTF_UP` and `RTF_GATEWAY` of `linux/route.h`.
const UP_AND_GATEWAY: u32 = 0x1 | 0x2;

/// The gateway of the default route of each family that has one, IPv4 first.
///
/// What cannot be read counts as none.
pub(crate) fn gateways() -> Vec<IpAddr> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let v4 = of_ipv4(&read("/proc/net/route"));
    let v6 = of_ipv6(&read("/proc/net/ipv6_route"));
    v4.map(IpAddr::V4).into_iter().chain(v6.map(IpAddr::V6)).collect()
}

/// From `/proc/net/route`: interface, destination, gateway, flags, two counters, metric, mask, …; addresses as the
/// kernel holds them, printed as one number of the machine's byte order.
fn of_ipv4(table: &str) -> Option<Ipv4Addr> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let mut number = || u32::from_str_radix(fields.next()?, 16).ok();
        let (destination, gateway, flags) = (number()?, number()?, number()?);
        let metric: u32 = fields.nth(2)?.parse().ok()?;
        let mask = u32::from_str_radix(fields.next()?, 16).ok()?;
        let is_default = destination == 0 && mask == 0 && flags & UP_AND_GATEWAY == UP_AND_GATEWAY;
        is_default.then(|| (metric, Ipv4Addr::from(gateway.to_ne_bytes())))
    });
    Some(routes.min_by_key(|(metric, _)| *metric)?.1)
}

/// From `/proc/net/ipv6_route`: destination, its length, source, its length, next hop, metric, two counters, flags,
/// interface.
fn of_ipv6(table: &str) -> Option<Ipv6Addr> {
    let routes = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, length, _, _, next, metric, _, _, flags, ..] = fields.as_slice() else {
            return None;
        };
        let flags = u32::from_str_radix(flags, 16).ok()?;
        let is_default = u128::from_str_radix(destination, 16).ok()? == 0
            && *length == "00"
            && flags & UP_AND_GATEWAY == UP_AND_GATEWAY;
        let next = Ipv6Addr::from_bits(u128::from_str_radix(next, 16).ok()?);
        (is_default && !next.is_unspecified()).then_some((u32::from_str_radix(metric, 16).ok()?, next))
    });
    Some(routes.min_by_key(|(metric, _)| *metric)?.1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t0102F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
        eth0\t0000F40A\t0102F40A\t0003\t0\t0\t0\t0000FFFF\t0\t0\t0\n";
    const V6: &str = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
        00000000000000000000000000000000 00 00000000000000000000000000000000 00 \
        00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

    #[test]
    #[cfg(target_endian = "little")]
    fn the_gateway_is_that_of_the_default_route() {
        assert_eq!(of_ipv4(V4), Some(Ipv4Addr::new(10, 244, 2, 1)));
        assert_eq!(of_ipv6(V6), Some("fd00::1".parse().unwrap()));
    }

    #[test]
    fn without_a_default_route_there_is_none() {
        let without: String = V4
            .lines()
            .filter(|line| !line.contains("\t00000000\t0102"))
            .collect();
        assert_eq!(of_ipv4(&without), None);
        assert_eq!(of_ipv6(""), None);
    }

    proptest! {
        #[test]
        fn garbage_has_no_gateway_and_never_panics(text in "[0-9a-zA-F \t\n]{0,200}") {
            let _ = of_ipv4(&text);
            let _ = of_ipv6(&text);
        }
    }
}
