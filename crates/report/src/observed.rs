//! Parts of an observation that may be missing, and why they are.

use serde::{Deserialize, Serialize};

/// Something the tool tried to learn about the cluster.
///
/// "Could not look" is a value, not an error: one forbidden call must not stop the checks that never needed it,
/// and must never be read as "there was nothing".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Observed<T> {
    /// It was read, and this is what it was.
    Seen(T),
    /// It could not be read, and this is why.
    Unseen(Gap),
}

impl<T> Observed<T> {
    /// The value, where it was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Unseen(_) => None,
        }
    }

    /// The gap, where it was not seen.
    pub fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Seen(_) => None,
            Self::Unseen(gap) => Some(gap),
        }
    }

    /// The same observation of another value; a gap stays the gap it is.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Seen(value) => Observed::Seen(change(value)),
            Self::Unseen(gap) => Observed::Unseen(gap),
        }
    }

    /// What was seen by way of this; the first gap on the way stays the gap it is.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Observed<U>) -> Observed<U> {
        match self {
            Self::Seen(value) => next(value),
            Self::Unseen(gap) => Observed::Unseen(gap),
        }
    }
}

/// One thing that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// What was looked for, as a noun phrase: `nodes`, `answers from node3`.
    pub what: String,
    /// Why it could not be seen.
    pub why: GapReason,
    /// One sentence for people: what happened, with the server's own words where there are any.
    pub message: String,
    /// What the reader can do to close the gap, if that is known.
    pub hint: Option<String>,
}

/// Why something could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum GapReason {
    /// The API server refused the request (403).
    #[serde(rename_all = "camelCase")]
    Forbidden {
        /// As RBAC writes it: `create`.
        verb: String,
        /// As RBAC writes it: `pods/exec`.
        resource: String,
        /// The namespace asked for; `None` for cluster-scoped resources and for all namespaces.
        namespace: Option<String>,
    },
    /// Nothing answered in time.
    #[serde(rename_all = "camelCase")]
    TimedOut {
        /// How long was waited, in milliseconds.
        after_ms: u64,
    },
    /// The API server does not serve this resource.
    NotServed,
    /// A higher tier of access would be needed and was not allowed by the user.
    TierNotAllowed,
    /// Nothing could be started where the look should have been taken from.
    NotStarted,
    /// It was read, but in part only: the answer was cut off.
    Truncated,
    /// It failed in another way; the message says how.
    Failed,
}
