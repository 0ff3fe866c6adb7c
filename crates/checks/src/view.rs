//! An observation as checks read it: cells by what they are about, gaps already counted, failures already localised.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use netprobe::{Kind, Outcome};
use observation::{Cell, Node, Observation, Place, ProbePod};
use report::{CellState, Family, Gap, GapReason, Observed, Protocol};

use crate::check::Judgement;
use crate::dns;
use crate::endpoints;
use crate::firewall::Firewall;
use crate::localise::{Fault, localise};
use crate::lookups;
use crate::nodes::Nodes;
use crate::outcome::cell_state;
use crate::rules;
use crate::scene::Scene;

/// What a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key<'a> {
    pub(crate) family: Family,
    pub(crate) protocol: Protocol,
    pub(crate) source: &'a str,
    pub(crate) target: &'a str,
}

/// What is known of a cell.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) state: CellState,
}

/// An observation, read once for all checks.
#[derive(Debug)]
pub struct View<'a> {
    pub(crate) observation: &'a Observation,
    pub(crate) entries: BTreeMap<Key<'a>, Entry<'a>>,
    pub(crate) faults: Vec<Fault>,
    /// Policies; `None` when they were not asked about.
    pub(crate) scene: Option<Scene<'a>>,
    /// Services and what stands behind them; `None` when they were not asked about.
    pub(crate) backends: Option<endpoints::Scene<'a>>,
    /// The cluster's DNS; `None` when it was not asked about.
    pub(crate) dns: Option<dns::Scene<'a>>,
    /// What was read of nodes, or the judgement of every check that needs it.
    pub(crate) read_nodes: Result<Nodes<'a>, Judgement>,
    /// The packet rules of the nodes that were read.
    pub(crate) firewalls: Vec<Firewall<'a>>,
    /// How they differ from what the API asks for; filled in by the first check that asks.
    pub(crate) compared: OnceCell<Vec<rules::OnNode<'a>>>,
    /// What was asked of DNS servers.
    pub(crate) lookups: Option<lookups::Table<'a>>,
    probing_gaps: Vec<Gap>,
}

impl<'a> View<'a> {
    /// Reads an observation.
    pub fn new(observation: &'a Observation) -> Self {
        let mut view = Self {
            observation,
            entries: entries(observation),
            faults: Vec::new(),
            scene: Scene::of(observation),
            backends: endpoints::Scene::of(observation),
            dns: dns::Scene::of(observation),
            read_nodes: Nodes::of(observation),
            firewalls: Firewall::all(observation),
            compared: OnceCell::new(),
            lookups: observation.lookups.as_deref().map(lookups::Table::of),
            probing_gaps: Vec::new(),
        };
        view.probing_gaps = probing_gaps(&view);
        view.faults = localise(&view);
        view
    }

    /// Whether a mesh was asked for at all. Probe pods may be there for something else.
    pub(crate) fn is_wanted(&self) -> bool {
        let observation = self.observation;
        let is_other = observation.reach.is_some()
            || observation.policy.is_some()
            || observation.backends.is_some()
            || observation.kube_proxy.is_some()
            || observation.tracked.is_some()
            || observation.lookups.is_some()
            || observation.dns.is_some()
            || observation.cni.is_some();
        observation.mesh.is_some() || (observation.placement.is_some() && !is_other)
    }

    /// What kept probes from being made or answered. Whoever concludes from probes has these gaps.
    pub(crate) fn probing_gaps(&self) -> &[Gap] {
        &self.probing_gaps
    }

    /// Whether pairs were probed in this way.
    pub(crate) fn was_planned(&self, protocol: Protocol) -> bool {
        self.entries.keys().any(|key| key.protocol == protocol)
    }

    pub(crate) fn families(&self) -> BTreeSet<Family> {
        self.entries.keys().map(|key| key.family).collect()
    }

    pub(crate) fn protocols(&self) -> BTreeSet<Protocol> {
        self.entries.keys().map(|key| key.protocol).collect()
    }

    /// The nodes with a probe pod.
    pub(crate) fn pods(&self) -> BTreeMap<&'a str, &'a ProbePod> {
        pods(self.observation)
    }

    /// The nodes that were to have a probe pod and have none.
    pub(crate) fn without_pod(&self) -> BTreeMap<&'a str, &'a Gap> {
        let places = self
            .observation
            .placement
            .iter()
            .flat_map(|placement| &placement.nodes);
        places
            .filter_map(|(node, place)| match place {
                Place::Failed(gap) => Some((node.as_str(), gap)),
                Place::Ready(_) | Place::LeftOut { .. } => None,
            })
            .collect()
    }

    /// The node objects, by name; empty when they could not be read.
    pub(crate) fn nodes(&self) -> BTreeMap<&'a str, &'a Node> {
        let nodes = self.observation.nodes.seen().into_iter().flatten();
        nodes.map(|node| (node.name.as_str(), node)).collect()
    }

    /// How much a bulk probe carries in each direction.
    pub(crate) fn bulk_bytes(&self) -> Option<u64> {
        let kinds = self
            .observation
            .mesh
            .iter()
            .flat_map(|mesh| &mesh.cells)
            .map(|cell| &cell.kind);
        kinds.into_iter().find_map(|kind| match kind {
            Kind::Bulk { bytes } => Some(*bytes),
            Kind::Tcp
            | Kind::Udp
            | Kind::Icmp
            | Kind::Connect { .. }
            | Kind::Dns { .. }
            | Kind::Http { .. }
            | Kind::Train { .. }
            | Kind::Size => None,
        })
    }
}

fn pods(observation: &Observation) -> BTreeMap<&str, &ProbePod> {
    let places = observation
        .placement
        .iter()
        .flat_map(|placement| &placement.nodes);
    places
        .filter_map(|(node, place)| match place {
            Place::Ready(pod) => Some((node.as_str(), pod)),
            Place::LeftOut { .. } | Place::Failed(_) => None,
        })
        .collect()
}

fn entries(observation: &Observation) -> BTreeMap<Key<'_>, Entry<'_>> {
    let pods = pods(observation);
    let mut entries = BTreeMap::new();
    for cell in observation.mesh.iter().flat_map(|mesh| &mesh.cells) {
        let Some(protocol) = protocol(&cell.kind) else {
            continue;
        };
        let key = Key {
            family: Family::of(cell.address),
            protocol,
            source: &cell.source,
            target: &cell.target,
        };
        let pod = pods.get(cell.target.as_str());
        let twin = pod
            .and_then(|pod| pod.twin.as_ref())
            .map(|twin| twin.name.as_str());
        let state = cell_state(&cell.samples, |peer| {
            peer.name == cell.target || twin == Some(peer.name.as_str())
        });
        entries.insert(key, Entry { cell, state });
    }
    entries
}

/// In which way of the mesh a probe was made; `None` for probes of what is no probe pod.
pub(crate) fn protocol(kind: &Kind) -> Option<Protocol> {
    match kind {
        Kind::Tcp => Some(Protocol::Tcp),
        Kind::Udp => Some(Protocol::Udp),
        Kind::Icmp => Some(Protocol::Icmp),
        Kind::Bulk { .. } => Some(Protocol::Bulk),
        Kind::Connect { .. } | Kind::Dns { .. } | Kind::Http { .. } | Kind::Train { .. } | Kind::Size => None,
    }
}

fn probing_gaps(view: &View<'_>) -> Vec<Gap> {
    let observation = view.observation;
    let mut gaps: Vec<Gap> = view.without_pod().into_values().cloned().collect();
    let Some(mesh) = &observation.mesh else {
        if gaps.is_empty() {
            gaps.push(nothing_probed("no probe was made"));
        }
        return gaps;
    };
    gaps.extend(mesh.sources.values().filter_map(Observed::gap).cloned());
    gaps.extend(silent_gaps(view, mesh));
    gaps.extend(missing_twins(view));
    if mesh.cells.is_empty() && gaps.is_empty() {
        gaps.push(nothing_probed("there was no pair to probe"));
    }
    gaps
}

fn nothing_probed(message: &str) -> Gap {
    Gap {
        what: "the network between pods".to_owned(),
        why: GapReason::NotStarted,
        message: message.to_owned(),
        hint: None,
    }
}

/// Probes that a source was to make and left unanswered, although it said nothing of being cut off. ICMP that was not
/// permitted was answered: that is a skip, and its check says so.
fn silent_gaps(view: &View<'_>, mesh: &observation::Mesh) -> Vec<Gap> {
    let mut silent: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (key, entry) in &view.entries {
        let (unanswered, planned) = silent.entry(key.source).or_default();
        let unknown = matches!(entry.state, CellState::Unknown { .. });
        *planned += 1;
        *unanswered +=
            usize::from(unknown && (entry.cell.samples.is_empty() || key.protocol != Protocol::Icmp));
    }
    let cut_off = |source: &str| {
        mesh.sources
            .get(source)
            .is_some_and(|answers| answers.gap().is_some())
    };
    silent
        .into_iter()
        .filter(|(source, (unanswered, _))| *unanswered > 0 && !cut_off(source))
        .map(|(source, (unanswered, planned))| Gap {
            what: format!("{unanswered} of {planned} probes of {source}"),
            why: GapReason::Truncated,
            message: "they were planned and have no answer".to_owned(),
            hint: None,
        })
        .collect()
}

/// Where some nodes have a second probe pod, those without one were to have it too.
fn missing_twins(view: &View<'_>) -> Vec<Gap> {
    let pods = view.pods();
    if pods.values().all(|pod| pod.twin.is_none()) {
        return Vec::new();
    }
    let alone = pods.iter().filter(|(_, pod)| pod.twin.is_none());
    alone
        .map(|(node, _)| Gap {
            what: format!("the pair of {node} with itself"),
            why: GapReason::NotStarted,
            message: "the second probe pod of the node did not become ready".to_owned(),
            hint: None,
        })
        .collect()
}

/// The address from which the far end saw a source come, where that is not one of the source's own.
pub(crate) fn translated<'a>(view: &View<'a>) -> impl Iterator<Item = (Key<'a>, &'a Cell, std::net::IpAddr)> {
    let pods = view.pods();
    let entries: Vec<(Key<'a>, &'a Cell)> = view
        .entries
        .iter()
        .map(|(key, entry)| (*key, entry.cell))
        .collect();
    entries.into_iter().filter_map(move |(key, cell)| {
        let own = &pods.get(key.source)?.addresses;
        let saw = cell.samples.iter().find_map(|sample| {
            if let Outcome::Ok { peer: Some(peer), .. } = &sample.outcome
                && own
                    .iter()
                    .all(|address| address.to_canonical() != peer.saw.to_canonical())
            {
                return Some(peer.saw.to_canonical());
            }
            None
        })?;
        Some((key, cell, saw))
    })
}
