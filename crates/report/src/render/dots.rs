//! Every pair of nodes as one character, so that the pattern of what fails is seen where no table has room.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::grid::pair;
use super::names::ShortNames;
use super::pen::{Pen, Tone, pad};
use crate::FamilyMatrix;

/// So many rows at the most: a screen.
const MOST_NODES: usize = 50;
/// A name in fewer columns is no help.
const LEAST_LABEL: usize = 8;

/// The drawing, or `None` where even that has no room.
pub(super) fn dots(pen: Pen, matrix: &FamilyMatrix, names: &ShortNames) -> Option<String> {
    let columns = matrix.targets.len();
    if columns.max(matrix.sources.len()) > MOST_NODES {
        return None;
    }
    let number = |name: &String| matrix.targets.iter().position(|target| target == name);
    let labels = matrix.sources.iter().map(|name| {
        let short = pen.clean(names.short(name));
        number(name).map_or_else(|| short.clone(), |at| format!("{:>2} {short}", at + 1))
    });
    let labels: Vec<String> = labels.collect();
    let longest = labels.iter().map(|label| Pen::columns(label)).max().unwrap_or(0);
    // Two columns for each pair read better than one.
    let step = [2, 1].into_iter().find(|step| {
        let room = pen.width.saturating_sub(4 + step * columns);
        room >= longest.min(LEAST_LABEL + 6 * step)
    })?;
    let width = longest.min(pen.width.saturating_sub(4 + step * columns));
    let by_pair: BTreeMap<(&str, &str), (char, Tone)> = matrix
        .cells
        .iter()
        .map(|cell| {
            (
                (cell.source.as_str(), cell.target.as_str()),
                mark(pen, pair(cell).tone),
            )
        })
        .collect();
    let mut out = String::new();
    out.push('\n');
    for digit in [10, 1] {
        let digits = (1..=columns).map(|column| match (column / digit, digit) {
            (0, 10) => format!("{:>step$}", ' '),
            (value, _) => format!("{:>step$}", value % 10),
        });
        let line = format!("  {:width$}  {}", "", digits.collect::<String>());
        let _ = writeln!(out, "{}", pen.paint(Tone::Faint, line.trim_end()));
    }
    for (source, label) in matrix.sources.iter().zip(&labels) {
        let label = pen.fit(label, width);
        let mut line = format!("  {label}{}  ", pad(&label, width));
        let mut owed = 0;
        for target in &matrix.targets {
            owed += step - 1;
            match by_pair.get(&(source.as_str(), target.as_str())) {
                Some((mark, tone)) => {
                    let _ = write!(line, "{:owed$}{}", "", pen.paint(*tone, &mark.to_string()));
                    owed = 0;
                }
                None => owed += 1,
            }
        }
        let _ = writeln!(out, "{line}");
    }
    let marks = [
        (Tone::Plain, "answers"),
        (Tone::Bad, "fails"),
        (Tone::Warning, "in part"),
        (Tone::Unknown, "not known"),
    ];
    let marks = marks.map(|(tone, word)| format!("{} {word}", mark(pen, tone).0));
    let legend = format!("rows are sources, columns targets; {}", marks.join(", "));
    pen.wrap(&mut out, "  ", "  ", Tone::Faint, &legend);
    Some(out)
}

fn mark(pen: Pen, tone: Tone) -> (char, Tone) {
    let bad = if pen.clean("✗") == "✗" { '✗' } else { 'x' };
    let mark = match tone {
        Tone::Bad => bad,
        Tone::Warning => '~',
        Tone::Unknown => '?',
        Tone::Plain | Tone::Strong | Tone::Faint | Tone::Good => '.',
    };
    (mark, tone)
}
