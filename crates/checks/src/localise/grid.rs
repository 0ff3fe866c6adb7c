use std::collections::BTreeMap;

use netprobe::{Direction, Outcome, Sample};
use report::{CellState, Family, Protocol};

use crate::view::{Entry, Key, View};

/// What one ordered pair says about the places that contain it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// It has to be accounted for.
    Bad,
    /// It is lossy: accounted for on its own, and no contradiction to a place where all is lost.
    Flaky,
    /// It contradicts every place that contains it.
    Good,
    /// It says nothing.
    Open,
}

/// An ordered pair of nodes, by name.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// One protocol of one family: what is known of each pair that was planned.
#[derive(Clone, Debug)]
pub(super) struct Grid<'a> {
    pub(super) marks: BTreeMap<Pair<'a>, Mark>,
}

impl<'a> Grid<'a> {
    pub(super) fn of(view: &View<'a>, family: Family, protocol: Protocol) -> Self {
        let entries = view
            .entries
            .iter()
            .filter(|(key, _)| key.family == family && key.protocol == protocol);
        if protocol == Protocol::Bulk {
            return Self {
                marks: bulk_marks(view, entries),
            };
        }
        let marks = entries.map(|(key, entry)| {
            let leader_fails = protocol == Protocol::Icmp
                && [Protocol::Tcp, Protocol::Udp]
                    .iter()
                    .any(|leader| fails(view, *key, *leader));
            let mark = if leader_fails {
                Mark::Open
            } else {
                mark(&entry.state)
            };
            ((key.source, key.target), mark)
        });
        Self {
            marks: marks.collect(),
        }
    }

    /// The same grid, asked for what is lossy.
    pub(super) fn flaky(&self) -> Self {
        let turned = |mark: &Mark| match mark {
            Mark::Flaky => Mark::Bad,
            Mark::Bad | Mark::Open => Mark::Open,
            Mark::Good => Mark::Good,
        };
        Self {
            marks: self
                .marks
                .iter()
                .map(|(pair, mark)| (*pair, turned(mark)))
                .collect(),
        }
    }

    pub(super) fn bad(&self) -> impl Iterator<Item = Pair<'a>> {
        self.marks
            .iter()
            .filter(|(_, mark)| **mark == Mark::Bad)
            .map(|(pair, _)| *pair)
    }
}

fn mark(state: &CellState) -> Mark {
    match state {
        CellState::Ok { .. } => Mark::Good,
        CellState::Flaky { .. } => Mark::Flaky,
        CellState::Failed { .. } => Mark::Bad,
        CellState::Unknown { .. } => Mark::Open,
    }
}

fn fails(view: &View<'_>, key: Key<'_>, protocol: Protocol) -> bool {
    view.entries
        .get(&Key { protocol, ..key })
        .is_some_and(|entry| entry.state.failure().is_some())
}

/// Bulk data says in which direction it stalled, so that the grid is one of directions: the pair (a, b) is about packets
/// from a to b, whoever began. Where TCP fails at all, bulk data says nothing about size.
fn bulk_marks<'a, 'e>(
    view: &View<'a>,
    entries: impl Iterator<Item = (&'e Key<'a>, &'e Entry<'a>)>,
) -> BTreeMap<Pair<'a>, Mark>
where
    'a: 'e,
{
    let mut marks: BTreeMap<Pair<'a>, Mark> = BTreeMap::new();
    let mut note = |pair: Pair<'a>, mark: Mark| {
        let known = marks.entry(pair).or_insert(Mark::Open);
        *known = worse(*known, mark);
    };
    for (key, entry) in entries {
        let there = (key.source, key.target);
        let back = (key.target, key.source);
        note(there, Mark::Open);
        if fails(view, *key, Protocol::Tcp) {
            continue;
        }
        match &entry.state {
            CellState::Ok { .. } => {
                note(there, Mark::Good);
                if planned_by(view, *key, back) {
                    note(back, Mark::Good);
                }
            }
            CellState::Flaky { .. } => note(there, Mark::Flaky),
            CellState::Unknown { .. } => {}
            CellState::Failed { .. } => match stalled(&entry.cell.samples) {
                Some(Direction::FromTarget) => note(back, Mark::Bad),
                Some(Direction::ToTarget) | None => note(there, Mark::Bad),
            },
        }
    }
    marks
}

fn planned_by(view: &View<'_>, key: Key<'_>, pair: Pair<'_>) -> bool {
    view.entries.contains_key(&Key {
        source: pair.0,
        target: pair.1,
        ..key
    })
}

/// Which way data stopped; the last word is that of the retry, which ran alone.
pub(super) fn stalled(samples: &[Sample]) -> Option<Direction> {
    samples.iter().rev().find_map(|sample| match &sample.outcome {
        Outcome::Stalled { direction, .. } => Some(*direction),
        Outcome::Ok { .. }
        | Outcome::Dns { .. }
        | Outcome::Http { .. }
        | Outcome::Train { .. }
        | Outcome::Size { .. }
        | Outcome::Refused { .. }
        | Outcome::HostUnreachable { .. }
        | Outcome::NetUnreachable { .. }
        | Outcome::LocalError { .. }
        | Outcome::TimedOut { .. }
        | Outcome::Reset { .. }
        | Outcome::WrongPeer { .. }
        | Outcome::NotPermitted { .. } => None,
    })
}

fn worse(one: Mark, other: Mark) -> Mark {
    let rank = |mark: Mark| match mark {
        Mark::Open => 0,
        Mark::Good => 1,
        Mark::Flaky => 2,
        Mark::Bad => 3,
    };
    if rank(one) >= rank(other) { one } else { other }
}
