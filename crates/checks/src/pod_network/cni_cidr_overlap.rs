use ipnet::IpNet;
use observation::{Node, Route};
use report::{Evidence, Finding, Severity, Subject};

use super::{Cnis, ids, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{MAIN, pod_cidrs, shown};
use crate::shell::on_node;
use crate::view::View;

/// The ranges of pods, of Services and of nodes lie apart. A range that is on a node's own wire as well is looked for there, and nobody
/// answers. A route to a larger network does no harm, and neither does one for a single host.
pub(crate) static CHECK: Check = Check {
    id: "cni-cidr-overlap",
    claim: "the ranges of pods, Services and nodes do not overlap",
    needs: &[Need::Cni],
    judge,
};

const LIST: &str = "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs,ADDRESSES:.status.addresses[*].address";

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let owned: Vec<(&Node, IpNet)> = scene
            .nodes
            .iter()
            .flat_map(|node| pod_cidrs(node).into_iter().map(|cidr| (*node, cidr.trunc())))
            .collect();
        if scene.uses_pod_cidrs() {
            pairwise(&owned, judgement);
            beyond(scene, &owned, judgement);
            on_the_wire(view, &owned, judgement);
        }
        services(scene, &owned, judgement);
        addresses(scene, &owned, judgement);
    })
}

fn overlap(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

fn finding(subject: Subject, summary: String, evidence: Evidence) -> Finding {
    let mut finding = Finding::new(CHECK.id, Severity::Error, subject, summary, evidence);
    finding.explains = ids(&[
        "net-mesh",
        "cni-overlay",
        "cni-route",
        "cni-pod-ip",
        "cni-bridge",
        "net-egr-masq",
        "cni-subnetenv",
        "cni-vxlan-if",
        "cni-log",
        "cni-events",
        "net-probe-pod",
        "cni-dup-ip",
        "cni-flannel-net",
        "net-rpf",
        "net-svc",
    ]);
    finding
}

/// Ranges of two nodes of which one is within the other. Equal ones are told by the check of each node's own range.
fn pairwise(owned: &[(&Node, IpNet)], judgement: &mut Judgement) {
    let mut sorted: Vec<&(&Node, IpNet)> = owned.iter().collect();
    // By the first address, the larger first: whatever overlaps with something overlaps with one before it.
    sorted.sort_by_key(|(node, cidr)| (cidr.network(), cidr.prefix_len(), node.name.clone()));
    let mut last: Option<&(&Node, IpNet)> = None;
    for current in sorted {
        if let Some((holder, wide)) = last
            && overlap(wide, &current.1)
        {
            let (node, cidr) = current;
            if holder.name != node.name && wide != cidr {
                let mut finding = finding(
                    Subject::node(&node.name),
                    format!(
                        "the range {cidr} of {} lies within {wide} of {}: pods of both are given the same addresses",
                        node.name, holder.name
                    ),
                    Evidence::command(
                        format!("{} has {cidr}, {} has {wide}", node.name, holder.name),
                        LIST,
                    ),
                );
                finding.hint = Some(format!(
                    "a node's range cannot be changed: drain {name}, delete its object and restart its kubelet, so that it is given another one: \
                     `kubectl drain {name} --ignore-daemonsets && kubectl delete node {name}`",
                    name = crate::shell::word(&node.name)
                ));
                let breaks = Breaks::CrossNode {
                    node: node.name.clone(),
                };
                judgement.cause(finding, breaks);
            }
            continue;
        }
        last = Some(current);
    }
}

/// Ranges of nodes outside of the cluster's.
fn beyond(scene: &Cnis<'_>, owned: &[(&Node, IpNet)], judgement: &mut Judgement) {
    let signs = scene.facts.ranges.pods.seen().into_iter().flatten();
    let ranges: Vec<(IpNet, &observation::RangeSign)> = signs
        .filter_map(|sign| Some((sign.cidr.parse().ok()?, sign)))
        .collect();
    for (node, cidr) in owned {
        let mut of_family = ranges
            .iter()
            .filter(|(range, _)| range.addr().is_ipv4() == cidr.addr().is_ipv4())
            .peekable();
        let Some((_, sign)) = of_family.peek().copied() else {
            continue;
        };
        if of_family.any(|(range, _)| range.contains(cidr)) {
            continue;
        }
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Warning,
            Subject::node(&node.name),
            format!(
                "the range {cidr} of {} is outside of the cluster's, {}: what leaves its pods for other pods may be translated",
                node.name, sign.cidr
            ),
            Evidence::command(format!("{} has {cidr}", node.name), LIST),
        );
        finding.evidence.push(Evidence::command(
            format!("{} says {}", sign.from, sign.cidr),
            sign.command.clone(),
        ));
        finding.hint =
            Some("name the same range everywhere: kube-controller-manager, kube-proxy, the CNI".to_owned());
        judgement.findings.push(finding);
    }
}

/// Ranges of pods that Services are given addresses of too.
fn services(scene: &Cnis<'_>, owned: &[(&Node, IpNet)], judgement: &mut Judgement) {
    let Some(signs) = part(&scene.facts.ranges.services, judgement) else {
        return;
    };
    for sign in signs {
        let Ok(range) = sign.cidr.parse::<IpNet>() else {
            continue;
        };
        let hit = owned.iter().find(|(_, cidr)| overlap(cidr, &range));
        let Some((node, cidr)) = hit else { continue };
        let all = owned.iter().filter(|(_, cidr)| overlap(cidr, &range)).count();
        let (subject, who) = if all == 1 {
            (
                Subject::node(&node.name),
                format!("the range {cidr} of {}", node.name),
            )
        } else {
            (
                Subject::Cluster,
                format!("the ranges of {all} nodes, as {cidr} of {},", node.name),
            )
        };
        let verb = if all == 1 { "overlaps" } else { "overlap" };
        let mut finding = finding(
            subject,
            format!(
                "{who} {verb} with that of Services, {range}: a pod can be given the address of a Service, and is not reached then"
            ),
            Evidence::command(format!("{} says {}", sign.from, sign.cidr), sign.command.clone()),
        );
        finding
            .evidence
            .push(Evidence::command(format!("{} has {cidr}", node.name), LIST));
        finding.hint = Some(if all == 1 {
            format!(
                "have the node given another range: drain it, delete its object and restart its kubelet: `kubectl drain {name} --ignore-daemonsets \
                 && kubectl delete node {name}`",
                name = crate::shell::word(&node.name)
            )
        } else {
            "one of both ranges has to be moved: those of Services can be extended with a ServiceCIDR, those of pods only node by node".to_owned()
        });
        judgement.cause(finding, Breaks::Nothing);
        return;
    }
}

/// Ranges of pods in which addresses of nodes are.
fn addresses(scene: &Cnis<'_>, owned: &[(&Node, IpNet)], judgement: &mut Judgement) {
    let services: Vec<IpNet> = scene
        .facts
        .ranges
        .services
        .seen()
        .into_iter()
        .flatten()
        .filter_map(|sign| sign.cidr.parse().ok())
        .collect();
    for node in &scene.nodes {
        for address in &node.internal_ips {
            let within = owned.iter().find(|(_, cidr)| cidr.contains(address));
            let (what, whose) = match (within, services.iter().find(|range| range.contains(address))) {
                (Some((other, cidr)), _) => (*cidr, format!("the pods of {}", other.name)),
                (None, Some(range)) => (*range, "Services".to_owned()),
                (None, None) => continue,
            };
            let mut finding = finding(
                Subject::node(&node.name),
                format!(
                    "the address {address} of {} lies within {what}, the range of {whose}",
                    node.name
                ),
                Evidence::command(format!("{} has {address}", node.name), LIST),
            );
            finding.hint = Some(
                "plan ranges for pods and Services that are used nowhere else in your network".to_owned(),
            );
            judgement.cause(finding, Breaks::Nothing);
        }
    }
}

/// Ranges of pods that a node has on a wire of its own, as that of another container engine.
fn on_the_wire(view: &View<'_>, owned: &[(&Node, IpNet)], judgement: &mut Judgement) {
    let Ok(nodes) = &view.read_nodes else {
        return;
    };
    for (name, evidence) in &nodes.evidence {
        let Some(routes) = evidence.before.routes.seen() else {
            continue;
        };
        for route in routes {
            let Some(network) = connected(nodes, name, route) else {
                continue;
            };
            let hit = owned.iter().find(|(_, cidr)| cidr.contains(&network));
            let Some((holder, cidr)) = hit else { continue };
            let device = route.device.clone().unwrap_or_default();
            let whose = if holder.name == **name {
                "its own pods".to_owned()
            } else {
                format!("the pods of {}", holder.name)
            };
            let mut finding = finding(
                Subject::node(*name),
                format!("{name} has {network} on {device}, and takes {whose} ({cidr}) to be there"),
                Evidence::command(
                    format!("its route is {}", shown(route)),
                    on_node(name, &["ip route"]),
                ),
            );
            finding
                .evidence
                .push(Evidence::command(format!("{} has {cidr}", holder.name), LIST));
            finding.hint = Some(format!(
                "give {device} another network, as the range of another container engine in its own configuration: `{}`",
                on_node(name, &[&format!("ip address show {device}")])
            ));
            let breaks = Breaks::Pairs {
                pairs: vec![((*name).to_owned(), holder.name.clone())],
            };
            judgement.cause(finding, breaks);
        }
    }
}

/// The network that a route finds on the wire itself, where no CNI made it: not through a gateway, and not one host.
fn connected(nodes: &crate::nodes::Nodes<'_>, node: &str, route: &Route) -> Option<IpNet> {
    const FOR_FEW_HOSTS: u8 = 31;
    let network: IpNet = route.destination.parse().ok()?;
    let device = route.device.as_deref()?;
    let is_plain = route.table == MAIN
        && route.kind == "unicast"
        && route.gateway.is_none()
        && route.protocol == "kernel";
    let is_wide = network.addr().is_ipv4() && network.prefix_len() < FOR_FEW_HOSTS;
    let is_cnis = nodes.bridge(node).is_some_and(|bridge| bridge.name == device)
        || nodes
            .tunnels(node)
            .iter()
            .any(|tunnel| tunnel.link.name == device)
        || [
            "veth",
            "cali",
            "lxc",
            "cni",
            "flannel",
            "cilium",
            "tunl",
            "kube-bridge",
            "weave",
            "antrea",
            "ovn-k8s",
        ]
        .iter()
        .any(|own| device.starts_with(own));
    (is_plain && is_wide && !is_cnis).then_some(network)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no, seen, sign};
    use super::*;
    use crate::node_scene::seen as read;
    use crate::shown;

    #[test]
    fn a_range_within_that_of_another_node_is_found_and_an_equal_one_is_not_this_checks() {
        let fixture = Fixture::healthy().node("node2", |node| node.pod_cidrs = vec!["10.244.2.0/23".into()]);
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .summary
                .starts_with("the range 10.244.3.0/24 of node3 lies within 10.244.2.0/23 of node2")
        );
        let equal = Fixture::healthy().node("node2", |node| node.pod_cidrs = vec!["10.244.3.0/24".into()]);
        shown::passes(&CHECK, &equal.observe());
    }

    #[test]
    fn ranges_of_services_and_addresses_of_nodes_lie_apart_from_pods() {
        let service = Fixture::healthy().node("node2", |node| node.pod_cidrs = vec!["10.96.5.0/24".into()]);
        let findings = shown::finds(&CHECK, &service.observe());
        assert!(findings.iter().any(|it| {
            it.summary
                .contains("overlaps with that of Services, 10.96.0.0/12")
        }));
        let node = Fixture::healthy().node("node2", |node| {
            node.internal_ips = vec!["10.244.1.77".parse().unwrap()];
        });
        assert!(
            shown::finds(&CHECK, &node.observe())[0]
                .summary
                .contains("the pods of node1")
        );
    }

    #[test]
    fn a_range_outside_of_the_clusters_is_a_warning() {
        let fixture = Fixture::healthy().change(|cni| seen(&mut cni.ranges.pods)[0] = sign("10.245.0.0/16"));
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!((findings.len(), findings[0].severity), (3, Severity::Warning));
    }

    fn with_route(destination: &'static str, device: &'static str) -> Fixture {
        let mut fixture = Fixture::healthy().with_nodes();
        fixture.scene = fixture.scene.change("node1", move |reads| {
            let mut route = read(&mut reads.routes)[1].clone();
            route.destination = destination.into();
            route.device = Some(device.into());
            route.protocol = "kernel".into();
            read(&mut reads.routes).push(route);
        });
        fixture
    }

    #[test]
    fn a_peers_range_on_a_wire_of_the_node_is_found() {
        let findings = shown::finds(&CHECK, &with_route("10.244.2.0/24", "docker0").observe());
        assert!(
            findings[0]
                .summary
                .starts_with("node1 has 10.244.2.0/24 on docker0, and takes the pods of node2")
        );
    }

    #[test]
    fn larger_networks_single_hosts_and_other_engines_elsewhere_do_no_harm() {
        for (destination, device) in [
            ("10.0.0.0/8", "eth0"),
            ("10.244.2.9/32", "eth0"),
            ("172.17.0.0/16", "docker0"),
            ("10.244.1.0/24", "cni0"),
        ] {
            shown::passes(&CHECK, &with_route(destination, device).observe());
        }
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn an_unknown_range_of_services_is_unknown() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.ranges.services = no("ServiceCIDRs"))
                .observe(),
        );
    }
}
