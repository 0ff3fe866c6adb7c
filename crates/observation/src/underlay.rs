//! What was tried below and beside the pod network: nodes among each other, and a pod and its own node.

use serde::{Deserialize, Serialize};

use crate::{Attempt, SourceState};

/// Tries that no route of the pod network carries. It is what the pod network stands on: a node that other nodes do not
/// reach has no pods that other nodes' pods could reach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Underlay {
    /// What each source answered, or why not.
    pub sources: Vec<SourceState>,
    /// Everything that was planned. An attempt at a gateway that the source does not have keeps the unspecified address.
    pub attempts: Vec<Attempt>,
}

impl Underlay {
    /// Both together.
    pub fn add(&mut self, (sources, attempts): (Vec<SourceState>, Vec<Attempt>)) {
        self.sources.extend(sources);
        self.attempts.extend(attempts);
    }
}
