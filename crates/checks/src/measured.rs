//! What was measured with more than a few probes: which sizes arrive, and how many datagrams get lost, each way by itself.

mod loss;
#[cfg(test)]
pub(crate) mod scene;

use netprobe::{Kind, Outcome, TooLong};
use observation::{Cell, Mesh};
use report::{Evidence, Family, Gap, GapReason, Observed};

use crate::view::View;
#[cfg(test)]
pub(crate) use loss::Length;
pub(crate) use loss::{Direction, ERROR, WARNING, directions, is_lossy};

/// How many datagrams a train has, and the time between two of them in milliseconds.
const TRAIN: (u32, u32) = (100, 10);

/// What the user asks to be measured, whatever the mesh shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// How many datagrams get lost.
    pub loss: bool,
    /// The longest packet that arrives.
    pub size: bool,
}

/// What is to be measured after this mesh: what was asked for; loss, where some probes of a pair were answered and others
/// were not; and sizes, where much data stalled between pods that answer small requests. On a healthy cluster that is
/// nothing.
pub fn wanted_measures(mesh: &Mesh, asked: Asked) -> Vec<Kind> {
    let mut kinds = Vec::new();
    if asked.loss || mesh.cells.iter().any(flapped) {
        let (count, gap_ms) = TRAIN;
        kinds.extend([false, true].map(|large| Kind::Train { count, gap_ms, large }));
    }
    if asked.size || mesh.cells.iter().any(stalled) {
        kinds.push(Kind::Size);
    }
    kinds
}

fn flapped(cell: &Cell) -> bool {
    let answered = cell
        .samples
        .iter()
        .filter(|sample| sample.outcome.is_ok())
        .count();
    matches!(cell.kind, Kind::Tcp | Kind::Udp) && answered > 0 && answered < cell.samples.len()
}

fn stalled(cell: &Cell) -> bool {
    let is_stalled = |outcome: &Outcome| matches!(outcome, Outcome::Stalled { .. });
    matches!(cell.kind, Kind::Bulk { .. }) && cell.samples.iter().any(|sample| is_stalled(&sample.outcome))
}

/// The longest packet from one node's pod to another's.
#[derive(Debug)]
pub(crate) struct Size<'a> {
    pub(crate) source: &'a str,
    pub(crate) target: &'a str,
    pub(crate) family: Family,
    cell: &'a Cell,
    pub(crate) passes: u32,
    pub(crate) sends: u32,
    told: Option<&'a TooLong>,
}

impl Size<'_> {
    /// Whether longer ones that the source may send vanish in silence.
    pub(crate) fn has_hole(&self) -> bool {
        self.passes < self.sends && self.told.is_none()
    }

    pub(crate) fn shown(&self) -> report::PathMtu {
        let by = |told: &TooLong| told.by.map_or_else(|| "a router".to_owned(), |by| by.to_string());
        report::PathMtu {
            passes: self.passes,
            sends: self.sends,
            told_by: self.told.map(by),
        }
    }

    pub(crate) fn evidence(&self) -> Evidence {
        let (passes, sends) = (self.passes, self.sends);
        let fact = match self.told {
            _ if passes == sends => format!("packets of all {sends} bytes arrive"),
            None => format!(
                "packets of up to {passes} bytes arrive, those of {} to {sends} vanish",
                passes + 1
            ),
            Some(told) => format!(
                "packets of up to {passes} bytes arrive; longer ones are refused: {} fit",
                told.mtu
            ),
        };
        Evidence::probe(
            fact,
            format!(
                "udp by size {} → {}, {}",
                self.source, self.target, self.cell.address
            ),
        )
    }
}

/// Every size that was found.
pub(crate) fn sizes<'a>(view: &View<'a>) -> impl Iterator<Item = Size<'a>> {
    cells(view).filter_map(|cell| {
        let sized = cell.samples.iter().find_map(|sample| match &sample.outcome {
            Outcome::Size {
                passes, sends, told, ..
            } => Some((*passes, *sends, told.as_ref())),
            _ => None,
        });
        let (passes, sends, told) = sized?;
        Some(Size {
            source: &cell.source,
            target: &cell.target,
            family: Family::of(cell.address),
            cell,
            passes,
            sends,
            told,
        })
    })
}

/// A train from one node's pod to another's.
#[derive(Debug)]
pub(crate) struct Train<'a> {
    pub(crate) source: &'a str,
    pub(crate) target: &'a str,
    pub(crate) family: Family,
    pub(crate) large: bool,
    bytes: u32,
    sent: u32,
    arrived: Option<u32>,
    answered: u32,
}

impl Train<'_> {
    pub(crate) fn shown(&self) -> report::Loss {
        report::Loss {
            bytes: self.bytes,
            sent: self.sent,
            lost_there: self.arrived.map(|arrived| self.sent.saturating_sub(arrived)),
            lost_back: self.arrived.map(|arrived| arrived.saturating_sub(self.answered)),
            lost: self.sent.saturating_sub(self.answered),
        }
    }
}

/// Every train of which some was answered.
pub(crate) fn trains<'a>(view: &View<'a>) -> impl Iterator<Item = Train<'a>> {
    cells(view).filter_map(|cell| {
        let Kind::Train { large, .. } = cell.kind else {
            return None;
        };
        let counted = cell.samples.iter().find_map(|sample| match sample.outcome {
            Outcome::Train {
                sent,
                arrived,
                answered,
                bytes,
                ..
            } => Some((sent, arrived, answered, bytes)),
            _ => None,
        });
        let (sent, arrived, answered, bytes) = counted?;
        Some(Train {
            source: &cell.source,
            target: &cell.target,
            family: Family::of(cell.address),
            large,
            bytes,
            sent,
            arrived,
            answered,
        })
    })
}

fn cells<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Cell> {
    view.observation
        .measured
        .iter()
        .flat_map(|measured| &measured.cells)
}

/// What is missing of the measures of this kind; `None` when none was made.
pub(crate) fn gaps(view: &View<'_>, is_of: fn(&Kind) -> bool) -> Option<Vec<Gap>> {
    let measured = view.observation.measured.as_ref()?;
    let planned: Vec<&Cell> = measured.cells.iter().filter(|cell| is_of(&cell.kind)).collect();
    if planned.is_empty() {
        return None;
    }
    let mut gaps: Vec<Gap> = measured
        .sources
        .values()
        .filter_map(Observed::gap)
        .cloned()
        .collect();
    let unanswered = planned.iter().filter(|cell| cell.samples.is_empty()).count();
    if unanswered > 0 && gaps.is_empty() {
        gaps.push(Gap {
            what: format!("{unanswered} of {} measures between pods", planned.len()),
            why: GapReason::Truncated,
            message: "they were planned and have no answer".to_owned(),
            hint: None,
        });
    }
    Some(gaps)
}

#[cfg(test)]
mod tests;
