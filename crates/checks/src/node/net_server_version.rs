use observation::Node;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::proxy::version::of_pod;
use crate::proxy::{Proxies, Proxy};
use crate::view::View;

/// Releases before 1.28 are out of support and do much of what is judged here in another way. A kubelet may not be newer
/// than the API server, and not more than three minor releases older (Kubernetes' version skew policy). The same holds for kube-proxy,
/// where it was asked about, which may also be up to three minor releases older or newer than the kubelet beside it.
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
    if observation.node_reading.is_none() && observation.kube_proxy.is_none() {
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
    if let Some(Ok(proxies)) = Proxies::of(view) {
        for proxy in proxies.nodes.iter().filter(|proxy| proxy.pod.is_some()) {
            match of_pod(proxy).map(|version| (version, Release::of(version))) {
                Some((version, Some(release))) => {
                    judgement
                        .findings
                        .extend(proxy_finding(proxy, version, release, server));
                }
                Some((version, None)) => {
                    let of = format!("kube-proxy of {}", proxy.name());
                    judgement.gaps.push(unreadable(&of, version));
                }
                None => judgement.gaps.push(Gap {
                    what: format!("the release of kube-proxy of {}", proxy.name()),
                    why: GapReason::Failed,
                    message: "it did not say it, and the tag of its image is none".to_owned(),
                    hint: None,
                }),
            }
        }
    }
    judgement
}

fn proxy_finding(
    proxy: &Proxy<'_>,
    version: &str,
    release: Release,
    server: Option<(Release, &str)>,
) -> Option<Finding> {
    let name = proxy.name();
    let apart =
        |one: Release, other: Release| one.major != other.major || one.minor.abs_diff(other.minor) > SKEW;
    let kubelet = &proxy.node.kubelet_version;
    let (how, beside) = match (server, Release::of(kubelet)) {
        (Some((server, beside)), _) if release > server => {
            ("newer than the API server", format!("an API server {beside}"))
        }
        (Some((server, beside)), _) if apart(release, server) => (
            "more than three minor releases older than the API server",
            format!("an API server {beside}"),
        ),
        (_, Some(own)) if apart(release, own) => (
            "more than three minor releases apart from the kubelet",
            format!("a kubelet {kubelet}"),
        ),
        _ => return None,
    };
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(name),
        format!("kube-proxy of {name} is {how}, which is not supported"),
        Evidence::command(
            format!("{version} beside {beside}"),
            "kubectl -n kube-system get pods -l k8s-app=kube-proxy -o yaml",
        ),
    );
    finding.hint = Some(
        "set its image to the version of the nodes: `kubectl -n kube-system describe daemonset kube-proxy`"
            .to_owned(),
    );
    Some(finding)
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
    fn kube_proxy_is_not_newer_than_the_api_server_and_not_much_older() {
        use crate::proxy::fixture::Fixture;
        let image = |tag: &str| {
            let image = format!("registry.k8s.io/kube-proxy:{tag}");
            Fixture::healthy()
                .pod("node2", |pod| pod.image.clone_from(&image))
                .observe()
        };
        for tag in ["v1.35.0", "v1.30.1-eksbuild.2"] {
            let findings = shown::finds(&CHECK, &image(tag));
            assert_eq!(
                (findings.len(), &findings[0].subject),
                (1, &Subject::node("node2")),
                "{tag}"
            );
        }
        shown::passes(&CHECK, &image("v1.31.0"));
        shown::cannot_tell(&CHECK, &image("latest"));
    }

    #[test]
    fn a_version_that_is_none_is_unknown() {
        shown::cannot_tell(&CHECK, &versions("v1.34.4", "latest"));
        let mut observation = versions("v1.34.4", "v1.34.4");
        observation.server = Observed::Unseen(unreadable("the API server", ""));
        shown::cannot_tell(&CHECK, &observation);
    }
}
