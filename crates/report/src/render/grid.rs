//! The source × target matrix, row by row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::names::ShortNames;
use super::pen::{Pen, Tone, pad};
use crate::{CellState, FailureClass, FamilyMatrix, Loss, MatrixCell, ProbeState, Protocol};

/// Above so many nodes a matrix is no longer read at a glance.
const MOST_NODES: usize = 12;

/// One cell as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Shown {
    fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

/// The worst that is known of a pair. Where protocols differ, it says which.
pub(super) fn pair(cell: &MatrixCell) -> Shown {
    // ICMP alone is filtered in many healthy networks: it says nothing while anything else was tried.
    let (echo, mut carrying): (Vec<_>, Vec<_>) = cell
        .probes
        .iter()
        .partition(|probe| probe.protocol == Protocol::Icmp);
    if carrying.is_empty() {
        carrying = echo;
    }
    let failed: Vec<_> = carrying
        .iter()
        .copied()
        .filter(|probe| probe.result.is_failed())
        .collect();
    if let [first, ..] = failed.as_slice() {
        return failed_pair(&carrying, &failed, first);
    }
    let is_flaky = |probe: &ProbeState| matches!(probe.result, CellState::Flaky { .. });
    let flaky = carrying.iter().copied().filter(|probe| is_flaky(probe));
    if let Some(worst) = flaky.min_by_key(|probe| answered_share(&probe.result)) {
        let whole = carrying
            .iter()
            .all(|probe| probe.protocol == Protocol::Bulk || is_flaky(probe));
        return single(worst, !whole);
    }
    if let Some(unknown) = carrying
        .iter()
        .find(|probe| matches!(probe.result, CellState::Unknown { .. }))
    {
        let all = carrying
            .iter()
            .all(|probe| matches!(probe.result, CellState::Unknown { .. }));
        return single(unknown, !all);
    }
    carrying
        .first()
        .map_or_else(|| Shown::new(Tone::Faint, "·"), |first| single(first, false))
}

fn failed_pair(carrying: &[&ProbeState], failed: &[&ProbeState], first: &ProbeState) -> Shown {
    let has_failed = |protocol| failed.iter().any(|probe| probe.protocol == protocol);
    let tried = |protocol| carrying.iter().any(|probe| probe.protocol == protocol);
    if failed.iter().all(|probe| probe.protocol == Protocol::Bulk) && tried(Protocol::Tcp) {
        let class = first.result.failure().map(|failure| failure.class);
        return match class {
            Some(FailureClass::Stalled | FailureClass::Timeout) | None => {
                Shown::new(Tone::Bad, "✗ large only")
            }
            Some(other) => Shown::new(Tone::Bad, format!("✗ large {}", other.short())),
        };
    }
    // A refusal or an unreachable says more than silence does.
    let telling = failed
        .iter()
        .filter(|probe| probe.protocol != Protocol::Bulk)
        .max_by_key(|probe| {
            probe
                .result
                .failure()
                .map(|failure| failure.class != FailureClass::Timeout)
        });
    let telling = telling.copied().unwrap_or(first);
    let whole = [Protocol::Tcp, Protocol::Udp]
        .into_iter()
        .all(|protocol| !tried(protocol) || has_failed(protocol));
    single(telling, !whole)
}

/// What is known of one way of probing.
pub(super) fn single(probe: &ProbeState, named: bool) -> Shown {
    let name = if named {
        format!("{} ", probe.protocol.short())
    } else {
        String::new()
    };
    match &probe.result {
        CellState::Ok { median_us, worst_us } => Shown::new(Tone::Plain, latency(*median_us, *worst_us)),
        CellState::Flaky {
            answered, samples, ..
        } => Shown::new(Tone::Warning, format!("~ {name}{answered}/{samples}")),
        CellState::Failed { failure } => Shown::new(Tone::Bad, format!("✗ {name}{}", failure.class.short())),
        CellState::Unknown { .. } => Shown::new(Tone::Unknown, format!("? {name}").trim_end().to_owned()),
    }
}

/// The longest packet that arrives.
pub(super) fn longest(cell: &MatrixCell) -> Shown {
    match &cell.path_mtu {
        Some(mtu) if mtu.has_hole() => Shown::new(Tone::Bad, format!("✗ {} of {}", mtu.passes, mtu.sends)),
        Some(mtu) if mtu.passes < mtu.sends => {
            Shown::new(Tone::Plain, format!("{} of {}", mtu.passes, mtu.sends))
        }
        Some(mtu) => Shown::new(Tone::Plain, mtu.passes.to_string()),
        None => Shown::new(Tone::Faint, "·"),
    }
}

/// How many datagrams were lost each way, small and large ones together.
pub(super) fn lost(cell: &MatrixCell) -> Shown {
    let sent: u32 = cell.loss.iter().map(|loss| loss.sent).sum();
    let lost: u32 = cell.loss.iter().map(|loss| loss.lost).sum();
    if sent == 0 {
        return Shown::new(Tone::Faint, "·");
    }
    let each = |of: fn(&Loss) -> Option<u32>| cell.loss.iter().map(of).sum::<Option<u32>>();
    let text = match (each(|loss| loss.lost_there), each(|loss| loss.lost_back)) {
        (Some(0), Some(0)) => format!("0/{sent}"),
        (Some(there), Some(back)) => format!("{there}+{back}/{sent}"),
        _ => format!("{lost}/{sent}"),
    };
    // One in a hundred is noise.
    let tone = if lost * 100 > sent {
        Tone::Warning
    } else {
        Tone::Plain
    };
    Shown::new(tone, text)
}

fn answered_share(state: &CellState) -> u64 {
    match state {
        CellState::Flaky {
            answered, samples, ..
        } => u64::from(*answered) * 1000 / u64::from((*samples).max(1)),
        CellState::Ok { .. } | CellState::Failed { .. } | CellState::Unknown { .. } => 1000,
    }
}

/// Median and worst, as `0.3/0.9ms`.
pub(super) fn latency(median_us: u64, worst_us: u64) -> String {
    if worst_us >= 1_000_000 {
        format!(
            "{}/{}s",
            figure(median_us, 1_000_000),
            figure(worst_us, 1_000_000)
        )
    } else {
        format!("{}/{}ms", figure(median_us, 1000), figure(worst_us, 1000))
    }
}

/// Two figures of precision, which is as much as a few samples are worth.
pub(super) fn figure(value: u64, unit: u64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a latency of more than 2^52 µs is not one"
    )]
    let value = value as f64 / unit as f64;
    if value < 0.095 {
        format!("{value:.2}")
    } else if value < 9.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// The matrix, or `None` where it is too large to be read at a glance on this page.
pub(super) fn matrix_table(
    pen: Pen,
    matrix: &FamilyMatrix,
    header: bool,
    show: impl Fn(&MatrixCell) -> Shown,
) -> Option<String> {
    if matrix.sources.len().max(matrix.targets.len()) > MOST_NODES {
        return None;
    }
    let by_pair: BTreeMap<(&str, &str), &MatrixCell> = matrix
        .cells
        .iter()
        .map(|cell| ((cell.source.as_str(), cell.target.as_str()), cell))
        .collect();
    let rows: Vec<Vec<Shown>> = matrix
        .sources
        .iter()
        .map(|source| {
            let cell = |target: &String| match by_pair.get(&(source.as_str(), target.as_str())) {
                Some(cell) => show(cell),
                None => Shown::new(Tone::Faint, "·"),
            };
            let clean = |shown: Shown| Shown {
                text: pen.clean(&shown.text),
                ..shown
            };
            matrix.targets.iter().map(|target| clean(cell(target))).collect()
        })
        .collect();
    let names = matrix.sources.iter().chain(&matrix.targets);
    let short = ShortNames::of(names.map(String::as_str));
    let whole = ShortNames::default();
    let mut layouts = vec![Labels::named(pen, matrix, &whole)];
    // Without headers nothing would say what was left out.
    if header && short.pattern().is_some() {
        layouts.push(Labels::named(pen, matrix, &short));
    }
    layouts.push(Labels::numbered(pen, matrix, &whole));
    if header && short.pattern().is_some() {
        layouts.push(Labels::numbered(pen, matrix, &short));
    }
    let labels = layouts
        .into_iter()
        .find(|labels| labels.width(&rows) <= pen.width)?;
    Some(labels.table(pen, &rows, header))
}

/// Appends how short names become whole ones.
pub(super) fn write_legend(out: &mut String, pen: Pen, pattern: &str) {
    let pattern = pen.fit(&pen.clean(pattern), pen.width.saturating_sub(2));
    let text = format!("names stand for * in {pattern}");
    pen.wrap(out, "  ", "  ", Tone::Faint, &text);
}

/// What stands left of the rows and above the columns.
struct Labels {
    corner: String,
    rows: Vec<String>,
    columns: Vec<String>,
    /// How the names in it become whole ones, where they are not.
    pattern: Option<String>,
}

impl Labels {
    fn named(pen: Pen, matrix: &FamilyMatrix, names: &ShortNames) -> Self {
        let clean = |name: &String| pen.clean(names.short(name));
        Self {
            corner: pen.corner().to_owned(),
            rows: matrix.sources.iter().map(clean).collect(),
            columns: matrix.targets.iter().map(clean).collect(),
            pattern: names.pattern(),
        }
    }

    /// Columns by number, for names that are too long to stand side by side.
    fn numbered(pen: Pen, matrix: &FamilyMatrix, names: &ShortNames) -> Self {
        let number = |name: &String| {
            matrix
                .targets
                .iter()
                .position(|target| target == name)
                .map(|index| index + 1)
        };
        Self {
            corner: pen.corner().to_owned(),
            rows: matrix
                .sources
                .iter()
                .map(|name| match number(name) {
                    Some(number) => pen.clean(&format!("[{number}] {}", names.short(name))),
                    None => pen.clean(names.short(name)),
                })
                .collect(),
            columns: (1..=matrix.targets.len())
                .map(|number| format!("[{number}]"))
                .collect(),
            pattern: names.pattern(),
        }
    }

    fn first_column(&self) -> usize {
        let names = self.rows.iter().chain([&self.corner]);
        names.map(|name| Pen::columns(name)).max().unwrap_or(0)
    }

    fn column(&self, rows: &[Vec<Shown>], index: usize) -> usize {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(index))
            .map(|cell| Pen::columns(&cell.text));
        let label = self.columns.get(index).map_or(0, |name| Pen::columns(name));
        cells.chain([label]).max().unwrap_or(0)
    }

    fn width(&self, rows: &[Vec<Shown>]) -> usize {
        2 + self.first_column()
            + (0..self.columns.len())
                .map(|index| 2 + self.column(rows, index))
                .sum::<usize>()
    }

    fn table(&self, pen: Pen, rows: &[Vec<Shown>], header: bool) -> String {
        let mut out = String::new();
        let first = self.first_column();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|index| self.column(rows, index))
            .collect();
        if header {
            let mut line = format!("  {}{}", self.corner, pad(&self.corner, first));
            for (name, width) in self.columns.iter().zip(&widths) {
                let _ = write!(line, "  {name}{}", pad(name, *width));
            }
            let _ = writeln!(out, "{}", pen.paint(Tone::Faint, line.trim_end()));
        }
        for (label, row) in self.rows.iter().zip(rows) {
            let mut line = format!("  {label}{}", pad(label, first));
            let mut owed = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(line, "{owed}  {}", pen.paint(cell.tone, &cell.text));
                owed = pad(&cell.text, *width);
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
        if let Some(pattern) = &self.pattern {
            write_legend(&mut out, pen, pattern);
        }
        out
    }
}
