//! What the subcommands of all plugins do with a cluster: the flags of a look, a session of probe pods, what nodes show, tries
//! from all places at once, and the end of it as a bundle and a report.

mod args;
pub mod bundle;
pub mod cleanup;
mod early;
mod examples;
pub mod explain;
pub mod guide;
mod held;
pub mod inside;
pub mod kube_proxy;
mod look;
pub mod measured;
pub mod mesh;
pub mod node_reading;
mod open;
mod rounds;
pub mod services;
mod text;
pub mod tracked;
pub mod tries;
mod type_name;
pub mod underlay;

pub use args::{Cleanup, EXIT_STATUS, FailOn, NodeReading, ProbePods, duration};
pub use examples::EXAMPLES;
pub use look::{Look, tell};
pub use open::{NodeChoice, Session, tool};
pub use rounds::rounds;
pub use text::contents;
pub use type_name::{after_type, type_and_name};
