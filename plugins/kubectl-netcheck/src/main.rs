//! `kubectl netcheck`.
fn main() {}
