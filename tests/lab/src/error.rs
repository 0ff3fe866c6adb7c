//! What can go wrong for those who use a lab from their own code.

use thiserror::Error;

/// Why something asked of a lab was not done.
#[derive(Debug, Error)]
pub enum LabError {
    /// There is no lab of this name, or it has ended.
    #[error("lab {0} is not up: `cargo lab --name {0} up` starts it")]
    NotUp(String),
    /// The lab has fewer nodes, or the word is no node's name.
    #[error("lab {lab} has no node {node:?}; it has {}", .nodes.join(", "))]
    NoSuchNode {
        /// The lab's name.
        lab: String,
        /// What was asked for.
        node: String,
        /// The nodes that there are.
        nodes: Vec<String>,
    },
    /// The place does not run at the moment.
    #[error("{place} of lab {lab} does not run")]
    NotRunning {
        /// The lab's name.
        lab: String,
        /// The place, as `node1`.
        place: String,
    },
    /// Something else failed; the chain of causes says what.
    #[error("{0:#}")]
    Failed(#[from] anyhow::Error),
}
