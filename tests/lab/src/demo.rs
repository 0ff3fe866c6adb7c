//! The plugin on a real cluster, from nothing.

use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::cargo::{self, PLUGIN, cargo};
use crate::command::program;
use crate::progress::{Progress, note};
use crate::requirements::{self, Missing};
use crate::state::{Options, StateDir};
use crate::{User, up};

/// Builds what is needed, starts the lab, and runs the plugin on it. The lab stays up.
///
/// The plugin's report goes to standard output and its status is returned.
pub(crate) fn demo(state: &StateDir, options: &Options) -> Result<ExitCode> {
    requirements::ensure(Missing::Install)?;
    let progress = Progress::new();
    progress.line(PLUGIN, "building");
    let built = cargo(&["build", "--release", "--locked", "--package", PLUGIN])
        .stdout(Stdio::null())
        .status()
        .context("start cargo")?;
    if !built.success() {
        bail!("the plugin does not build");
    }
    up::up(state, options)?;

    let plugin = cargo::release_directory()?;
    let lab_programs = state.path().join("bin");
    let kubeconfig = state.kubeconfig(User::Admin.file());
    let path = cargo::path_with_plugin(&plugin, Some(&lab_programs))?;
    note("\n$ kubectl netcheck pod-to-pod\n");
    // Found here and not by the system, which would look along this process's own PATH.
    let kubectl = which::which_in("kubectl", Some(&path), "/").context("find kubectl")?;
    let status = program(kubectl, ["netcheck", "pod-to-pod"])
        .env("PATH", &path)
        .env("KUBECONFIG", &kubeconfig)
        .status()
        .context("start kubectl")?;
    note(further(
        state,
        &plugin.display().to_string(),
        &kubeconfig.display().to_string(),
    ));
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What to do with the lab now.
fn further(state: &StateDir, plugin: &str, kubeconfig: &str) -> String {
    let lab = match state.name() {
        "lab" => "cargo lab".to_owned(),
        name => format!("cargo lab --name {name}"),
    };
    format!(
        "
The lab is still up. To look further:
  export KUBECONFIG={kubeconfig} PATH={plugin}:$PATH
  kubectl get pods --all-namespaces --output wide
  {lab} node node2 -- iptables -I FORWARD -d 10.244.0.0/16 -j DROP    # break something, then ask again
  {lab} node node2 -- iptables -D FORWARD -d 10.244.0.0/16 -j DROP    # heal it
To end it:
  {lab} down"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_to_end_a_lab_names_it_unless_it_has_the_usual_name() {
        let usual = further(&StateDir::of("lab").unwrap(), "/p", "/k");
        assert!(usual.ends_with("cargo lab down"));
        let other = further(&StateDir::of("two").unwrap(), "/p", "/k");
        assert!(other.ends_with("cargo lab --name two down"));
    }
}
