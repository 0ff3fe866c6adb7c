//! What was seen of a cluster: plain values, written by whatever looks (`cluster`, `probe`) and read by whatever judges
//! (`checks`). A bundle is one [`Observation`] as JSON.
//!
//! Facts only. Nothing here judges, and nothing here looks.

mod backends;
mod bundle;
mod callers;
mod cni;
mod dns;
mod evidence;
mod kernel;
mod kube_proxy;
mod lookups;
mod observation;
mod pods;
mod policy;
mod reach;
mod service;
mod spread;
mod tracked;
mod underlay;

pub use backends::*;
pub use bundle::BundleError;
pub use callers::*;
pub use cni::*;
pub use dns::*;
pub use evidence::*;
pub use kernel::*;
pub use kube_proxy::*;
pub use lookups::*;
pub use observation::*;
pub use pods::*;
pub use policy::*;
pub use reach::*;
pub use service::*;
pub use spread::*;
pub use tracked::*;
pub use underlay::*;
