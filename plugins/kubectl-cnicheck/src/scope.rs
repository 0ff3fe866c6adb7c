//! What each subcommand is about: which checks are made, and what has to be looked at for them.

use checks::{Check, Need, Selection};

/// What a subcommand looks at, beside the CNI by what the API says.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing to look at, and they go together in any way"
)]
pub(crate) struct Scope {
    /// As it is typed.
    pub(crate) command: &'static str,
    /// Whether it is about a check.
    concerns: fn(&Check) -> bool,
    /// Whether nodes are read.
    pub(crate) nodes: bool,
    /// Whether the networks of their pods are, where that is allowed.
    pub(crate) pods: bool,
    /// Whether every pair of nodes is tried from pods.
    pub(crate) mesh: bool,
    /// Whether sizes are measured in any case.
    pub(crate) sizes: bool,
    /// Whether nodes are tried among each other: what is lost between them is lost below every CNI.
    pub(crate) between_nodes: bool,
    /// Whether the cluster's DNS is looked at.
    pub(crate) dns: bool,
    /// Whether it is asked who enforces NetworkPolicies, where there are some.
    pub(crate) policies: bool,
}

const NOTHING_MORE: Scope = Scope {
    command: "",
    concerns: |_| false,
    nodes: false,
    pods: false,
    mesh: false,
    sizes: false,
    between_nodes: false,
    dns: false,
    policies: false,
};

impl Scope {
    pub(crate) const DETECT: Self = Self {
        command: "detect",
        concerns: |check| ["cni-detect", "cni-version"].contains(&check.id),
        ..NOTHING_MORE
    };
    pub(crate) const STATUS: Self = Self {
        command: "status",
        concerns: |check| (is_by_api(check) && !is_triage(check)) || check.id == NO_POLICY,
        policies: true,
        ..NOTHING_MORE
    };
    pub(crate) const LOGS: Self = Self {
        command: "logs",
        concerns: |check| ["cni-log", "cni-events"].contains(&check.id),
        ..NOTHING_MORE
    };
    pub(crate) const CONFIG: Self = Self {
        command: "config",
        concerns: |check| CONFIG.contains(&check.id),
        nodes: true,
        ..NOTHING_MORE
    };
    pub(crate) const IPAM: Self = Self {
        command: "ipam",
        concerns: |check| check.id.starts_with("cni-ipam") || IPAM.contains(&check.id),
        nodes: true,
        pods: true,
        ..NOTHING_MORE
    };
    pub(crate) const BGP: Self = Self {
        command: "bgp",
        concerns: |check| BGP.contains(&check.id),
        nodes: true,
        ..NOTHING_MORE
    };
    pub(crate) const CIDR: Self = Self {
        command: "cidr",
        concerns: |check| CIDR.contains(&check.id),
        nodes: true,
        ..NOTHING_MORE
    };
    pub(crate) const OVERLAY: Self = Self {
        command: "overlay",
        concerns: |check| OVERLAY.contains(&check.id) || check.needs.contains(&Need::Mesh),
        nodes: true,
        mesh: true,
        between_nodes: true,
        ..NOTHING_MORE
    };
    pub(crate) const MTU: Self = Self {
        command: "mtu",
        concerns: |check| check.id == "net-mtu" || check.id.starts_with("net-mtu-"),
        nodes: true,
        mesh: true,
        sizes: true,
        ..NOTHING_MORE
    };
    pub(crate) const NODE: Self = Self {
        command: "node",
        concerns: is_of_nodes,
        nodes: true,
        pods: true,
        ..NOTHING_MORE
    };
    pub(crate) const TRIAGE: Self = Self {
        command: "triage",
        concerns: |check| is_triage(check) || TRIAGE.contains(&check.id) || check.needs.contains(&Need::Mesh),
        nodes: true,
        mesh: true,
        between_nodes: true,
        dns: true,
        ..NOTHING_MORE
    };
    pub(crate) const DIAGNOSE: Self = Self {
        command: "diagnose",
        concerns: |check| {
            let is_told = |need: &Need| {
                matches!(
                    need,
                    Need::Cni | Need::Mesh | Need::NodeNetwork | Need::NodeAccess | Need::PodNetworks
                )
            };
            let is_told =
                check.needs.iter().all(is_told) && !is_triage(check) && !check.id.starts_with("ep-");
            is_told || check.id == NO_POLICY
        },
        nodes: true,
        pods: true,
        mesh: true,
        between_nodes: true,
        policies: true,
        ..NOTHING_MORE
    };

    /// The checks that it is about.
    pub(crate) fn selection(&self) -> Selection {
        Selection::of(self.concerns)
    }
}

/// Of all that is to be said of policies, what is the CNI's: whether anybody enforces them.
const NO_POLICY: &str = "cni-nopolicy";
const CONFIG: [&str; 9] = [
    "cni-detect",
    "cni-conf",
    "cni-conf-order",
    "cni-bin",
    "cni-subnetenv",
    "cni-flannel-net",
    "cni-node-cond",
    "cni-calico-cfg",
    "cni-calico-pool",
];
const IPAM: [&str; 7] = [
    "cni-pod-ip",
    "cni-podcidr",
    "cni-dup-ip",
    "cni-events",
    "cni-calico-pool",
    "cni-cilium",
    "cni-terway",
];
const BGP: [&str; 5] = [
    "cni-calico",
    "cni-calico-cfg",
    "cni-calico-pool",
    "cni-bgp",
    "cni-bgp-routes",
];
const CIDR: [&str; 5] = [
    "cni-podcidr",
    "cni-cidr-overlap",
    "cni-flannel-net",
    "cni-pod-ip",
    "cni-subnetenv",
];
const OVERLAY: [&str; 21] = [
    "cni-overlay",
    "cni-links",
    "cni-vxlan-if",
    "cni-route",
    "cni-neigh",
    "cni-fdb",
    "cni-public-ip",
    "cni-encap-port",
    "cni-bridge",
    "cni-bgp",
    "cni-bgp-routes",
    "cni-flannel",
    "cni-cidr-overlap",
    "net-ipfwd",
    "net-forward",
    "net-fw-reject",
    "net-fw-backends",
    "net-fw-input-cni",
    "net-rpf",
    "net-vxlan-csum",
    "net-n2n",
];
const TRIAGE: [&str; 17] = [
    "cni-detect",
    "cni-ds-ready",
    "cni-node-cond",
    "cni-events",
    "cni-ipam-use",
    "cni-podcidr",
    "cni-cidr-overlap",
    "cni-flannel-net",
    "cni-calico",
    "cni-ipam-calico",
    "cni-bgp",
    "cni-cilium",
    "cni-terway",
    "net-n2n",
    "dns-ep",
    "dns-deploy",
    "dns-crash",
];

fn is_triage(check: &Check) -> bool {
    check.id.starts_with("cni-triage")
}

fn is_by_api(check: &Check) -> bool {
    check.needs.iter().all(|need| *need == Need::Cni)
}

fn is_of_nodes(check: &Check) -> bool {
    let is_read = |need: &Need| matches!(need, Need::NodeNetwork | Need::NodeAccess | Need::PodNetworks);
    check.needs.iter().all(is_read) && !check.id.starts_with("ep-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Scope; 12] = [
        Scope::DIAGNOSE,
        Scope::DETECT,
        Scope::STATUS,
        Scope::CONFIG,
        Scope::IPAM,
        Scope::OVERLAY,
        Scope::BGP,
        Scope::CIDR,
        Scope::MTU,
        Scope::NODE,
        Scope::LOGS,
        Scope::TRIAGE,
    ];

    #[test]
    fn every_command_is_about_something_and_looks_at_what_it_needs() {
        for scope in ALL {
            let needs = scope.selection().needs();
            assert!(!needs.is_empty(), "{} makes no check", scope.command);
            let of_nodes = [Need::NodeNetwork, Need::NodeAccess];
            if of_nodes.iter().any(|need| needs.contains(need)) {
                assert!(scope.nodes, "{}", scope.command);
            }
            if needs.contains(&Need::Mesh) {
                assert!(scope.mesh, "{}", scope.command);
            }
        }
    }

    #[test]
    fn each_command_makes_its_own_checks_and_no_others() {
        for (scope, made, others) in [
            (
                Scope::STATUS,
                &["cni-ds-ready", "cni-log", "cni-flannel-net"][..],
                &["cni-route", "cni-triage", "net-mesh"][..],
            ),
            (
                Scope::OVERLAY,
                &["cni-route", "net-mesh"],
                &["cni-log", "cni-bin", "ep-sel"],
            ),
            (
                Scope::BGP,
                &["cni-bgp", "cni-bgp-routes", "cni-calico-cfg"],
                &["net-mesh", "cni-route", "cni-log"],
            ),
            (
                Scope::NODE,
                &["cni-bin", "net-rpf"],
                &["net-mesh", "ep-rule-stale", "cni-log"],
            ),
            (
                Scope::DIAGNOSE,
                &["cni-bin", "net-mesh", "cni-log"],
                &["cni-triage-dns", "net-egr", "net-pol-dns"],
            ),
        ] {
            let selection = scope.selection();
            for id in made {
                assert!(selection.has(id), "{} lacks {id}", scope.command);
            }
            for id in others {
                assert!(!selection.has(id), "{} makes {id}", scope.command);
            }
        }
    }
}
