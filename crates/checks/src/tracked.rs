//! Checks of tracked connections to Services. One file each, named as the check.

mod answer;
pub(crate) mod ep_ct;
pub(crate) mod ep_ct_stale;
#[cfg(test)]
mod fixture;
mod scene;
mod table;

pub use scene::{TrackedAsked, asked};

pub(crate) use answer::answer;
pub(crate) use table::tables;
