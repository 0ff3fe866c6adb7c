//! Ending a lab, in whatever state it is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cgroups;
use crate::command::{program, run, succeeds};
use crate::leftovers;
use crate::progress::Progress;
use crate::state::StateDir;

/// How long deleting a link or ending a process may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends the lab and removes everything that belongs to it.
pub(crate) fn down(state: &StateDir) -> Result<()> {
    let progress = Progress::new();
    let _lock = state.lock()?;
    let existed = state.settings()?.is_some() || !cgroups::existing(state)?.is_empty();
    clear(state)?;
    state.remove()?;
    progress.line(state.name(), if existed { "is down" } else { "was not up" });
    Ok(())
}

/// Everything of [`down`] but the directory itself, which stays locked.
pub(crate) fn clear(state: &StateDir) -> Result<()> {
    cgroups::kill_all(state)?;
    kill_programs(state);
    cgroups::remove(state)?;
    if let Some(settings) = state.settings()? {
        delete_link(&settings.leg()?.link())?;
    }
    state.empty()
}

/// Ends what runs a program of the lab outside of its groups: the kubectl of an `up` that was killed.
fn kill_programs(state: &StateDir) {
    for pid in leftovers::programs(state) {
        let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        let deadline = Instant::now() + PATIENCE;
        while leftovers::programs(state).contains(&pid) && Instant::now() < deadline {
            sleep(Duration::from_millis(5));
        }
    }
}

/// The kernel takes the link away together with the lab's network namespace, but in its own time.
fn delete_link(link: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while succeeds(&mut program("ip", ["link", "show", link])) {
        // Fails when it has just gone by itself.
        let deleted = run(&mut program("ip", ["link", "delete", link]));
        if Instant::now() > deadline {
            return deleted.map(drop);
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}
