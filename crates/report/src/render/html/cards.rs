//! A cause, and a finding: what is wrong, how it is known, what follows, what to do.

use maud::{Markup, html};

use super::super::stanza::{document, ending_in_command, untold_direction};
use super::{clean, command, severity};
use crate::{Confidence, Evidence, Finding, Origin, Report, RootCause};

/// So much evidence is shown at once; the rest unfolds.
const MOST: usize = 4;

pub(super) fn cause(report: &Report, cause: &RootCause, follows: &[&str]) -> Markup {
    let (sure, reason) = match &cause.confidence {
        Confidence::Certain { reason } => ("Certain", reason),
        Confidence::Likely { reason } => ("Likely", reason),
        Confidence::Suspect { reason } => ("Suspected", reason),
    };
    // The answer at the top has often said it in the same words.
    let is_answer = report.summary.contains(&cause.summary);
    html! {
        section.card.error aria-label="Cause" {
            h2.tag { "Cause" }
            @if !is_answer { h3 { (clean(&cause.summary)) } }
            p.about { (clean(&cause.subject.to_string())) }
            dl.facts {
                dt { "Confidence" }
                dd { (sure) ": " (clean(reason)) }
                (evidence(&cause.evidence))
                @if !follows.is_empty() {
                    dt { "So" }
                    (folded(follows, |sentence| html! { (clean(sentence)) }))
                }
                @if let Some(fix) = &cause.fix {
                    dt { "Fix" }
                    dd { (advice(fix)) }
                }
                @if let Some(verify) = &cause.verify {
                    dt { "Verify" }
                    dd { (command(verify)) }
                }
                (more(&cause.id))
            }
        }
    }
}

pub(super) fn finding(report: &Report, finding: &Finding) -> Markup {
    let (class, word) = severity(finding.severity);
    let mut places = report.localisation.iter();
    let place = places.find(|place| place.check == finding.id && place.sentence == finding.summary);
    html! {
        section class={ "card " (class) } {
            h2.tag { (word) }
            @if !report.summary.contains(&finding.summary) { h3 { (clean(&finding.summary)) } }
            p.about { (clean(&finding.subject.to_string())) }
            dl.facts {
                (evidence(&finding.evidence))
                @if let Some(direction) = place.and_then(untold_direction) {
                    dt { "Direction" }
                    dd {
                        (clean(direction.from.as_deref().unwrap_or("others"))) " → "
                        (clean(direction.to.as_deref().unwrap_or("others"))) ": "
                        (clean(&direction.known_by))
                    }
                }
                @if let Some(place) = place.filter(|place| !place.look_next.is_empty()) {
                    dt { "Look next" }
                    @for look in &place.look_next {
                        dd { (clean(&look.what)) (command(&look.command)) }
                    }
                }
                @if let Some(hint) = &finding.hint {
                    dt { "Hint" }
                    dd { (advice(hint)) }
                }
                (more(&finding.id))
            }
        }
    }
}

/// Advice, with the command that it may end in.
pub(super) fn advice(text: &str) -> Markup {
    let (text, at_end) = ending_in_command(text);
    html! {
        (clean(text))
        @if let Some(at_end) = at_end { (command(at_end)) }
    }
}

fn more(id: &str) -> Markup {
    html! {
        dt { "More" }
        dd.soft { code { (document(id)) "#" (clean(id)) } }
    }
}

fn evidence(evidence: &[Evidence]) -> Markup {
    let one = |evidence: &Evidence| match &evidence.from {
        Origin::Probe { probe: from } | Origin::Field { path: from } => {
            html! { (clean(from)) ": " (clean(&evidence.fact)) }
        }
        Origin::Command { command: shown } => html! { (clean(&evidence.fact)) (command(shown)) },
    };
    html! {
        dt { "Seen" }
        (folded(evidence, one))
    }
}

/// The first of them, and the others on request.
fn folded<T>(items: &[T], show: impl Fn(&T) -> Markup) -> Markup {
    let (first, others) = items.split_at(items.len().min(MOST));
    html! {
        @for item in first { dd { (show(item)) } }
        @if !others.is_empty() {
            dd {
                details {
                    summary { (others.len()) " more" }
                    ul { @for item in others { li { (show(item)) } } }
                }
            }
        }
    }
}
