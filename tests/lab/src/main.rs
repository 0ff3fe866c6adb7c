//! The lab: a real Kubernetes cluster on this machine.
fn main() {}
