use serde::{Deserialize, Serialize};

use crate::{Evidence, Family, Protocol, Severity, Subject};

/// The smallest place that accounts for a group of failing probes: where it is, not yet why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Localisation {
    /// The place.
    pub scope: Scope,
    /// How bad it is there.
    pub severity: Severity,
    /// What fails there.
    pub protocols: Vec<Protocol>,
    /// The address families in which it fails.
    pub families: Vec<Family>,
    /// The direction in which packets are lost, where the probes tell.
    pub direction: Option<Direction>,
    /// The check whose finding says it.
    pub check: String,
    /// What the finding is about.
    pub subject: Subject,
    /// One sentence without a full stop: what fails.
    pub sentence: String,
    /// What still works, and which causes that excludes; one clause each.
    pub still_works: Vec<String>,
    /// Where to look next, most telling first.
    pub look_next: Vec<LookNext>,
    /// How it is known; at least one.
    pub evidence: Vec<Evidence>,
}

/// A way that packets take, by the names of nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Direction {
    /// Where they come from; `None` for every node.
    pub from: Option<String>,
    /// Where they should arrive; `None` for every node.
    pub to: Option<String>,
    /// How the direction is known.
    pub known_by: String,
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct LookNext {
    /// What it shows, as a short phrase.
    pub what: String,
    /// A command that runs as printed.
    pub command: String,
}

/// Which part of the source × target matrix fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Scope {
    /// Every probed pair, each node with itself included.
    Everything,
    /// Every pair of two different nodes.
    CrossNode,
    /// The pair of every node with itself, and only those.
    EverySameNode,
    /// All between two zones, in both directions.
    #[serde(rename_all = "camelCase")]
    Zones {
        /// `topology.kubernetes.io/zone`.
        a: String,
        /// `topology.kubernetes.io/zone`.
        b: String,
    },
    /// All from and to one node, its pair with itself included.
    #[serde(rename_all = "camelCase")]
    NodeAndItself {
        /// The node.
        node: String,
    },
    /// All between one node and the others; within the node it works, or was not seen.
    #[serde(rename_all = "camelCase")]
    Node {
        /// The node.
        node: String,
    },
    /// What one node starts towards the others.
    #[serde(rename_all = "camelCase")]
    Outgoing {
        /// The node.
        node: String,
    },
    /// What the others start towards one node.
    #[serde(rename_all = "camelCase")]
    Incoming {
        /// The node.
        node: String,
    },
    /// Two nodes with each other, in both directions.
    #[serde(rename_all = "camelCase")]
    Pair {
        /// A node.
        a: String,
        /// A node.
        b: String,
    },
    /// What one node starts towards one other.
    #[serde(rename_all = "camelCase")]
    OneWay {
        /// A node.
        from: String,
        /// A node.
        to: String,
    },
    /// One node with itself.
    #[serde(rename_all = "camelCase")]
    SameNode {
        /// The node.
        node: String,
    },
    /// Many pairs with no node, zone or direction in common.
    #[serde(rename_all = "camelCase")]
    Scattered {
        /// How many ordered pairs.
        pairs: u32,
    },
}

impl Scope {
    /// What a finding about this place is about.
    pub fn subject(&self) -> Subject {
        match self {
            Self::Everything
            | Self::CrossNode
            | Self::EverySameNode
            | Self::Zones { .. }
            | Self::Scattered { .. } => Subject::Cluster,
            Self::NodeAndItself { node }
            | Self::Node { node }
            | Self::Outgoing { node }
            | Self::Incoming { node }
            | Self::SameNode { node } => Subject::node(node),
            Self::Pair { a, b } => Subject::NodePair {
                from: a.clone(),
                to: b.clone(),
                both: true,
            },
            Self::OneWay { from, to } => Subject::NodePair {
                from: from.clone(),
                to: to.clone(),
                both: false,
            },
        }
    }
}
