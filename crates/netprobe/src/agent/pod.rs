//! The network namespaces of the pods of a node, by the processes in them.
//!
//! Every runtime makes a namespace in its own way and under its own name; what they all do is to start the processes of a
//! pod in it, in a control group that the kubelet named after the pod's uid.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::sched::{CloneFlags, setns};

/// The network namespace of one pod.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PodNamespace {
    /// As the kubelet names the pod's control group.
    pub(crate) uid: String,
    /// A process in the namespace: the first that the pod had.
    pub(crate) process: u32,
    /// The namespace's inode, by which namespaces are told apart.
    inode: u64,
}

impl PodNamespace {
    /// Moves this thread there. The error is one line for people.
    pub(crate) fn enter(&self) -> Result<(), String> {
        let path = format!("/proc/{}/ns/net", self.process);
        let wrong = |error: &dyn std::fmt::Display| format!("cannot enter {path}: {error}");
        let namespace = File::open(&path).map_err(|error| wrong(&error))?;
        // The process may have ended, and another one have got its number.
        let inode = namespace.metadata().map_err(|error| wrong(&error))?.ino();
        if inode != self.inode {
            return Err(wrong(&"the process has another namespace now"));
        }
        setns(&namespace, CloneFlags::CLONE_NEWNET).map_err(|error| wrong(&error))
    }
}

/// Moves this thread into the network namespace of the pod with this uid. The error is one line for people.
pub(crate) fn enter(uid: &str) -> Result<(), String> {
    let pod = all()?.into_iter().find(|pod| pod.uid == uid).ok_or_else(|| {
        format!("no process of the pod with the uid {uid} has a network of its own on this node")
    })?;
    pod.enter()
}

/// The namespaces of all pods that have one of their own, by uid. The error is one line for people.
pub(crate) fn all() -> Result<Vec<PodNamespace>, String> {
    let own = network("self").map_err(|error| format!("/proc/self/ns/net: {error}"))?;
    let depth = depth(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default());
    let entries = fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    let mut first: BTreeMap<String, (u64, PodNamespace)> = BTreeMap::new();
    let mut refused = None;
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some((name, process)) = name.to_str().and_then(|name| Some((name, name.parse().ok()?))) else {
            continue;
        };
        // Processes come and go meanwhile: one that cannot be read any more has ended.
        let Ok(groups) = fs::read_to_string(format!("/proc/{name}/cgroup")) else {
            continue;
        };
        let Some(uid) = pod_uid(&groups, depth) else {
            continue;
        };
        let inode = match network(name) {
            Ok(inode) if inode == own => continue,
            Ok(inode) => inode,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                refused = Some(format!("/proc/{name}/ns/net: {error}"));
                continue;
            }
            Err(_) => continue,
        };
        let Some(began) = began(name) else { continue };
        // What a pod itself starts may make namespaces of its own; the runtime was there before.
        if first.get(&uid).is_none_or(|(other, _)| began < *other) {
            let pod = PodNamespace {
                uid: uid.clone(),
                process,
                inode,
            };
            first.insert(uid, (began, pod));
        }
    }
    match refused {
        Some(refused) if first.is_empty() => Err(refused),
        _ => Ok(first.into_values().map(|(_, pod)| pod).collect()),
    }
}

/// The inode of a process's network namespace.
fn network(process: &str) -> io::Result<u64> {
    Ok(fs::metadata(Path::new("/proc").join(process).join("ns/net"))?.ino())
}

/// When a process began, in ticks since the node was started (proc_pid_stat(5), field 22).
fn began(process: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// How many pods this process is in beside its own: a node may itself be a pod of another cluster.
fn depth(groups: &str) -> usize {
    let most = groups.lines().map(|line| pods_of(line).count()).max();
    most.unwrap_or_default().saturating_sub(1)
}

/// The uid of the pod that a process belongs to, from its `/proc/PID/cgroup`: one line for each hierarchy of version 1,
/// one for version 2, or both. `depth` pods around it are not meant.
fn pod_uid(groups: &str, depth: usize) -> Option<String> {
    groups.lines().find_map(|line| pods_of(line).nth(depth))
}

/// The pods in the path of a control group, from the outermost: `pod<uid>` where the kubelet makes directories,
/// `…-pod<uid>.slice` with `_` for `-` where systemd does.
fn pods_of(line: &str) -> impl Iterator<Item = String> {
    let path = line.splitn(3, ':').nth(2).unwrap_or_default();
    path.split('/').filter_map(|component| {
        let name = component.strip_suffix(".slice").unwrap_or(component);
        let (before, uid) = name.rsplit_once("pod")?;
        if !before.is_empty() && !before.ends_with('-') {
            return None;
        }
        let uid = uid.replace('_', "-");
        let digits = uid.chars().filter(char::is_ascii_hexdigit).count();
        let others = uid.chars().filter(|letter| *letter == '-').count();
        // A uuid, or the hash that a static pod has for one.
        (digits == 32 && digits + others == uid.len()).then_some(uid)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UID: &str = "1b8a6e40-0c1f-4a52-9d6f-0123456789ab";
    const OTHER: &str = "2b8a6e40-0c1f-4a52-9d6f-0123456789ab";

    #[test]
    fn the_pod_is_found_however_the_kubelet_names_its_group() {
        let slice = UID.replace('-', "_");
        for groups in [
            // Directories, version 1 and 2.
            format!("5:memory:/kubepods/burstable/pod{UID}/0f0f\n0::/\n"),
            format!("0::/kubepods/pod{UID}/0f0f\n"),
            // systemd: containerd, CRI-O, and a kubelet in a container.
            format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-containerd-0f0f.scope\n"
            ),
            format!("0::/kubepods.slice/kubepods-pod{slice}.slice/crio-0f0f.scope/container\n"),
            format!(
                "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{slice}.slice/cri-containerd-0f0f.scope\n"
            ),
            // From a control group namespace of its own.
            format!("0::/../../kubepods-besteffort-pod{slice}.slice/cri-containerd-0f0f.scope\n"),
        ] {
            assert_eq!(pod_uid(&groups, 0).as_deref(), Some(UID), "{groups}");
        }
    }

    #[test]
    fn a_static_pod_has_the_hash_of_its_file() {
        let groups = "0::/kubepods/burstable/pod0123456789abcdef0123456789abcdef/0f0f\n";
        assert_eq!(
            pod_uid(groups, 0).as_deref(),
            Some("0123456789abcdef0123456789abcdef")
        );
    }

    #[test]
    fn what_is_no_pod_is_left_out() {
        for groups in [
            "0::/system.slice/containerd.service\n",
            "0::/machine.slice/libpod-0123456789abcdef0123456789abcdef.scope\n",
            "0::/kubepods.slice/kubepods-burstable.slice\n",
            "0::/podium\n",
            "",
        ] {
            assert_eq!(pod_uid(groups, 0), None, "{groups}");
        }
    }

    #[test]
    fn of_pods_within_pods_the_one_of_this_cluster_is_meant() {
        let own = format!("0::/kubepods/pod{OTHER}/node/kubepods/pod{UID}/0f0f\n");
        assert_eq!(depth(&own), 1);
        assert_eq!(pod_uid(&own, 1).as_deref(), Some(UID));
        assert_eq!(depth(&format!("0::/kubepods/pod{UID}/0f0f\n")), 0);
        assert_eq!(depth("0::/\n"), 0);
    }

    #[test]
    fn a_process_has_a_beginning_and_a_network() {
        assert!(began("self").is_some());
        assert!(network("self").is_ok());
        assert!(all().is_ok());
    }

    #[test]
    fn a_pod_that_is_not_here_is_named() {
        let error = enter(UID).unwrap_err();
        assert!(error.contains(UID), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_of_a_control_group_is_too_odd(groups in ".{0,200}", depth in 0_usize..4) {
            let _ = pod_uid(&groups, depth);
        }
    }
}
