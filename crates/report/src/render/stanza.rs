//! One finding as it is read: what is wrong, where, how it is known, what it is not, what to do next.

use std::fmt::Write as _;

use super::pen::{Pen, Tone};
use crate::{Confidence, Direction, Evidence, Finding, Localisation, Origin, RootCause, Scope, Severity};

/// So much evidence is printed; the rest is counted.
const MOST_EVIDENCE: usize = 4;
/// So many consequences of a cause are told.
const MOST_CONSEQUENCES: usize = 6;

/// Appends the finding, and with it the place where it lies. Where the answer at the top has said what is wrong in the
/// same words, it is not said again.
pub(super) fn write_finding(
    out: &mut String,
    pen: Pen,
    finding: &Finding,
    place: Option<&Localisation>,
    is_answer: bool,
) {
    let tone = Tone::of_severity(finding.severity);
    let mark = pen.severity_mark(finding.severity);
    let subject = finding.subject.to_string();
    if is_answer {
        write_title(out, pen, tone, mark, &subject, &finding.id);
    } else {
        write_title(out, pen, tone, mark, &finding.summary, &subject);
    }
    let mut sheet = Sheet { out, pen };
    for evidence in finding.evidence.iter().take(MOST_EVIDENCE) {
        sheet.evidence(evidence);
    }
    let more = finding.evidence.len().saturating_sub(MOST_EVIDENCE);
    if more > 0 {
        sheet.labelled("", Tone::Faint, &format!("… and {more} more"));
    }
    for works in place.iter().flat_map(|place| &place.still_works) {
        sheet.labelled("works", Tone::Plain, works);
    }
    if let Some(direction) = place.and_then(untold_direction) {
        let end = |name: &Option<String>| name.clone().unwrap_or_else(|| "others".to_owned());
        let way = format!(
            "{} → {}: {}",
            end(&direction.from),
            end(&direction.to),
            direction.known_by
        );
        sheet.labelled("way", Tone::Plain, &way);
    }
    for look in place.iter().flat_map(|place| &place.look_next) {
        sheet.command("look", &look.what, &look.command);
    }
    match finding.hint.as_deref().map(ending_in_command) {
        Some((hint, Some(command))) => sheet.command("hint", hint, command),
        Some((hint, None)) => sheet.labelled("hint", Tone::Plain, hint),
        None => {}
    }
    sheet.labelled(
        "more",
        Tone::Faint,
        &format!("{}#{}", document(&finding.id), finding.id),
    );
}

/// Where a check is described.
pub(super) fn document(id: &str) -> &'static str {
    if id.starts_with("alert-") {
        "docs/alerts.md"
    } else {
        "docs/checks.md"
    }
}

/// Appends a root cause: where it is and how sure, how it is known, what it is not, what repairs it, and what follows from
/// it.
pub(super) fn write_cause(
    out: &mut String,
    pen: Pen,
    cause: &RootCause,
    severity: Severity,
    follows: &[&str],
) {
    let mark = pen.severity_mark(severity);
    let (sure, reason) = match &cause.confidence {
        Confidence::Certain { reason } => ("certain", reason),
        Confidence::Likely { reason } => ("likely", reason),
        Confidence::Suspect { reason } => ("suspect", reason),
    };
    let subject = cause.subject.to_string();
    let title = format!("cause: {}", cause.summary);
    write_title(
        out,
        pen,
        Tone::of_severity(Severity::Error),
        mark,
        &title,
        &subject,
    );
    let mut sheet = Sheet { out, pen };
    sheet.labelled("sure", Tone::Plain, &format!("{sure}: {reason}"));
    for evidence in cause.evidence.iter().take(MOST_EVIDENCE) {
        sheet.evidence(evidence);
    }
    let more = cause.evidence.len().saturating_sub(MOST_EVIDENCE);
    if more > 0 {
        sheet.labelled("", Tone::Faint, &format!("… and {more} more"));
    }
    for consequence in follows.iter().take(MOST_CONSEQUENCES) {
        sheet.labelled("so", Tone::Plain, consequence);
    }
    let more = follows.len().saturating_sub(MOST_CONSEQUENCES);
    if more > 0 {
        sheet.labelled("", Tone::Faint, &format!("… and {more} more"));
    }
    for other in &cause.ruled_out {
        sheet.labelled("not", Tone::Plain, &format!("{}: {}", other.cause, other.by));
    }
    match cause.fix.as_deref().map(ending_in_command) {
        Some((fix, Some(command))) => sheet.command("fix", fix, command),
        Some((fix, None)) => sheet.labelled("fix", Tone::Plain, fix),
        None => {}
    }
    if let Some(verify) = &cause.verify {
        sheet.command("verify", "", verify);
    }
    sheet.labelled(
        "more",
        Tone::Faint,
        &format!("{}#{}", document(&cause.id), cause.id),
    );
}

/// The direction, unless the place is one-way by itself and its sentence says so.
pub(super) fn untold_direction(place: &Localisation) -> Option<&Direction> {
    match &place.scope {
        Scope::OneWay { .. } | Scope::Outgoing { .. } | Scope::Incoming { .. } => None,
        Scope::Everything
        | Scope::CrossNode
        | Scope::EverySameNode
        | Scope::Zones { .. }
        | Scope::NodeAndItself { .. }
        | Scope::Node { .. }
        | Scope::Pair { .. }
        | Scope::SameNode { .. }
        | Scope::Scattered { .. } => place.direction.as_ref(),
    }
}

/// A hint that closes with a command in backquotes, taken apart.
pub(super) fn ending_in_command(hint: &str) -> (&str, Option<&str>) {
    let parts = hint.strip_suffix('`').and_then(|rest| rest.rsplit_once('`'));
    match parts {
        Some((text, command)) => (text.trim_end(), Some(command)),
        None => (hint, None),
    }
}

/// The summary on the left, and what it is about on the right if there is room.
fn write_title(out: &mut String, pen: Pen, tone: Tone, mark: &str, summary: &str, subject: &str) {
    let summary = pen.clean(summary);
    let subject = pen.clean(subject);
    let used = Pen::columns(mark) + 1 + Pen::columns(&summary);
    let painted = pen.paint(tone, mark);
    if used + 2 + Pen::columns(&subject) <= pen.width.min(100) {
        let space = pen.width.min(100) - used - Pen::columns(&subject);
        let _ = writeln!(
            out,
            "{painted} {}{:space$}{}",
            pen.paint(Tone::Strong, &summary),
            "",
            pen.paint(Tone::Faint, &subject)
        );
        return;
    }
    pen.wrap(
        out,
        &format!("{mark} "),
        &format!("{painted} "),
        Tone::Strong,
        &summary,
    );
    let _ = writeln!(out, "    {}", pen.paint(Tone::Faint, &subject));
}

struct Sheet<'a> {
    out: &'a mut String,
    pen: Pen,
}

impl Sheet<'_> {
    fn evidence(&mut self, evidence: &Evidence) {
        match &evidence.from {
            Origin::Probe { probe } => {
                self.labelled("seen", Tone::Plain, &format!("{probe}: {}", evidence.fact));
            }
            Origin::Field { path } => {
                self.labelled("seen", Tone::Plain, &format!("{path}: {}", evidence.fact));
            }
            Origin::Command { command } => self.command("seen", &evidence.fact, command),
        }
    }

    fn labelled(&mut self, label: &str, tone: Tone, text: &str) {
        let prefix = format!("    {label:<7}");
        let painted = format!("    {}", self.pen.paint(Tone::Faint, &format!("{label:<7}")));
        self.pen
            .wrap(self.out, &prefix, &painted, tone, &self.pen.clean(text));
    }

    /// A command stands on a line of its own and is never broken, so that it can be copied.
    fn command(&mut self, label: &str, what: &str, command: &str) {
        if !what.is_empty() {
            self.labelled(label, Tone::Plain, what);
        }
        let command = self.pen.clean(command);
        let label = if what.is_empty() { label } else { "" };
        let label = self.pen.paint(Tone::Faint, &format!("{label:<7}"));
        let _ = writeln!(self.out, "    {label}{}", self.pen.paint(Tone::Strong, &command));
    }
}
