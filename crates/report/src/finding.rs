use serde::{Deserialize, Serialize};

use crate::{Severity, Subject};

/// A fact and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What was seen, as a clause.
    pub fact: String,
    /// Where it was seen.
    pub from: Origin,
}

impl Evidence {
    /// A fact that this command shows again.
    pub fn command(fact: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            fact: fact.into(),
            from: Origin::Command {
                command: command.into(),
            },
        }
    }

    /// A fact read from this field of an object.
    pub fn field(fact: impl Into<String>, path: impl Into<String>) -> Self {
        Self {
            fact: fact.into(),
            from: Origin::Field { path: path.into() },
        }
    }

    /// A fact that this probe brought back.
    pub fn probe(fact: impl Into<String>, probe: impl Into<String>) -> Self {
        Self {
            fact: fact.into(),
            from: Origin::Probe { probe: probe.into() },
        }
    }
}

/// Where a fact came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Origin {
    /// A command that shows it again, as it would be typed.
    #[serde(rename_all = "camelCase")]
    Command {
        /// As `kubectl get node node3 -o wide`.
        command: String,
    },
    /// A field of an object.
    #[serde(rename_all = "camelCase")]
    Field {
        /// As `node/node3 .status.conditions[Ready]`.
        path: String,
    },
    /// A probe of this run.
    #[serde(rename_all = "camelCase")]
    Probe {
        /// As `udp node1 → node3, 10.244.1.4 → 10.244.3.7:4242`.
        probe: String,
    },
}

/// One thing that is seen to be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The id of the check that decided it, and the anchor in `docs/checks.md`.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// One sentence without a full stop: what is wrong, and where.
    pub summary: String,
    /// How it is known; at least one.
    pub evidence: Vec<Evidence>,
    /// What to do next, where that is known. A command in it stands in backquotes, at its end.
    pub hint: Option<String>,
    /// Ids of further checks whose claim does not hold because of this. They fail with it instead of repeating it.
    pub explains: Vec<String>,
}

impl Finding {
    /// A finding with its first piece of evidence; there is none without.
    pub fn new(
        id: impl Into<String>,
        severity: Severity,
        subject: Subject,
        summary: impl Into<String>,
        evidence: Evidence,
    ) -> Self {
        Self {
            id: id.into(),
            severity,
            subject,
            summary: summary.into(),
            evidence: vec![evidence],
            hint: None,
            explains: Vec::new(),
        }
    }

    /// Whether the claim of this check does not hold because of the finding.
    pub fn concerns(&self, check: &str) -> bool {
        self.id == check || self.explains.iter().any(|id| id == check)
    }
}

/// The one thing that accounts for a group of findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RootCause {
    /// The id of the check that decided it.
    pub id: String,
    /// One sentence that names the cause.
    pub summary: String,
    /// What has to be repaired.
    pub subject: Subject,
    /// How sure it is, and why.
    pub confidence: Confidence,
    /// How it is known; at least one.
    pub evidence: Vec<Evidence>,
    /// Ids of the findings that it accounts for.
    pub explains: Vec<String>,
    /// What it could have been and is not.
    pub ruled_out: Vec<RuledOut>,
    /// A repair that is narrow, reversible and safe to paste; `None` where there is none.
    pub fix: Option<String>,
    /// A command that shows whether the repair worked.
    pub verify: Option<String>,
}

/// How sure a cause is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "level")]
pub enum Confidence {
    /// Decisive evidence was seen, and nothing contradicts it.
    #[serde(rename_all = "camelCase")]
    Certain {
        /// Why.
        reason: String,
    },
    /// Everything fits, but the decisive evidence was not seen.
    #[serde(rename_all = "camelCase")]
    Likely {
        /// Why.
        reason: String,
    },
    /// It could be; others could be too.
    #[serde(rename_all = "camelCase")]
    Suspect {
        /// Why.
        reason: String,
    },
}

/// A cause that looks alike and is excluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct RuledOut {
    /// What it would have been.
    pub cause: String,
    /// What was seen that excludes it.
    pub by: String,
}
