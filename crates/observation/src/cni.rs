//! The CNI of a cluster as the API shows it: which there is, what runs it, what configures it, and what it handed out.

use serde::{Deserialize, Serialize};

/// What was seen of the CNI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cni {
    /// When it was read, RFC 3339, UTC: how long ago something was is counted from here.
    pub read_at: String,
}
