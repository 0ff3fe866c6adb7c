use observation::Route;
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::{Nodes, on_nodes};
use crate::shell::on_node;
use crate::view::View;

/// Without a default route a node reaches nothing outside, and no ClusterIP either: the route is looked up before the
/// address is translated. A cluster in which no node has one is meant so.
pub(crate) static CHECK: Check = Check {
    id: "net-n-defrt",
    claim: "every node has a default route where others have one",
    needs: &[Need::NodeNetwork],
    judge,
};

const DEFAULT: &str = "0.0.0.0/0";

fn judge(view: &View<'_>) -> Judgement {
    on_nodes(view, |reads| &reads.routes, find)
}

fn find(_: &Nodes<'_>, part: &[(&str, &Vec<Route>)], judgement: &mut Judgement) {
    let default = |routes: &Vec<Route>| {
        let found = routes.iter().find(|route| route.destination == DEFAULT);
        found.cloned()
    };
    let example = part
        .iter()
        .find_map(|(node, routes)| Some((*node, default(routes)?)));
    let Some((other, example)) = example else {
        return;
    };
    for &(node, routes) in part {
        if default(routes).is_some() {
            continue;
        }
        let command = on_node(node, &["ip route show default"]);
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(node),
            format!("{node} has no default route"),
            Evidence::command("it prints nothing", command),
        );
        finding.evidence.push(Evidence::command(
            format!("{other} has `{}`", crate::nodes::shown(&example)),
            on_node(other, &["ip route show default"]),
        ));
        let restore = example.gateway.map(|gateway| {
            let device = example
                .device
                .as_ref()
                .map(|device| format!(" dev {device}"))
                .unwrap_or_default();
            format!("ip route add default via {gateway}{device}")
        });
        finding.hint = Some(match restore {
            Some(restore) => format!(
                "if {node} is in the network of {other}, restore it, and in the node's network configuration: `{}`",
                on_node(node, &[&restore])
            ),
            None => "restore it in the node's network configuration".to_owned(),
        });
        judgement.cause(finding, Breaks::Nothing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::{Scene, without_route};
    use crate::shown;

    #[test]
    fn the_one_node_without_a_default_route_is_named() {
        let observation = Scene::healthy(3)
            .change("node1", |reads| without_route(reads, DEFAULT))
            .observation();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].summary, "node1 has no default route");
        assert!(
            findings[0]
                .hint
                .as_ref()
                .unwrap()
                .contains("ip route add default via 172.30.0.1")
        );
    }

    #[test]
    fn a_cluster_without_any_default_route_is_meant_so() {
        let mut scene = Scene::healthy(2);
        for node in ["node1", "node2"] {
            scene = scene.change(node, |reads| without_route(reads, DEFAULT));
        }
        shown::passes(&CHECK, &scene.observation());
    }

    #[test]
    fn nodes_with_one_pass_and_those_that_were_not_read_are_unknown() {
        shown::passes(&CHECK, &Scene::healthy(3).observation());
        shown::cannot_tell(&CHECK, &Scene::healthy(3).unread("node3").observation());
    }
}
