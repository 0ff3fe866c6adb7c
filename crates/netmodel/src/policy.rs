//! What `networking.k8s.io/v1` NetworkPolicies say about a flow.
//!
//! The rules are those of the API's documentation: a policy isolates the pods of its namespace that it selects, per direction; a
//! flow passes if its source's side and its destination's side both allow it; policies add up, there is no order and no denial. What the
//! documentation leaves to the network plugin is [`DirectionVerdict::Unknown`], not a guess.

mod evaluate;
mod flow;
mod near;
mod object;
mod port;
#[cfg(test)]
mod properties;
mod selector;
mod suggest;
mod verdict;
mod world;

pub use evaluate::evaluate;
pub use flow::{Direction, End, Family, Flow, Protocol};
pub use near::{Near, Nearness, nearest};
pub use object::{IpBlock, Peer, Policy, PolicyError, PolicyRef, Rule};
pub use port::{Port, PortMatch};
pub use selector::{Labels, Operator, Requirement, Selector};
pub use suggest::{Suggestion, stable_labels, suggest};
pub use verdict::{DirectionVerdict, Exemption, Miss, MissReason, Outcome, PeerMiss, Verdict};
pub use world::{ContainerPort, Pod, World};
