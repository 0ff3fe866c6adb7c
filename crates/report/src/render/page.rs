//! The report for people: the answer first, then the matrix, then what is wrong, then what was not seen.

use std::fmt::Write as _;

use super::RenderOptions;
use super::grid::{Shown, figure, longest, lost, matrix_table, pair, single};
use super::pen::{Pen, Tone};
use super::stanza::{write_cause, write_finding};
use super::summary::summary;
use super::tables::{write_table, write_tables};
use super::tried::write_tried;
use crate::{
    FamilyMatrix, Finding, Matrix, MatrixCell, Note, NoteKind, Protocol, Report, RootCause, Severity, Stats,
};

pub(super) fn page(report: &Report, options: &RenderOptions, wide: bool) -> String {
    let pen = Pen::new(options);
    let mut out = String::new();
    write_answer(&mut out, pen, report);
    for cause in report
        .root_causes
        .iter()
        .filter(|cause| !is_placed(report, cause))
    {
        out.push('\n');
        let own = report.findings().iter().find(|finding| {
            finding.id == cause.id && finding.summary == cause.summary && finding.subject == cause.subject
        });
        let severity = own.map_or(Severity::Error, |finding| finding.severity);
        write_cause(&mut out, pen, cause, severity, &follows(report, cause));
    }
    if let Some(matrix) = &report.matrix {
        write_matrices(&mut out, pen, matrix, options, wide);
    }
    write_tried(&mut out, pen, &report.tried, !options.no_headers, wide);
    write_tables(&mut out, pen, &report.tables, !options.no_headers, wide);
    let problems = report
        .findings()
        .iter()
        .filter(|finding| finding.severity > Severity::Note)
        .count();
    let told = |finding: &&Finding| {
        let mut causes = report.root_causes.iter();
        !causes.any(|cause| tells(cause, finding) && !(cause.id == finding.id && is_placed(report, cause)))
    };
    for finding in report.findings().iter().filter(told) {
        let place = report
            .localisation
            .iter()
            .find(|place| place.check == finding.id && place.sentence == finding.summary);
        out.push('\n');
        let is_answer = problems == 1 && report.summary.contains(&finding.summary);
        write_finding(&mut out, pen, finding, place, is_answer);
    }
    write_unseen(&mut out, pen, report);
    write_skipped(&mut out, pen, report);
    write_notes(&mut out, pen, &report.notes);
    if wide {
        write_pods(&mut out, pen, report, !options.no_headers);
        write_checks(&mut out, pen, report, !options.no_headers);
    }
    if options.stats {
        write_stats(&mut out, pen, &report.stats);
    }
    out
}

/// Whether a cause is itself what the matrix shows: then its finding says more, with the place.
pub(super) fn is_placed(report: &Report, cause: &RootCause) -> bool {
    let mut places = report.localisation.iter();
    places.any(|place| place.check == cause.id && place.sentence == cause.summary)
}

/// Whether a cause says what a finding says: it is the cause, or follows from it.
pub(super) fn tells(cause: &RootCause, finding: &Finding) -> bool {
    let is_cause =
        cause.id == finding.id && cause.subject == finding.subject && cause.summary == finding.summary;
    is_cause || cause.explains.contains(&finding.id)
}

/// What follows from a cause, in a sentence each; what is said of several ports of the same, once.
pub(super) fn follows<'a>(report: &'a Report, cause: &RootCause) -> Vec<&'a str> {
    let mut sentences: Vec<&str> = Vec::new();
    for finding in report.findings() {
        let sentence = finding.summary.as_str();
        if finding.severity > Severity::Note
            && cause.explains.contains(&finding.id)
            && !sentences.contains(&sentence)
        {
            sentences.push(sentence);
        }
    }
    sentences
}

fn write_answer(out: &mut String, pen: Pen, report: &Report) {
    let mark = pen.verdict_mark(report.verdict());
    let painted = format!("{} ", pen.paint(Tone::of_verdict(report.verdict()), mark));
    pen.wrap(
        out,
        &format!("{mark} "),
        &painted,
        Tone::Strong,
        &pen.clean(&report.summary),
    );
}

fn write_matrices(out: &mut String, pen: Pen, matrix: &Matrix, options: &RenderOptions, wide: bool) {
    let header = !options.no_headers;
    for family in &matrix.families {
        let protocols = planned_protocols(family);
        let shown: Option<Vec<(Protocol, String)>> = if wide {
            let table = |protocol| {
                let of_protocol = |cell: &MatrixCell| of_protocol(cell, protocol);
                Some((protocol, matrix_table(pen, family, header, of_protocol)?))
            };
            protocols.iter().copied().map(table).collect()
        } else {
            let first = protocols.first().copied();
            first.and_then(|first| Some(vec![(first, matrix_table(pen, family, header, pair)?)]))
        };
        match shown {
            Some(tables) => {
                for (protocol, table) in tables {
                    write_titled(out, pen, header, &title(matrix, family, protocol), &table);
                }
            }
            None => write_titled(
                out,
                pen,
                true,
                &family.family.to_string(),
                &summary(pen, matrix, family, wide),
            ),
        }
        write_measures(out, pen, family, header);
    }
}

/// The ways in which any pair of the family was to be probed.
pub(super) fn planned_protocols(family: &FamilyMatrix) -> Vec<Protocol> {
    let planned = |protocol: &Protocol| {
        let mut probes = family.cells.iter().flat_map(|cell| &cell.probes);
        probes.any(|probe| probe.protocol == *protocol)
    };
    let mut protocols = vec![Protocol::Tcp, Protocol::Udp, Protocol::Bulk, Protocol::Icmp];
    protocols.retain(planned);
    protocols
}

/// What was measured beside the probes: sizes, and loss.
fn write_measures(out: &mut String, pen: Pen, family: &FamilyMatrix, header: bool) {
    let has_sizes = family.cells.iter().any(|cell| cell.path_mtu.is_some());
    if has_sizes && let Some(table) = matrix_table(pen, family, header, longest) {
        let title = format!("{}, longest packet that arrives, in bytes", family.family);
        write_titled(out, pen, header, &title, &table);
    }
    let has_loss = family.cells.iter().any(|cell| !cell.loss.is_empty());
    if has_loss && let Some(table) = matrix_table(pen, family, header, lost) {
        let title = format!(
            "{}, lost on the way there + on the way back, of all datagrams",
            family.family
        );
        write_titled(out, pen, header, &title, &table);
    }
}

fn write_titled(out: &mut String, pen: Pen, header: bool, title: &str, table: &str) {
    out.push('\n');
    if header {
        pen.wrap(out, "  ", "  ", Tone::Faint, &pen.clean(title));
    }
    out.push_str(table);
}

/// What the figures of a matrix are.
fn title(matrix: &Matrix, family: &FamilyMatrix, protocol: Protocol) -> String {
    let what = way_of(matrix, protocol);
    let planned = family.cells.len() == family.sources.len() * family.targets.len();
    let rest = if planned { "" } else { ", · not probed" };
    format!("{}, median/worst of {what}{rest}", family.family)
}

/// A way of probing, as a noun phrase.
pub(super) fn way_of(matrix: &Matrix, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => "TCP connect and answer".to_owned(),
        Protocol::Udp => "UDP datagram and answer".to_owned(),
        Protocol::Bulk => match matrix.bulk_bytes {
            Some(bytes) => format!("{} over TCP in each direction", size(bytes)),
            None => "bulk data over TCP in each direction".to_owned(),
        },
        Protocol::Icmp => "ICMP echo".to_owned(),
    }
}

/// Bytes in the largest unit that divides them.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes % (1 << 20) == 0 => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes % (1 << 10) == 0 => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

fn of_protocol(cell: &MatrixCell, protocol: Protocol) -> Shown {
    match cell.probes.iter().find(|probe| probe.protocol == protocol) {
        Some(probe) => single(probe, false),
        None => Shown {
            text: "·".to_owned(),
            tone: Tone::Faint,
        },
    }
}

fn write_unseen(out: &mut String, pen: Pen, report: &Report) {
    let gaps = report.gaps();
    if gaps.is_empty() {
        return;
    }
    out.push('\n');
    let _ = writeln!(
        out,
        "{} {}",
        pen.paint(Tone::Unknown, "?"),
        pen.paint(Tone::Strong, "not seen")
    );
    for gap in gaps {
        let text = pen.clean(&format!("{}: {}", gap.what, gap.message));
        pen.wrap(out, "    ", "    ", Tone::Plain, &text);
        if let Some(hint) = &gap.hint {
            write_hint(out, pen, hint);
        }
    }
}

/// Why checks were not made, with those of the same reason together.
pub(super) fn skipped_checks(report: &Report) -> Vec<(&str, Vec<&str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for check in report.checks() {
        let Some(reason) = check.skip_reason() else {
            continue;
        };
        match reasons.iter_mut().find(|(same, _)| *same == reason) {
            Some((_, ids)) => ids.push(&check.id),
            None => reasons.push((reason, vec![&check.id])),
        }
    }
    reasons
}

fn write_skipped(out: &mut String, pen: Pen, report: &Report) {
    let checks = skipped_checks(report)
        .into_iter()
        .map(|(reason, ids)| format!("{}: {reason}", ids.join(", ")));
    let notes = report.notes.iter().filter(|note| note.kind == NoteKind::Skipped);
    let lines: Vec<(String, Option<&String>)> = notes
        .map(|note| (note.text.clone(), note.hint.as_ref()))
        .chain(checks.map(|text| (text, None)))
        .collect();
    if lines.is_empty() {
        return;
    }
    out.push('\n');
    let mark = pen.clean("·");
    let _ = writeln!(
        out,
        "{} {}",
        pen.paint(Tone::Faint, &mark),
        pen.paint(Tone::Strong, "skipped")
    );
    for (text, hint) in lines {
        pen.wrap(out, "    ", "    ", Tone::Plain, &pen.clean(&text));
        if let Some(hint) = hint {
            write_hint(out, pen, hint);
        }
    }
}

fn write_notes(out: &mut String, pen: Pen, notes: &[Note]) {
    let notes: Vec<&Note> = notes
        .iter()
        .filter(|note| note.kind != NoteKind::Skipped)
        .collect();
    if notes.is_empty() {
        return;
    }
    out.push('\n');
    for note in notes {
        let painted = pen.paint(Tone::Faint, "note: ");
        pen.wrap(out, "note: ", &painted, Tone::Plain, &pen.clean(&note.text));
        if let Some(hint) = &note.hint {
            write_hint(out, pen, hint);
        }
    }
}

fn write_hint(out: &mut String, pen: Pen, hint: &str) {
    let painted = format!("    {}", pen.paint(Tone::Faint, "hint: "));
    pen.wrap(out, "    hint: ", &painted, Tone::Plain, &pen.clean(hint));
}

fn write_pods(out: &mut String, pen: Pen, report: &Report, header: bool) {
    if report.probe_pods.is_empty() {
        return;
    }
    let rows = report.probe_pods.iter().map(|pod| {
        let ready = pod
            .ready_after_ms
            .map_or_else(|| "-".to_owned(), |ms| format!("{}s", figure(ms, 1000)));
        vec![
            pod.node.clone(),
            pod.pod.clone(),
            pod.ips.join(","),
            ready,
            pod.image.clone(),
        ]
    });
    write_table(
        out,
        pen,
        &["NODE", "PROBE POD", "IP", "READY AFTER", "IMAGE"],
        rows.collect(),
        header,
    );
}

fn write_checks(out: &mut String, pen: Pen, report: &Report, header: bool) {
    let rows = report.checks().iter().map(|check| {
        vec![
            check.id.clone(),
            check.verdict().word().to_owned(),
            check.claim.clone(),
        ]
    });
    write_table(out, pen, &["CHECK", "VERDICT", "CLAIM"], rows.collect(), header);
}

fn write_stats(out: &mut String, pen: Pen, stats: &Stats) {
    let mut parts = effort(stats);
    parts.extend(
        stats
            .phases
            .iter()
            .map(|phase| format!("{} {}s", phase.name, figure(phase.took_ms, 1000))),
    );
    if parts.is_empty() {
        parts.push("nothing was measured".to_owned());
    }
    out.push('\n');
    pen.wrap(
        out,
        "stats: ",
        &pen.paint(Tone::Faint, "stats: "),
        Tone::Faint,
        &pen.clean(&parts.join(", ")),
    );
}

/// What the run asked for and moved, as far as it was measured.
pub(super) fn effort(stats: &Stats) -> Vec<String> {
    let counted = [(stats.probes, "probes"), (stats.api_calls, "API calls")];
    let moved = [(stats.bytes_received, "received"), (stats.bytes_sent, "sent")];
    let counted = counted
        .into_iter()
        .filter_map(|(count, of)| Some(format!("{} {of}", count?)));
    let moved = moved
        .into_iter()
        .filter_map(|(bytes, how)| Some(format!("{} {how}", rough_size(bytes?))));
    counted.chain(moved).collect()
}

fn rough_size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", figure(bytes, 1024)),
        _ => format!("{} MiB", figure(bytes, 1_048_576)),
    }
}
