use observation::Route;
use report::{Evidence, Family, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, Way, inside, is_default, on_nodes, shown};
use crate::shell::on_node;
use crate::view::View;

/// Where nodes reach each other's pods by routes in the main table, each needs one to each. Whether a CNI works that way
/// shows in the others: where no node has such a route, none is missing. A route that throws away the pods' or the
/// Services' addresses is wrong anywhere.
pub(crate) static CHECK: Check = Check {
    id: "cni-route",
    claim: "every node has a route to the pods of every other node",
    needs: &[Need::NodeNetwork],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(
        view,
        |reads| &reads.routes,
        |nodes, part, judgement| {
            find(view, nodes, part, judgement);
        },
    )
}

fn find(view: &View<'_>, nodes: &Nodes<'_>, part: &[(&str, &Vec<Route>)], judgement: &mut Judgement) {
    for &(node, _) in part {
        if let Some(finding) = thrown_services(view, nodes, node) {
            judgement.cause(finding, Breaks::Nothing);
        }
    }
    let ways = nodes.ways();
    if !ways.iter().any(Way::is_own) {
        return;
    }
    // A tunnel that is down takes its routes along: then they are not what is wrong.
    let is_down = |way: &Way<'_>| {
        nodes
            .tunnel(way.node, Family::of(way.cidr.addr()))
            .is_some_and(|tunnel| !tunnel.link.up)
    };
    for way in ways
        .iter()
        .filter(|way| !(way.is_own() || is_down(way) && thrown(way.route).is_none()))
        .filter(|way| thrown(way.route).is_some() || is_known(nodes, way))
    {
        let breaks = Breaks::Pairs {
            pairs: vec![(way.node.to_owned(), way.peer.name.clone())],
        };
        judgement.cause(finding(nodes, way), breaks);
    }
}

/// Whether the peer's CNI has told the others how it is reached, where such is told: before that nobody can have a route to it.
fn is_known(nodes: &Nodes<'_>, way: &Way<'_>) -> bool {
    const TOLD: &str = "flannel.alpha.coreos.com/backend-type";
    let tells = |node: &observation::Node| node.annotations.contains_key(TOLD);
    tells(way.peer) || !nodes.object(way.node).is_some_and(tells)
}

/// A route that throws packets away.
fn thrown(route: Option<&Route>) -> Option<&Route> {
    route.filter(|route| {
        matches!(
            route.kind.as_str(),
            "blackhole" | "unreachable" | "prohibit" | "throw"
        )
    })
}

/// What a node sends to Services is looked up before it is translated: a route that throws their addresses away stops
/// it, and with it only what the node itself sends.
fn thrown_services(view: &View<'_>, nodes: &Nodes<'_>, node: &str) -> Option<Finding> {
    let services = view.observation.reach.as_ref()?.services.as_ref()?.seen()?;
    let mut addresses = services.iter().flat_map(|service| &service.cluster_ips);
    let (address, route) =
        addresses.find_map(|address| Some((address, thrown(nodes.best_route(node, *address))?)))?;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        format!("{node} throws away what it sends to Services: `{}`", shown(route)),
        Evidence::command(
            format!(
                "{address} is the address of a Service, and its route is `{}`",
                shown(route)
            ),
            on_node(node, &[&format!("ip route get {address}")]),
        ),
    );
    finding.hint = Some(format!(
        "find who set it, and delete it: `{}`",
        on_node(node, &[&format!("ip route del {}", shown(route))])
    ));
    Some(finding)
}

fn finding(nodes: &Nodes<'_>, way: &Way<'_>) -> Finding {
    let (node, peer) = (way.node, way.peer.name.as_str());
    let thrown = way.route.filter(|route| {
        matches!(
            route.kind.as_str(),
            "blackhole" | "unreachable" | "prohibit" | "throw"
        )
    });
    let summary = match thrown {
        Some(route) => format!("{node} throws away packets to pods of {peer}: `{}`", shown(route)),
        None => format!("{node} has no route to the pods of {peer} ({})", way.cidr),
    };
    let fact = match way.route {
        Some(route) if is_default(route) => format!("only the default route fits: `{}`", shown(route)),
        Some(route) => format!("the best route is `{}`", shown(route)),
        None => "no route fits".to_owned(),
    };
    let look = on_node(node, &[&format!("ip route get {}", inside(way.cidr))]);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::node(node),
        summary,
        Evidence::command(fact, look),
    );
    if let Some(other) = back(nodes, way) {
        finding.evidence.push(other);
    }
    finding.hint = Some(match (thrown, repair(nodes, way)) {
        (Some(route), _) => format!(
            "find who set it, and delete it: `{}`",
            on_node(node, &[&format!("ip route del {}", shown(route))])
        ),
        (None, Some(repair)) => format!(
            "restart the CNI's pod on {node}, which sets it anew; or set the route itself: `{}`",
            on_node(node, &[&repair])
        ),
        (None, None) => format!("restart the CNI's pod on {node}, which sets it anew"),
    });
    finding
}

/// That the peer has its own route back shows that the CNI works by routes.
fn back(nodes: &Nodes<'_>, way: &Way<'_>) -> Option<Evidence> {
    let ways = nodes.ways();
    let back = ways
        .iter()
        .find(|back| back.node == way.peer.name && back.peer.name == way.node && back.is_own());
    let (from, route) = if let Some(back) = back {
        (back.node, back.route?)
    } else {
        let other = ways.iter().find(|other| other.is_own())?;
        (other.node, other.route?)
    };
    Some(Evidence::command(
        format!("{from} has `{}`", shown(route)),
        on_node(from, &["ip route show"]),
    ))
}

/// The missing route, made after the pattern of those to other nodes.
fn repair(nodes: &Nodes<'_>, way: &Way<'_>) -> Option<String> {
    let family = Family::of(way.cidr.addr());
    let tunnel = nodes.tunnel(way.node, family)?.link;
    let far = nodes.tunnel(&way.peer.name, family)?.link;
    let gateway = far
        .addresses
        .iter()
        .map(|address| address.address)
        .find(|address| address.is_ipv4() == way.cidr.addr().is_ipv4() && way.cidr.contains(address))?;
    Some(format!(
        "ip route replace {} via {gateway} dev {} onlink",
        way.cidr, tunnel.name
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, blackhole, without_route};
    use crate::shown;

    #[test]
    fn a_missing_route_is_found_on_the_node_that_lacks_it() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| without_route(reads, "10.244.2.0/24"))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject, Subject::node("node1"));
        assert_eq!(
            findings[0].summary,
            "node1 has no route to the pods of node2 (10.244.2.0/24)"
        );
        let hint = findings[0].hint.as_ref().unwrap();
        assert!(
            hint.contains("ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink"),
            "{hint}"
        );
    }

    #[test]
    fn a_route_that_throws_packets_away_is_found() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| blackhole(reads, "10.244.2.0/24"))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert!(
            findings[0].summary.contains("throws away"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn routes_that_a_tunnel_took_along_are_not_what_is_wrong() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| {
                crate::node_scene::link(reads, "flannel.1").up = false;
                without_route(reads, "10.244.2.0/24");
            })
            .observation();
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn to_a_node_whose_cni_has_not_told_where_it_is_nobody_has_a_route() {
        let told = |scene: Scene, node: &str| {
            scene.change_object(node, |node| {
                let name = "flannel.alpha.coreos.com/backend-type";
                node.annotations.insert(name.to_owned(), "vxlan".to_owned());
            })
        };
        let scene = Scene::healthy(3).change("node1", |reads| without_route(reads, "10.244.2.0/24"));
        let joining = told(told(scene, "node1"), "node3");
        shown::passes(&CHECK, &joining.observation());
        shown::finds(&CHECK, &told(joining, "node2").observation());
    }

    #[test]
    fn where_no_node_has_such_routes_none_is_missing() {
        let mut scene = Scene::healthy(2);
        for (node, cidr) in [("node1", "10.244.2.0/24"), ("node2", "10.244.1.0/24")] {
            scene = scene.change(node, move |reads| without_route(reads, cidr));
        }
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn all_routes_there_pass_and_a_node_that_was_not_read_is_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }

    #[test]
    fn each_family_has_routes_of_its_own() {
        shown::passes(&CHECK, &Scene::dual_stack(3).observation());
        let observation = Scene::dual_stack(3)
            .change("node1", |reads| without_route(reads, "fd00:244:0:2::/64"))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].hint.as_ref().is_some_and(|hint| {
                hint.contains("ip route replace fd00:244:0:2::/64 via fd00:244:0:2:: dev flannel-v6.1 onlink")
            }),
            "{:?}",
            findings[0].hint
        );
    }
}
