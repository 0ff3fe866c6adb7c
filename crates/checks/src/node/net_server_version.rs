use observation::Node;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Releases before 1.28 are out of support and do much of what is judged here in another way. A kubelet may not be newer
/// than the API server, and not more than three minor releases older (Kubernetes' version skew policy).
pub(crate) static CHECK: Check = Check {
    id: "net-server-version",
    claim: "the API server and the kubelets are of releases that fit together and are known here",
    needs: &[Need::NodeNetwork],
    judge,
};

/// The oldest release that this is tried with.
const OLDEST: Release = Release { major: 1, minor: 28 };
/// By how many minor releases a kubelet may lag behind.
const SKEW: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    major: u32,
    minor: u32,
}

impl Release {
    /// Of `v1.34.4-eks-abc`.
    fn of(version: &str) -> Option<Self> {
        let mut numbers = version.trim_start_matches('v').split(['.', '-', '+']);
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }
}

fn judge(view: &View<'_>) -> Judgement {
    let observation = view.observation;
    // Commands that ask one narrow question do not speak of versions.
    if observation.node_reading.is_none() {
        return Judgement::not_asked();
    }
    let mut judgement = Judgement::default();
    let server = match &observation.server {
        Observed::Seen(server) => {
            let version = server.git_version.as_str();
            let release = Release::of(version);
            match release {
                Some(release) => judgement.findings.extend(server_finding(release, version)),
                None => judgement.gaps.push(unreadable("the API server", version)),
            }
            release.map(|release| (release, version))
        }
        Observed::Unseen(gap) => {
            judgement.gaps.push(gap.clone());
            None
        }
    };
    match &observation.nodes {
        Observed::Seen(nodes) => {
            for node in nodes {
                let Some(release) = Release::of(&node.kubelet_version) else {
                    judgement.gaps.push(unreadable(&node.name, &node.kubelet_version));
                    continue;
                };
                if let Some(server) = server {
                    judgement.findings.extend(node_finding(node, release, server));
                }
            }
        }
        Observed::Unseen(gap) => judgement.gaps.push(gap.clone()),
    }
    judgement
}

fn unreadable(of: &str, version: &str) -> Gap {
    Gap {
        what: format!("the release of {of}"),
        why: GapReason::Failed,
        message: format!("{version:?} is no version of Kubernetes"),
        hint: None,
    }
}

fn server_finding(release: Release, version: &str) -> Option<Finding> {
    if release >= OLDEST {
        return None;
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::Cluster,
        format!("Kubernetes {version} is out of support, and works in other ways than what is judged here"),
        Evidence::command(
            format!("the API server says {version}; this is tried from v1.28 on"),
            "kubectl version",
        ),
    );
    finding.hint =
        Some("upgrade one minor release at a time, the API server first: `kubectl version`".to_owned());
    Some(finding)
}

fn node_finding(node: &Node, release: Release, (server, version): (Release, &str)) -> Option<Finding> {
    let kubelet = &node.kubelet_version;
    let (how, hint) = if release > server {
        (
            "newer than the API server",
            "upgrade the API server, or go back with the node",
        )
    } else if release.major == server.major && server.minor - release.minor <= SKEW {
        return None;
    } else {
        (
            "more than three minor releases older than the API server",
            "upgrade the node",
        )
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(&node.name),
        format!("the kubelet of {} is {how}, which is not supported", node.name),
        Evidence::field(
            format!("{kubelet} beside an API server {version}"),
            format!("node/{} .status.nodeInfo.kubeletVersion", node.name),
        ),
    );
    finding.hint = Some(format!("{hint}: `kubectl get nodes -o wide`"));
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_scene::Scene;
    use crate::shown;

    /// An API server of one version, and one node of three of another.
    fn versions(server: &str, kubelet: &str) -> observation::Observation {
        let scene = Scene::healthy(3)
            .change_object("node1", |node| server.clone_into(&mut node.kubelet_version))
            .change_object("node2", |node| kubelet.clone_into(&mut node.kubelet_version))
            .change_object("node3", |node| server.clone_into(&mut node.kubelet_version));
        let mut observation = scene.observation();
        if let Observed::Seen(seen) = &mut observation.server {
            server.clone_into(&mut seen.git_version);
        }
        observation
    }

    #[test]
    fn a_kubelet_that_is_newer_or_much_older_is_found() {
        for kubelet in ["v1.35.0", "v1.30.9", "v2.0.0"] {
            let findings = shown::finds(&CHECK, &versions("v1.34.4", kubelet));
            assert_eq!(findings[0].subject, Subject::node("node2"), "{kubelet}");
        }
    }

    #[test]
    fn releases_that_are_out_of_support_are_named() {
        let findings = shown::finds(&CHECK, &versions("v1.27.16", "v1.27.16"));
        assert_eq!(findings[0].subject, Subject::Cluster);
    }

    #[test]
    fn three_minor_releases_behind_are_supported() {
        for kubelet in ["v1.34.0", "v1.31.1-eks-5e0fdde", "v1.33.4+k3s1"] {
            shown::passes(&CHECK, &versions("v1.34.4", kubelet));
        }
    }

    #[test]
    fn a_version_that_is_none_is_unknown() {
        shown::cannot_tell(&CHECK, &versions("v1.34.4", "latest"));
        let mut observation = versions("v1.34.4", "v1.34.4");
        observation.server = Observed::Unseen(unreadable("the API server", ""));
        shown::cannot_tell(&CHECK, &observation);
    }
}
