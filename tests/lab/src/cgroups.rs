//! The control groups of a lab. They are how its processes are found and ended, also when everybody who knew
//! a pid is dead.
//!
//! Each lab has one group with a child for the control plane, one for the outside world and two per node: one
//! for its pods and one (`-sys`) for its runtime and kubelet. On a machine with the old hierarchies the same
//! tree is made in each of them and also in the new one that lies beside them, because only that one can kill.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::plan;
use crate::state::{Settings, StateDir};

const MOUNT: &str = "/sys/fs/cgroup";

/// How long killed processes may take to be gone, and their groups to be removable.
const GRACE: Duration = Duration::from_secs(20);

/// The control plane's group, below the lab's.
pub(crate) const CONTROL_PLANE: &str = "cp";
/// The outside world's group, below the lab's.
pub(crate) const OUTSIDE: &str = "outside";

/// The group of a node's runtime and kubelet, below the lab's.
pub(crate) fn node_system(node: &str) -> String {
    format!("{node}-sys")
}

/// The mount points of the hierarchies: one with cgroup v2, several with v1.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mount = Path::new(MOUNT);
    if mount.join("cgroup.controllers").exists() {
        return Ok(vec![mount.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(mount).with_context(|| format!("read {MOUNT}"))? {
        let entry = entry?;
        // Names such as `cpu,cpuacct` are links to directories with the same content.
        if entry.file_type()?.is_dir() && entry.path().join("cgroup.procs").exists() {
            found.push(entry.path());
        }
    }
    if found.is_empty() {
        bail!("no control groups are mounted at {MOUNT}");
    }
    Ok(found)
}

/// The directories of the lab's group that exist.
pub(crate) fn existing(state: &StateDir) -> Result<Vec<PathBuf>> {
    let group = state.group();
    Ok(hierarchies()?
        .into_iter()
        .map(|hierarchy| hierarchy.join(&group))
        .filter(|path| path.exists())
        .collect())
}

/// Makes the groups of a lab.
pub(crate) fn create(state: &StateDir, settings: &Settings) -> Result<()> {
    let mut children = vec![CONTROL_PLANE.to_owned(), OUTSIDE.to_owned()];
    for number in settings.node_numbers() {
        let node = plan::node_name(number);
        children.push(node_system(&node));
        children.push(node);
    }
    for hierarchy in hierarchies()? {
        let lab = hierarchy.join(state.group());
        make(&hierarchy, &lab)?;
        for child in &children {
            make(&lab, &lab.join(child))?;
        }
    }
    Ok(())
}

fn make(parent: &Path, group: &Path) -> Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("create {}", group.display()));
        }
        _ => {}
    }
    // In a v1 cpuset nothing may run before somebody has said where.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let own = group.join(file);
        let is_v1 = group.join("cgroup.clone_children").exists();
        if is_v1 && own.exists() && fs::read_to_string(&own)?.trim().is_empty() {
            fs::write(&own, fs::read_to_string(parent.join(file))?)?;
        }
    }
    // In v2 a child has only the controllers that its parent hands on. One that is not there is no loss.
    let offered = parent.join("cgroup.controllers");
    if offered.exists() {
        for controller in fs::read_to_string(offered)?.split_whitespace() {
            let _ = fs::write(parent.join("cgroup.subtree_control"), format!("+{controller}"));
        }
    }
    Ok(())
}

/// Moves this process into a group of the lab, in every hierarchy.
pub(crate) fn join(state: &StateDir, child: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        let file = hierarchy.join(state.group()).join(child).join("cgroup.procs");
        // 0 is the writer itself, whatever its pid is called in this pid namespace.
        fs::write(&file, "0").with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

/// The processes in one group of the lab, without its children.
pub(crate) fn members(state: &StateDir, child: &str) -> Vec<i32> {
    // Not the v2 tree beside v1: there the pods of a node stay in the group of its runtime.
    let Ok(hierarchies) = hierarchies() else {
        return Vec::new();
    };
    let old = hierarchies
        .iter()
        .find(|path| path.ends_with("pids") || path.ends_with("freezer"));
    let Some(hierarchy) = old.or(hierarchies.first()) else {
        return Vec::new();
    };
    let file = hierarchy.join(state.group()).join(child).join("cgroup.procs");
    fs::read_to_string(file)
        .map(|text| pids(&text))
        .unwrap_or_default()
}

/// Every process of the lab.
pub(crate) fn processes(state: &StateDir) -> Result<BTreeSet<i32>> {
    let mut all = BTreeSet::new();
    for top in existing(state)? {
        for group in subtree(&top) {
            if let Ok(text) = fs::read_to_string(group.join("cgroup.procs")) {
                all.extend(pids(&text));
            }
        }
    }
    Ok(all)
}

/// The lines of a `cgroup.procs` that name a process of this pid namespace; 0 is one of another.
fn pids(text: &str) -> Vec<i32> {
    text.lines()
        .filter_map(|line| line.parse().ok())
        .filter(|&pid| pid > 0)
        .collect()
}

/// Ends every process of the lab and waits until all are gone.
pub(crate) fn kill_all(state: &StateDir) -> Result<()> {
    let deadline = Instant::now() + GRACE;
    loop {
        for top in existing(state)? {
            // Kills the whole subtree at once, so that nothing can be forked away meanwhile.
            let _ = fs::write(top.join("cgroup.kill"), "1");
        }
        let left = processes(state)?;
        if left.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("processes {left:?} of lab {} do not end", state.name());
        }
        for pid in left {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        sleep(Duration::from_millis(20));
    }
}

/// Removes the groups of the lab. No process may be left in them.
pub(crate) fn remove(state: &StateDir) -> Result<()> {
    let deadline = Instant::now() + GRACE;
    loop {
        let left = existing(state)?;
        if left.is_empty() {
            return Ok(());
        }
        let mut last = None;
        for top in &left {
            for group in subtree(top) {
                // A group is busy for a moment after its last process has gone.
                if let Err(error) = fs::remove_dir(&group) {
                    last = Some((group, error));
                }
            }
        }
        if let Some((group, error)) = last
            && Instant::now() > deadline
        {
            return Err(error).with_context(|| format!("remove {}", group.display()));
        }
        sleep(Duration::from_millis(20));
    }
}

/// The group and everything below it, children first.
fn subtree(top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Ok(entries) = fs::read_dir(top) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(subtree(&entry.path()));
            }
        }
    }
    found.push(top.to_owned());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_another_pid_namespace_is_not_taken_for_one_of_ours() {
        assert_eq!(pids("12\n0\n7\n"), [12, 7]);
        assert_eq!(pids(""), Vec::<i32>::new());
    }

    #[test]
    fn children_come_before_their_parents() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir_all(top.path().join("a/b")).unwrap();
        let found = subtree(top.path());
        assert_eq!(
            found,
            [
                top.path().join("a/b"),
                top.path().join("a"),
                top.path().to_owned()
            ]
        );
    }
}
