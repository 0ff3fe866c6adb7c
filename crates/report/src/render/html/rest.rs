//! What stands below the matrix: what was tried, tables, what was ruled out, what was not seen, and what it cost.

use maud::{Markup, html};

use super::super::grid::figure;
use super::super::page::{effort, skipped_checks};
use super::super::pen::{Tone, mark};
use super::super::tried::one;
use super::cards::advice;
use super::{clean, scrolled};
use crate::{CellState, NoteKind, Report, Table, Tried, TriedFrom, Verdict};

/// So many rows of a table are shown.
const MOST_ROWS: usize = 400;

/// What was tried: at once what is not as it should be, and the rest on request.
pub(super) fn tried(tried: &[Tried]) -> Markup {
    let is_bad = |row: &&Tried| {
        let unexpected = |result: &TriedFrom| {
            result.as_expected == Some(false) || matches!(result.result, CellState::Unknown { .. })
        };
        row.results.iter().any(unexpected)
    };
    let (bad, well): (Vec<&Tried>, Vec<&Tried>) = tried.iter().partition(is_bad);
    html! {
        @if !tried.is_empty() {
            section {
                h2 { "Tried beyond the pairs of nodes" }
                @if !bad.is_empty() { (tried_table(&bad)) }
                @if !well.is_empty() {
                    details {
                        summary { (well.len()) " of " (tried.len()) " are as they should be" }
                        (tried_table(&well))
                    }
                }
            }
        }
    }
}

fn tried_table(rows: &[&Tried]) -> Markup {
    html! {
        (scrolled(
            "What was tried",
            &["About", "Way in", "Address", "Right is", "From each place"],
            &html! { @for row in rows.iter().take(MOST_ROWS) { (tried_row(row)) } },
        ))
        (cut(rows.len()))
    }
}

fn tried_row(row: &Tried) -> Markup {
    let results = row.results.iter().map(|result| {
        let shown = one(result);
        let class = match shown.tone {
            Tone::Bad => "bad",
            Tone::Warning => "flaky",
            Tone::Unknown => "open",
            Tone::Plain | Tone::Strong | Tone::Good | Tone::Faint => "well",
        };
        (class, &result.source, shown.text)
    });
    let mut results: Vec<_> = results.collect();
    results.sort_by_key(|(class, ..)| *class == "well");
    html! {
        tr {
            th scope="row" { (clean(&row.subject.to_string())) }
            td { (clean(&row.way)) @if row.control { span.soft { " (to compare)" } } }
            td { code { (clean(&row.address)) } }
            td { (clean(&row.expected)) }
            td {
                @for (class, source, text) in results {
                    div class={ "one " (class) } { span.soft { (clean(source)) ": " } (clean(&text)) }
                }
            }
        }
    }
}

fn cut(rows: usize) -> Markup {
    html! {
        @if rows > MOST_ROWS { p.soft { (rows - MOST_ROWS) " more rows; -o json has all." } }
    }
}

pub(super) fn tables(tables: &[Table]) -> Markup {
    html! {
        @for table in tables.iter().filter(|table| !table.rows.is_empty()) {
            section {
                h2 { (clean(&table.title)) }
                (scrolled(
                    &table.title,
                    &table.columns,
                    &html! {
                        @for row in table.rows.iter().take(MOST_ROWS) {
                            tr { @for cell in row { td { (clean(cell.as_deref().unwrap_or("?"))) } } }
                        }
                    },
                ))
                (cut(table.rows.len()))
            }
        }
    }
}

/// What it could have been and is not: by its cause, and by what still works.
pub(super) fn ruled_out(report: &Report) -> Markup {
    let causes = report.root_causes.iter().flat_map(|cause| &cause.ruled_out);
    let works = report.localisation.iter().flat_map(|place| &place.still_works);
    let mut lines: Vec<String> = causes
        .map(|other| format!("{}: {}", other.cause, other.by))
        .chain(works.map(|works| format!("works: {works}")))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    html! {
        @if !lines.is_empty() {
            section {
                h2 { "Ruled out" }
                ul { @for line in &lines { li { (clean(line)) } } }
            }
        }
    }
}

pub(super) fn unseen(report: &Report) -> Markup {
    let gaps = report.gaps();
    html! {
        @if !gaps.is_empty() {
            section.card.unknown {
                h2.tag { "? Could not be seen" }
                ul {
                    @for gap in gaps {
                        li {
                            (clean(&gap.what)) ": " (clean(&gap.message))
                            @if let Some(hint) = &gap.hint { div.soft { (advice(hint)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Notes of a kind, and with what was skipped the checks that were not made.
pub(super) fn notes(report: &Report, title: &str, is_kind: impl Fn(NoteKind) -> bool) -> Markup {
    let notes: Vec<_> = report.notes.iter().filter(|note| is_kind(note.kind)).collect();
    let checks = if is_kind(NoteKind::Skipped) {
        skipped_checks(report)
    } else {
        Vec::new()
    };
    html! {
        @if !notes.is_empty() || !checks.is_empty() {
            section {
                h2 { (title) }
                ul {
                    @for note in &notes {
                        li {
                            (clean(&note.text))
                            @if let Some(hint) = &note.hint { div.soft { (advice(hint)) } }
                        }
                    }
                    @for (reason, ids) in checks { li { (clean(&ids.join(", "))) ": " (clean(reason)) } }
                }
            }
        }
    }
}

pub(super) fn checks(report: &Report) -> Markup {
    let count = |verdict| {
        let of = report.checks().iter().filter(|check| check.verdict() == verdict);
        of.count()
    };
    let verdicts = [
        (Verdict::Fail, "failed"),
        (Verdict::Unknown, "inconclusive"),
        (Verdict::Warn, "with warnings"),
        (Verdict::Pass, "passed"),
        (Verdict::Skipped, "skipped"),
    ];
    let counts: Vec<String> = verdicts
        .iter()
        .map(|(verdict, word)| (count(*verdict), word))
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    html! {
        @if !report.checks().is_empty() {
            section {
                h2 { "Checks" }
                details {
                    summary { (counts.join(", ")) }
                    table {
                        thead { tr { th scope="col" { "Check" } th scope="col" { "Verdict" } th scope="col" { "Claim" } } }
                        tbody {
                            @for check in report.checks() {
                                tr {
                                    th scope="row" { code { (clean(&check.id)) } }
                                    td class=(check.verdict().word()) {
                                        (mark(check.verdict())) " " (check.verdict().word())
                                    }
                                    td { (clean(&check.claim)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn pods(report: &Report) -> Markup {
    html! {
        @if !report.probe_pods.is_empty() {
            section {
                h2 { "Probe pods" }
                details {
                    summary { (report.probe_pods.len()) " ran" }
                    (scrolled(
                        "Probe pods",
                        &["Node", "Pod", "Addresses", "Ready after", "Image"],
                        &html! {
                            @for pod in &report.probe_pods {
                                tr {
                                    th scope="row" { (clean(&pod.node)) }
                                    td { (clean(&pod.pod)) }
                                    td { (clean(&pod.ips.join(", "))) }
                                    td { (pod.ready_after_ms.map_or_else(|| "-".to_owned(), |ms| format!("{} s", figure(ms, 1000)))) }
                                    td { (clean(&pod.image)) }
                                }
                            }
                        },
                    ))
                }
            }
        }
    }
}

/// What the run cost, and which program says all this.
pub(super) fn cost(report: &Report) -> Markup {
    let stats = &report.stats;
    let parts = effort(stats);
    let phases: Vec<String> = stats
        .phases
        .iter()
        .map(|phase| format!("{} {} s", phase.name, figure(phase.took_ms, 1000)))
        .collect();
    html! {
        @if !parts.is_empty() { p { "Cost: " (parts.join(", ")) } }
        @if !phases.is_empty() { p { "Time: " (clean(&phases.join(", "))) } }
        p { (clean(&report.tool)) ", " (crate::API_VERSION) }
    }
}
