//! What was seen of a cluster: plain values, written by whatever looks (`cluster`, `probe`) and read by whatever judges
//! (`checks`). A bundle is one [`Observation`] as JSON.
//!
//! Facts only. Nothing here judges, and nothing here looks.

mod backends;
mod bundle;
mod evidence;
mod kernel;
mod observation;
mod pods;
mod policy;
mod reach;
mod underlay;

pub use backends::*;
pub use bundle::BundleError;
pub use evidence::*;
pub use kernel::*;
pub use observation::*;
pub use pods::*;
pub use policy::*;
pub use reach::*;
pub use underlay::*;
