use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use observation::Node;
use report::{Evidence, Finding, Severity, Subject};

use super::bgp::{Session, by_bird, sessions};
use super::on_bgp;
use super::scene::{Scene, bgp_addresses};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::firewall::joined;
use crate::product::gap;
use crate::view::View;

/// Without a session nodes do not hear of each other's pods. A `calico-node` that is ready does not mean that all of them are up: some
/// time after its start one session is enough for it.
pub(crate) static CHECK: Check = Check {
    id: "cni-bgp",
    claim: "the BGP sessions of all nodes are established",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_bgp(view, |scene, judgement| {
        if let Some(gap) = scene.calico.agents.gap() {
            judgement.gaps.push(gap.clone());
        }
        wrong_addresses(scene, judgement);
        let (all, whole) = sessions(scene);
        let down: Vec<&Session<'_>> = all.iter().filter(|session| !session.is_established()).collect();
        of_places(scene, &all, down, judgement);
        // A cluster of one node has nobody to talk to.
        if scene.nodes.is_some_and(|nodes| nodes.len() < 2)
            && scene.calico.peers.seen().is_some_and(Vec::is_empty)
        {
            return;
        }
        unasked(scene, &whole, judgement);
    })
}

/// Nodes whose sessions nobody told.
fn unasked(scene: &Scene<'_>, whole: &BTreeSet<&str>, judgement: &mut Judgement) {
    let mut rest: Vec<&str> = Vec::new();
    for agent in scene.agents("calico-node") {
        let Some(node) = agent.node.as_deref().filter(|node| !whole.contains(node)) else {
            continue;
        };
        match scene.calico.birds.get(node).and_then(|said| said.gap()) {
            Some(gap) => judgement.gaps.push(gap.clone()),
            None => rest.push(node),
        }
    }
    if let Some(first) = rest.first() {
        judgement.gaps.push(gap(
            format!("the BGP sessions of {}", joined(&rest)),
            "the API has no CalicoNodeStatus of them, and BIRD was not asked; that calico-node is ready only means that one is up",
            Some(format!("ask it: `{}`", by_bird(scene, first))),
        ));
    }
}

/// Where Calico took another address for the node's own, peers look for it in vain.
fn wrong_addresses(scene: &Scene<'_>, judgement: &mut Judgement) {
    let mut owners: BTreeMap<IpAddr, Vec<&Node>> = BTreeMap::new();
    for node in scene.nodes.into_iter().flatten() {
        for address in bgp_addresses(node) {
            owners.entry(address).or_default().push(node);
        }
    }
    for (address, nodes) in owners.into_iter().filter(|(_, nodes)| nodes.len() > 1) {
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            Subject::node(names[0]),
            format!(
                "{} all say that they are at {address}, so that at most one of them is found there",
                joined(&names)
            ),
            told(names[0], address),
        );
        finding
            .evidence
            .extend(names[1..].iter().map(|name| told(name, address)));
        finding.hint = Some(autodetection());
        finding.explains = vec!["cni-bgp-routes".to_owned(), "cni-calico".to_owned()];
        judgement.cause(
            finding,
            Breaks::CrossNode {
                node: names[0].to_owned(),
            },
        );
    }
}

fn told(node: &str, address: IpAddr) -> Evidence {
    let name = if address.is_ipv4() {
        "IPv4Address"
    } else {
        "IPv6Address"
    };
    Evidence::field(
        format!("projectcalico.org/{name} is {address}"),
        format!("node/{node} .metadata.annotations"),
    )
}

fn autodetection() -> String {
    "tell Calico how to find a node's address, by the variable IP_AUTODETECTION_METHOD of calico-node, or with its operator by \
     spec.calicoNetwork.nodeAddressAutodetectionV4 of the Installation; see what it took: `kubectl get nodes -o \
     custom-columns='NODE:.metadata.name,TAKEN:.metadata.annotations.projectcalico\\.org/IPv4Address,OWN:.status.addresses[0].address'`"
        .to_owned()
}

/// Sessions that are down, by the place that most of them have in common.
fn of_places(scene: &Scene<'_>, all: &[Session<'_>], mut down: Vec<&Session<'_>>, judgement: &mut Judgement) {
    while !down.is_empty() {
        let mut ends: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for session in &down {
            ends.entry(session.node).or_default().insert(session.peer_name());
            ends.entry(session.peer_name()).or_default().insert(session.node);
        }
        // Of ends with as many, one that has no session at all.
        let is_alone = |name: &str| {
            let mut others = all.iter().filter(|it| it.node == name || it.peer_name() == name);
            !others.any(Session::is_established)
        };
        let Some((&place, peers)) = ends
            .iter()
            .max_by_key(|(name, peers)| (peers.len(), is_alone(name)))
        else {
            return;
        };
        let of_place = |session: &&Session<'_>| session.node == place || session.peer_name() == place;
        let (own, rest): (Vec<&Session<'_>>, Vec<&Session<'_>>) = down.into_iter().partition(of_place);
        let peers: Vec<&str> = peers.iter().copied().collect();
        add(scene, place, &peers, &own, judgement);
        down = rest;
    }
}

fn add(scene: &Scene<'_>, place: &str, peers: &[&str], own: &[&Session<'_>], judgement: &mut Judgement) {
    let is_node = |name: &str| {
        scene
            .nodes
            .is_some_and(|nodes| nodes.iter().any(|node| node.name == name))
    };
    let subject = match (peers, is_node(place)) {
        ([one], true) if is_node(one) => Subject::NodePair {
            from: place.min(one).to_owned(),
            to: place.max(one).to_owned(),
            both: true,
        },
        ([one], false) if is_node(one) => Subject::node(*one),
        (_, true) => Subject::node(place),
        _ => Subject::Cluster,
    };
    let what = if peers.len() == 1 {
        "session is"
    } else {
        "sessions are"
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        format!(
            "the BGP {what} down between {place} and {}{}",
            joined(peers),
            because(scene, place, own)
        ),
        own[0].evidence.clone(),
    );
    finding
        .evidence
        .extend(own[1..].iter().take(4).map(|session| session.evidence.clone()));
    finding.evidence.extend(taken(scene, place));
    finding.hint = Some(fix(scene, place, own));
    finding.explains = vec!["cni-bgp-routes".to_owned(), "cni-calico".to_owned()];
    let pairs = peers.iter().map(|peer| (place.to_owned(), (*peer).to_owned()));
    judgement.cause(
        finding,
        Breaks::Pairs {
            pairs: pairs.collect(),
        },
    );
}

/// The address that Calico took for a node's, where that is none of its InternalIPs.
fn taken(scene: &Scene<'_>, place: &str) -> Option<Evidence> {
    let node = scene.nodes?.iter().find(|node| node.name == place)?;
    let other = bgp_addresses(node).find(|address| !node.internal_ips.contains(address))?;
    let mut evidence = told(place, other);
    let own: Vec<String> = node.internal_ips.iter().map(ToString::to_string).collect();
    evidence.fact = format!(
        "{}, and the node's own addresses are {}",
        evidence.fact,
        own.join(", ")
    );
    Some(evidence)
}

fn says(own: &[&Session<'_>], words: &str) -> bool {
    let words = words.to_lowercase();
    own.iter()
        .any(|session| session.info.to_lowercase().contains(&words))
}

fn has_other_as(own: &[&Session<'_>]) -> bool {
    says(own, "Bad peer AS")
}

fn because(scene: &Scene<'_>, place: &str, own: &[&Session<'_>]) -> String {
    if taken(scene, place).is_some() {
        return format!(": Calico took an address for that of {place} which is not its InternalIP");
    }
    if has_other_as(own) {
        return ": the two ends do not agree on their AS numbers".to_owned();
    }
    if says(own, "Connection refused") {
        return format!(
            ": TCP port {} is refused, so that nobody listens there, or a filter rejects it",
            port(scene)
        );
    }
    if says(own, "unreachable") || says(own, "timed out") || says(own, "No route") {
        return format!(": nothing comes back from TCP port {}", port(scene));
    }
    if says(own, "Authentication") || says(own, "MD5") {
        return ": they do not agree on the password".to_owned();
    }
    String::new()
}

fn port(scene: &Scene<'_>) -> u16 {
    let all = scene.calico.bgp.seen().into_iter().flatten();
    let mut of_cluster = all.filter(|it| it.name == "default");
    of_cluster.find_map(|it| it.listen_port).unwrap_or(179)
}

fn fix(scene: &Scene<'_>, place: &str, own: &[&Session<'_>]) -> String {
    if taken(scene, place).is_some() {
        return autodetection();
    }
    if has_other_as(own) {
        return format!(
            "make spec.asNumber of the BGPPeer that of the other end: `{}`",
            scene.show("bgppeers", "")
        );
    }
    let agent = scene
        .agents("calico-node")
        .find(|agent| agent.node.as_deref() == Some(place));
    match agent {
        Some(_) => format!(
            "allow TCP port {} between the nodes, in security groups and in the packet filters of {place}, and see what BIRD there says: \
             `{}`",
            port(scene),
            by_bird(scene, place)
        ),
        None => format!(
            "allow TCP port {} between {place} and the nodes, and compare what both ends are told: `{}`",
            port(scene),
            scene.show("bgppeers", "")
        ),
    }
}

#[cfg(test)]
mod tests {
    use report::{Gap, GapReason};

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    fn unanswered(node: &str) -> Gap {
        Gap {
            what: format!("the BGP sessions of {node}"),
            why: GapReason::Forbidden {
                verb: "create".to_owned(),
                resource: "pods/exec".to_owned(),
                namespace: Some("calico-system".to_owned()),
            },
            message: "forbidden".to_owned(),
            hint: None,
        }
    }

    #[test]
    fn a_node_whose_sessions_are_all_down_is_found_once() {
        let broken = Fixture::bgp().down("node2", "Connect", "Socket: Connection refused");
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(
            findings[0].summary,
            "the BGP sessions are down between node2 and node1 and node3: TCP port 179 is refused, so that nobody listens there, \
             or a filter rejects it"
        );
        assert_eq!(findings[0].subject, Subject::node("node2"));
        assert!(findings[0].evidence.len() >= 2);
    }

    #[test]
    fn one_session_between_two_nodes_is_of_the_pair() {
        let broken = Fixture::bgp().session("node1", "node3", "Active", "Socket: Connection timed out");
        let findings = shown::finds(&CHECK, &broken.observe());
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.to_string(), "node/node1 ↔ node/node3");
    }

    #[test]
    fn an_address_that_is_not_the_nodes_is_the_reason() {
        let broken = Fixture::bgp().down("node2", "Active", "").node("node2", |node| {
            let name = "projectcalico.org/IPv4Address".to_owned();
            node.annotations.insert(name, "10.0.2.15/24".to_owned());
        });
        let findings = shown::finds(&CHECK, &broken.observe());
        let says = findings.iter().any(|it| {
            it.hint
                .as_ref()
                .is_some_and(|hint| hint.contains("IP_AUTODETECTION_METHOD"))
        });
        assert!(says, "{findings:?}");
        let all = Fixture::bgp().each_node(|node| {
            let name = "projectcalico.org/IPv4Address".to_owned();
            node.annotations.insert(name, "10.0.2.15/24".to_owned());
        });
        let findings = shown::finds(&CHECK, &all.observe());
        assert!(
            findings[0].summary.contains("all say that they are at 10.0.2.15"),
            "{findings:?}"
        );
    }

    #[test]
    fn without_an_exec_the_readiness_text_names_the_peers_and_the_rest_is_not_known() {
        let broken = Fixture::bgp().unasked().not_ready(
            "node2",
            "calico/node is not ready: BIRD is not ready: BGP not established with 172.30.0.11,172.30.0.13",
        );
        let findings = shown::finds(&CHECK, &broken.observe());
        assert!(
            findings[0].summary.contains("between node2 and node1 and node3"),
            "{findings:?}"
        );
        let gaps = shown::cannot_tell(&CHECK, &Fixture::bgp().unasked().observe());
        assert!(gaps[0].hint.as_ref().unwrap().contains("birdcl"));
    }

    #[test]
    fn a_status_of_calico_tells_as_well_unless_it_is_old() {
        shown::passes(
            &CHECK,
            &Fixture::bgp()
                .unasked()
                .node_statuses("2026-03-01T08:59:55Z")
                .observe(),
        );
        shown::cannot_tell(
            &CHECK,
            &Fixture::bgp()
                .unasked()
                .node_statuses("2026-03-01T07:00:00Z")
                .observe(),
        );
    }

    #[test]
    fn sessions_that_are_up_pass_and_those_that_nobody_told_are_unknown() {
        shown::passes(&CHECK, &Fixture::bgp().observe());
        let refused = Fixture::bgp().with(|calico| {
            calico
                .birds
                .insert("node2".to_owned(), report::Observed::Unseen(unanswered("node2")));
        });
        assert_eq!(shown::cannot_tell(&CHECK, &refused.observe()).len(), 1);
    }

    #[test]
    fn where_there_is_no_bgp_nothing_is_judged() {
        let judgement = (CHECK.judge)(&View::new(&Fixture::vxlan().observe()));
        assert!(judgement.skipped.is_some(), "{judgement:?}");
    }

    #[test]
    fn a_single_node_has_nobody_to_talk_to() {
        shown::passes(&CHECK, &Fixture::bgp().unasked().only("node1").observe());
    }
}
