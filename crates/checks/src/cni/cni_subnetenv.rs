use std::collections::BTreeMap;

use ipnet::IpNet;
use report::{Evidence, Family, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes, pod_cidrs};
use crate::shell::on_node;
use crate::view::View;

/// flannel writes what its plugin goes by into a file of the node: the range, the network, the size of packets. Without it no pod is given a
/// network; with that of before, one of a range that nobody has a route to.
pub(crate) static CHECK: Check = Check {
    id: "cni-subnetenv",
    claim: "flannel's file of every node is there and says the node's own range",
    needs: &[Need::NodeAccess],
    judge,
};

const PATH: &str = "/run/flannel/subnet.env";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| {
            reads
                .directories
                .get("/etc/cni/net.d")
                .unwrap_or(&super::NOT_READ)
        },
        find,
    )
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<String>)], judgement: &mut Judgement) {
    for &(node, _) in part {
        let files = &nodes.evidence[node].before.files;
        let calls_flannel = files
            .iter()
            .filter(|(path, _)| path.starts_with("/etc/cni/net.d/") && super::is_configuration(path))
            .filter_map(|(_, text)| text.seen())
            .any(|text| text.replace(' ', "").contains(r#""type":"flannel""#));
        if !calls_flannel {
            continue;
        }
        match files.get(PATH) {
            None => judgement.cause(missing(node), Breaks::Nothing),
            Some(report::Observed::Unseen(gap)) => judgement.gaps.push(gap.clone()),
            Some(report::Observed::Seen(text)) => of_text(nodes, node, text, judgement),
        }
    }
}

fn look(node: &str) -> String {
    on_node(node, &[&format!("cat {PATH}")])
}

fn restart(node: &str) -> String {
    format!(
        "start flannel's pod of that node again: `kubectl get pods -A -o wide -l app=flannel --field-selector spec.nodeName={}` names it",
        crate::shell::word(node)
    )
}

fn finding(node: &str, severity: Severity, summary: String, fact: String) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        Subject::node(node),
        summary,
        Evidence::command(fact, look(node)),
    );
    finding.explains = [
        "net-probe-pod",
        "cni-events",
        "cni-pod-ip",
        "cni-log",
        "cni-bridge",
        "net-mesh",
        "cni-overlay",
    ]
    .map(str::to_owned)
    .to_vec();
    finding.hint = Some(restart(node));
    finding
}

fn missing(node: &str) -> Finding {
    finding(
        node,
        Severity::Error,
        format!("flannel's file of {node} is missing: no new pod is given a network there"),
        format!("there is no {PATH}"),
    )
}

fn of_text(nodes: &Nodes<'_>, node: &str, text: &str, judgement: &mut Judgement) {
    let values: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.trim().split_once('='))
        .collect();
    let network = |key: &str| values.get(key).and_then(|value| value.parse::<IpNet>().ok());
    let own = nodes.object(node).map(pod_cidrs).unwrap_or_default();
    for (key, of) in [("FLANNEL_SUBNET", true), ("FLANNEL_IPV6_SUBNET", false)] {
        let Some(cidr) = own.iter().find(|cidr| cidr.addr().is_ipv4() == of) else {
            continue;
        };
        match (network(key), values.get(key)) {
            (Some(subnet), _) if subnet.trunc() == cidr.trunc() => {}
            // One family may be left out.
            (None, None) if !of => {}
            (_, said) => {
                let said = said.copied().unwrap_or("nothing");
                let mut finding = finding(
                    node,
                    Severity::Error,
                    format!(
                        "flannel of {node} gives addresses of {said}, and the node's range is {cidr}: other nodes do not find its new pods"
                    ),
                    format!("{key}={said}"),
                );
                finding.evidence.push(Evidence::field(
                    format!("the node has {cidr}"),
                    format!("node/{node} .spec.podCIDRs"),
                ));
                judgement.cause(finding, Breaks::Nothing);
            }
        }
    }
    let size = values
        .get("FLANNEL_MTU")
        .and_then(|value| value.parse::<u32>().ok());
    if let (Some(size), Some(tunnel)) = (size, nodes.tunnel(node, Family::IPv4))
        && size > tunnel.link.mtu
    {
        let mut finding = finding(
            node,
            Severity::Error,
            format!(
                "flannel of {node} gives new pods packets of {size} bytes, and its tunnel {} takes {}",
                tunnel.link.name, tunnel.link.mtu
            ),
            format!("FLANNEL_MTU={size}"),
        );
        finding.evidence.push(Evidence::command(
            format!("{} has an MTU of {}", tunnel.link.name, tunnel.link.mtu),
            on_node(node, &[&format!("ip link show {}", tunnel.link.name)]),
        ));
        judgement.cause(
            finding,
            Breaks::Large {
                node: node.to_owned(),
                peer: None,
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use report::Observed;

    use super::*;
    use crate::node_scene::Scene;
    use crate::shown;

    fn with(text: Option<&str>) -> Scene {
        let mut scene = Scene::privileged(3);
        for number in 1..=3 {
            scene = scene.change(&format!("node{number}"), |reads| {
                let own = format!("FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.{number}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
                let said = if number == 2 { text.map(str::to_owned) } else { Some(own) };
                match said {
                    Some(text) => reads.files.insert(PATH.to_owned(), Observed::Seen(text)),
                    None => reads.files.remove(PATH),
                };
            });
        }
        scene
    }

    #[test]
    fn a_file_that_is_missing_or_of_another_range_is_found() {
        let findings = shown::finds(&CHECK, &with(None).observation());
        assert!(
            findings[0]
                .summary
                .starts_with("flannel's file of node2 is missing")
        );
        let other = with(Some("FLANNEL_SUBNET=10.244.9.1/24\nFLANNEL_MTU=1450\n"));
        let findings = shown::finds(&CHECK, &other.observation());
        assert!(
            findings[0]
                .summary
                .starts_with("flannel of node2 gives addresses of 10.244.9.1/24"),
            "{}",
            findings[0].summary
        );
        shown::finds(&CHECK, &with(Some("\u{0}nonsense")).observation());
    }

    #[test]
    fn packets_larger_than_the_tunnel_takes_are_found() {
        let large = with(Some("FLANNEL_SUBNET=10.244.2.1/24\nFLANNEL_MTU=1500\n"));
        assert!(
            shown::finds(&CHECK, &large.observation())[0]
                .summary
                .contains("1500")
        );
    }

    #[test]
    fn the_nodes_own_range_passes_in_the_form_of_its_gateway() {
        let own = "FLANNEL_SUBNET=10.244.2.1/24\nFLANNEL_MTU=1450\n";
        shown::passes(&CHECK, &with(Some(own)).observation());
        shown::cannot_tell(&CHECK, &with(Some(own)).unread("node3").observation());
    }
}
