//! The release step: builds the plugins, packs them as krew wants them, and renders krew's manifests.
//!
//! `cargo packaging` is its command line.

pub mod archive;
pub mod binary;
pub mod checksums;
pub mod compile;
pub mod manifest;
pub mod platform;
mod tools;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use archive::Entry;
use platform::Platform;

/// The packages of the plugins, and the programs that they become.
pub const PLUGINS: [&str; 4] = [
    "kubectl-netcheck",
    "kubectl-dnscheck",
    "kubectl-epcheck",
    "kubectl-cnicheck",
];

/// The version of the workspace, with its `v`.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));

/// The one name of a licence that krew looks for and that everybody knows.
const LICENSE: &str = "LICENSE";

/// A plugin that was packed.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The archive.
    pub archive: PathBuf,
    /// How many bytes the program has.
    pub program: u64,
    /// How many bytes the archive has.
    pub size: u64,
}

/// What is the same for all archives of a release.
#[derive(Clone, Debug)]
pub struct Packer<'a> {
    /// With its `v`.
    pub version: &'a str,
    /// The text of the licence.
    pub license: &'a [u8],
    /// The time of every file, in seconds since 1970.
    pub time: u64,
    /// Where archives are put.
    pub to: &'a Path,
}

impl Packer<'_> {
    /// Packs the program of a plugin that lies in `from`.
    ///
    /// # Errors
    /// When it is not there, or is for another platform.
    pub fn pack(&self, plugin: &str, platform: Platform, from: &Path) -> Result<Packed> {
        let name = platform.binary(plugin);
        let path = from.join(&name);
        let program = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        binary::verify(&program, platform)
            .with_context(|| format!("{} is not for {platform}", path.display()))?;
        let archive = self.to.join(platform.archive(plugin, self.version));
        let file = File::create(&archive).with_context(|| format!("create {}", archive.display()))?;
        let entries = [
            Entry {
                name: &name,
                content: &program,
                mode: 0o755,
            },
            Entry {
                name: LICENSE,
                content: self.license,
                mode: 0o644,
            },
        ];
        archive::pack(&entries, self.time, &file).with_context(|| format!("write {}", archive.display()))?;
        Ok(Packed {
            size: fs::metadata(&archive)?.len(),
            program: program.len() as u64,
            archive,
        })
    }
}

/// The name that krew has for a plugin: `netcheck` of `kubectl-netcheck`.
pub fn krew_name(plugin: &str) -> &str {
    plugin.strip_prefix("kubectl-").unwrap_or(plugin)
}

/// The template of a plugin's manifest.
///
/// # Errors
/// When there is none.
pub fn template(root: &Path, plugin: &str) -> Result<String> {
    let path = root
        .join("krew-manifests/templates")
        .join(format!("{}.yaml", krew_name(plugin)));
    fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}
