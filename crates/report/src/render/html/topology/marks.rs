use std::collections::{BTreeMap, BTreeSet};

use crate::{CellState, Matrix, Protocol, Report, Scope, Subject};

/// So many pairs without anything in common are drawn.
const MOST_CHORDS: usize = 12;

/// Where it breaks, in terms of the drawing.
#[derive(Debug, Default)]
pub(super) struct Marks<'a> {
    /// Nodes that are to blame by themselves.
    pub(super) nodes: BTreeSet<&'a str>,
    /// Nodes between which and their pods it breaks.
    pub(super) pods: BTreeSet<&'a str>,
    /// Nodes between which and the network it breaks.
    pub(super) spokes: BTreeMap<&'a str, Way>,
    /// Pairs between which it breaks.
    pub(super) chords: Vec<Chord<'a>>,
    /// Whether it breaks in the network itself.
    pub(super) middle: bool,
}

/// What of a node's traffic gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Both,
    Out,
    In,
}

impl Way {
    pub(super) fn word(self) -> Option<&'static str> {
        match self {
            Self::Both => None,
            Self::Out => Some("outgoing"),
            Self::In => Some("incoming"),
        }
    }
}

/// Two nodes between which it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chord<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    pub(super) both: bool,
}

impl<'a> Marks<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let mut marks = Self::default();
        for place in &report.localisation {
            marks.add(&place.scope, report.matrix.as_ref());
        }
        let subjects = report.root_causes.iter().map(|cause| &cause.subject);
        for subject in subjects {
            match subject {
                Subject::Object { kind, name, .. } if kind == "node" => {
                    marks.nodes.insert(name);
                }
                Subject::NodePair { from, to, both } => marks.add_chord(from, to, *both),
                Subject::Object { .. } | Subject::Cluster => {}
            }
        }
        marks
    }

    /// Whether something is marked at this node.
    pub(super) fn concerns(&self, node: &str) -> bool {
        self.nodes.contains(node) || self.breaks_a_line(node)
    }

    /// Whether the node itself is to blame, and no line at it.
    pub(super) fn is_only_node(&self, node: &str) -> bool {
        self.nodes.contains(node) && !self.breaks_a_line(node)
    }

    fn breaks_a_line(&self, node: &str) -> bool {
        self.pods.contains(node)
            || self.spokes.contains_key(node)
            || self
                .chords
                .iter()
                .any(|chord| chord.from == node || chord.to == node)
    }

    fn add(&mut self, scope: &'a Scope, matrix: Option<&'a Matrix>) {
        match scope {
            Scope::Everything => {
                self.middle = true;
                self.pods.extend(all(matrix));
            }
            Scope::CrossNode | Scope::Zones { .. } => self.middle = true,
            Scope::EverySameNode => self.pods.extend(all(matrix)),
            Scope::NodeAndItself { node } => {
                self.pods.insert(node);
                self.spokes.insert(node, Way::Both);
            }
            Scope::Node { node } => {
                self.spokes.insert(node, Way::Both);
            }
            Scope::Outgoing { node } => {
                self.spokes.entry(node).or_insert(Way::Out);
            }
            Scope::Incoming { node } => {
                self.spokes.entry(node).or_insert(Way::In);
            }
            Scope::SameNode { node } => {
                self.pods.insert(node);
            }
            Scope::Pair { a, b } => self.add_chord(a, b, true),
            Scope::OneWay { from, to } => self.add_chord(from, to, false),
            Scope::Scattered { .. } => {
                for (from, to) in failed(matrix).take(MOST_CHORDS) {
                    self.add_chord(from, to, false);
                }
            }
        }
    }

    fn add_chord(&mut self, from: &'a str, to: &'a str, both: bool) {
        let same = |chord: &&mut Chord<'_>| {
            (chord.from, chord.to) == (from, to) || (chord.to, chord.from) == (from, to)
        };
        match self.chords.iter_mut().find(same) {
            Some(chord) => chord.both |= both || chord.from != from,
            None => self.chords.push(Chord { from, to, both }),
        }
    }
}

fn all(matrix: Option<&Matrix>) -> impl Iterator<Item = &str> {
    let families = matrix.into_iter().flat_map(|matrix| &matrix.families);
    families.flat_map(|family| family.targets.iter().map(String::as_str))
}

/// Pairs of different nodes that do not answer. Filtered echoes are no failure.
fn failed(matrix: Option<&Matrix>) -> impl Iterator<Item = (&str, &str)> {
    let families = matrix.into_iter().flat_map(|matrix| &matrix.families);
    let cells = families.flat_map(|family| &family.cells);
    let failed = cells.filter(|cell| {
        cell.source != cell.target
            && cell.probes.iter().any(|probe| {
                probe.protocol != Protocol::Icmp && matches!(probe.result, CellState::Failed { .. })
            })
    });
    failed.map(|cell| (cell.source.as_str(), cell.target.as_str()))
}
