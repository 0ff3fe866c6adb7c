//! The report in Prometheus' text format, for a file that the textfile collector of the node exporter reads.
//!
//! What was not seen has no sample: absent is never zero. Every sample carries which plugin and which subcommand it is of,
//! so that the files of several stand side by side.

mod exposition;
mod pairs;

use self::exposition::{Exposition, Metric};
use crate::{Confidence, Report, Severity, Stats, TriedFrom, Verdict};

pub(super) fn prometheus(report: &Report) -> String {
    let mut out = Exposition::new(&[("plugin", report.plugin()), ("command", &report.target.command)]);
    write_answer(&mut out, report);
    write_findings(&mut out, report);
    if let Some(matrix) = &report.matrix {
        pairs::write(&mut out, matrix);
    }
    write_tried(&mut out, report);
    write_run(&mut out, report);
    out.into_text()
}

const VERDICT: Metric = Metric::new(
    "netcheck_verdict",
    "The answer of the run: 1 for the verdict that it is, 0 for the others. Only pass says that nothing is wrong.",
);
const CHECKS: Metric = Metric::new("netcheck_checks", "Checks of the run, by their verdict.");
const GAPS: Metric = Metric::new("netcheck_gaps", "Things that could not be seen.");
const FINDINGS: Metric = Metric::new(
    "netcheck_findings",
    "Findings, by check and severity. Checks without any have no sample.",
);
const CAUSE: Metric = Metric::new(
    "netcheck_root_cause_info",
    "A root cause that was named; the value is always 1.",
);
const TRIED: Metric = Metric::new(
    "netcheck_tries",
    "Addresses beyond the pods of the nodes that were tried, from each place, by what they are about and whether what came of it is right.",
);
const RUN: Metric = Metric::new(
    "netcheck_run_info",
    "Which program looked at which cluster; the value is always 1.",
);
const NODES: Metric = Metric::new("netcheck_nodes", "Nodes of the cluster.");
const TIME: Metric = Metric::new(
    "netcheck_run_timestamp_seconds",
    "When the run began, in seconds since 1970.",
);
const PHASES: Metric = Metric::new(
    "netcheck_run_phase_duration_seconds",
    "How long each phase of the run took.",
);

fn write_answer(out: &mut Exposition, report: &Report) {
    for verdict in VERDICTS {
        let is_it = u64::from(report.verdict() == verdict);
        out.sample(&VERDICT, &[("verdict", verdict.word())], is_it);
    }
    for verdict in VERDICTS {
        let checks = report.checks().iter().filter(|check| check.verdict() == verdict);
        out.sample(&CHECKS, &[("verdict", verdict.word())], count(checks));
    }
    out.sample(&GAPS, &[], count(report.gaps()));
}

fn write_findings(out: &mut Exposition, report: &Report) {
    let mut counts: std::collections::BTreeMap<(&str, &str), u64> = std::collections::BTreeMap::new();
    for finding in report.findings() {
        let severity = match finding.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        *counts.entry((&finding.id, severity)).or_default() += 1;
    }
    for ((check, severity), count) in counts {
        out.sample(&FINDINGS, &[("check", check), ("severity", severity)], count);
    }
    let mut told = std::collections::BTreeSet::new();
    for cause in &report.root_causes {
        let confidence = match cause.confidence {
            Confidence::Certain { .. } => "certain",
            Confidence::Likely { .. } => "likely",
            Confidence::Suspect { .. } => "suspect",
        };
        let subject = cause.subject.to_string();
        // A second sample with the same labels would make the whole file invalid.
        if told.insert((cause.id.as_str(), subject.clone(), confidence)) {
            let labels = [
                ("check", cause.id.as_str()),
                ("subject", &subject),
                ("confidence", confidence),
            ];
            out.sample(&CAUSE, &labels, 1);
        }
    }
}

fn write_tried(out: &mut Exposition, report: &Report) {
    let mut counts: std::collections::BTreeMap<(String, &str), u64> = std::collections::BTreeMap::new();
    for row in report.tried.iter().filter(|row| !row.control) {
        for TriedFrom { as_expected, .. } in &row.results {
            let result = match as_expected {
                Some(true) => "expected",
                Some(false) => "unexpected",
                None => "unknown",
            };
            *counts.entry((row.subject.to_string(), result)).or_default() += 1;
        }
    }
    for ((subject, result), count) in counts {
        out.sample(&TRIED, &[("subject", &subject), ("result", result)], count);
    }
}

fn write_run(out: &mut Exposition, report: &Report) {
    let version = report.tool.split(' ').nth(1).unwrap_or_default();
    let server = report.target.server_version.as_deref().unwrap_or_default();
    out.sample(&RUN, &[("version", version), ("server_version", server)], 1);
    if let Some(nodes) = report.target.nodes {
        out.sample(&NODES, &[], u64::from(nodes));
    }
    let Stats {
        api_calls,
        bytes_received,
        bytes_sent,
        probes,
        phases,
    } = &report.stats;
    let figures = [
        (
            Metric::new(
                "netcheck_run_api_calls",
                "Requests to the API server that the run made.",
            ),
            api_calls,
        ),
        (
            Metric::new(
                "netcheck_run_received_bytes",
                "Bytes that the API server sent for the run.",
            ),
            bytes_received,
        ),
        (
            Metric::new(
                "netcheck_run_sent_bytes",
                "Bytes that the run sent to the API server.",
            ),
            bytes_sent,
        ),
        (
            Metric::new("netcheck_run_probes", "Probes that were planned."),
            probes,
        ),
    ];
    for (metric, figure) in figures {
        if let Some(figure) = figure {
            out.sample(&metric, &[], *figure);
        }
    }
    for phase in phases {
        out.seconds(&PHASES, &[("phase", &phase.name)], phase.took_ms, 1_000);
    }
    let taken_at = report
        .taken_at
        .as_ref()
        .and_then(|at| at.parse::<jiff::Timestamp>().ok());
    if let Some(seconds) = taken_at.and_then(|at| u64::try_from(at.as_second()).ok()) {
        out.sample(&TIME, &[], seconds);
    }
}

const VERDICTS: [Verdict; 5] = [
    Verdict::Pass,
    Verdict::Warn,
    Verdict::Unknown,
    Verdict::Fail,
    Verdict::Skipped,
];

fn count<T>(items: impl IntoIterator<Item = T>) -> u64 {
    u64::try_from(items.into_iter().count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
