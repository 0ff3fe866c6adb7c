//! Calling cargo on the workspace that this program belongs to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{program, run};

/// The package of the plugin that the demonstration shows, and the program that it becomes.
pub(crate) const PLUGIN: &str = "kubectl-netcheck";
/// The packages of all plugins.
pub(crate) const PLUGINS: [&str; 4] = [PLUGIN, "kubectl-epcheck", "kubectl-dnscheck", "kubectl-cnicheck"];

/// The root of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap_or(own)
}

/// cargo with these arguments, at the root of the workspace.
pub(crate) fn cargo(words: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), words);
    command.current_dir(workspace());
    // `cargo run` describes this package in the environment. Build scripts that watch such variables would take
    // it for a change, and crates that take minutes would be built again each time.
    for (name, _) in std::env::vars_os() {
        if describes_a_package(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_a_package(variable: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_",
        "CARGO_PRIMARY_",
    ]
    .iter()
    .any(|prefix| variable.starts_with(prefix))
}

/// Where the release build lies.
pub(crate) fn release_directory() -> Result<PathBuf> {
    Ok(target_directory()?.join("release"))
}

/// Where cargo builds.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let text = run(&mut cargo(&[
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
    ]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("read `cargo metadata`")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("`cargo metadata` names no target directory")?;
    Ok(target.into())
}

/// `PATH` with the plugin in front, and at its end the lab's own kubectl for machines that have none.
pub(crate) fn path_with_plugin(plugin: &Path, lab_programs: Option<&Path>) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(plugin.to_owned())
        .chain(std::env::split_paths(&path))
        .chain(lab_programs.map(Path::to_owned));
    std::env::join_paths(directories).context("extend PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_one_that_has_the_plugin() {
        assert!(
            workspace()
                .join("plugins")
                .join(PLUGIN)
                .join("Cargo.toml")
                .exists()
        );
    }

    #[test]
    fn where_cargo_builds_is_left_to_the_user() {
        assert!(describes_a_package("CARGO_PKG_NAME"));
        assert!(!describes_a_package("CARGO_TARGET_DIR"));
        assert!(!describes_a_package("CARGO_HOME"));
    }

    #[test]
    fn the_plugin_is_found_first_and_the_labs_kubectl_last() {
        let path = path_with_plugin(Path::new("/plugin"), Some(Path::new("/lab/bin"))).unwrap();
        let directories: Vec<_> = std::env::split_paths(&path).collect();
        assert_eq!(directories.first().unwrap(), Path::new("/plugin"));
        assert_eq!(directories.last().unwrap(), Path::new("/lab/bin"));
    }
}
