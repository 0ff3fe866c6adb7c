//! Builds the probe agent for the architectures of nodes, to be embedded by `src/agent.rs`.
//!
//! `NETPROBE_AGENT_DIR` names a directory with `netprobe-amd64` and `netprobe-arm64` to take instead, for builds in
//! which cargo cannot run cargo.

use std::error::Error;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

/// Kubernetes' name of an architecture, and Rust's of the static Linux target for it.
const AGENTS: [(&str, &str); 2] = [
    ("amd64", "x86_64-unknown-linux-musl"),
    ("arm64", "aarch64-unknown-linux-musl"),
];

/// Where prebuilt agents are, if they are not to be built.
const PREBUILT: &str = "NETPROBE_AGENT_DIR";

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    if let Some(directory) = env::var_os(PREBUILT) {
        for (architecture, _) in AGENTS {
            let name = format!("netprobe-{architecture}");
            let from = Path::new(&directory).join(&name);
            println!("cargo::rerun-if-changed={}", from.display());
            copy(&from, &out.join(&name))?;
        }
        return Ok(());
    }
    let package = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let root = package.join("../..");
    for part in [
        "crates/netprobe/Cargo.toml",
        "crates/netprobe/src",
        "Cargo.toml",
        "Cargo.lock",
        ".cargo/config.toml",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
    }
    // Not the directory of the cargo that runs this script, which holds its lock until the script has ended; but beside
    // it, so that all profiles share one build. OUT_DIR is TARGET/PROFILE/build/probe-HASH/out.
    let target_directory = out
        .ancestors()
        .nth(4)
        .ok_or("OUT_DIR is not where cargo puts it")?
        .join("probe-agent");
    for (architecture, target) in AGENTS {
        build(target, &root, &target_directory)?;
        let built = target_directory.join(target).join("agent/netprobe");
        copy(&built, &out.join(format!("netprobe-{architecture}")))?;
    }
    Ok(())
}

fn build(target: &str, root: &Path, target_directory: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(variable("CARGO")?);
    cargo
        .current_dir(root)
        .args([
            "build",
            "--package",
            "netprobe",
            "--bin",
            "netprobe",
            "--profile",
            "agent",
            "--locked",
        ])
        .args(["--target", target])
        .arg("--target-dir")
        .arg(target_directory);
    // Flags and wrappers of the outer build are for its own target: instrumented, linted or tuned for this machine,
    // the agent would not be the one that was measured.
    for outer in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "CARGO_TARGET_DIR",
        "RUSTC_WORKSPACE_WRAPPER",
        "CLIPPY_ARGS",
    ] {
        cargo.env_remove(outer);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped(root));
    // The linker that comes with Rust, on every machine and whatever links the outer build, so that all plugins carry
    // the same agent. It has no C in it, so nothing else is needed.
    cargo.env(for_target(target, "LINKER"), "rust-lld");
    cargo.env_remove(for_target(target, "RUSTFLAGS"));
    let output = cargo
        .output()
        .map_err(|error| format!("cannot run cargo to build the probe agent: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("target may not be installed") {
        return Err(format!(
            "the probe agent needs the Rust target {target}, which is not installed: run `rustup target add {target}`, \
             or name a directory with prebuilt agents in {PREBUILT}"
        )
        .into());
    }
    Err(format!("the probe agent for {target} does not build:\n{said}").into())
}

/// Lets the agent name no directory of whoever built it, so that it is the same wherever it was built. In cargo's encoding of flags.
fn remapped(root: &Path) -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    // `root` leads up from this package; the compiler is given where that is.
    let root = root.canonicalize().ok();
    [(home, "/cargo"), (root, "/build")]
        .into_iter()
        .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.display())))
        .collect::<Vec<_>>()
        .join("\x1f")
}

/// The variable by which cargo is told something about one target.
fn for_target(target: &str, what: &str) -> String {
    format!("CARGO_TARGET_{}_{what}", target.to_uppercase().replace('-', "_"))
}

fn copy(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    // Not written over in place: a target directory that was copied with hard links shares this file with the other one,
    // whose agent may speak another language.
    match fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(format!("cannot replace {}: {error}", to.display()).into());
        }
        _ => {}
    }
    fs::copy(from, to)
        .map_err(|error| format!("cannot take the probe agent from {}: {error}", from.display()))?;
    Ok(())
}

fn variable(name: &str) -> Result<OsString, Box<dyn Error>> {
    env::var_os(name).ok_or_else(|| format!("cargo did not set {name}").into())
}
