//! Everything that a lab is made of and that can be made beforehand: the Go programs and the container images,
//! already unpacked. Each part lies in the cache under a key of its inputs and is made anew only when one of
//! them changes.

mod cache;
mod go;
mod image_tar;
mod images;
mod template;

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Result;

use crate::progress::Progress;
use cache::Cache;
pub(crate) use images::{Images, PAUSE as PAUSE_IMAGE};

/// The parts, ready to be linked into the directory of a lab.
#[derive(Debug)]
pub(crate) struct Parts {
    /// etcd, the Kubernetes components and kubectl in one file.
    pub(crate) kube: PathBuf,
    /// The DNS server of the outside world.
    pub(crate) coredns: PathBuf,
    /// A containerd root directory that holds all images.
    pub(crate) template: PathBuf,
}

/// Makes what is not in the cache yet.
pub(crate) fn parts(progress: &Progress) -> Result<Parts> {
    let cache = Cache::open()?;
    let _lock = cache.lock()?;
    let programs = go::build(&cache, progress)?;
    let template = template::build(&cache, &programs, progress)?;
    Ok(Parts {
        kube: programs.kube,
        coredns: programs.coredns,
        template,
    })
}

/// A kubectl that is newer than the lab's, for what is compared with every version.
pub(crate) fn newer_kubectl(progress: &Progress) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let _lock = cache.lock()?;
    go::kubectl(&cache, progress)
}

/// The directory of what a release is tried with: krew, what its index checks manifests with, and what lints workflows.
pub(crate) fn release_tools(progress: &Progress) -> Result<PathBuf> {
    let cache = Cache::open()?;
    let _lock = cache.lock()?;
    go::release_tools(&cache, progress)
}

/// Two small digits per byte, as digests are written.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
