//! What runs inside of a lab: hidden subcommands of the same program, each the first process of its place.

pub(crate) mod control_plane;
pub(crate) mod node;
pub(crate) mod outside;
mod supervisor;
pub(crate) use supervisor::marks as supervisor_marks;

use std::fs;
use std::os::unix::process::parent_id;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cgroups;
use crate::state::StateDir;

/// Starts a program in a session of its own and leaves it to itself. Inside of the lab the lab's first process
/// adopts it and takes it along when it ends; from outside it has to join the lab's group first, and then
/// `parent` is who started it. Is that one gone, nothing is started: so a process either is in the group, where
/// `down` finds it, or has ended together with an `up` that was killed.
pub(crate) fn launch(state: &StateDir, parent: Option<u32>, words: &[String]) -> Result<()> {
    let (name, arguments) = words.split_first().context("nothing to launch")?;
    if let Some(parent) = parent {
        cgroups::join(state, cgroups::CONTROL_PLANE)?;
        if parent != parent_id() {
            bail!("whoever started this has ended");
        }
    }
    // Fails only for the leader of a group of processes, which a new child never is.
    let _ = nix::unistd::setsid();
    let child = Command::new(name).args(arguments).stdin(Stdio::null()).spawn();
    child.map(drop).with_context(|| format!("start {name}"))
}

/// Waits for a mark of the lab.
fn await_mark(state: &StateDir, mark: &str) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let path = state.mark(mark);
    while !path.exists() {
        if Instant::now() > deadline {
            bail!("{} did not appear", path.display());
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Sets kernel settings of this network namespace, by their paths below `/proc/sys/net`.
fn set_kernel(settings: &[(&str, &str)]) -> Result<()> {
    for (name, value) in settings {
        let path = Path::new("/proc/sys/net").join(name);
        fs::write(&path, value).with_context(|| format!("write {value} to {}", path.display()))?;
    }
    Ok(())
}
