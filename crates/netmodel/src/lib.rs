//! What the configuration of a node, a cluster or a pod does to a packet or a name, computed from text that was read elsewhere.
//!
//! Nothing here looks at a system: parsers take what a command printed, and models answer questions about packets that nobody sent.
//! An answer is allowed to be "unknown", and then it names what could not be decided.

pub mod ipvs;
pub mod policy;
pub mod resolv;
pub mod rules;
