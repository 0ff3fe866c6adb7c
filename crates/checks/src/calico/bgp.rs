//! BGP sessions of all nodes, wherever they were seen.

use std::collections::BTreeSet;

use observation::BgpSession;
use report::Evidence;

use super::scene::Scene;
use crate::endpoints::time::seconds;
use crate::shell::word;

/// A status that was not written for so many of its periods is of another time.
const PERIODS: i64 = 3;

/// A session, as one node says it.
#[derive(Clone, Debug)]
pub(super) struct Session<'a> {
    pub(super) node: &'a str,
    /// The other end's address.
    pub(super) peer: String,
    /// The other end, where it is a node.
    pub(super) peer_node: Option<&'a str>,
    pub(super) state: String,
    pub(super) info: String,
    pub(super) evidence: Evidence,
}

impl Session<'_> {
    pub(super) fn is_established(&self) -> bool {
        self.state == "Established"
    }

    /// The other end as it is best known.
    pub(super) fn peer_name(&self) -> &str {
        self.peer_node.unwrap_or(&self.peer)
    }
}

/// The peers that a readiness text of `calico-node` names, as `BGP not established with 10.0.0.2,10.0.0.3`.
pub(super) fn named_peers(text: &str) -> Option<Vec<String>> {
    let (_, rest) = text.split_once("BGP not established with ")?;
    let list = rest.split_whitespace().next().unwrap_or_default();
    Some(
        list.split(',')
            .filter(|it| !it.is_empty())
            .map(str::to_owned)
            .collect(),
    )
}

/// The sessions that were seen, and the nodes of which all are.
pub(super) fn sessions<'a>(scene: &Scene<'a>) -> (Vec<Session<'a>>, BTreeSet<&'a str>) {
    let mut all = Vec::new();
    let mut whole = BTreeSet::new();
    for (node, said) in &scene.calico.birds {
        if let Some(protocols) = said.seen() {
            whole.insert(node.as_str());
            let command = by_bird(scene, node);
            all.extend(protocols.sessions.iter().map(|it| of(scene, node, it, &command)));
        }
    }
    let statuses = scene.calico.node_statuses.seen().into_iter().flatten();
    for status in statuses.filter(|it| is_current(it, &scene.cni.read_at)) {
        if let (Some(peers), false) = (&status.peers, whole.contains(status.node.as_str())) {
            whole.insert(status.node.as_str());
            let command = scene.show("caliconodestatuses", &status.name);
            all.extend(peers.iter().map(|it| of(scene, &status.node, it, &command)));
        }
    }
    for agent in scene.agents("calico-node").filter(|agent| !agent.ready) {
        let (Some(node), Some(unhealthy)) = (&agent.node, &agent.unhealthy) else {
            continue;
        };
        if whole.contains(node.as_str()) {
            continue;
        }
        let command = format!(
            "kubectl -n {} describe pod {}",
            word(&agent.namespace),
            word(&agent.name)
        );
        for peer in named_peers(&unhealthy.message).into_iter().flatten() {
            let session = BgpSession {
                peer,
                state: "not established".to_owned(),
                ..BgpSession::default()
            };
            all.push(of(scene, node, &session, &command));
        }
    }
    (all, whole)
}

/// The command with which BIRD of a node shows its sessions.
pub(super) fn by_bird(scene: &Scene<'_>, node: &str) -> String {
    let mut agents = scene.agents("calico-node");
    let agent = agents.find(|agent| agent.node.as_deref() == Some(node));
    let (namespace, name) = agent.map_or(("calico-system", "CALICO-NODE-POD"), |agent| {
        (agent.namespace.as_str(), agent.name.as_str())
    });
    format!(
        "kubectl -n {} exec {} -c calico-node -- birdcl -s /var/run/calico/bird.ctl show protocols",
        word(namespace),
        word(name)
    )
}

/// Whether a status is still kept up. One whose period is 0 never is.
pub(super) fn is_current(status: &observation::CalicoNodeStatus, read_at: &str) -> bool {
    let period = i64::from(status.period_seconds.unwrap_or(0));
    seconds(status.updated.as_deref(), read_at).is_some_and(|ago| ago <= period * PERIODS)
}

fn of<'a>(scene: &Scene<'a>, node: &'a str, session: &BgpSession, command: &str) -> Session<'a> {
    let state = if session.info.is_empty() {
        session.state.clone()
    } else {
        format!("{} {}", session.state, session.info)
    };
    Session {
        node,
        peer_node: scene.node_of(&session.peer).map(|peer| peer.name.as_str()),
        evidence: Evidence::command(format!("{node} says of {}: {state}", session.peer), command),
        peer: session.peer.clone(),
        state: session.state.clone(),
        info: session.info.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readiness_text_names_its_peers() {
        let text = "Readiness probe failed: 2026-03-01 [INFO][1] node/health.go 202: Number of node(s) with BGP peering \
                    established = 0\ncalico/node is not ready: BIRD is not ready: BGP not established with \
                    172.30.0.11,172.30.0.13";
        assert_eq!(named_peers(text).unwrap(), ["172.30.0.11", "172.30.0.13"]);
        assert_eq!(named_peers("felix is not ready"), None);
    }
}
