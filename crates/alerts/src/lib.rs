//! Alert rules: whether those that somebody has can fire, and some that do.
//!
//! Pure: the text of rules in, a [`report::Report`] or the text of rules out.

mod emit;
mod labels;
mod lint;
mod lints;
mod metrics;
mod promql;
mod rules;

pub use emit::{EmitFormat, EmitOptions, emit};
pub use lint::{LINTS, Lint, lint};
pub use rules::{Document, Input, ReadError};
