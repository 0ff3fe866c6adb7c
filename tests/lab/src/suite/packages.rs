//! The plugins as users get them: packed as a release packs them, and in the hands of the real krew.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{ARCHIVES, Outcome, step};
use crate::cargo::{self, cargo};
use crate::{build, progress::Progress};

/// Packs the plugins for this machine as a release does, though without the minutes that link-time optimization takes.
pub(super) fn pack(archives: &Path) -> Outcome {
    let words = ["run", "--quiet", "--locked", "--package=packaging", "--", "build"];
    let mut command = cargo(&words);
    command
        .args(["--profile=release", "--platform", platform(), "--dist"])
        .arg(archives);
    step("packages", &mut command)
}

/// Runs the tests of packaging that need more than cargo. The cluster of `kubeconfig` is what installed plugins are tried on.
pub(super) fn install(archives: &Path, kubeconfig: &Path, lab_programs: &Path) -> Outcome {
    match tests(archives, kubeconfig, lab_programs) {
        Ok(mut tests) => step("krew", &mut tests),
        Err(error) => Outcome::of::<()>("krew", &Err(error)),
    }
}

fn tests(archives: &Path, kubeconfig: &Path, lab_programs: &Path) -> Result<Command> {
    let tools = build::release_tools(&Progress::new())?;
    let words = [
        "test",
        "--locked",
        "--package=packaging",
        "--test=krew",
        "--test=workflows",
        "--",
        "--show-output",
    ];
    let mut command = cargo(&words);
    command
        .env("PATH", cargo::path_with_plugin(&tools, Some(lab_programs))?)
        .env("NETCHECK_RELEASE_TOOLS", tools)
        .env(ARCHIVES, archives)
        .env("KUBECONFIG", kubeconfig);
    Ok(command)
}

/// What krew calls the platform of this machine.
fn platform() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "linux/arm64"
    } else {
        "linux/amd64"
    }
}
