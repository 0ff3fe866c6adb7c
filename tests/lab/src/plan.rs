//! The address plan of a lab: which networks it has and who has which address.
//!
//! Every lab uses the same networks, because they exist only inside of its own network namespace. The one
//! exception is its *leg*, the /30 between this machine and the lab: that one is chosen by the lab's index.
//! No lab network may ever get a route in the root namespace: even a documentation range can be somebody's
//! way to the rest of the world.

use std::net::Ipv4Addr;

/// How many labs can stand side by side: the number of /30 networks in [`LEGS`].
pub(crate) const MAX_LABS: u8 = 64;
/// How many nodes a lab can have; a limit of the machine rather than of the plan.
pub(crate) const MAX_NODES: u8 = 20;

/// How the name of this machine's link into a lab starts.
pub(crate) const LINK_PREFIX: &str = "nclab";

/// The network that the legs are cut from (198.18.0.0/15 is reserved for tests of network devices).
const LEGS: [u8; 3] = [198, 18, 10];

/// The router and control plane of the lab, as nodes see it.
pub(crate) const ROUTER_V4: &str = "172.30.0.1";
/// The same over IPv6.
pub(crate) const ROUTER_V6: &str = "fd00:30::1";
/// The network of the nodes.
pub(crate) const NODES_V4: &str = "172.30.0.0/24";
/// The same over IPv6.
pub(crate) const NODES_V6: &str = "fd00:30::/64";
/// The router's address in the outside world, IPv4.
pub(crate) const GATEWAY_V4: &str = "198.51.100.1";
/// The router's address in the outside world, IPv6.
pub(crate) const GATEWAY_V6: &str = "fd00:ec::1";
/// The DNS server of the outside world, IPv4.
pub(crate) const OUTSIDE_DNS_V4: &str = "198.51.100.53";
/// The DNS server of the outside world, IPv6.
pub(crate) const OUTSIDE_DNS_V6: &str = "fd00:ec::53";
/// The HTTP and echo server of the outside world, IPv4.
pub(crate) const OUTSIDE_WEB_V4: &str = "198.51.100.80";
/// The HTTP and echo server of the outside world, IPv6.
pub(crate) const OUTSIDE_WEB_V6: &str = "fd00:ec::80";
/// The Service address of the API server.
pub(crate) const API_SERVICE: &str = "10.96.0.1";
/// The Service address of the cluster's DNS.
pub(crate) const DNS_SERVICE: &str = "10.96.0.10";

const PODS_V4: &str = "10.244.0.0/16";
const PODS_V6: &str = "fd00:244::/56";
const SERVICES_V4: &str = "10.96.0.0/12";
const SERVICES_V6: &str = "fd00:96::/112";

/// The place of one lab among those of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leg(u8);

impl Leg {
    /// The leg with this index, or `None` where there is no such leg.
    pub(crate) fn new(index: u8) -> Option<Self> {
        (index < MAX_LABS).then_some(Self(index))
    }

    fn address(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(LEGS[0], LEGS[1], LEGS[2], 4 * self.0 + host)
    }

    /// The lab's end: where this machine reaches the API server.
    pub(crate) fn lab_end(self) -> Ipv4Addr {
        self.address(1)
    }

    /// This machine's end.
    pub(crate) fn host_end(self) -> Ipv4Addr {
        self.address(2)
    }

    /// The network of both, as `198.18.10.0/30`.
    pub(crate) fn network(self) -> String {
        format!("{}/30", self.address(0))
    }

    /// The name of this machine's link into the lab.
    pub(crate) fn link(self) -> String {
        format!("{LINK_PREFIX}{}", self.0)
    }
}

/// The name of the node with this number, counted from 1.
pub(crate) fn node_name(number: u8) -> String {
    format!("node{number}")
}

/// The IPv4 address of that node.
pub(crate) fn node_v4(number: u8) -> String {
    format!("172.30.0.{}", 10 + number)
}

/// The IPv6 address of that node. Its last group reads like the last part of the IPv4 address.
pub(crate) fn node_v6(number: u8) -> String {
    format!("fd00:30::{}", 10 + number)
}

/// The pod ranges as Kubernetes takes them, IPv4 first.
pub(crate) fn pod_cidrs(dual_stack: bool) -> String {
    join(PODS_V4, PODS_V6, dual_stack)
}

/// The Service ranges as Kubernetes takes them, IPv4 first.
pub(crate) fn service_cidrs(dual_stack: bool) -> String {
    join(SERVICES_V4, SERVICES_V6, dual_stack)
}

/// Flannel's `net-conf.json`.
pub(crate) fn flannel_network(dual_stack: bool) -> String {
    let mut config = serde_json::json!({
        "Network": PODS_V4,
        "EnableNFTables": false,
        "Backend": {"Type": "vxlan"},
    });
    if dual_stack {
        config["EnableIPv6"] = true.into();
        config["IPv6Network"] = PODS_V6.into();
    }
    config.to_string()
}

fn join(v4: &str, v6: &str, dual_stack: bool) -> String {
    if dual_stack {
        format!("{v4},{v6}")
    } else {
        v4.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn legs_of_two_labs_share_no_address_and_no_name() {
        let mut seen = HashSet::new();
        for index in 0..MAX_LABS {
            let leg = Leg::new(index).unwrap();
            for one in [
                leg.lab_end().to_string(),
                leg.host_end().to_string(),
                leg.network(),
                leg.link(),
            ] {
                assert!(seen.insert(one.clone()), "{one} twice");
            }
        }
        assert_eq!(Leg::new(MAX_LABS), None);
    }

    #[test]
    fn a_link_name_fits_into_what_the_kernel_allows() {
        for index in 0..MAX_LABS {
            assert!(Leg::new(index).unwrap().link().len() <= 15);
        }
    }

    #[test]
    fn the_first_leg_starts_at_the_first_address() {
        let leg = Leg::new(0).unwrap();
        assert_eq!(leg.network(), "198.18.10.0/30");
        assert_eq!(leg.lab_end().to_string(), "198.18.10.1");
        assert_eq!(leg.host_end().to_string(), "198.18.10.2");
    }

    #[test]
    fn every_node_has_its_own_address_in_the_network_of_the_nodes() {
        let addresses: HashSet<_> = (1..=MAX_NODES).map(node_v4).collect();
        assert_eq!(addresses.len(), usize::from(MAX_NODES));
        assert!(!addresses.contains(ROUTER_V4));
        assert_eq!(node_v4(1), "172.30.0.11");
        assert_eq!(node_v6(1), "fd00:30::11");
    }

    #[test]
    fn dual_stack_lists_ipv4_first() {
        assert_eq!(pod_cidrs(true), "10.244.0.0/16,fd00:244::/56");
        assert_eq!(service_cidrs(false), "10.96.0.0/12");
        assert!(flannel_network(true).contains("IPv6Network"));
        assert!(!flannel_network(false).contains("IPv6"));
    }
}
