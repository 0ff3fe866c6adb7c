//! Ending a lab, in whatever state it is.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cgroups;
use crate::command::{program, run, succeeds};
use crate::progress::Progress;
use crate::state::StateDir;

/// How long the kernel may take to take a link away with its namespace.
const LINK_PATIENCE: Duration = Duration::from_secs(3);

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
    cgroups::remove(state)?;
    if let Some(settings) = state.settings()? {
        let link = settings.leg()?.link();
        let deadline = Instant::now() + LINK_PATIENCE;
        while succeeds(&mut program("ip", ["link", "show", &link])) {
            if Instant::now() > deadline {
                run(&mut program("ip", ["link", "delete", &link]))?;
                bail!(
                    "link {link} outlived lab {} and was deleted: a process must have left its group",
                    state.name()
                );
            }
            sleep(Duration::from_millis(20));
        }
    }
    state.empty()
}
