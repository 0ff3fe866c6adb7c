use std::net::IpAddr;

use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes, pod_cidrs};
use crate::shell::on_node;
use crate::view::View;

/// `host-local` keeps a file for each address that it gave away. Many more files than pods are addresses of pods that
/// are gone; when they fill the node's range, no pod can be started.
pub(crate) static CHECK: Check = Check {
    id: "cni-ipam-leak",
    claim: "no node keeps addresses of pods that are gone",
    needs: &[Need::NodeAccess],
    judge,
};

const DIRECTORY: &str = "/var/lib/cni/networks/";
/// Files beyond the pods that may belong to pods that come and go at the moment.
const SLACK: usize = 10;
/// The same where the range is full, so that each of them counts.
const FEW: usize = 3;
/// From how many hundredths of the range on the node is about to run out.
const NEARLY: usize = 95;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| reads.directories.get("/opt/cni/bin").unwrap_or(&super::NOT_READ),
        find,
    )
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<String>)], judgement: &mut Judgement) {
    for &(node, _) in part {
        let before = &nodes.evidence[node].before;
        let (Some(links), Some(object)) = (before.links.seen(), nodes.object(node)) else {
            continue;
        };
        let pods = links
            .iter()
            .filter(|link| link.kind.as_deref() == Some("veth"))
            .count();
        for (path, names) in &before.directories {
            let (true, Some(names)) = (path.starts_with(DIRECTORY), names.seen()) else {
                continue;
            };
            let kept = names.iter().filter(|name| name.parse::<IpAddr>().is_ok()).count();
            let room = pod_cidrs(object)
                .into_iter()
                .find(|cidr| cidr.addr().is_ipv4())
                .map(|cidr| cidr.hosts().take(70_000).count().saturating_sub(1));
            let full = room.is_some_and(|room| kept * 100 >= room * NEARLY);
            if kept <= pods + if full { FEW } else { SLACK } {
                continue;
            }
            let severity = if full { Severity::Error } else { Severity::Warning };
            let what = if full {
                format!("{node} is out of pod addresses, and most of them belong to no pod")
            } else {
                format!("{node} keeps addresses of pods that are gone")
            };
            let mut finding = Finding::new(
                CHECK.id,
                severity,
                Subject::node(node),
                what,
                Evidence::command(
                    format!(
                        "{kept} addresses are reserved in {path}, and {pods} pods have a link on the node"
                    ),
                    on_node(node, &[&format!("ls {path}"), "ip -br link show type veth"]),
                ),
            );
            finding.explains = super::NO_NETWORK
                .iter()
                .chain(&["cni-ipam-use"])
                .map(|id| (*id).to_owned())
                .collect();
            finding.hint = Some(format!(
                "drain {node}, delete the files of addresses that no pod on it has, and uncordon it; each file holds the id of \
                 the container it was for: `{}`",
                on_node(node, &[&format!("grep -r . {path}")])
            ));
            if full {
                judgement.cause(finding, Breaks::Nothing);
            } else {
                judgement.findings.push(finding);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, directory};
    use crate::shown;

    fn reserved(reads: &mut observation::NodeReads, count: usize) {
        let names: Vec<String> = (2..count + 2).map(|last| format!("10.244.2.{last}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).chain(["lock"]).collect();
        directory(reads, "/var/lib/cni/networks/cbr0", &names);
    }

    #[test]
    fn reservations_without_pods_that_fill_the_range_are_an_error() {
        for (count, severity) in [(60, Severity::Warning), (250, Severity::Error)] {
            let observation = Scene::privileged(3)
                .change("node2", move |reads| reserved(reads, count))
                .observation();
            assert_eq!(shown::finds(&CHECK, &observation)[0].severity, severity);
        }
    }

    #[test]
    fn in_a_small_range_that_is_full_a_few_count_already() {
        let observation = Scene::privileged(3)
            .change_object("node2", |node| node.pod_cidrs = vec!["10.244.2.0/28".into()])
            .change("node2", |reads| reserved(reads, 13))
            .observation();
        assert_eq!(shown::finds(&CHECK, &observation)[0].severity, Severity::Error);
    }

    #[test]
    fn a_few_more_than_pods_pass_and_a_node_that_was_not_read_is_unknown() {
        let observation = Scene::privileged(3)
            .change("node2", |reads| reserved(reads, 8))
            .observation();
        shown::passes(&CHECK, &observation);
        shown::cannot_tell(&CHECK, &Scene::privileged(3).unread("node3").observation());
    }
}
