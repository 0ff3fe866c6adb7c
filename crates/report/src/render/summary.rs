//! A mesh that is too large for a matrix: a line for each way of probing, then only what is not well.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::grid::{Shown, figure, pair};
use super::pen::{Pen, Tone, pad};
use crate::{CellState, Coverage, FamilyMatrix, Matrix, MatrixCell, Protocol};

/// So many lines at the most about what is not well; the rest is counted.
const MOST_LINES: usize = 10;

pub(super) fn summary(pen: Pen, whole: &Matrix, matrix: &FamilyMatrix) -> String {
    let mut text = String::new();
    let out = &mut text;
    let pairs = matrix.cells.len();
    let coverage = match whole.coverage {
        Coverage::Full => format!("{} nodes, all {pairs} ordered pairs", matrix.targets.len()),
        Coverage::Ring { neighbours, sample } => format!(
            "{} nodes, {pairs} ordered pairs: each node to {neighbours} next in a ring and {sample} more; --full-mesh \
             probes all",
            matrix.targets.len()
        ),
    };
    pen.wrap(out, "  ", "  ", Tone::Faint, &coverage);
    for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Bulk, Protocol::Icmp] {
        write_protocol(out, pen, matrix, protocol);
    }
    write_bad(out, pen, matrix);
    text
}

fn write_protocol(out: &mut String, pen: Pen, matrix: &FamilyMatrix, protocol: Protocol) {
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
        return;
    }
    medians.sort_unstable();
    let mut line = format!("  {:<6}{well} of {planned} pairs", protocol.short());
    if let (Some(median), Some((longest, cell))) = (medians.get(medians.len() / 2), worst) {
        let _ = write!(
            line,
            ", median {}ms, worst {}ms {} → {}",
            figure(*median, 1000),
            figure(longest, 1000),
            cell.source,
            cell.target
        );
    }
    let tone = if well == planned { Tone::Plain } else { Tone::Bad };
    let _ = writeln!(out, "{}", pen.paint(tone, &pen.clean(&line)));
}

fn write_bad(out: &mut String, pen: Pen, matrix: &FamilyMatrix) {
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
        lines.push((format!("from {node}"), counted(shown, *count, *of)));
    }
    for (node, (count, of, shown)) in &targets {
        lines.push((format!("to {node}"), counted(shown, *count, *of)));
    }
    for (cell, shown) in &bad {
        if !sources.contains_key(cell.source.as_str()) && !targets.contains_key(cell.target.as_str()) {
            lines.push((format!("{} → {}", cell.source, cell.target), shown.clone()));
        }
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    let labels: Vec<String> = lines.iter().map(|(label, _)| pen.clean(label)).collect();
    let width = labels.iter().map(|label| Pen::columns(label)).max().unwrap_or(0);
    for (label, (_, shown)) in labels.iter().zip(&lines) {
        let text = pen.paint(shown.tone, &pen.clean(&shown.text));
        let _ = writeln!(out, "  {label}{}  {text}", pad(label, width));
    }
    if more > 0 {
        let _ = writeln!(
            out,
            "  {}",
            pen.clean(&format!("… and {more} more; -o json lists all"))
        );
    }
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
