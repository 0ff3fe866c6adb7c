//! What is judged, and how: pure functions of an [`Observation`].
//!
//! Nothing here talks to a cluster, reads a clock or prints.

mod observation;

pub use observation::*;
