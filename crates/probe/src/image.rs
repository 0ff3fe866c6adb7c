//! Which of a node's own images a probe pod runs on.

use std::cmp::Reverse;

use crate::NodeImage;

/// How many images are tried on one node before it is given up.
pub(crate) const TRIES: usize = 3;

/// Images that are on nearly every node and are used there, so that no garbage collection takes them away between the
/// kubelet's last report and our start. In the order in which they are taken; matched against the last part of the
/// repository. The agent is static and brings all it needs, so that what else is in the image does not matter.
const PREFERRED: &[&str] = &[
    // The sandbox image of every pod: small, and pinned by container runtimes.
    "pause",
    "kube-proxy",
    "flannel",
    "kindnetd",
    "cilium",
    "calico-node",
    "calico",
    "antrea-agent-ubuntu",
    "weave-kube",
    "kube-router",
    "amazon-k8s-cni",
    "azure-cns",
    "netd",
    "node",
    "cni",
    "coredns",
    "node-local-dns",
    "k8s-dns-node-cache",
    "local-path-provisioner",
    "metrics-server",
];

/// The names of the images to try on a node, best first, at most [`TRIES`], from `status.images`.
///
/// Which architecture an image was built for does not matter: it is on the node, and none of its programs are run.
pub(crate) fn choose(images: &[NodeImage]) -> Vec<String> {
    let mut named: Vec<(&NodeImage, &str)> = images
        .iter()
        .filter_map(|image| best_name(&image.names).map(|name| (image, name)))
        .collect();
    // Stable, and by value only: the same node always gives the same choice.
    named.sort_by_key(|(image, name)| {
        (
            rank(name),
            Reverse(has_tag(name)),
            image.size_bytes.unwrap_or(u64::MAX),
            (*name).to_owned(),
        )
    });
    named
        .into_iter()
        .map(|(_, name)| name.to_owned())
        .take(TRIES)
        .collect()
}

/// The names of the images to try on a node, from the images of the containers that run there.
pub(crate) fn choose_of_running(images: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = images.into_iter().filter(|name| is_usable(name)).collect();
    names.sort_by_key(|name| (rank(name), Reverse(has_tag(name)), name.clone()));
    names.dedup();
    names.truncate(TRIES);
    names
}

/// A name with a tag, else one with a digest: runtimes look both up without a registry, but some list digests of
/// repositories that the image was never called by.
fn best_name(names: &[String]) -> Option<&str> {
    let usable = || names.iter().map(String::as_str).filter(|name| is_usable(name));
    usable()
        .filter(|name| has_tag(name))
        .min_by_key(|name| name.len())
        .or_else(|| usable().next())
}

/// `<none>` marks what has no name; a bare `sha256:…` is an id, which the kubelet would read as a repository.
fn is_usable(name: &str) -> bool {
    !name.is_empty()
        && !name.contains("<none>")
        && !name.starts_with("sha256:")
        && !name.contains(char::is_whitespace)
}

fn has_tag(name: &str) -> bool {
    !name.contains('@') && name.rsplit('/').next().is_some_and(|last| last.contains(':'))
}

fn rank(name: &str) -> usize {
    let last = repository(name).rsplit('/').next().unwrap_or(name);
    let position =
        |wanted: fn(&str, &str) -> bool| PREFERRED.iter().position(|preferred| wanted(last, preferred));
    position(|last, preferred| last == preferred)
        // `pause-amd64`, `kube-proxy-amd64`, `rke2-cilium`, `hardened-coredns`, `mirrored-pause`, `flannel-cni`.
        .or_else(|| {
            position(|last, preferred| {
                preferred.len() > 4
                    && last
                        .split(['-', '_'])
                        .collect::<Vec<_>>()
                        .join("-")
                        .contains(preferred)
            })
        })
        .unwrap_or(PREFERRED.len())
}

/// The name without tag and digest.
fn repository(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    match name.rsplit_once(':') {
        // A colon before the last slash belongs to the registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(names: &[&str], size: u64) -> NodeImage {
        NodeImage {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            size_bytes: Some(size),
        }
    }

    #[test]
    fn the_choice_of_an_image() {
        let digest = "@sha256:e5b941ef8f71de54dc3a13398226c269ba217d06650a21bd3afcf9d890cf1f41";
        let kube_proxy = image(&["registry.k8s.io/kube-proxy:v1.34.4"], 30_000_000);
        let coredns = image(&["registry.k8s.io/coredns/coredns:v1.12.4"], 20_000_000);
        let pause_digest_first = image(
            &[
                &format!("registry.k8s.io/pause{digest}"),
                "registry.k8s.io/pause:3.10",
            ],
            300_000,
        );
        let cases: Vec<(&str, Vec<NodeImage>, Vec<&str>)> = vec![
            ("no images at all", vec![], vec![]),
            (
                "the sandbox image, then kube-proxy, then CoreDNS",
                vec![coredns.clone(), kube_proxy.clone(), pause_digest_first],
                vec![
                    "registry.k8s.io/pause:3.10",
                    "registry.k8s.io/kube-proxy:v1.34.4",
                    "registry.k8s.io/coredns/coredns:v1.12.4",
                ],
            ),
            (
                "an app's image only when there is nothing of the system, the smallest first",
                vec![image(&["shop/web:2"], 900), image(&["shop/db:1"], 100), coredns],
                vec![
                    "registry.k8s.io/coredns/coredns:v1.12.4",
                    "shop/db:1",
                    "shop/web:2",
                ],
            ),
            (
                "a registry with a port is not a tag",
                vec![
                    image(&["registry.local:5000/kube-proxy"], 5),
                    image(&["registry.local:5000/web:1"], 5),
                ],
                vec!["registry.local:5000/kube-proxy", "registry.local:5000/web:1"],
            ),
            (
                "a digest is usable, after a tag of equal rank",
                vec![
                    image(&[&format!("shop/web{digest}")], 1),
                    image(&["shop/db:1"], 100),
                ],
                vec![
                    "shop/db:1",
                    "shop/web@sha256:e5b941ef8f71de54dc3a13398226c269ba217d06650a21bd3afcf9d890cf1f41",
                ],
            ),
            (
                "what has no name is skipped",
                vec![
                    image(&["<none>@<none>", "<none>:<none>"], 1),
                    image(&[&format!("<none>{digest}")], 1),
                    image(
                        &["sha256:e5b941ef8f71de54dc3a13398226c269ba217d06650a21bd3afcf9d890cf1f41"],
                        1,
                    ),
                    image(&[], 1),
                ],
                vec![],
            ),
            (
                "names of distributions",
                vec![
                    image(&["docker.io/rancher/mirrored-metrics-server:v0.7"], 1),
                    image(&["docker.io/rancher/mirrored-pause:3.6"], 2),
                    image(&["docker.io/rancher/hardened-flannel:v0.26"], 3),
                ],
                vec![
                    "docker.io/rancher/mirrored-pause:3.6",
                    "docker.io/rancher/hardened-flannel:v0.26",
                    "docker.io/rancher/mirrored-metrics-server:v0.7",
                ],
            ),
            (
                "a short word inside of another is no match",
                vec![
                    image(&["shop/node-exporter:1"], 5),
                    image(&["shop/acni-tools:1"], 6),
                    kube_proxy,
                ],
                vec![
                    "registry.k8s.io/kube-proxy:v1.34.4",
                    "shop/node-exporter:1",
                    "shop/acni-tools:1",
                ],
            ),
        ];
        for (what, images, expected) in cases {
            assert_eq!(choose(&images), expected, "{what}");
        }
    }

    #[test]
    fn an_image_of_unknown_size_comes_after_those_of_known_size() {
        let unknown = NodeImage {
            names: vec!["shop/a:1".to_owned()],
            size_bytes: None,
        };
        assert_eq!(
            choose(&[unknown, image(&["shop/b:1"], 9)]),
            ["shop/b:1", "shop/a:1"]
        );
    }

    #[test]
    fn running_containers_stand_in_for_a_node_without_a_list() {
        let running = [
            "shop/web:1",
            "registry.k8s.io/kube-proxy:v1.34.4",
            "shop/web:1",
            "sha256:abc",
        ];
        assert_eq!(
            choose_of_running(running.map(str::to_owned)),
            ["registry.k8s.io/kube-proxy:v1.34.4", "shop/web:1"]
        );
    }
}
