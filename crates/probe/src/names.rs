//! Names, labels and annotations of what a run creates.

use std::fmt::Write;

use sha2::{Digest, Sha256};

/// The label that every object of a run carries; its value is the run's id.
pub const RUN: &str = "netcheck.dev/run";
/// The label that says which program made an object; its value is `kubectl-` and the tool's name.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label that says what a pod is for: [`Role`].
pub(crate) const ROLE: &str = "netcheck.dev/role";
/// The annotation of a pod that names its node. No label: node names may be longer than label values.
pub(crate) const NODE: &str = "netcheck.dev/node";

/// Which of a node's pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Probes and serves.
    Probe,
    /// Only serves.
    Twin,
    /// Reads what fits in its status, and ends.
    Brief,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Twin => "twin",
            Self::Brief => "brief",
        }
    }
}

/// A new run's id: ten hexadecimal digits, so that two runs at once do not meet.
pub(crate) fn run_id() -> String {
    let mut id = uuid::Uuid::new_v4().simple().to_string();
    id.truncate(10);
    id
}

/// The name of the run's namespace, and of the ConfigMap that owns its objects.
pub(crate) fn run_name(tool: &str, run: &str) -> String {
    format!("{tool}-{run}")
}

/// The name of the ConfigMap with the agent for one architecture.
pub(crate) fn agent_name(tool: &str, run: &str, architecture: &str) -> String {
    format!("{tool}-{run}-{architecture}")
}

/// A hostname may have this many characters, and a pod's name is its hostname.
const LONGEST_POD_NAME: usize = 63;

/// The name of a probe pod: unique in its run, with the node's name in it for people, a valid hostname (a label of
/// DNS). A node name that had to be changed for that is followed by a part of its hash.
pub(crate) fn pod_name(tool: &str, run: &str, node: &str, role: Role, attempt: u32) -> String {
    let twin = match role {
        Role::Probe => "",
        Role::Twin => "-twin",
        Role::Brief => "-brief",
    };
    let end = match attempt {
        0 => twin.to_owned(),
        again => format!("{twin}-{}", again + 1),
    };
    let start = format!("{tool}-{run}-");
    let room = LONGEST_POD_NAME.saturating_sub(start.len() + end.len());
    let plain: String = node
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() {
                c
            } else {
                '-'
            }
        })
        .collect();
    let part = if plain == node && plain.len() <= room {
        plain
    } else {
        let hash = digest(&[node]);
        let mark = &hash[..8.min(room)];
        let keep = plain.len().min(room.saturating_sub(mark.len() + 1));
        let kept = plain[..keep].trim_end_matches('-');
        if kept.is_empty() {
            mark.to_owned()
        } else {
            format!("{kept}-{mark}")
        }
    };
    format!("{start}{part}{end}")
}

/// SHA-256 of the parts in hexadecimal; the parts cannot run into each other.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_name_of_a_pod_contains_the_name_of_its_node() {
        assert_eq!(
            pod_name("netcheck", "0123456789", "node1", Role::Probe, 0),
            "netcheck-0123456789-node1"
        );
        assert_eq!(
            pod_name("netcheck", "0123456789", "node1", Role::Twin, 1),
            "netcheck-0123456789-node1-twin-2"
        );
        let long = pod_name(
            "netcheck",
            "0123456789",
            "ip-10-0-12-34.eu-central-1.compute.internal",
            Role::Twin,
            0,
        );
        assert!(
            long.starts_with("netcheck-0123456789-ip-10-0-12-34-eu-centr"),
            "{long}"
        );
    }

    proptest! {
        #[test]
        fn the_name_of_a_pod_is_a_hostname_and_its_node_is_told_apart(
            one in "[a-z0-9]([a-z0-9.-]{0,80}[a-z0-9])?",
            other in "[a-z0-9]([a-z0-9.-]{0,80}[a-z0-9])?",
            attempt in 0..4_u32,
        ) {
            for role in [Role::Probe, Role::Twin, Role::Brief] {
                let name = pod_name("netcheck", "0123456789", &one, role, attempt);
                prop_assert!(name.len() <= LONGEST_POD_NAME, "{}", name);
                prop_assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
                prop_assert!(!name.ends_with('-'), "{}", name);
                prop_assert_eq!(one == other, name == pod_name("netcheck", "0123456789", &other, role, attempt));
            }
        }
    }
}
