//! Tables as kubectl prints them.

use std::fmt::Write as _;

use super::pen::{Pen, Tone, pad};
use crate::Table;

/// So many rows of a table are printed, unless all are asked for.
const MOST_ROWS: usize = 40;

/// Appends tables, each with its first rows, or `whole`.
pub(super) fn write_tables(out: &mut String, pen: Pen, tables: &[Table], header: bool, whole: bool) {
    let tables: Vec<&Table> = tables.iter().filter(|table| !table.rows.is_empty()).collect();
    for table in &tables {
        // What a single one is of, the command says.
        if header && tables.len() > 1 {
            let _ = writeln!(out, "\n{}", pen.paint(Tone::Faint, &pen.clean(&table.title)));
        }
        let shown = if whole { table.rows.len() } else { MOST_ROWS };
        let headers: Vec<String> = table.columns.iter().map(|name| name.to_uppercase()).collect();
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "?".to_owned());
        let rows = table.rows.iter().take(shown);
        let rows = rows.map(|row| row.iter().map(cell).collect()).collect();
        write_table(out, pen, &headers, rows, header);
        if let Some(hidden) = table.rows.len().checked_sub(shown).filter(|hidden| *hidden > 0) {
            let more = pen.clean(&format!(
                "… and {hidden} more of {}; -o wide shows all",
                table.title
            ));
            let _ = writeln!(out, "{}", pen.paint(Tone::Faint, &more));
        }
    }
}

/// A table as kubectl prints it: three spaces between columns, headers in upper case.
pub(super) fn write_table(
    out: &mut String,
    pen: Pen,
    headers: &[&str],
    rows: Vec<Vec<String>>,
    header: bool,
) {
    let mut lines: Vec<Vec<String>> = Vec::new();
    if header {
        lines.push(headers.iter().map(|name| pen.clean(name)).collect());
    }
    lines.extend(
        rows.into_iter()
            .map(|row| row.iter().map(|cell| pen.clean(cell)).collect()),
    );
    let widths: Vec<usize> = (0..headers.len())
        .map(|index| {
            lines
                .iter()
                .filter_map(|row| row.get(index))
                .map(|cell| Pen::columns(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    out.push('\n');
    for row in &lines {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell}{}   ", pad(cell, *width));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RenderOptions;

    fn text(tables: &[Table], whole: bool) -> String {
        let mut out = String::new();
        write_tables(&mut out, Pen::new(&RenderOptions::default()), tables, true, whole);
        out
    }

    #[test]
    fn what_was_not_seen_is_a_question_and_not_an_empty_cell() {
        let mut table = Table::new("kube-proxy", &["node", "last sync"]);
        table.rows.push(vec![Some("node1".to_owned()), None]);
        table
            .rows
            .push(vec![Some("node2".to_owned()), Some("12s".to_owned())]);
        let expected = "\nNODE    LAST SYNC\nnode1   ?\nnode2   12s\n";
        assert_eq!(text(&[table], false), expected);
    }

    #[test]
    fn a_long_table_ends_with_how_much_more_there_is() {
        let mut table = Table::new("connections", &["node"]);
        table.rows = (0..60).map(|number| vec![Some(number.to_string())]).collect();
        let tables = [table];
        assert!(text(&tables, false).ends_with("and 20 more of connections; -o wide shows all\n"));
        assert!(text(&tables, true).ends_with("59\n"));
        assert_eq!(text(&[Table::new("nothing", &["node"])], true), "");
    }
}
