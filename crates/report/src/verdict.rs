use serde::{Deserialize, Serialize};

use crate::{Finding, Gap};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing, and no fault.
    Note,
    /// Works, but not as it should.
    Warning,
    /// Does not work.
    Error,
}

/// The answer of one check, or of all of them, ordered so that the worst of several is their maximum.
///
/// It is always computed ([`Verdict::of`]), never chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Not asked, and the reason is said.
    Skipped,
    /// Everything was seen, and nothing is wrong.
    Pass,
    /// Everything was seen; it works, but not as it should.
    Warn,
    /// Nothing is wrong in what was seen, but not enough was seen.
    Unknown,
    /// Something is wrong.
    Fail,
}

impl Verdict {
    /// An error that was seen outranks what could not be seen, and a gap outranks silence: a check with any gap can
    /// fail, but it can never pass.
    pub fn of<'a>(findings: impl IntoIterator<Item = &'a Finding>, gaps: &[Gap]) -> Self {
        let worst = findings.into_iter().map(|finding| finding.severity).max();
        match (worst, gaps) {
            (Some(Severity::Error), _) => Self::Fail,
            (_, [_, ..]) => Self::Unknown,
            (Some(Severity::Warning), []) => Self::Warn,
            (Some(Severity::Note) | None, []) => Self::Pass,
        }
    }

    /// The one word for it, as it is also serialized.
    pub fn word(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evidence, GapReason, Subject};

    fn finding(severity: Severity) -> Finding {
        Finding::new(
            "net-mesh",
            severity,
            Subject::Cluster,
            "it is so",
            Evidence::field("it", "spec.it"),
        )
    }

    fn gap() -> Gap {
        Gap {
            what: "nodes".into(),
            why: GapReason::NotServed,
            message: "not served".into(),
            hint: None,
        }
    }

    #[test]
    fn a_gap_outranks_silence_and_warnings_but_not_an_error() {
        assert_eq!(Verdict::of(&[], &[]), Verdict::Pass);
        assert_eq!(Verdict::of(&[], &[gap()]), Verdict::Unknown);
        assert_eq!(
            Verdict::of(&[finding(Severity::Warning)], &[gap()]),
            Verdict::Unknown
        );
        assert_eq!(Verdict::of(&[finding(Severity::Error)], &[gap()]), Verdict::Fail);
    }

    #[test]
    fn a_note_is_no_fault() {
        assert_eq!(Verdict::of(&[finding(Severity::Note)], &[]), Verdict::Pass);
        assert_eq!(
            Verdict::of(&[finding(Severity::Note), finding(Severity::Warning)], &[]),
            Verdict::Warn
        );
    }
}
