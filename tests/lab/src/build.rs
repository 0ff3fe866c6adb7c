//! Everything that a lab is made of and that can be made beforehand: the Go programs and the container images,
//! already unpacked. Each part lies in the cache under a key of its inputs and is made anew only when one of
//! them changes.

mod cache;
mod go;
mod image_tar;
mod images;
mod template;

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::progress::Progress;
use cache::Cache;
use image_tar::Image;
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

/// Packs an image of static programs into a file in `directory`.
pub(crate) fn pack_image(reference: &str, programs: &[PathBuf], directory: &Path) -> Result<PathBuf> {
    let file = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        let name = name.with_context(|| format!("{} is no program", path.display()))?;
        Ok((name.to_owned(), path.clone()))
    };
    let image = Image {
        // containerd knows images by their full names, and so does the kubelet.
        reference: full_name(reference),
        files: programs.iter().map(file).collect::<Result<_>>()?,
        ..Image::default()
    };
    let archive = directory.join("image.tar");
    image
        .write(&archive)
        .with_context(|| format!("pack {reference}"))?;
    Ok(archive)
}

/// The name that container runtimes have for an image: without a registry it is one of Docker's.
fn full_name(reference: &str) -> String {
    match reference.split_once('/') {
        Some((registry, _)) if registry.contains(['.', ':']) || registry == "localhost" => {
            reference.to_owned()
        }
        Some(_) => format!("docker.io/{reference}"),
        None => format!("docker.io/library/{reference}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_registry_is_docker_s() {
        for (short, full) in [
            ("network-check:v1", "docker.io/library/network-check:v1"),
            ("team/network-check", "docker.io/team/network-check"),
            ("registry.lab/toolbox:1", "registry.lab/toolbox:1"),
            ("localhost/x", "localhost/x"),
        ] {
            assert_eq!(full_name(short), full);
        }
    }
}
