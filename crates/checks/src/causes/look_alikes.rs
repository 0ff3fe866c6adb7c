//! What a cause could be taken for, and what excludes it.

use report::{CheckResult, Finding, RuledOut, Subject, Verdict};

use crate::view::View;

/// Causes with the same symptoms, by the id of a cause: those that a reader would think of first.
const LOOK_ALIKES: &[(&str, &[&str])] = &[
    ("cni-route", &["cni-neigh", "cni-fdb", "net-ipfwd", "net-forward"]),
    ("cni-neigh", &["cni-route", "cni-fdb", "net-forward"]),
    (
        "cni-fdb",
        &["cni-route", "cni-neigh", "cni-encap-port", "cni-vxlan-if"],
    ),
    ("cni-vxlan-if", &["cni-encap-port", "cni-public-ip", "net-ipfwd"]),
    ("cni-public-ip", &["cni-encap-port", "cni-vxlan-if", "cni-route"]),
    (
        "cni-encap-port",
        &["cni-vxlan-if", "cni-fdb", "cni-route", "net-forward"],
    ),
    ("cni-conf", &["cni-ds-ready", "cni-bin", "cni-ipam-use"]),
    ("cni-conf-order", &["cni-bin", "cni-ipam-use", "cni-podcidr"]),
    ("cni-bin", &["cni-conf", "cni-ipam-use", "cni-subnetenv"]),
    ("cni-ds-ready", &["cni-flannel-net", "cni-podcidr", "cni-conf"]),
    ("cni-ipam-use", &["cni-ipam-leak", "cni-bin", "cni-conf"]),
    ("cni-ipam-leak", &["cni-bin", "cni-conf", "cni-subnetenv"]),
    ("cni-subnetenv", &["cni-ds-ready", "cni-podcidr", "cni-conf"]),
    ("cni-podcidr", &["cni-cidr-overlap", "cni-flannel-net"]),
    (
        "cni-flannel-net",
        &["cni-podcidr", "cni-ds-ready", "cni-cidr-overlap"],
    ),
    ("cni-cidr-overlap", &["cni-podcidr", "cni-flannel-net"]),
    ("cni-bridge", &["net-ipfwd", "net-forward", "net-fw-input-cni"]),
    ("net-ipfwd", &["net-forward", "cni-route", "cni-bridge"]),
    ("net-forward", &["net-ipfwd", "cni-bridge", "cni-encap-port"]),
    ("net-fw-reject", &["cni-neigh", "cni-route", "net-ipfwd"]),
    ("net-fw-backends", &["net-ipfwd", "cni-encap-port"]),
    ("net-fw-input-cni", &["cni-bridge", "net-forward"]),
    ("net-rpf", &["net-forward", "cni-route", "cni-encap-port"]),
    ("net-ct-full", &["net-forward", "net-ipfwd", "cni-encap-port"]),
    ("net-ct-notrack", &["net-forward", "net-mtu", "cni-encap-port"]),
    ("net-egr-masq", &["net-n-defrt", "net-forward", "net-ipfwd"]),
    ("net-egr-overmasq", &["net-egr-masq"]),
    ("net-n-defrt", &["net-egr-masq", "ep-rule-hook"]),
    ("net-pod-if", &["cni-bridge", "cni-dup-ip", "net-fw-input-cni"]),
    (
        "net-pod-rt",
        &["net-pod-if", "net-n-defrt", "net-ipfwd", "net-egr-masq"],
    ),
    ("cni-dup-ip", &["cni-dup-mac", "net-pod-if", "net-forward"]),
    ("cni-dup-mac", &["cni-dup-ip", "net-pod-if", "net-forward"]),
    ("net-mtu", &["net-loss", "cni-encap-port"]),
    ("net-loss", &["net-mtu", "net-ct-full"]),
    (
        "net-n2n",
        &[
            "cni-encap-port",
            "cni-fdb",
            "cni-route",
            "net-forward",
            "net-ct-full",
        ],
    ),
    ("net-gw", &["cni-bridge", "net-forward", "net-ipfwd"]),
    ("net-brnf", &["ep-rule-missing", "ep-rule-hook", "net-forward"]),
    ("ep-rule-hook", &["ep-rule-missing", "net-n-defrt"]),
    ("ep-rule-missing", &["ep-rule-hook", "ep-rule-backends"]),
];

/// The look-alikes that were looked at on the same subject, and are not there.
pub(super) fn ruled_out(cause: &Finding, checks: &[CheckResult], view: &View<'_>) -> Vec<RuledOut> {
    let alike = LOOK_ALIKES
        .iter()
        .find(|(id, _)| *id == cause.id)
        .map_or(&[][..], |(_, alike)| *alike);
    alike
        .iter()
        .filter_map(|id| {
            let check = checks.iter().find(|check| check.id == *id)?;
            // A check with a gap may have missed it; one that found something found it, perhaps elsewhere.
            let passed = check.verdict() == Verdict::Pass;
            passed.then(|| RuledOut {
                cause: (*id).to_owned(),
                by: format!("{}{}", check.claim, place(&cause.subject, view)),
            })
        })
        .collect()
}

/// Where it was looked at, in a clause.
fn place(subject: &Subject, view: &View<'_>) -> String {
    let read = view
        .observation
        .node_evidence
        .values()
        .filter(|evidence| evidence.seen().is_some())
        .count();
    match subject {
        Subject::Object { kind, .. } if kind == "node" && read > 0 => format!(" ({read} nodes were read)"),
        _ => String::new(),
    }
}
