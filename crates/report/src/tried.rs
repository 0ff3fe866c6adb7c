use serde::{Deserialize, Serialize};

use crate::{CellState, Subject};

/// One address that was tried from some places: a row of the table of what lies beyond the pods of the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tried {
    /// What it is about.
    pub subject: Subject,
    /// Which way in, as `ClusterIP`, `pod/web-7d9f`, `NodePort of node2`.
    pub way: String,
    /// Address and port, and how they were tried, as `10.96.0.7:80/tcp`.
    pub address: String,
    /// Whether it was tried only to know what the others mean.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub control: bool,
    /// What is right: `answer`, `refusal`, `silence` or `anything`.
    pub expected: String,
    /// What came of it, by source.
    pub results: Vec<TriedFrom>,
}

/// What came of trying from one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TriedFrom {
    /// The node whose probe pod tried; `node/NAME` for the node's own network, `outside` for this machine.
    pub source: String,
    /// What came of it.
    pub result: CellState,
    /// Whether that is what is right; `None` when it is not known or nothing in particular is.
    pub as_expected: Option<bool>,
}
