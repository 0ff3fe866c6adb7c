use std::collections::BTreeMap;

use observation::NodeEvidence;
use report::{Evidence, Family, Finding, Severity, Subject};

use super::{of_device, setting, setting_after};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A node that does not forward drops what its pods send to others and what others send to them. Pods on one bridge
/// reach each other, and the node itself reaches everything.
pub(crate) static CHECK: Check = Check {
    id: "net-ipfwd",
    claim: "every node forwards packets",
    needs: &[Need::NodeNetwork],
    judge,
};

const GLOBAL: &str = "net.ipv4.ip_forward";
const IPV6: &str = "net.ipv6.conf.all.forwarding";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.sysctls, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &BTreeMap<String, String>)], judgement: &mut Judgement) {
    for &(node, _) in part {
        let evidence = nodes.evidence[node];
        let off = switched_off(nodes, node, evidence);
        if let Some(first) = off.first() {
            let breaks = Breaks::CrossNode {
                node: node.to_owned(),
            };
            judgement.cause(finding(node, evidence, first, &off), breaks);
        }
    }
}

/// The settings that keep packets of pods from being forwarded.
fn switched_off(nodes: &Nodes<'_>, node: &str, evidence: &NodeEvidence) -> Vec<String> {
    let mut names = vec![GLOBAL.to_owned()];
    // Of a tunnel for the other family the kernel asks another switch.
    let devices = [
        nodes.bridge(node).map(|link| link.name.as_str()),
        nodes
            .tunnel(node, Family::IPv4)
            .map(|tunnel| tunnel.link.name.as_str()),
        uplink(evidence),
    ];
    names.extend(
        devices
            .into_iter()
            .flatten()
            .map(|device| of_device(device, "forwarding")),
    );
    let has_ipv6 = nodes.cidrs(node).any(|cidr| cidr.addr().is_ipv6());
    if has_ipv6 {
        names.push(IPV6.to_owned());
    }
    let off: Vec<String> = names
        .into_iter()
        .filter(|name| setting(evidence, name) == Some(0))
        .collect();
    // The global switch sets those of all devices.
    if off.iter().any(|name| name == GLOBAL) {
        return off
            .into_iter()
            .filter(|name| !name.starts_with("net.ipv4.conf."))
            .collect();
    }
    off
}

/// The device of the default route.
fn uplink(evidence: &NodeEvidence) -> Option<&str> {
    let routes = evidence.before.routes.seen()?;
    let default = routes.iter().find(|route| route.destination == "0.0.0.0/0");
    default?.device.as_deref()
}

fn finding(node: &str, evidence: &NodeEvidence, first: &str, off: &[String]) -> Finding {
    let command = on_node(node, &[&format!("sysctl {}", off.join(" "))]);
    let seen = off.iter().map(|name| format!("{name} = 0"));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!("{node} does not forward packets: {first} is 0"),
        Evidence::command(seen.collect::<Vec<_>>().join(", "), command.clone()),
    );
    if setting_after(evidence, first) == Some(1) {
        finding.evidence.push(Evidence::command(
            "it was 0 before the probe pods started and is 1 since: a CNI plugin switches it on when it starts a pod, \
             so that probes made after that find nothing",
            command,
        ));
    }
    let fix: Vec<String> = off.iter().map(|name| format!("sysctl -w {name}=1")).collect();
    let fix: Vec<&str> = fix.iter().map(String::as_str).collect();
    finding.hint = Some(format!(
        "switch it on, and find in /etc/sysctl.d what switches it off: `{}`",
        on_node(node, &fix)
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, set};
    use crate::shown;

    #[test]
    fn a_node_that_does_not_forward_is_named_with_the_setting() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| set(reads, GLOBAL, "0"))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].summary,
            "node2 does not forward packets: net.ipv4.ip_forward is 0"
        );
    }

    #[test]
    fn one_device_that_does_not_forward_is_enough() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| {
                set(reads, "net.ipv4.conf.docker0.forwarding", "0");
            })
            .observation();
        // A device without a part in the way of pods does not matter.
        shown::passes(&CHECK, &observation);
        let observation = Scene::healthy(3)
            .change("node1", |reads| {
                set(reads, "net.ipv4.conf.flannel/1.forwarding", "0");
            })
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0].summary.contains("flannel/1"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn what_the_run_itself_repaired_is_told() {
        let observation = Scene::healthy(3)
            .change("node2", |reads| set(reads, GLOBAL, "0"))
            .change_after("node2", |reads| set(reads, GLOBAL, "1"))
            .observation();
        assert_eq!(shown::finds(&CHECK, &observation)[0].evidence.len(), 2);
    }

    #[test]
    fn nodes_that_forward_pass_and_those_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
