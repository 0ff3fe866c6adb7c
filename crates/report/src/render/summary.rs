//! A mesh that is too large for a matrix: a line for each way of probing, then only what is not well.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::dots::dots;
use super::grid::{Shown, figure, pair, write_legend};
use super::names::ShortNames;
use super::pen::{Pen, Tone, pad};
use crate::{CellState, Coverage, FamilyMatrix, Matrix, MatrixCell, Protocol};

/// So many lines at the most about what is not well; the rest is counted.
const MOST_LINES: usize = 10;

/// `whole` also draws every pair, where there is room.
pub(super) fn summary(pen: Pen, plan: &Matrix, matrix: &FamilyMatrix, whole: bool) -> String {
    let mut out = String::new();
    let pairs = matrix.cells.len();
    let coverage = match plan.coverage {
        Coverage::Full => match matrix.targets.len() {
            1 => "one node with itself".to_owned(),
            nodes => format!("{nodes} nodes, all {pairs} ordered pairs"),
        },
        Coverage::Ring { neighbours, sample } => format!(
            "{} nodes, {pairs} ordered pairs: each node to {neighbours} next in a ring and {sample} more; --full-mesh \
             probes all",
            matrix.targets.len()
        ),
    };
    pen.wrap(&mut out, "  ", "  ", Tone::Faint, &coverage);
    let short = ShortNames::of(matrix.sources.iter().chain(&matrix.targets).map(String::as_str));
    let lines = Lines::of(pen, matrix, &ShortNames::default());
    let (lines, names) = if lines.width() > pen.width && short.pattern().is_some() {
        (Lines::of(pen, matrix, &short), short.clone())
    } else {
        (lines, ShortNames::default())
    };
    let is_cut = lines.bad.len() > MOST_LINES;
    lines.write(&mut out, pen);
    let drawn = (plan.coverage == Coverage::Full && (is_cut || whole)).then(|| dots(pen, matrix, &short));
    let drawn = drawn.flatten();
    out.push_str(drawn.as_deref().unwrap_or_default());
    let shown = if drawn.is_some() { short } else { names };
    if let Some(pattern) = shown.pattern() {
        write_legend(&mut out, pen, &pattern);
    }
    out
}

/// What is printed, line by line.
struct Lines {
    /// A way of probing, and how it went.
    protocols: Vec<Shown>,
    /// What is not well, and how.
    bad: Vec<(String, Shown)>,
}

impl Lines {
    fn of(pen: Pen, matrix: &FamilyMatrix, names: &ShortNames) -> Self {
        let protocols = [Protocol::Tcp, Protocol::Udp, Protocol::Bulk, Protocol::Icmp];
        let clean = |shown: Shown| Shown {
            text: pen.clean(&shown.text),
            ..shown
        };
        let bad = bad_lines(matrix, names);
        Self {
            protocols: protocols
                .into_iter()
                .filter_map(|protocol| protocol_line(pen, matrix, protocol, names))
                .map(clean)
                .collect(),
            bad: bad
                .into_iter()
                .map(|(label, shown)| (pen.clean(&label), clean(shown)))
                .collect(),
        }
    }

    fn labels(&self) -> usize {
        let shown = self.bad.iter().take(MOST_LINES);
        shown.map(|(label, _)| Pen::columns(label)).max().unwrap_or(0)
    }

    /// How wide the widest line would be.
    fn width(&self) -> usize {
        let bad = self.bad.iter().take(MOST_LINES);
        let bad = bad.map(|(_, shown)| 4 + self.labels() + Pen::columns(&shown.text));
        let protocols = self.protocols.iter().map(|shown| 2 + Pen::columns(&shown.text));
        bad.chain(protocols).max().unwrap_or(0)
    }

    fn write(&self, out: &mut String, pen: Pen) {
        for shown in &self.protocols {
            pen.wrap(out, "  ", "  ", shown.tone, &shown.text);
        }
        let texts = self.bad.iter().take(MOST_LINES);
        let texts = texts
            .map(|(_, shown)| Pen::columns(&shown.text))
            .max()
            .unwrap_or(0);
        let width = self.labels().min(pen.width.saturating_sub(4 + texts).max(20));
        for (label, shown) in self.bad.iter().take(MOST_LINES) {
            let label = pen.fit(label, width);
            let text = pen.paint(shown.tone, &shown.text);
            let _ = writeln!(out, "  {label}{}  {text}", pad(&label, width));
        }
        let more = self.bad.len().saturating_sub(MOST_LINES);
        if more > 0 {
            let more = pen.clean(&format!("… and {more} more; -o json lists all"));
            let _ = writeln!(out, "  {more}");
        }
    }
}

fn protocol_line(pen: Pen, matrix: &FamilyMatrix, protocol: Protocol, names: &ShortNames) -> Option<Shown> {
    let mut medians: Vec<u64> = Vec::new();
    let mut worst: Option<(u64, &MatrixCell)> = None;
    let (mut planned, mut well) = (0_usize, 0_usize);
    for cell in &matrix.cells {
        for probe in cell.probes.iter().filter(|probe| probe.protocol == protocol) {
            planned += 1;
            if let CellState::Ok { median_us, worst_us } = &probe.result {
                well += 1;
                medians.push(*median_us);
                if worst.is_none_or(|(longest, _)| *worst_us > longest) {
                    worst = Some((*worst_us, cell));
                }
            }
        }
    }
    if planned == 0 {
        return None;
    }
    medians.sort_unstable();
    let name = |name: &str| pen.fit(names.short(name), pen.width.saturating_sub(4));
    let mut text = format!("{:<6}{well} of {planned} pairs", protocol.short());
    if let (Some(median), Some((longest, cell))) = (medians.get(medians.len() / 2), worst) {
        let _ = write!(
            text,
            ", median {}ms, worst {}ms {} → {}",
            figure(*median, 1000),
            figure(longest, 1000),
            name(&cell.source),
            name(&cell.target)
        );
    }
    let tone = if well == planned { Tone::Plain } else { Tone::Bad };
    Some(Shown { text, tone })
}

fn bad_lines(matrix: &FamilyMatrix, names: &ShortNames) -> Vec<(String, Shown)> {
    let bad: Vec<(&MatrixCell, Shown)> = matrix
        .cells
        .iter()
        .map(|cell| (cell, pair(cell)))
        .filter(|(_, shown)| matches!(shown.tone, Tone::Bad | Tone::Warning | Tone::Unknown))
        .collect();
    let mut lines: Vec<(String, Shown)> = Vec::new();
    let sources = whole_lines(matrix, &bad, |cell| &cell.source);
    let targets = whole_lines(matrix, &bad, |cell| &cell.target);
    for (node, (count, of, shown)) in &sources {
        lines.push((format!("from {}", names.short(node)), counted(shown, *count, *of)));
    }
    for (node, (count, of, shown)) in &targets {
        lines.push((format!("to {}", names.short(node)), counted(shown, *count, *of)));
    }
    for (cell, shown) in &bad {
        if !sources.contains_key(cell.source.as_str()) && !targets.contains_key(cell.target.as_str()) {
            let way = format!("{} → {}", names.short(&cell.source), names.short(&cell.target));
            lines.push((way, shown.clone()));
        }
    }
    lines
}

fn counted(shown: &Shown, count: usize, of: usize) -> Shown {
    Shown {
        text: format!("{}  {count} of {of} pairs", shown.text),
        tone: shown.tone,
    }
}

/// The nodes most of whose row, or column, is not well.
fn whole_lines<'a>(
    matrix: &'a FamilyMatrix,
    bad: &[(&'a MatrixCell, Shown)],
    end: impl Fn(&'a MatrixCell) -> &'a String,
) -> BTreeMap<&'a str, (usize, usize, Shown)> {
    let mut planned: BTreeMap<&str, usize> = BTreeMap::new();
    for cell in matrix.cells.iter().filter(|cell| cell.source != cell.target) {
        *planned.entry(end(cell)).or_default() += 1;
    }
    let mut counts: BTreeMap<&str, (usize, usize, Shown)> = BTreeMap::new();
    for (cell, shown) in bad.iter().filter(|(cell, _)| cell.source != cell.target) {
        let node = end(cell).as_str();
        let of = planned.get(node).copied().unwrap_or(0);
        counts.entry(node).or_insert((0, of, shown.clone())).0 += 1;
    }
    counts.retain(|_, (count, of, _)| *count > 2 && *count * 2 > *of);
    counts
}
