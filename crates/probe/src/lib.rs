//! Starts probe pods from images that nodes already have, runs plans in them, and leaves nothing behind.
//!
//! [`with_probes`] is the way in: it makes a place for the run, starts a pod on each node, hands a [`ProbeRun`] to the
//! caller's work and removes everything afterwards, however that ends. [`cleanup`] removes what a killed run left.
//!
//! What can be missing is part of the result, never an error: a node without a pod is an [`observation::Place::Failed`]
//! with the reason, an agent without answers is a gap of [`Executed`].
//!
//! # What is made
//! A namespace `netcheck-RUN` where that is allowed; a ConfigMap of the same name, which owns the rest and carries the
//! heartbeat; a ConfigMap for each architecture with the agent; a pod and a twin for each node. All carry the labels
//! [`RUN`] and [`MANAGED_BY`], and annotations that say who runs it and for how long at the most, so that a later
//! cleanup can tell the dead from the living. What that needs of RBAC is in `docs/rbac.md`.

mod agent;
mod answers;
mod brief;
mod error;
mod evidence;
mod exec;
mod follow;
mod gate;
mod image;
mod kubelet;
mod leftovers;
mod names;
#[cfg(test)]
mod on_fake;
mod options;
mod over;
mod owner;
mod places;
mod pod;
mod prepared;
mod progress;
mod refusal;
mod removal;
mod run;
mod site;
mod standing;
mod start;
mod trouble;

pub use agent::{Architecture, agent};
pub use error::ProbeError;
pub use evidence::kube_proxy::ProxyAddresses;
pub use evidence::tracked::{TrackedOnce, TrackedWanted};
pub use exec::Executed;
pub use gate::{Gate, Opener};
pub use leftovers::{
    Action, CleanupOptions, CleanupReport, FoundRun, Leftover, LeftoverKind, cleanup, find_runs,
};
pub use names::{MANAGED_BY, RUN};
pub use options::{
    HOST_ROOT, NodeImage, NodeTarget, ParseTolerationError, ProbeOptions, Resources, Tier, Toleration,
};
pub use owner::Life;
pub use prepared::{Launched, Prepared, prepare};
pub use progress::Progress;
pub use removal::Removal;
pub use run::{Finished, OwnService, ProbeRun, with_launched, with_probes, with_probes_first};
