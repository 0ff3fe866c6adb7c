//! The report as one page for a browser: it needs nothing but itself, works without a network and without scripts, and
//! says with words and marks whatever it says with colour.

mod cards;
mod grids;
mod rest;
mod topology;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::page::{follows, is_placed, tells};
use super::pen::mark;
use super::sanitize::sanitize;
use crate::{Finding, NoteKind, Report, Severity, Verdict};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/copy.js");

/// Nothing is loaded and nothing runs but the style and the script of the page, by their SHA-256.
const POLICY: &str = "default-src 'none'; \
    style-src 'sha256-06UCWnuWGeTz+rXopo/peElpTSJ6HeSUmB8hzVokZhA='; \
    script-src 'sha256-wpI7u6v8Qr/aIFX2Y6ZGvGxNobpzoFHNVtUi2SkhM7k='; \
    base-uri 'none'; form-action 'none'";

pub(super) fn html(report: &Report) -> String {
    let title = format!("{}: {}", word(report.verdict()), clean(&report.summary));
    let page: Markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(report))
                main { (content(report)) }
                footer { (rest::cost(report)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    let mut text = page.into_string();
    text.push('\n');
    text
}

/// What comes from a cluster, with nothing in it that steers: not even the direction of writing.
fn clean(text: &str) -> String {
    sanitize(text)
}

/// A table that scrolls by itself where it is wider than the page.
fn scrolled(label: &str, columns: &[impl AsRef<str>], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-label=(clean(label)) {
            table {
                thead { tr { @for name in columns { th scope="col" { (clean(name.as_ref())) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// The answer in a word or two.
fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Skipped => "Not checked",
        Verdict::Pass => "No problem found",
        Verdict::Warn => "No failure, with warnings",
        Verdict::Unknown => "Inconclusive",
        Verdict::Fail => "Problem found",
    }
}

fn head(report: &Report) -> Markup {
    let mut parts = vec![format!("kubectl {} {}", report.plugin(), report.target.command)];
    let version = report.target.server_version.as_ref();
    parts.extend(version.map(|version| format!("Kubernetes {version}")));
    parts.extend(report.target.nodes.map(|nodes| match nodes {
        1 => "1 node".to_owned(),
        nodes => format!("{nodes} nodes"),
    }));
    html! {
        header {
            p {
                (clean(&parts.join(" · ")))
                @if let Some(at) = &report.taken_at {
                    " · " time datetime=(clean(at)) { (clean(&to_the_second(at))) }
                }
            }
        }
    }
}

/// An RFC 3339 time for people; what is none stays as it is.
fn to_the_second(time: &str) -> String {
    match (
        time.get(..10),
        time.get(10..11),
        time.get(11..19),
        time.ends_with('Z'),
    ) {
        (Some(date), Some("T"), Some(clock), true) => format!("{date} {clock} UTC"),
        _ => time.to_owned(),
    }
}

fn content(report: &Report) -> Markup {
    let verdict = report.verdict();
    let causes: Vec<_> = report
        .root_causes
        .iter()
        .filter(|cause| !is_placed(report, cause))
        .collect();
    let told = |finding: &&Finding| {
        let mut causes = report.root_causes.iter();
        !causes.any(|cause| tells(cause, finding) && !(cause.id == finding.id && is_placed(report, cause)))
    };
    let findings: Vec<&Finding> = report.findings().iter().filter(told).collect();
    // Where no cause is known, the worst finding is the nearest thing to it.
    let leads = usize::from(causes.is_empty() && verdict == Verdict::Fail);
    let (lead, others) = findings.split_at(leads.min(findings.len()));
    html! {
        section class={ "verdict " (verdict.word()) } {
            p.word { span aria-hidden="true" { (mark(verdict)) " " } (word(verdict)) }
            h1 { (clean(&report.summary)) }
        }
        @for cause in causes {
            (cards::cause(report, cause, &follows(report, cause)))
        }
        @for finding in lead {
            (cards::finding(report, finding))
        }
        (topology::section(report))
        (grids::section(report))
        (rest::tried(&report.tried))
        (rest::tables(&report.tables))
        @if !others.is_empty() {
            section {
                h2 { @if lead.is_empty() { "Findings" } @else { "Further findings" } }
                @for finding in others {
                    (cards::finding(report, finding))
                }
            }
        }
        (rest::ruled_out(report))
        (rest::unseen(report))
        (rest::notes(report, "Skipped", |kind| kind == NoteKind::Skipped))
        (rest::notes(report, "Notes", |kind| kind != NoteKind::Skipped))
        (rest::checks(report))
        (rest::pods(report))
    }
}

/// A severity as the name of its class, and as a word.
fn severity(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Note => ("note", "Note"),
        Severity::Warning => ("warning", "Warning"),
        Severity::Error => ("error", "Error"),
    }
}

/// A command that can be copied. The button is there only where scripts run.
fn command(command: &str) -> Markup {
    html! {
        div.command {
            pre { code { (clean(command)) } }
            button type="button" hidden aria-label="Copy command" { "Copy" }
        }
    }
}

#[cfg(test)]
mod tests;
