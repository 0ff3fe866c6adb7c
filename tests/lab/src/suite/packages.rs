//! The plugins as users get them: packed as a release packs them, and in the hands of the real krew.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{Outcome, step};
use crate::cargo::{self, cargo};
use crate::{build, progress::Progress};

/// Packs the plugins for this machine and runs the tests of packaging that need more than cargo. The cluster of `kubeconfig` is what
/// installed plugins are tried on.
pub(super) fn steps(kubeconfig: &Path, lab_programs: &Path) -> Vec<Outcome> {
    let archives = match cargo::target_directory() {
        Ok(target) => target.join("packages"),
        Err(error) => return vec![Outcome::of::<()>("packages", &Err(error))],
    };
    let packed = step("packages", &mut pack(&archives));
    let tests = tests(&archives, kubeconfig, lab_programs);
    let tried = match tests {
        Ok(mut tests) => step("krew", &mut tests),
        Err(error) => Outcome::of::<()>("krew", &Err(error)),
    };
    vec![packed, tried]
}

/// As a release does, though without the minutes that link-time optimization takes.
fn pack(archives: &Path) -> Command {
    let words = ["run", "--quiet", "--locked", "--package=packaging", "--", "build"];
    let mut command = cargo(&words);
    command
        .args(["--profile=release", "--platform", platform(), "--dist"])
        .arg(archives);
    command
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
        .env("NETCHECK_ARCHIVES", archives)
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
