//! The compiler for other platforms, of one version for everybody, so that everybody builds the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Names and checksums of what is installed.
const REQUIREMENTS: &str = include_str!("../requirements.txt");

/// zig and cargo-zigbuild, installed.
#[derive(Clone, Debug)]
pub(crate) struct Zig {
    directory: PathBuf,
}

impl Zig {
    /// Installs them with pip under `parent`, unless they are there.
    ///
    /// # Errors
    /// When there is no Python with pip, or it cannot install what is wanted.
    pub(crate) fn ensure(parent: &Path) -> Result<Self> {
        let directory = parent.join("zig");
        let mark = directory.join("requirements.txt");
        if fs::read_to_string(&mark).is_ok_and(|installed| installed == REQUIREMENTS) {
            return Ok(Self { directory });
        }
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
        }
        fs::create_dir_all(&directory).with_context(|| format!("create {}", directory.display()))?;
        let list = directory.join("wanted.txt");
        fs::write(&list, REQUIREMENTS).with_context(|| format!("write {}", list.display()))?;
        let mut pip = Command::new("python3");
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]);
        pip.args(["--only-binary=:all:", "--require-hashes", "--target"])
            .arg(&directory);
        pip.arg("--requirement").arg(&list);
        let output = pip
            .output()
            .context("zig is installed with Python's pip: install python3 and python3-pip")?;
        ensure!(
            output.status.success(),
            "pip could not install zig:\n{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        fs::rename(&list, &mark)?;
        Ok(Self { directory })
    }

    /// `cargo zigbuild`, to be given arguments.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(self.directory.join("bin/cargo-zigbuild"));
        command
            .arg("zigbuild")
            .env("CARGO_ZIGBUILD_ZIG_PATH", self.directory.join("ziglang/zig"));
        command
    }
}
