//! What a diagnosis says: what was seen and what was not, what is wrong, how it is known, and what to do.
//!
//! Values and their renderers only. Nothing here reads a cluster, a clock or a terminal.

mod observed;

pub use observed::{Gap, GapReason, Observed};
