//! At which layer a cause lies: a broken lower one fakes symptoms in all above it.

use report::{Finding, Severity, Subject};

use crate::check::Breaks;

/// From the bottom. A finding whose check is at none of these is a symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Layer {
    /// The node, or the network below the pods'.
    Node,
    /// The CNI's configuration and devices on a node.
    Device,
    /// What a node's kernel does with any packet.
    Forwarding,
    /// The way to one other node.
    Way,
    /// One pod's own end.
    Pod,
    /// Packets of some size, or some of them.
    Size,
    /// Rules that are meant to stop packets.
    Policy,
    /// What kube-proxy made of Services.
    Service,
    /// The way out of the cluster.
    Egress,
    /// Names: servers that answer for them, and the ways to these.
    Names,
}

const LAYERS: &[(&str, Layer)] = &[
    ("net-n2n", Layer::Node),
    ("cni-detect", Layer::Device),
    ("cni-podcidr", Layer::Device),
    ("cni-flannel-net", Layer::Device),
    ("cni-ds-ready", Layer::Device),
    ("cni-flannel", Layer::Device),
    ("cni-conf", Layer::Device),
    ("cni-conf-order", Layer::Device),
    ("cni-subnetenv", Layer::Device),
    ("cni-ipam-use", Layer::Device),
    ("cni-links", Layer::Device),
    ("cni-pod-ip", Layer::Device),
    ("cni-log", Layer::Device),
    ("cni-node-cond", Layer::Device),
    ("cni-events", Layer::Device),
    ("cni-bin", Layer::Device),
    ("cni-ipam-leak", Layer::Device),
    ("cni-bridge", Layer::Device),
    ("cni-vxlan-if", Layer::Device),
    ("cni-public-ip", Layer::Device),
    ("cni-encap-port", Layer::Device),
    ("cni-cidr-overlap", Layer::Device),
    ("cni-calico", Layer::Device),
    ("cni-calico-cfg", Layer::Device),
    ("cni-calico-pool", Layer::Device),
    ("cni-ipam-calico", Layer::Device),
    ("cni-cilium", Layer::Device),
    ("cni-terway", Layer::Device),
    ("cni-bgp", Layer::Way),
    ("cni-bgp-routes", Layer::Way),
    ("cni-calico-wep", Layer::Pod),
    ("net-ct-full", Layer::Forwarding),
    ("net-ct-use", Layer::Forwarding),
    ("net-ct-notrack", Layer::Forwarding),
    ("net-ipfwd", Layer::Forwarding),
    ("net-fw-reject", Layer::Forwarding),
    ("net-fw-backends", Layer::Forwarding),
    ("net-forward", Layer::Forwarding),
    ("net-fw-input-cni", Layer::Forwarding),
    ("net-gw", Layer::Forwarding),
    ("cni-route", Layer::Way),
    ("cni-neigh", Layer::Way),
    ("cni-fdb", Layer::Way),
    ("net-rpf", Layer::Way),
    ("net-n-defrt", Layer::Way),
    ("cni-veth", Layer::Pod),
    ("net-pod-if", Layer::Pod),
    ("net-pod-rt", Layer::Pod),
    ("cni-dup-ip", Layer::Pod),
    ("cni-dup-mac", Layer::Pod),
    ("net-mtu-pmtud", Layer::Size),
    ("net-mtu", Layer::Size),
    ("net-loss", Layer::Size),
    ("net-pol-defaultdeny", Layer::Policy),
    ("net-pol-svcport", Layer::Policy),
    ("net-pol-port", Layer::Policy),
    ("net-pol-dns", Layer::Policy),
    ("net-pol-nslabel", Layer::Policy),
    ("net-pol-nopod", Layer::Policy),
    ("net-pol-eval", Layer::Policy),
    ("net-pol-dash", Layer::Policy),
    ("net-pol-hostnet", Layer::Policy),
    ("cni-nopolicy", Layer::Policy),
    ("cni-pol-dataplane", Layer::Policy),
    ("ep-kp-ipvs-mod", Layer::Service),
    ("ep-kp-ds", Layer::Service),
    ("ep-kp-metrics", Layer::Service),
    ("ep-kp-log", Layer::Service),
    ("ep-kp-cfg", Layer::Service),
    ("ep-ct-stale", Layer::Service),
    ("ep-rule-hook", Layer::Service),
    ("ep-rule-order", Layer::Service),
    ("ep-rule-missing", Layer::Service),
    ("ep-rule-backends", Layer::Service),
    ("ep-notfound", Layer::Service),
    ("ep-sel-near", Layer::Service),
    ("ep-sel", Layer::Service),
    ("ep-ready", Layer::Service),
    ("ep-tport-name", Layer::Service),
    ("ep-slice-stale", Layer::Service),
    ("ep-tport-num", Layer::Service),
    ("ep-listen-local", Layer::Service),
    ("ep-port-proto", Layer::Service),
    ("ep-slice-foreign", Layer::Service),
    ("ep-slice-portname", Layer::Service),
    ("ep-empty", Layer::Service),
    ("ep-port", Layer::Service),
    ("ep-mirror", Layer::Service),
    ("ep-headless", Layer::Service),
    ("ep-dual", Layer::Service),
    ("ep-extname", Layer::Service),
    ("ep-lb", Layer::Service),
    ("ep-lb-pending", Layer::Service),
    ("ep-np-range", Layer::Service),
    ("ep-proxyname", Layer::Service),
    ("ep-aff", Layer::Service),
    ("ep-spread", Layer::Service),
    ("ep-rule-stale", Layer::Service),
    ("ep-rule-stale-ep", Layer::Service),
    ("ep-rule-lack-ep", Layer::Service),
    ("ep-rule-reject", Layer::Service),
    ("ep-rule-extra", Layer::Service),
    ("ep-rule-ipvs", Layer::Service),
    ("ep-rule-mark", Layer::Service),
    ("ep-rule-prob", Layer::Service),
    ("net-brnf", Layer::Service),
    ("net-hairpin", Layer::Service),
    ("net-svc-ratio", Layer::Service),
    ("net-hostport", Layer::Service),
    ("net-egr-masq", Layer::Egress),
    ("net-egr-overmasq", Layer::Egress),
    ("dns-locate", Layer::Names),
    ("dns-cf-parse", Layer::Names),
    ("dns-cf-prop", Layer::Names),
    ("dns-cf-cache-syntax", Layer::Names),
    ("dns-cf-fwd-self", Layer::Names),
    ("dns-cf-fwd-reserved", Layer::Names),
    ("dns-cf-fwd-typo", Layer::Names),
    ("dns-cf-zone", Layer::Names),
    ("dns-cf-steal", Layer::Names),
    ("dns-cf-ready", Layer::Names),
    ("dns-cf-pods", Layer::Names),
    ("dns-rbac", Layer::Names),
    ("dns-svc", Layer::Names),
    ("dns-kubelet", Layer::Names),
    ("dns-nodelocal", Layer::Names),
    ("dns-resources", Layer::Names),
    ("dns-crash", Layer::Names),
    ("dns-probes", Layer::Names),
    ("dns-deploy", Layer::Names),
    ("dns-ep", Layer::Names),
    ("dns-pod-policy", Layer::Names),
    ("dns-pod-config", Layer::Names),
    ("dns-pod-limits", Layer::Names),
    ("dns-pod-ns", Layer::Names),
    ("dns-pod-resolv", Layer::Names),
    ("dns-pod-musl", Layer::Names),
    ("dns-port-udp", Layer::Names),
    ("dns-res-server", Layer::Names),
    ("dns-port-tcp", Layer::Names),
    ("dns-5s", Layer::Names),
    ("dns-replica-diff", Layer::Names),
    ("dns-up", Layer::Names),
];

/// The layer of a finding; `None` for a symptom, and for what is only told.
pub(super) fn of(finding: &Finding) -> Option<Layer> {
    if finding.severity == Severity::Note {
        return None;
    }
    LAYERS
        .iter()
        .find(|(id, _)| *id == finding.id)
        .map(|(_, layer)| *layer)
}

/// Which probes a finding breaks whose check does not say.
pub(super) fn breaks(finding: &Finding) -> Breaks {
    match (finding.id.as_str(), &finding.subject) {
        (
            "net-forward" | "net-fw-reject" | "net-fw-backends" | "net-ct-full",
            Subject::Object { kind, name, .. },
        ) if kind == "node" => Breaks::Node { node: name.clone() },
        ("cni-encap-port" | "net-ct-notrack", Subject::Object { kind, name, .. }) if kind == "node" => {
            Breaks::CrossNode { node: name.clone() }
        }
        ("net-mtu" | "net-mtu-pmtud", Subject::Object { kind, name, .. }) if kind == "node" => {
            Breaks::Large {
                node: name.clone(),
                peer: None,
            }
        }
        ("net-mtu" | "net-mtu-pmtud", Subject::NodePair { from, to, .. }) => Breaks::Large {
            node: from.clone(),
            peer: Some(to.clone()),
        },
        ("net-loss", Subject::Object { kind, name, .. }) if kind == "node" => {
            Breaks::CrossNode { node: name.clone() }
        }
        ("net-loss", Subject::NodePair { from, to, .. }) => Breaks::Pairs {
            pairs: vec![(from.clone(), to.clone())],
        },
        _ => Breaks::Nothing,
    }
}
