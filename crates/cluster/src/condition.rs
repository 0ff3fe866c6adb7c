//! Conditions, as all objects of the API have them.

use observation::Condition;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConditionObject {
    /// As `Ready`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    // The server leaves out what is empty.
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) message: String,
    pub(crate) last_transition_time: Option<String>,
}

impl ConditionObject {
    /// Whether it is `True`.
    pub(crate) fn holds(&self) -> bool {
        self.status == "True"
    }
}

impl From<ConditionObject> for Condition {
    fn from(object: ConditionObject) -> Self {
        Self {
            status: object.status,
            reason: object.reason,
            message: object.message,
            since: object.last_transition_time,
        }
    }
}
