//! Tracked connections of nodes, through privileged pods.

use std::collections::BTreeMap;
use std::time::Duration;

use checks::TrackedAsked;
use observation::{Tracked, TrackedNode};
use probe::{ProbeRun, TrackedWanted};

use crate::open::Session;

/// How long apart they are listed twice: longer than kube-proxy takes to follow a change.
const APART: Duration = Duration::from_secs(5);

/// Lists what nodes track of what was asked for, twice. A node that was to have a privileged pod and has none is a gap.
pub async fn list(
    session: &Session<'_>,
    hosts: Option<&ProbeRun>,
    asked: TrackedAsked,
    udp_only: bool,
) -> Tracked {
    let mut tracked = Tracked {
        all_protocols: !udp_only,
        nodes: BTreeMap::new(),
    };
    let Some(hosts) = hosts else { return tracked };
    session.spinner.say("listing tracked connections");
    let wanted = TrackedWanted {
        addresses: asked.addresses,
        ports: asked.ports,
        udp_only,
    };
    let list = async || {
        hosts
            .on_each(async |node| hosts.tracked(node, &wanted).await)
            .await
    };
    let mut first = list().await;
    tokio::time::sleep(APART).await;
    let mut second = list().await;
    tracked.nodes = hosts.placement().outcomes(|node| {
        let second = second.remove(node).and_then(|once| once.seen().cloned());
        let listed = first.remove(node)?.map(|first| TrackedNode {
            memory_kib: first.memory_kib,
            first: first.look,
            second: second.map(|once| once.look),
        });
        Some(listed)
    });
    tracked
}
