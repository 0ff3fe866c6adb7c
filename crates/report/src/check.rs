use serde::{Deserialize, Serialize};

use crate::{Finding, Gap, Verdict};

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// Stable, kebab-case: the anchor in `docs/checks.md`.
    pub id: String,
    /// What holds when the check passes.
    pub claim: String,
    /// The answer.
    verdict: Verdict,
    /// Why it was not made, if it was not: a clause.
    skipped: Option<String>,
    /// What it could not see.
    gaps: Vec<Gap>,
}

impl CheckResult {
    /// A check that was made. Its verdict follows from those of the findings that concern it, and from the gaps.
    pub fn judged(
        id: impl Into<String>,
        claim: impl Into<String>,
        findings: &[Finding],
        gaps: Vec<Gap>,
    ) -> Self {
        let id = id.into();
        let verdict = Verdict::of(findings.iter().filter(|finding| finding.concerns(&id)), &gaps);
        Self {
            id,
            claim: claim.into(),
            verdict,
            skipped: None,
            gaps,
        }
    }

    /// A check that was not made, and why: a clause.
    pub fn skipped(id: impl Into<String>, claim: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            claim: claim.into(),
            verdict: Verdict::Skipped,
            skipped: Some(reason.into()),
            gaps: Vec::new(),
        }
    }

    /// The answer.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Why it was not made, if it was not.
    pub fn skip_reason(&self) -> Option<&str> {
        self.skipped.as_deref()
    }

    /// What it could not see.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}
