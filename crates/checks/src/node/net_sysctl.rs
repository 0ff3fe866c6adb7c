use std::collections::BTreeMap;

use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::nodes::{Nodes, majority, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Kernel settings that networking rests on, against what is usual and against the other nodes. Those that break
/// something have checks of their own (forwarding, bridged packets, the reverse path filter): what is found here is told
/// and is no fault by itself.
pub(crate) static CHECK: Check = Check {
    id: "net-sysctl",
    claim: "the kernel settings that networking rests on are usual, and the same on every node",
    needs: &[Need::NodeNetwork],
    judge,
};

type Settings = BTreeMap<String, String>;

/// A setting, what is usual, and what another value does.
struct Usual {
    name: &'static str,
    is: fn(&str) -> bool,
    such_as: &'static str,
    otherwise: &'static str,
}

const USUAL: &[Usual] = &[
    Usual {
        name: "net.ipv4.ip_no_pmtu_disc",
        is: |value| value == "0",
        such_as: "0",
        otherwise: "the node does not learn the MTU of a path",
    },
    Usual {
        name: "net.ipv4.ip_local_port_range",
        is: spares_node_ports,
        such_as: "beyond 30000-32767",
        otherwise: "outgoing connections take ports that are for NodePorts",
    },
    Usual {
        name: "net.ipv4.neigh.default.gc_thresh3",
        is: |value| value.parse().is_ok_and(|most: u64| most >= 1024),
        such_as: "1024 or more",
        otherwise: "the table of neighbours overflows in a large cluster",
    },
    Usual {
        name: "net.netfilter.nf_conntrack_tcp_timeout_established",
        is: |value| value.parse().is_ok_and(|seconds: u64| seconds >= 3_600),
        such_as: "86400, as kube-proxy sets it",
        otherwise: "connections that are idle for longer lose their translation",
    },
];

/// Settings that are of no use to compare: counts, and what is sized by the machine.
const OWN: &[&str] = &[
    "net.netfilter.nf_conntrack_count",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_expect_max",
];

/// The default range of NodePorts.
fn spares_node_ports(range: &str) -> bool {
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u32>().ok());
    match (ends.next(), ends.next()) {
        (Some(low), Some(high)) => low > 32_767 || high < 30_000,
        _ => true,
    }
}

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.sysctls, find)
}

fn find(_nodes: &Nodes<'_>, part: &[(&str, &Settings)], judgement: &mut Judgement) {
    for &(node, settings) in part {
        for usual in USUAL {
            let Some(value) = settings.get(usual.name) else {
                continue;
            };
            if !(usual.is)(value) {
                judgement.findings.push(note(
                    node,
                    usual.name,
                    format!("{} of {node} is unusual: {}", usual.name, usual.otherwise),
                    format!("it is {value}, and {} is usual", usual.such_as),
                ));
            }
        }
    }
    judgement.findings.extend(odd_ones(part));
}

/// Nodes on which a setting is another than on most.
fn odd_ones(part: &[(&str, &Settings)]) -> Vec<Finding> {
    let names = part.iter().flat_map(|(_, settings)| settings.keys());
    // Settings of devices follow the devices that a node has.
    let comparable: std::collections::BTreeSet<&String> = names
        .filter(|name| !name.contains(".conf.") && !OWN.contains(&name.as_str()))
        .collect();
    let mut findings = Vec::new();
    for name in comparable {
        let values = part
            .iter()
            .filter_map(|(node, settings)| Some((*node, settings.get(name)?.as_str())));
        let values: Vec<(&str, &str)> = values.collect();
        let Some(most) = majority(values.iter().map(|(_, value)| *value)) else {
            continue;
        };
        for (node, value) in values.into_iter().filter(|(_, value)| *value != most) {
            findings.push(note(
                node,
                name,
                format!("{name} of {node} is another than on the other nodes"),
                format!("it is {value}, and {most} elsewhere"),
            ));
        }
    }
    findings
}

fn note(node: &str, name: &str, summary: String, fact: String) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::node(node),
        summary,
        Evidence::command(fact, on_node(node, &[&format!("sysctl {name}")])),
    );
    finding.hint = Some(format!(
        "settings that are to last belong into /etc/sysctl.d: `{}`",
        on_node(node, &[&format!("grep -r {name} /etc/sysctl.conf /etc/sysctl.d")])
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, set};
    use crate::shown;

    #[test]
    fn what_is_unusual_and_what_differs_is_told() {
        let scene = Scene::healthy(3)
            .change("node1", |reads| set(reads, "net.ipv4.ip_no_pmtu_disc", "1"))
            .change("node2", |reads| set(reads, "net.ipv4.icmp_ratelimit", "0"))
            .change("node1", |reads| set(reads, "net.ipv4.icmp_ratelimit", "1000"))
            .change("node3", |reads| set(reads, "net.ipv4.icmp_ratelimit", "1000"));
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 2);
        assert!(findings.iter().all(|finding| finding.severity == Severity::Note));
        assert_eq!(findings[1].subject, Subject::node("node2"));
    }

    #[test]
    fn ports_of_outgoing_connections_spare_those_of_services() {
        for (range, spares) in [
            ("32768\t60999", true),
            ("1024 29999", true),
            ("1024\t65535", false),
            ("15000 32767", false),
            ("odd", true),
        ] {
            assert_eq!(spares_node_ports(range), spares, "{range}");
        }
    }

    #[test]
    fn usual_settings_pass_and_those_that_follow_the_machine_are_not_compared() {
        let scene = Scene::healthy(3)
            .change("node1", |reads| set(reads, "net.netfilter.nf_conntrack_max", "1"))
            .change("node2", |reads| set(reads, "net.netfilter.nf_conntrack_max", "2"))
            .change("node3", |reads| set(reads, "net.netfilter.nf_conntrack_max", "2"));
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn a_node_that_was_not_read_is_unknown() {
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
