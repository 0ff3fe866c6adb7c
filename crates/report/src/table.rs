use serde::{Deserialize, Serialize};

/// What was seen of several things of a kind, side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Table {
    /// What it is of, as `kube-proxy`.
    pub title: String,
    /// The names of its columns, in lower case, as `last sync`.
    pub columns: Vec<String>,
    /// A row for each thing, with as many cells as there are columns. What was not seen is `null`; what does not apply is `-`.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// A table without rows.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }
}
