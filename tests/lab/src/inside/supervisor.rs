//! Keeps programs running. It is the first process of its pid namespace in most places, so it also buries the
//! orphans that end up with it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::state::StateDir;

const PAUSE_AFTER_END: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(50);

/// What happens when a program ends.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// It is started again.
    Restart,
    /// It is started again until it ends well; then this mark is set.
    Mark(&'static str),
}

/// A program that is kept running.
#[derive(Debug)]
pub(super) struct Service {
    /// Its name in logs and marks, as `kubelet@node1`.
    pub(super) name: String,
    /// The program and its arguments.
    pub(super) words: Vec<String>,
    /// It starts once this mark is set.
    pub(super) after: Option<&'static str>,
    /// What happens when it ends.
    pub(super) ending: Ending,
}

impl Service {
    /// A program that starts now and is started again whenever it ends.
    pub(super) fn new(name: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self {
            name: name.to_owned(),
            words,
            after: None,
            ending: Ending::Restart,
        }
    }

    /// The same, not before `mark` is set.
    pub(super) fn after(mut self, mark: &'static str) -> Self {
        self.after = Some(mark);
        self
    }
}

/// The marks by which the outside talks to a supervisor.
pub(crate) mod marks {
    /// Keeps a service stopped for as long as it is set.
    pub(crate) fn stopped(service: &str) -> String {
        format!("{service}.stopped")
    }

    /// Is set while a service runs.
    pub(crate) fn running(service: &str) -> String {
        format!("{service}.running")
    }
}

struct Slot {
    service: Service,
    pid: Option<Pid>,
    not_before: Instant,
    done: bool,
}

/// Runs the services until the lab ends.
///
/// # Errors
/// When a program cannot be started at all, or a mark cannot be written.
pub(super) fn run(state: &StateDir, services: Vec<Service>) -> Result<()> {
    let mut slots: Vec<Slot> = services
        .into_iter()
        .map(|service| Slot {
            service,
            pid: None,
            not_before: Instant::now(),
            done: false,
        })
        .collect();
    // A place that was killed could not take its marks along.
    for slot in &slots {
        remove_mark(&state.mark(&marks::running(&slot.service.name)))?;
    }
    loop {
        while let Some((pid, well)) = next_ended() {
            if let Some(slot) = slots.iter_mut().find(|slot| slot.pid == Some(pid)) {
                slot.ended(state, well)?;
            }
        }
        for slot in &mut slots {
            slot.tend(state)?;
        }
        sleep(TICK);
    }
}

impl Slot {
    fn ended(&mut self, state: &StateDir, well: bool) -> Result<()> {
        self.pid = None;
        match self.service.ending {
            Ending::Restart => {
                self.not_before = Instant::now() + PAUSE_AFTER_END;
                remove_mark(&state.mark(&marks::running(&self.service.name)))
            }
            Ending::Mark(mark) if well => {
                self.done = true;
                set_mark(&state.mark(mark))
            }
            Ending::Mark(_) => Ok(()),
        }
    }

    /// Starts what should run and ends what should not.
    fn tend(&mut self, state: &StateDir) -> Result<()> {
        let stopped = state.mark(&marks::stopped(&self.service.name)).exists();
        match self.pid {
            Some(pid) if stopped => {
                // As when a machine kills it: its pods go on running.
                let _ = kill(pid, Signal::SIGKILL);
                Ok(())
            }
            None if !stopped && !self.done && Instant::now() >= self.not_before => {
                if self.service.after.is_none_or(|mark| state.mark(mark).exists()) {
                    self.start(state)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(&mut self, state: &StateDir) -> Result<()> {
        let (name, arguments) = self
            .service
            .words
            .split_first()
            .context("a service without a program")?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(state.log(&self.service.name))?;
        let child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("start {name}"))?;
        self.pid = Some(Pid::from_raw(i32::try_from(child.id())?));
        match self.service.ending {
            Ending::Restart => set_mark(&state.mark(&marks::running(&self.service.name))),
            Ending::Mark(_) => Ok(()),
        }
    }
}

/// A child that has ended, and whether with 0.
fn next_ended() -> Option<(Pid, bool)> {
    match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::Exited(pid, code)) => Some((pid, code == 0)),
        Ok(WaitStatus::Signaled(pid, ..)) => Some((pid, false)),
        // Nobody has ended, or there are no children at all.
        Ok(_) | Err(_) => None,
    }
}

fn set_mark(path: &PathBuf) -> Result<()> {
    fs::write(path, "").with_context(|| format!("write {}", path.display()))
}

fn remove_mark(path: &PathBuf) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
