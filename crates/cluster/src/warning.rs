//! Warnings of the API server: what it says in `Warning:` headers, such as the use of a deprecated API.

use std::collections::HashSet;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use crate::sanitize;

/// Where warnings go.
pub trait WarningSink: Send + Sync {
    /// Takes one warning, without prefix, safe to print. Each text comes once.
    fn warning(&self, text: &str);
}

/// Prints `Warning: …` on stderr as kubectl does: in colour on a terminal that wants it.
#[derive(Clone, Copy, Debug)]
pub struct StderrWarnings {
    colour: bool,
}

impl StderrWarnings {
    /// Colour as kubectl decides it: on a terminal, unless `NO_COLOR` is present or `TERM` is `dumb`; on Windows
    /// only with `WT_SESSION`.
    pub fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none()
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            && (!cfg!(windows) || std::env::var_os("WT_SESSION").is_some_and(|session| !session.is_empty()));
        Self {
            colour: wanted && std::io::stderr().is_terminal(),
        }
    }
}

impl Default for StderrWarnings {
    fn default() -> Self {
        Self::new()
    }
}

impl WarningSink for StderrWarnings {
    fn warning(&self, text: &str) {
        let prefix = if self.colour {
            "\u{1b}[33;1mWarning:\u{1b}[0m"
        } else {
            "Warning:"
        };
        // Nobody can be told that stderr is closed.
        let _ = writeln!(std::io::stderr().lock(), "{prefix} {text}");
    }
}

/// Hands each warning on once, and counts them.
pub(crate) struct Warnings {
    sink: Arc<dyn WarningSink>,
    seen: Mutex<HashSet<String>>,
}

impl Warnings {
    pub(crate) fn new(sink: Arc<dyn WarningSink>) -> Self {
        Self {
            sink,
            seen: Mutex::default(),
        }
    }

    /// Takes what the headers of a response say.
    pub(crate) fn take(&self, headers: &HeaderMap) {
        for value in headers.get_all(http::header::WARNING) {
            let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
                continue;
            };
            for warning in parse(text) {
                let safe = sanitize(&warning).into_owned();
                let is_new = self
                    .seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(safe.clone());
                if is_new {
                    self.sink.warning(&safe);
                }
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The texts of code 299 in one header: `299 agent "text" "date", 299 - "more"`. What is malformed ends the reading.
fn parse(header: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = header.trim();
    while !rest.is_empty() {
        let Some((code, after_code)) = rest.split_once(' ') else {
            break;
        };
        let Some((_agent, after_agent)) = after_code.trim_start().split_once(' ') else {
            break;
        };
        let Some((text, after_text)) = quoted(after_agent.trim_start()) else {
            break;
        };
        let after_date = quoted(after_text.trim_start()).map_or(after_text, |(_date, after)| after);
        if code == "299" && !text.trim().is_empty() {
            texts.push(text.trim().to_owned());
        }
        let Some(next) = after_date.trim_start().strip_prefix(',') else {
            break;
        };
        rest = next.trim_start();
    }
    texts
}

/// A quoted string with backslash escapes, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut content = String::new();
    let mut characters = text.strip_prefix('"')?.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((content, &text[at + 2..])),
            '\\' => content.push(characters.next()?.1),
            plain => content.push(plain),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Collected(Mutex<Vec<String>>);

    impl WarningSink for Collected {
        fn warning(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    #[test]
    fn each_warning_is_handed_on_once() {
        let collected = Arc::new(Collected::default());
        let warnings = Warnings::new(collected.clone());
        let mut headers = HeaderMap::new();
        headers.append(
            "warning",
            r#"299 - "v1 Endpoints is deprecated""#.parse().unwrap(),
        );
        headers.append(
            "warning",
            r#"299 k8s "two \"quoted\"" "Sat, 21 Nov 2026 00:00:00 GMT", 299 - "three""#
                .parse()
                .unwrap(),
        );
        headers.append("warning", r#"199 - "another code""#.parse().unwrap());
        warnings.take(&headers);
        warnings.take(&headers);
        let texts = collected.0.lock().unwrap().clone();
        assert_eq!(texts, ["v1 Endpoints is deprecated", "two \"quoted\"", "three"]);
        assert_eq!(warnings.count(), 3);
    }

    #[test]
    fn what_is_malformed_is_left_out() {
        for header in [
            "",
            "299",
            "299 -",
            "299 - text",
            "299 - \"open",
            "299 - \"\"",
            "299 - \"a\\",
        ] {
            assert!(parse(header).is_empty(), "{header}");
        }
        assert_eq!(parse("299 - \"a\" trailing"), ["a"]);
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in "\\PC*") {
            let _ = parse(&header);
        }

        #[test]
        fn any_header_like_text_is_read(header in "[0-9 \\-\",\\\\a-cé]*") {
            let _ = parse(&header);
        }
    }
}
