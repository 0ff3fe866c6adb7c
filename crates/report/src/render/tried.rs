//! What was tried beyond the mesh: a row for each address, a column for each source while there is room.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::grid::{Shown, latency};
use super::pen::{Pen, Tone, pad};
use crate::{CellState, Subject, Tried, TriedFrom};

/// Above so many sources a row says how many of them were answered instead of what each of them was.
const MOST_SOURCES: usize = 6;
/// So many rows of one subject at the most, unless they are not well.
const MOST_ROWS: usize = 24;

/// Appends the table. `whole` shows every row.
pub(super) fn write_tried(out: &mut String, pen: Pen, tried: &[Tried], header: bool, whole: bool) {
    // What was tried only to compare with says nothing while it is well.
    let is_news =
        |row: &&Tried| !row.control || whole || row.results.iter().any(|it| it.as_expected == Some(false));
    let tried: Vec<&Tried> = tried.iter().filter(is_news).collect();
    if tried.is_empty() {
        return;
    }
    let sources: BTreeSet<&str> = tried
        .iter()
        .flat_map(|row| &row.results)
        .map(|result| result.source.as_str())
        .collect();
    let each: Vec<&str> = sources.iter().copied().collect();
    let has_room = each.len() <= MOST_SOURCES && width(pen, &tried, &each) <= pen.width;
    let columns: Option<Vec<&str>> = has_room.then_some(each);
    let mut subjects: Vec<&Subject> = Vec::new();
    for row in &tried {
        if !subjects.contains(&&row.subject) {
            subjects.push(&row.subject);
        }
    }
    let mut lines: Vec<Line> = Vec::new();
    for subject in subjects {
        lines.push(Line::Subject(pen.clean(&subject.to_string())));
        let rows = tried.iter().filter(|row| row.subject == *subject);
        let (mut shown, mut hidden) = (0, 0);
        for row in rows {
            let is_well = row.results.iter().all(|result| result.as_expected != Some(false));
            if shown >= MOST_ROWS && is_well && !whole {
                hidden += 1;
                continue;
            }
            shown += 1;
            lines.push(Line::Row(cells(pen, row, columns.as_deref())));
        }
        if hidden > 0 {
            lines.push(Line::More(format!(
                "… and {hidden} more that are well; -o wide shows all"
            )));
        }
    }
    write_lines(out, pen, &lines, columns.as_deref(), header);
}

/// How wide the table is with a column for each source.
fn width(pen: Pen, tried: &[&Tried], columns: &[&str]) -> usize {
    let rows: Vec<Vec<Shown>> = tried.iter().map(|row| cells(pen, row, Some(columns))).collect();
    let head = |column: usize| {
        column
            .checked_sub(2)
            .map_or(0, |at| Pen::columns(&pen.clean(columns[at])))
    };
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| Pen::columns(&cell.text))
            .max()
            .unwrap_or(0)
            .max(head(column))
    };
    4 + (0..columns.len() + 2)
        .map(|column| widest(column) + 3)
        .sum::<usize>()
        - 3
}

enum Line {
    Subject(String),
    Row(Vec<Shown>),
    More(String),
}

fn plain(pen: Pen, text: &str) -> Shown {
    Shown {
        text: pen.clean(text),
        tone: Tone::Plain,
    }
}

fn cells(pen: Pen, row: &Tried, columns: Option<&[&str]>) -> Vec<Shown> {
    let mut cells = vec![plain(pen, &row.way), plain(pen, &row.address)];
    match columns {
        Some(columns) => cells.extend(columns.iter().map(|source| {
            let result = row.results.iter().find(|result| result.source == *source);
            let mut shown = result.map_or_else(
                || Shown {
                    text: "·".to_owned(),
                    tone: Tone::Faint,
                },
                one,
            );
            shown.text = pen.clean(&shown.text);
            shown
        })),
        None => cells.push(summed(pen, row)),
    }
    cells
}

/// What came of trying from one place.
pub(super) fn one(result: &TriedFrom) -> Shown {
    let bad = result.as_expected == Some(false);
    let tone = |good| if bad { Tone::Bad } else { good };
    match &result.result {
        CellState::Ok { median_us, worst_us } => {
            let mark = if bad { "✗ answered " } else { "" };
            Shown {
                text: format!("{mark}{}", latency(*median_us, *worst_us)),
                tone: tone(Tone::Plain),
            }
        }
        CellState::Flaky {
            answered, samples, ..
        } => Shown {
            text: format!("~ {answered}/{samples}"),
            tone: tone(Tone::Warning),
        },
        CellState::Failed { failure } => {
            let mark = if bad { "✗ " } else { "" };
            let tone = if bad { Tone::Bad } else { Tone::Faint };
            Shown {
                text: format!("{mark}{}", failure.class.short()),
                tone,
            }
        }
        CellState::Unknown { .. } => Shown {
            text: "?".to_owned(),
            tone: Tone::Unknown,
        },
    }
}

/// All sources in a few words.
fn summed(pen: Pen, row: &Tried) -> Shown {
    let bad: Vec<&TriedFrom> = row
        .results
        .iter()
        .filter(|result| result.as_expected == Some(false))
        .collect();
    let unknown = row
        .results
        .iter()
        .filter(|result| matches!(result.result, CellState::Unknown { .. }))
        .count();
    let total = row.results.len();
    let Some(first) = bad.first() else {
        let mut medians: Vec<u64> = Vec::new();
        let mut worst = 0;
        for result in &row.results {
            if let CellState::Ok { median_us, worst_us } = result.result {
                medians.push(median_us);
                worst = worst.max(worst_us);
            }
        }
        medians.sort_unstable();
        let figures = medians
            .get(medians.len() / 2)
            .map(|median| format!(" {}", latency(*median, worst)));
        let unseen = if unknown > 0 {
            format!(", {unknown} not known")
        } else {
            String::new()
        };
        return Shown {
            text: pen.clean(&format!(
                "{} of {total} sources{}{unseen}",
                total - unknown,
                figures.unwrap_or_default()
            )),
            tone: if unknown > 0 { Tone::Unknown } else { Tone::Plain },
        };
    };
    let names: Vec<&str> = bad.iter().take(3).map(|result| result.source.as_str()).collect();
    let more = bad.len().saturating_sub(names.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Shown {
        text: pen.clean(&format!(
            "{} from {}{more} of {total}",
            one(first).text,
            names.join(", ")
        )),
        tone: Tone::Bad,
    }
}

fn write_lines(out: &mut String, pen: Pen, lines: &[Line], columns: Option<&[&str]>, header: bool) {
    let mut head: Vec<Shown> = vec![plain(pen, ""), plain(pen, "")];
    match columns {
        Some(columns) => head.extend(columns.iter().map(|source| Shown {
            text: pen.clean(source),
            tone: Tone::Faint,
        })),
        None => head.push(plain(pen, "")),
    }
    let rows = lines.iter().filter_map(|line| match line {
        Line::Row(cells) => Some(cells),
        Line::Subject(_) | Line::More(_) => None,
    });
    let mut widths = vec![0; head.len()];
    for row in rows.chain(std::iter::once(&head)) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(Pen::columns(&cell.text));
        }
    }
    out.push('\n');
    if header && columns.is_some() {
        write_row(out, pen, &head, &widths);
    }
    for line in lines {
        match line {
            Line::Subject(subject) => {
                let _ = writeln!(out, "  {}", pen.paint(Tone::Strong, subject));
            }
            Line::Row(cells) => write_row(out, pen, cells, &widths),
            Line::More(text) => {
                let _ = writeln!(out, "    {}", pen.paint(Tone::Faint, &pen.clean(text)));
            }
        }
    }
}

fn write_row(out: &mut String, pen: Pen, cells: &[Shown], widths: &[usize]) {
    let mut line = String::new();
    let last = cells.len().saturating_sub(1);
    for (position, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let space = if position == last {
            String::new()
        } else {
            pad(&cell.text, *width) + "   "
        };
        let _ = write!(line, "{}{space}", pen.paint(cell.tone, &cell.text));
    }
    let _ = writeln!(out, "    {}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::RenderOptions;
    use crate::{Failure, FailureClass};

    fn row(results: Vec<TriedFrom>) -> Tried {
        Tried {
            subject: Subject::node("node1"),
            way: "kubelet".into(),
            address: "192.0.2.1:10250/tcp".into(),
            control: false,
            expected: "answer".into(),
            results,
        }
    }

    fn from(source: String, fails: bool) -> TriedFrom {
        let result = if fails {
            CellState::Failed {
                failure: Failure {
                    class: FailureClass::Timeout,
                    detail: "no answer in 4.0s".into(),
                },
            }
        } else {
            CellState::Ok {
                median_us: 300,
                worst_us: 900,
            }
        };
        TriedFrom {
            source,
            result,
            as_expected: Some(!fails),
        }
    }

    fn text(tried: &[Tried]) -> String {
        let mut out = String::new();
        write_tried(&mut out, Pen::new(&RenderOptions::default()), tried, true, false);
        out
    }

    #[test]
    fn few_sources_have_a_column_each() {
        let table = text(&[row(vec![from("node1".into(), false), from("node2".into(), true)])]);
        assert_eq!(
            table,
            "\n                                    node1       node2\n  node/node1\n    kubelet   192.0.2.1:10250/tcp   0.3/0.9ms   ✗ timeout\n"
        );
    }

    #[test]
    fn many_sources_are_summed_up() {
        let results = (0..40)
            .map(|number| from(format!("node{number}"), number == 7))
            .collect();
        let table = text(&[row(results)]);
        assert!(table.contains("✗ timeout from node7 of 40"), "{table}");
        let well = (0..40)
            .map(|number| from(format!("node{number}"), false))
            .collect();
        let table = text(&[row(well)]);
        assert!(table.contains("40 of 40 sources 0.3/0.9ms"), "{table}");
    }

    #[test]
    fn what_was_tried_to_compare_with_is_shown_where_it_is_not_well() {
        let control = |fails| Tried {
            control: true,
            ..row(vec![from("node1".into(), fails)])
        };
        assert_eq!(text(&[control(false)]), "");
        assert!(text(&[control(true)]).contains("✗ timeout"));
    }

    #[test]
    fn rows_that_are_well_give_way_to_those_that_are_not() {
        let mut rows = vec![row(vec![from("node1".into(), false)]); 40];
        rows.push(row(vec![from("node1".into(), true)]));
        let table = text(&rows);
        assert!(
            table.contains("✗ timeout") && table.contains("16 more that are well"),
            "{table}"
        );
    }
}
