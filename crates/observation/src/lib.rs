//! What was seen of a cluster: plain values, written by whatever looks (`cluster`, `probe`) and read by whatever judges
//! (`checks`). A bundle is one [`Observation`] as JSON.
//!
//! Facts only. Nothing here judges, and nothing here looks.

mod backends;
mod bundle;
mod callers;
mod cni;
mod dns;
mod egress_gateway;
mod evidence;
mod host_port;
mod kernel;
mod kube_proxy;
mod load;
mod lookups;
mod observation;
mod pods;
mod policy;
mod reach;
mod redact;
mod service;
mod spread;
mod tracked;
mod underlay;

pub use backends::*;
pub use bundle::BundleError;
pub use callers::*;
pub use cni::*;
pub use dns::*;
pub use egress_gateway::*;
pub use evidence::*;
pub use host_port::*;
pub use kernel::*;
pub use kube_proxy::*;
pub use load::*;
pub use lookups::*;
pub use observation::*;
pub use pods::*;
pub use policy::*;
pub use reach::*;
pub use redact::RedactError;
pub use service::*;
pub use spread::*;
pub use tracked::*;
pub use underlay::*;
