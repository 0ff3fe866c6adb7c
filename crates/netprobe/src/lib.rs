//! What travels between the plugins and the probe agent: a plan in, answers out.
//!
//! The plan goes to the agent's standard input as one length-prefixed message ([`encode_plan`]), so that the agent
//! needs no end-of-file to begin. Answers come back as one JSON document per line, closed by a line that says how many
//! there were: an answer without that line was cut off and says nothing about what is missing.
//!
//! This library knows nothing of Kubernetes and nothing of the other crates.

mod reads;
mod wire;

pub use reads::*;
pub use wire::*;
