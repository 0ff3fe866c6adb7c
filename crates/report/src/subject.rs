use std::fmt;

use serde::{Deserialize, Serialize};

/// What a finding is about. Prints as kubectl prints it: `node/node3`, `service/web -n shop`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Subject {
    /// One object of the API.
    #[serde(rename_all = "camelCase")]
    Object {
        /// In lower case and singular: `node`.
        kind: String,
        /// `metadata.name`.
        name: String,
        /// `None` for cluster-scoped objects.
        namespace: Option<String>,
    },
    /// The way from one node to another, or between the two.
    #[serde(rename_all = "camelCase")]
    NodePair {
        /// A node's name.
        from: String,
        /// A node's name.
        to: String,
        /// Whether both directions are meant.
        both: bool,
    },
    /// No single object: the network of the cluster.
    Cluster,
}

impl Subject {
    /// A node.
    pub fn node(name: impl Into<String>) -> Self {
        Self::Object {
            kind: "node".to_owned(),
            name: name.into(),
            namespace: None,
        }
    }

    /// The objects it is about, as `-o name` prints them; none for the cluster as a whole.
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Object { kind, name, .. } => vec![format!("{kind}/{name}")],
            Self::NodePair { from, to, .. } => vec![format!("node/{from}"), format!("node/{to}")],
            Self::Cluster => Vec::new(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object {
                kind,
                name,
                namespace: None,
            } => write!(f, "{kind}/{name}"),
            Self::Object {
                kind,
                name,
                namespace: Some(namespace),
            } => write!(f, "{kind}/{name} -n {namespace}"),
            Self::NodePair {
                from,
                to,
                both: false,
            } => write!(f, "node/{from} → node/{to}"),
            Self::NodePair { from, to, both: true } => write!(f, "node/{from} ↔ node/{to}"),
            Self::Cluster => f.write_str("cluster"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_prints_as_kubectl_prints_it() {
        let service = Subject::Object {
            kind: "service".into(),
            name: "web".into(),
            namespace: Some("shop".into()),
        };
        assert_eq!(service.to_string(), "service/web -n shop");
        assert_eq!(Subject::node("node3").to_string(), "node/node3");
    }
}
