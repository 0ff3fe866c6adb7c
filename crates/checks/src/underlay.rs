//! What the pod network stands on: nodes among each other, and a pod and its own node.
//!
//! No policy, tunnel or route of the pod network is on these ways. What is tried need not answer well: a refusal shows
//! that packets get there and back as an answer does, and only silence says something.

mod plan;
#[cfg(test)]
pub(crate) mod scene;

use std::collections::{BTreeMap, BTreeSet};

use netprobe::Kind;
use observation::{Attempt, Purpose, Source, Underlay};
use report::{CellState, Evidence, Gap, Protocol};

use crate::tries::{attempt_gaps, came_of, has_sign, kind_name, source_name, way};
use crate::view::View;
pub use plan::{name_gateways, plan_nodes, plan_own_nodes, plan_own_pods};

/// What came of all that was tried from one place to another.
#[derive(Debug, Default)]
pub(crate) struct Way<'a> {
    /// What decides: TCP and UDP.
    decisive: Vec<(&'a Attempt, CellState)>,
    /// ICMP echo, which many healthy networks filter.
    echo: Vec<(&'a Attempt, CellState)>,
}

/// Whether there is a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// Something came back.
    Seen,
    /// Nothing came back, over whatever decides.
    Silent,
    /// It was not tried, or no result arrived.
    Unknown,
}

impl<'a> Way<'a> {
    fn add(&mut self, attempt: &'a Attempt) {
        let state = came_of(attempt);
        match attempt.kind {
            Kind::Icmp => self.echo.push((attempt, state)),
            _ => self.decisive.push((attempt, state)),
        }
    }

    pub(crate) fn sign(&self) -> Sign {
        let is_known = |(_, state): &&(&Attempt, CellState)| !matches!(state, CellState::Unknown { .. });
        let mut known = self.decisive.iter().filter(is_known).peekable();
        if known.peek().is_none() {
            return Sign::Unknown;
        }
        if known.any(|(attempt, _)| has_sign(attempt)) {
            Sign::Seen
        } else {
            Sign::Silent
        }
    }

    /// Whether a ping is answered.
    pub(crate) fn has_echo(&self) -> bool {
        self.echo.iter().any(|(attempt, _)| has_sign(attempt))
    }

    /// How many ports were tried, and told apart by the way of trying.
    pub(crate) fn ports(&self) -> usize {
        let ports: BTreeSet<_> = self
            .decisive
            .iter()
            .map(|(attempt, _)| (attempt.address.port(), kind_name(&attempt.kind)))
            .collect();
        ports.len()
    }

    /// What of it failed: what says most first, since silence says least.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        let mut failed: Vec<_> = self
            .decisive
            .iter()
            .filter_map(|(attempt, state)| Some((*attempt, state.failure()?)))
            .collect();
        failed.sort_by_key(|(_, failure)| failure.class == report::FailureClass::Timeout);
        let shown = |(attempt, failure): (&Attempt, &report::Failure)| {
            Evidence::probe(failure.detail.clone(), label(attempt))
        };
        failed.into_iter().map(shown).collect()
    }

    /// An example of what came back.
    pub(crate) fn works(&self) -> Option<Evidence> {
        let all = self.decisive.iter().chain(&self.echo);
        let (attempt, state) = all.into_iter().find(|(attempt, _)| has_sign(attempt))?;
        let fact = match state {
            CellState::Ok { .. } | CellState::Flaky { .. } => "answers",
            _ => "says no, so that packets get there and back",
        };
        Some(Evidence::probe(fact, label(attempt)))
    }
}

/// An attempt as evidence names it: `tcp node/node1 → node node2 172.30.0.12:10250`.
fn label(attempt: &Attempt) -> String {
    let address = match attempt.kind {
        Kind::Icmp => attempt.address.ip().to_string(),
        _ => attempt.address.to_string(),
    };
    format!(
        "{} {} → {} {address}",
        kind_name(&attempt.kind),
        source_name(&attempt.source),
        way(&attempt.purpose)
    )
}

/// The ways from each node to each other one, in the nodes' own network.
pub(crate) fn between_nodes(underlay: &Underlay) -> BTreeMap<(&str, &str), Way<'_>> {
    let mut ways: BTreeMap<(&str, &str), Way<'_>> = BTreeMap::new();
    for attempt in &underlay.attempts {
        if let (Source::Host { node: from }, Purpose::Node { node: to }) = (&attempt.source, &attempt.purpose)
            && from != to
        {
            ways.entry((from, to)).or_default().add(attempt);
        }
    }
    ways
}

/// What is known of a node and its own pods.
#[derive(Debug, Default)]
pub(crate) struct Own<'a> {
    /// From the probe pod to the node.
    pub(crate) node: Way<'a>,
    /// From the probe pod to the next hop of its default route.
    pub(crate) gateway: Way<'a>,
    /// From the node to the probe pod.
    pub(crate) pod: Way<'a>,
}

/// The ways between each node and its own probe pod.
pub(crate) fn within_nodes(underlay: &Underlay) -> BTreeMap<&str, Own<'_>> {
    let mut nodes: BTreeMap<&str, Own<'_>> = BTreeMap::new();
    for attempt in &underlay.attempts {
        let ((Source::Pod { node: from }, Purpose::Node { node: to } | Purpose::Gateway { node: to })
        | (Source::Host { node: from }, Purpose::ProbePod { node: to })) =
            (&attempt.source, &attempt.purpose)
        else {
            continue;
        };
        if from != to {
            continue;
        }
        let own = nodes.entry(to).or_default();
        match &attempt.purpose {
            Purpose::Node { .. } => own.node.add(attempt),
            Purpose::Gateway { .. } => own.gateway.add(attempt),
            _ => own.pod.add(attempt),
        }
    }
    nodes
}

/// What kept sources of this kind from trying, or their answers from arriving.
pub(crate) fn gaps(underlay: &Underlay, concerns: impl Fn(&Attempt) -> bool) -> Vec<Gap> {
    let attempts: Vec<&Attempt> = underlay.attempts.iter().filter(|it| concerns(it)).collect();
    let sources: Vec<_> = underlay
        .sources
        .iter()
        .filter(|state| attempts.iter().any(|attempt| attempt.source == state.source))
        .collect();
    attempt_gaps(&sources, &attempts)
}

/// Whether pods of the two nodes reach each other in either direction; `None` where that was not seen.
pub(crate) fn pods_reach(view: &View<'_>, one: &str, other: &str) -> Option<bool> {
    let mut reached = None;
    for (key, entry) in &view.entries {
        let is_between =
            (key.source == one && key.target == other) || (key.source == other && key.target == one);
        if is_between && matches!(key.protocol, Protocol::Tcp | Protocol::Udp) {
            let carries = entry.state.is_ok() || matches!(entry.state, CellState::Flaky { .. });
            reached = Some(reached == Some(true) || carries);
        }
    }
    reached
}
