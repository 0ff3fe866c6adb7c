use std::fmt::Write as _;

use crate::output::OutputFormat;

/// Why a plugin could not do its work, as opposed to a problem that it found in the cluster. Ends the process with
/// exit status 2.
#[derive(Debug)]
pub struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// `message` is printed as it is, so it carries the prefix that kubectl would print (`error: …`).
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    /// A failure whose text is that of `error` and of what caused it, prefixed by `error: `.
    pub fn of(error: &dyn std::error::Error) -> Self {
        let mut message = format!("error: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.ends_with(&text) {
                let _ = write!(message, ": {text}");
            }
            cause = error.source();
        }
        Self::new(message)
    }

    /// A format of reports, where what is printed is no report with checks in it.
    pub fn format_is_for_reports(format: OutputFormat) -> Self {
        Self::new(format!(
            "error: -o {} is for reports on a cluster; use text, wide, json, yaml or name here",
            format.name()
        ))
    }

    /// The same failure with a sentence on what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The same for programs.
    pub(crate) fn document(&self) -> serde_json::Value {
        serde_json::json!({
            "apiVersion": "netcheck.dev/failure/v1",
            "kind": "Failure",
            "message": self.message.strip_prefix("error: ").unwrap_or(&self.message),
            "hint": self.hint,
        })
    }

    /// The lines for stderr.
    pub fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}\nhint: {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

impl From<cluster::ClusterError> for Failure {
    fn from(error: cluster::ClusterError) -> Self {
        // The error's own text is kubectl's, prefix included.
        Self::new(error.to_string()).with_hint(error.hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not write bundle.json")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_chain_of_causes_is_printed_once() {
        let failure = Failure::of(&Outer(std::io::Error::other("disk full")));
        assert_eq!(failure.text(), "error: could not write bundle.json: disk full");
    }

    #[test]
    fn a_hint_has_a_line_of_its_own() {
        let failure = Failure::new("error: no nodes").with_hint(Some("check the selector".into()));
        assert_eq!(failure.text(), "error: no nodes\nhint: check the selector");
    }
}
