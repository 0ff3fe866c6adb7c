//! What was seen of a cluster: plain values, written by whatever looks (`cluster`, `probe`) and read by whatever judges
//! (`checks`). A bundle is one [`Observation`] as JSON.
//!
//! Facts only. Nothing here judges, and nothing here looks.

#[expect(clippy::module_inception, reason = "the type gives the crate its name")]
mod observation;

pub use observation::*;
