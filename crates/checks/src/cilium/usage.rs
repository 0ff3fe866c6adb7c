//! How much of what a node may give away is taken.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use observation::CiliumNode;
use report::{Evidence, Finding, Severity, Subject};

use super::Scene;
use super::cni_cilium::CHECK;
use crate::check::{Breaks, Judgement};
use crate::product::{grade, share};

/// What a node may give away, and how much of it is taken; of the family that has less left.
pub(crate) struct Usage<'a> {
    pub(crate) node: &'a CiliumNode,
    pub(crate) used: u128,
    pub(crate) size: u128,
}

/// The use of each node. A node whose use is not known is missing.
pub(crate) fn of_nodes<'a>(scene: &Scene<'a>) -> Vec<Usage<'a>> {
    let counts = endpoints_by_node(scene);
    let nodes = scene.cilium.nodes.seen().into_iter().flatten();
    nodes.filter_map(|node| of_node(node, counts.as_ref())).collect()
}

fn of_node<'a>(node: &'a CiliumNode, counts: Option<&BTreeMap<IpAddr, u128>>) -> Option<Usage<'a>> {
    if let (Some(size), Some(used)) = (node.pool.filter(|size| *size > 0), node.used) {
        return Some(Usage {
            node,
            used: used.into(),
            size: size.into(),
        });
    }
    // Ranges of IPv6 do not run out.
    let ranges: Vec<IpNet> = node
        .pod_cidrs
        .iter()
        .chain(node.pools.values().flatten())
        .filter_map(|cidr| cidr.parse().ok())
        .filter(|cidr: &IpNet| cidr.addr().is_ipv4())
        .collect();
    if ranges.is_empty() {
        return None;
    }
    // The first and the last address of a range are not given away.
    let size: u128 = ranges
        .iter()
        .map(|cidr| (1_u128 << (32 - u32::from(cidr.prefix_len()))).saturating_sub(2))
        .sum();
    let endpoints = node.internal_ips.iter().map(|address| counts?.get(address));
    let endpoints: u128 = endpoints.flatten().sum();
    counts?;
    // The agent itself has one, and its health endpoint another.
    Some(Usage {
        node,
        used: endpoints + 2,
        size,
    })
}

fn endpoints_by_node(scene: &Scene<'_>) -> Option<BTreeMap<IpAddr, u128>> {
    if scene.setting("disable-endpoint-crd") == Some("true") {
        return None;
    }
    let mut counts = BTreeMap::new();
    for endpoint in scene.cilium.endpoints.seen()? {
        if let Some(node) = endpoint.node_ip {
            *counts.entry(node).or_insert(0) += 1;
        }
    }
    Some(counts)
}

pub(super) fn judge(scene: &Scene<'_>, judgement: &mut Judgement) {
    for node in scene.cilium.nodes.seen().into_iter().flatten() {
        if let Some(finding) = without_range(scene, node) {
            judgement.cause(finding, Breaks::Nothing);
        }
    }
    for usage in of_nodes(scene) {
        let Some(severity) = grade(usage.used, usage.size) else {
            continue;
        };
        let name = &usage.node.name;
        let what = if usage.used >= usage.size {
            "is out of addresses"
        } else {
            "is about to run out of addresses"
        };
        let mut finding = Finding::new(
            CHECK.id,
            severity,
            Subject::node(name),
            format!(
                "{name} {what} for pods: {} are given away",
                share(usage.used, usage.size)
            ),
            Scene::fact(ranges(usage.node), usage.node),
        );
        finding.evidence.push(Evidence::command(
            format!("{} of them are given away", usage.used),
            scene.in_agent(name, "cilium-dbg status --all-addresses"),
        ));
        finding.hint = Some(match scene.ipam() {
            "cluster-pool" | "kubernetes" => format!(
                "have fewer pods on {name}; a range of a node does not grow, only nodes that join later get larger ones \
                 (cluster-pool-ipv4-mask-size)"
            ),
            _ => "let the node have more interfaces or prefixes, or the subnet more addresses; how many the cloud has left cannot be \
                  seen from here"
                .to_owned(),
        });
        finding.explains = vec!["cni-ipam-use".to_owned(), "net-probe-pod".to_owned()];
        judgement.cause(finding, Breaks::Nothing);
    }
}

fn ranges(node: &CiliumNode) -> String {
    match node.pool {
        Some(size) if node.pod_cidrs.is_empty() => format!("spec.ipam.pool has {size} addresses"),
        _ if node.pod_cidrs.is_empty() => format!("spec.ipam.pools has {}", node.pools.len()),
        _ => format!("spec.ipam.podCIDRs are {}", node.pod_cidrs.join(", ")),
    }
}

/// A node that got no range: the operator has none left, or does not work.
fn without_range(scene: &Scene<'_>, node: &CiliumNode) -> Option<Finding> {
    let is_bare = ["cluster-pool", "kubernetes"].contains(&scene.ipam()) && node.pod_cidrs.is_empty();
    let error = node.operator_error.as_deref();
    if !is_bare && error.is_none() {
        return None;
    }
    let name = &node.name;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(name),
        match error {
            Some(error) => format!("Cilium's operator has no addresses for {name}: {error}"),
            None => format!("{name} has no range of addresses for pods: nobody gave it one"),
        },
        Scene::fact(
            error.map_or_else(
                || "spec.ipam.podCIDRs is empty".to_owned(),
                |error| format!("status.ipam.operator-status.error is {error}"),
            ),
            node,
        ),
    );
    let pool = scene.setting("cluster-pool-ipv4-cidr");
    if let Some(pool) = pool.filter(|_| scene.ipam() == "cluster-pool") {
        finding.evidence.push(Evidence::command(
            format!(
                "cluster-pool-ipv4-cidr is {pool}, in pieces of /{}, and {} have one",
                scene.setting("cluster-pool-ipv4-mask-size").unwrap_or("24"),
                crate::product::count(having(scene), "node")
            ),
            format!(
                "kubectl -n {} get configmap cilium-config -o yaml",
                crate::shell::word(scene.namespace())
            ),
        ));
    }
    let by_operator = "kubectl logs -A -l io.cilium/app=operator --tail=100";
    finding.hint = Some(match scene.ipam() {
        "kubernetes" => {
            "the controller manager gives ranges to nodes, with --allocate-node-cidrs: `kubectl get nodes -o \
                         custom-columns=NODE:.metadata.name,RANGE:.spec.podCIDRs`"
                .to_owned()
        }
        "cluster-pool" => format!(
            "add a further range to cluster-pool-ipv4-cidr, which stays beside the first, and see what the operator says: `{by_operator}`"
        ),
        _ => format!("see what the operator says: `{by_operator}`"),
    });
    finding.explains = vec!["cni-ipam-use".to_owned(), "net-probe-pod".to_owned()];
    Some(finding)
}

fn having(scene: &Scene<'_>) -> usize {
    let nodes = scene.cilium.nodes.seen().into_iter().flatten();
    nodes.filter(|node| !node.pod_cidrs.is_empty()).count()
}
