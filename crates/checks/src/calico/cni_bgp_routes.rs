use std::collections::BTreeSet;

use ipnet::IpNet;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::bgp::{is_current, sessions};
use super::scene::{Encapsulation, Pool, Scene};
use super::{on_bgp, usage};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::product::gap;
use crate::shell::on_node;
use crate::view::View;

/// A session that is up brings routes unless something filters them: then a node does not know the way to pods of another.
pub(crate) static CHECK: Check = Check {
    id: "cni-bgp-routes",
    claim: "every node has a route to every other node's blocks of addresses",
    needs: &[Need::Cni, Need::NodeNetwork],
    judge,
};

/// The routes of a node, and the command that shows them.
struct Routes {
    all: Vec<(IpNet, bool)>,
    command: String,
}

fn judge(view: &View<'_>) -> Judgement {
    on_bgp(view, |scene, judgement| {
        let calico = scene.calico;
        judgement.gaps = super::scene::gaps([calico.pools.gap(), calico.blocks.gap()]);
        let usages = usage::of_pools(scene);
        let by_bgp = |pool: &Pool<'_>| pool.encapsulation() != Encapsulation::Vxlan;
        let blocks: Vec<(&str, IpNet, &Pool<'_>)> = usages
            .iter()
            .filter(|it| by_bgp(&it.pool))
            .flat_map(|it| {
                let owned = it.blocks.iter().filter(|(block, _)| block.used > 0);
                owned.filter_map(|(block, cidr)| Some((block.node.as_deref()?, *cidr, &it.pool)))
            })
            .collect();
        let nodes: Vec<&str> = scene
            .nodes
            .into_iter()
            .flatten()
            .map(|node| node.name.as_str())
            .collect();
        let mut unread = Vec::new();
        for node in &nodes {
            match routes(view, scene, node) {
                Some(Ok(routes)) => of_node(scene, node, &nodes, &blocks, &routes, judgement),
                Some(Err(gap)) => judgement.gaps.push(gap),
                None => unread.push(*node),
            }
        }
        if nodes.len() > 1 && unread.len() == nodes.len() {
            judgement.skipped =
                Some("the routes of nodes were not read, and no CalicoNodeStatus has them".to_owned());
        } else if !unread.is_empty() && nodes.len() > 1 {
            judgement.gaps.push(gap(
                format!("the routes of {}", joined(&unread)),
                "they were not read",
                None,
            ));
        }
    })
}

/// Routes as the kernel has them, or else as BIRD does; `None` where neither was to be read.
fn routes(view: &View<'_>, scene: &Scene<'_>, node: &str) -> Option<Result<Routes, report::Gap>> {
    match view.observation.node_evidence.get(node) {
        Some(Observed::Unseen(gap)) => return Some(Err(gap.clone())),
        Some(Observed::Seen(evidence)) => match &evidence.before.routes {
            Observed::Unseen(gap) => return Some(Err(gap.clone())),
            Observed::Seen(all) => {
                let parsed = all
                    .iter()
                    .filter_map(|route| Some((route.destination.parse().ok()?, route.kind == "unicast")));
                return Some(Ok(Routes {
                    all: parsed.collect(),
                    command: on_node(node, &["ip route show table all"]),
                }));
            }
        },
        None => {}
    }
    let statuses = scene.calico.node_statuses.seen()?;
    let status = statuses
        .iter()
        .find(|it| it.node == node && is_current(it, &scene.cni.read_at))?;
    let parsed = status.routes.as_ref()?.iter();
    Some(Ok(Routes {
        all: parsed
            .filter_map(|text| Some((text.parse().ok()?, true)))
            .collect(),
        command: scene.show("caliconodestatuses", &status.name),
    }))
}

fn of_node(
    scene: &Scene<'_>,
    node: &str,
    nodes: &[&str],
    blocks: &[(&str, IpNet, &Pool<'_>)],
    routes: &Routes,
    judgement: &mut Judgement,
) {
    // A default route leads to the rest of the world, which has no pods.
    let leads = |block: &IpNet| {
        let mut own: Vec<&(IpNet, bool)> = routes
            .all
            .iter()
            .filter(|(to, _)| to.prefix_len() > 0 && to.contains(block))
            .collect();
        own.sort_by_key(|(to, _)| to.prefix_len());
        own.last().is_some_and(|(_, is_unicast)| *is_unicast)
    };
    let is_other = |owner: &str| owner != node && nodes.contains(&owner);
    let lost: Vec<&(&str, IpNet, &Pool<'_>)> = blocks
        .iter()
        .filter(|(owner, block, _)| is_other(owner) && !leads(block))
        .collect();
    let (sessions, _) = sessions(scene);
    let down: BTreeSet<(&str, &str)> = sessions
        .iter()
        .filter(|it| !it.is_established())
        .flat_map(|it| [(it.node, it.peer_name()), (it.peer_name(), it.node)])
        .collect();
    let owners: BTreeSet<&str> = lost.iter().map(|(owner, ..)| *owner).collect();
    // Where the session is down there is nothing more to say.
    for owner in owners.into_iter().filter(|owner| !down.contains(&(node, *owner))) {
        let of_owner: Vec<&&(&str, IpNet, &Pool<'_>)> =
            lost.iter().filter(|(name, ..)| name == &owner).collect();
        let finding = finding(scene, node, owner, &of_owner, routes);
        let pairs = vec![(node.to_owned(), owner.to_owned())];
        judgement.cause(finding, Breaks::Pairs { pairs });
    }
}

fn finding(
    scene: &Scene<'_>,
    node: &str,
    owner: &str,
    lost: &[&&(&str, IpNet, &Pool<'_>)],
    routes: &Routes,
) -> Finding {
    let cidrs: Vec<String> = lost.iter().map(|(_, block, _)| block.to_string()).collect();
    let cidrs: Vec<&str> = cidrs.iter().map(String::as_str).collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        Subject::NodePair {
            from: node.to_owned(),
            to: owner.to_owned(),
            both: false,
        },
        format!(
            "{node} has no route to {}, where pods of {owner} are",
            joined(&cidrs)
        ),
        Evidence::command(
            format!("no route to {} is listed", joined(&cidrs)),
            routes.command.clone(),
        ),
    );
    finding.evidence.push(scene.fact(
        format!("{} is a block of {owner}", cidrs[0]),
        "ipamblocks",
        &block_name(cidrs[0]),
    ));
    let unexported = lost.iter().find(|(_, _, pool)| pool.pool.disable_bgp_export);
    let mut filters = scene.calico.filters.seen().into_iter().flatten();
    let rejecting = filters.find(|filter| filter.rules.iter().any(|rule| rule.action == "Reject"));
    finding.hint = Some(if let Some((_, _, pool)) = unexported {
        finding
            .evidence
            .push(scene.fact("disableBGPExport is true", "ippools", &pool.pool.name));
        format!(
            "let the pool be told to peers: `{}`",
            scene.edit("ippools", &pool.pool.name)
        )
    } else if let Some(filter) = rejecting {
        finding
            .evidence
            .push(scene.fact("it rejects routes", "bgpfilters", &filter.name));
        format!(
            "let the filter pass the pool's routes: `{}`",
            scene.edit("bgpfilters", &filter.name)
        )
    } else {
        format!(
            "see what BIRD of {owner} tells its peers, and what {node} takes: `{}`",
            super::bgp::by_bird(scene, node)
        )
    });
    finding
}

/// The name of a block's object: its range without what a name may not have.
fn block_name(cidr: &str) -> String {
    cidr.replace(['.', '/', ':'], "-")
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn a_block_without_a_route_is_found_and_a_filter_named() {
        let broken = Fixture::bgp().without_route("node1", "node2").with(|calico| {
            calico.filters = Observed::Seen(vec![observation::BgpFilter {
                name: "no-pods".into(),
                rules: vec![observation::BgpFilterRule {
                    direction: "exportV4".into(),
                    action: "Reject".into(),
                    cidr: None,
                    operator: None,
                }],
            }]);
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            findings[0].summary,
            "node1 has no route to 10.244.2.0/26, where pods of node2 are"
        );
        assert!(
            findings[0]
                .hint
                .as_ref()
                .unwrap()
                .contains("bgpfilters.crd.projectcalico.org no-pods")
        );
    }

    #[test]
    fn a_blackhole_for_the_own_block_is_right_and_for_another_it_is_not() {
        // The healthy scene has one for the own block of each node.
        shown::passes(&CHECK, &Fixture::bgp().observe());
        let broken =
            Fixture::bgp()
                .without_route("node1", "node2")
                .route("node1", "10.244.2.0/26", "blackhole");
        shown::finds(&CHECK, &broken.observe());
    }

    #[test]
    fn where_the_session_is_down_that_is_what_is_wrong() {
        let broken = Fixture::bgp()
            .without_route("node1", "node2")
            .session("node1", "node2", "Idle", "");
        let judgement = (CHECK.judge)(&View::new(&broken.observe()));
        assert!(judgement.findings.is_empty(), "{judgement:?}");
    }

    #[test]
    fn a_wider_route_of_the_fabric_leads_there_too() {
        let fabric =
            Fixture::bgp()
                .without_route("node1", "node2")
                .route("node1", "10.244.0.0/16", "unicast");
        shown::passes(&CHECK, &fabric.observe());
    }

    #[test]
    fn routes_that_were_not_read_are_unknown() {
        shown::cannot_tell(&CHECK, &Fixture::bgp().unread("node2").observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::bgp()
                .with(|calico| calico.blocks = Fixture::unseen())
                .observe(),
        );
    }
}
