//! The places of a lab that a command can run in, and how to get in.
//!
//! A place is found by its control group each time it is needed: there is no pid on disk that could be stale.

use std::ffi::OsStr;
use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cgroups;
use crate::command::{program, run};
use crate::state::StateDir;

/// Where in a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The router of the lab, with etcd, API server, controller manager and scheduler.
    ControlPlane,
    /// The world behind the router.
    Outside,
    /// A node, by name.
    Node(String),
}

impl Place {
    fn group(&self) -> String {
        match self {
            Self::ControlPlane => cgroups::CONTROL_PLANE.to_owned(),
            Self::Outside => cgroups::OUTSIDE.to_owned(),
            Self::Node(node) => cgroups::node_system(node),
        }
    }

    /// How many pid namespaces lie between this machine and the place.
    fn depth(&self) -> usize {
        match self {
            Self::ControlPlane | Self::Outside => 1,
            Self::Node(_) => 2,
        }
    }

    /// Whether the process that holds the place is the first of its pid namespace.
    fn has_own_pids(&self) -> bool {
        match self {
            Self::ControlPlane | Self::Node(_) => true,
            Self::Outside => false,
        }
    }

    /// The log of the place's own first process.
    pub(crate) fn log(&self) -> &str {
        match self {
            Self::ControlPlane => "init",
            Self::Outside => "outside",
            Self::Node(node) => node,
        }
    }

    /// The process that holds the place open, if there is one.
    pub(crate) fn holder(&self, state: &StateDir) -> Option<i32> {
        let own = namespaced_pids("self")?.len();
        cgroups::members(state, &self.group()).into_iter().find(|pid| {
            namespaced_pids(&pid.to_string()).is_some_and(|pids| {
                pids.len() == own + self.depth() && (!self.has_own_pids() || pids.last() == Some(&1))
            })
        })
    }

    /// Waits for [`Self::holder`].
    pub(crate) fn await_holder(&self, state: &StateDir, patience: Duration) -> Result<i32> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(pid) = self.holder(state) {
                return Ok(pid);
            }
            if Instant::now() > deadline {
                bail!(
                    "{self} of lab {} did not start within {} s",
                    state.name(),
                    patience.as_secs()
                );
            }
            sleep(Duration::from_millis(10));
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ControlPlane => f.write_str("the control plane"),
            Self::Outside => f.write_str("the outside world"),
            Self::Node(node) => f.write_str(node),
        }
    }
}

/// The command that runs `words` in the place that `holder` holds. Its working directory is `/`.
pub(crate) fn enter<S: AsRef<OsStr>>(holder: i32, words: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("nsenter");
    command.args([
        "--target",
        &holder.to_string(),
        "--mount",
        "--net",
        "--uts",
        "--pid",
        "--",
    ]);
    command.args(words);
    command
}

/// A program of this machine, with this machine's files and pids, in the network of `holder`.
pub(crate) fn in_network_of<S: AsRef<OsStr>>(holder: i32, words: impl IntoIterator<Item = S>) -> Command {
    let mut command = program("nsenter", ["--target", &holder.to_string(), "--net", "--"]);
    command.args(words);
    command
}

/// Makes a link behave like a wire: packets cross it one by one and no larger than its MTU. On a veth the
/// kernel otherwise passes bundles of 64 KiB that no MTU on the way can stop.
///
/// `ethtool` is the start of a command that ends with the link's name.
pub(crate) fn turn_off_offloads(ethtool: &mut Command) {
    // The features differ between kernels, and one that is not there is off already.
    let _ = run(ethtool.args(["tso", "off", "gso", "off", "gro", "off"]));
}

/// The pids of a process, one for each pid namespace from ours inwards.
fn namespaced_pids(process: &str) -> Option<Vec<i32>> {
    parse_namespaced_pids(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse_namespaced_pids(status: &str) -> Option<Vec<i32>> {
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().map(|pid| pid.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_are_read_from_the_outermost_namespace_inwards() {
        let status = "Name:\tlab\nPid:\t4711\nNSpid:\t4711\t52\t1\nVmPeak:\t1 kB\n";
        assert_eq!(parse_namespaced_pids(status), Some(vec![4711, 52, 1]));
        assert_eq!(parse_namespaced_pids("Name:\tlab\n"), None);
    }

    #[test]
    fn this_process_has_at_least_one_pid() {
        assert!(!namespaced_pids("self").unwrap().is_empty());
    }
}
