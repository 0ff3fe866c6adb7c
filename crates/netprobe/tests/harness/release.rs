//! The agents that travel: static, for both architectures.

use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const AMD64: &str = "x86_64-unknown-linux-musl";
pub(crate) const ARM64: &str = "aarch64-unknown-linux-musl";

/// Builds the agent as the crate `probe` does, in the same directory, so that neither repeats the other's work.
pub(crate) fn build(target: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .unwrap()
        .join("probe-agent");
    let output = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
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
        .arg(&directory)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    directory.join(target).join("agent/netprobe")
}
