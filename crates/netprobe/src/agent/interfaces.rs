//! The addresses of the agent's own interfaces.

use std::net::IpAddr;

use nix::ifaddrs::getifaddrs;

/// Where kube-proxy in ipvs mode keeps every ClusterIP: addresses of services, not of this node.
const SERVICE_ADDRESSES: &str = "kube-ipvs0";

/// Every address of every interface, in the kernel's order and once each.
///
/// What cannot be read counts as none: a probe is still worth making where netlink is not allowed.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let mut own = Vec::new();
    for interface in getifaddrs().into_iter().flatten() {
        if interface.interface_name == SERVICE_ADDRESSES {
            continue;
        }
        let Some(storage) = interface.address else {
            continue;
        };
        let address = match (storage.as_sockaddr_in(), storage.as_sockaddr_in6()) {
            (Some(v4), _) => IpAddr::V4(v4.ip()),
            (_, Some(v6)) => IpAddr::V6(v6.ip()),
            (None, None) => continue,
        };
        if !own.contains(&address) {
            own.push(address);
        }
    }
    own
}

/// Whether others can reach the node by it: neither loopback nor link-local.
pub(crate) fn is_shared(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_an_own_address_that_is_not_shared() {
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(own_addresses().contains(&loopback));
        assert!(!is_shared(&loopback));
        for shared in ["10.0.0.1", "fd00::1", "192.168.0.1"] {
            assert!(is_shared(&shared.parse().unwrap()));
        }
        for not in ["::1", "fe80::1", "169.254.20.10"] {
            assert!(!is_shared(&not.parse().unwrap()));
        }
    }
}
