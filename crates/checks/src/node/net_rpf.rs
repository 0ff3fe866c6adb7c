use observation::Route;
use report::{Evidence, Family, Finding, Observed, Severity, Subject};

use super::rise::counted;
use super::{of_device, setting};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, Tunnel, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// A strict reverse path filter drops what arrives on another device than the answer would leave by. It takes three
/// facts: the filter is strict, the way back is another, and the kernel's own counter rose while the probes ran.
pub(crate) static CHECK: Check = Check {
    id: "net-rpf",
    claim: "no node drops pods' packets because their way back is another",
    needs: &[Need::NodeNetwork],
    judge,
};

const COUNTER: &str = "TcpExtIPReversePathFilter";
const STRICT: i64 = 1;

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.routes, find)
}

fn find(nodes: &Nodes<'_>, part: &[(&str, &Vec<Route>)], judgement: &mut Judgement) {
    for &(node, _) in part {
        let evidence = nodes.evidence[node];
        let Some(Tunnel { link: tunnel, .. }) = nodes.tunnel(node, Family::IPv4) else {
            continue;
        };
        let filter = |device: &str| setting(evidence, &of_device(device, "rp_filter"));
        // The kernel takes the larger of the two; 2 is loose.
        let strictness = filter("all").max(filter(&tunnel.name));
        let mut detours = Vec::new();
        for peer in nodes.objects().filter(|peer| peer.name != node) {
            // The peer's packets come through the tunnel; where do the answers go?
            let sends_through_tunnel = nodes.tunnel(&peer.name, Family::IPv4).is_some();
            let back = nodes
                .cidrs(&peer.name)
                .filter(|cidr| cidr.addr().is_ipv4())
                .find_map(|cidr| nodes.best_route(node, cidr.network()));
            let Some(back) = back else { continue };
            if !sends_through_tunnel || back.device.as_deref() == Some(tunnel.name.as_str()) {
                continue;
            }
            detours.push((peer, back));
        }
        if strictness != Some(STRICT) || detours.is_empty() {
            continue;
        }
        // Only now does the counter decide, and one that was not read decides nothing.
        let dropped = match counted(node, evidence, COUNTER) {
            Observed::Seen(0) => continue,
            Observed::Seen(dropped) => dropped,
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap);
                continue;
            }
        };
        for (peer, back) in detours {
            judgement.cause(
                finding(node, &peer.name, &tunnel.name, back, dropped),
                Breaks::Pairs {
                    pairs: vec![(node.to_owned(), peer.name.clone())],
                },
            );
        }
    }
}

fn finding(node: &str, peer: &str, tunnel: &str, back: &observation::Route, dropped: u64) -> Finding {
    let settings = format!(
        "sysctl {} {}",
        of_device("all", "rp_filter"),
        of_device(tunnel, "rp_filter")
    );
    let way = back.device.as_deref().unwrap_or("another way");
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!(
            "{node} drops packets of pods of {peer}: they arrive on {tunnel}, the way back is {way}, and the reverse path \
             filter is strict"
        ),
        Evidence::command(
            format!("{COUNTER} rose by {dropped} while the probes ran"),
            on_node(node, &["grep IPReversePathFilter -A1 /proc/net/netstat"]),
        ),
    );
    finding.evidence.push(Evidence::command(
        format!("`{}`", crate::nodes::shown(back)),
        on_node(node, &[&format!("ip route show {}", back.destination)]),
    ));
    finding.evidence.push(Evidence::command(
        "the larger of the two is 1, which is strict",
        on_node(node, &[&settings]),
    ));
    finding.hint = Some(format!(
        "the route to pods of {peer} should leave by {tunnel}, as the others do; find who set it: `{}`",
        on_node(node, &["ip route show"])
    ));
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, count, detour, set, uncounted};
    use crate::shown;

    fn strict(scene: Scene) -> Scene {
        scene.change("node2", |reads| set(reads, "net.ipv4.conf.all.rp_filter", "1"))
    }

    #[test]
    fn strictness_a_detour_and_the_counter_together_are_found() {
        let scene = strict(Scene::healthy(3)).change("node2", |reads| detour(reads, "10.244.1.0/24"));
        shown::passes(&CHECK, &scene.clone().observation());
        let scene = scene.change_after("node2", |reads| count(reads, COUNTER, 50));
        let findings = shown::finds(&CHECK, &scene.observation());
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].summary.contains("pods of node1"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn a_strict_filter_with_the_same_way_back_passes() {
        let scene = strict(Scene::healthy(3)).change_after("node2", |reads| count(reads, COUNTER, 50));
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn a_counter_that_was_not_read_is_not_zero() {
        let scene = strict(Scene::healthy(3)).change("node2", |reads| detour(reads, "10.244.1.0/24"));
        shown::cannot_tell(&CHECK, &scene.clone().read_once("node2").observation());
        let scene = scene.change("node2", |reads| uncounted(reads, COUNTER));
        shown::cannot_tell(&CHECK, &scene.observation());
    }

    #[test]
    fn a_node_that_was_not_read_is_unknown() {
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
