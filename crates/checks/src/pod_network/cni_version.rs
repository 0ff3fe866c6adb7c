use std::collections::BTreeMap;

use observation::CniProduct;
use report::{Evidence, Finding, Severity};

use super::{Cnis, few, over, part};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// All nodes run the same version of the CNI, and one that is still mended.
pub(crate) static CHECK: Check = Check {
    id: "cni-version",
    claim: "the CNI's version is the same on every node, and one that is still mended",
    needs: &[Need::Cni],
    judge,
};

/// The last release of each that its makers had given up by July 2026, by its first two numbers. Calico keeps up the last two, Cilium the
/// last three, Antrea each for a year; what was not certain then is not in it.
const GIVEN_UP: [(CniProduct, (u32, u32)); 3] = [
    (CniProduct::Calico, (3, 29)),
    (CniProduct::Cilium, (1, 16)),
    (CniProduct::Antrea, (2, 1)),
];

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if let Some(controllers) = part(&scene.facts.controllers, judgement) {
            for controller in controllers {
                let image = controller.images.first().map_or("", String::as_str);
                let old = |why: String| {
                    let mut finding = Finding::new(
                        CHECK.id,
                        Severity::Warning,
                        controller.subject(),
                        why,
                        Evidence::command(
                            format!("it runs {image}"),
                            format!(
                                "kubectl -n {} get daemonset {} -o wide",
                                word(&controller.namespace),
                                word(&controller.name)
                            ),
                        ),
                    );
                    finding.hint =
                        Some("upgrade it, one minor release at a time, as its makers describe".to_owned());
                    finding
                };
                if controller.product == CniProduct::Weave {
                    let why = "Weave Net is given up since 2024: nobody mends it".to_owned();
                    judgement.findings.push(old(why));
                }
                let given_up = GIVEN_UP
                    .iter()
                    .find(|(product, _)| *product == controller.product);
                if let (Some((product, last)), Some(own)) = (given_up, release(image))
                    && own <= *last
                {
                    judgement.findings.push(old(format!(
                        "{product} {}.{} is given up by its makers, as of July 2026: nobody mends it",
                        own.0, own.1
                    )));
                }
            }
        }
        if part(&scene.facts.pods, judgement).is_some() {
            mixed(scene, judgement);
        }
    })
}

/// The first two numbers of an image's tag.
fn release(image: &str) -> Option<(u32, u32)> {
    let tag = image.rsplit('/').next()?.split('@').next()?.split_once(':')?.1;
    let mut numbers = tag.trim_start_matches('v').split(['.', '-']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Containers of one name that run several images.
fn mixed(scene: &Cnis<'_>, judgement: &mut Judgement) {
    for controller in scene.controllers() {
        let mut images: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for pod in scene.facts.pods.seen().into_iter().flatten() {
            let is_own = pod.product == controller.product && pod.namespace == controller.namespace;
            let Some(node) = pod.node.as_deref().filter(|_| is_own && pod.deleted.is_none()) else {
                continue;
            };
            for container in &pod.containers {
                let of_name = images.entry(&container.name).or_default();
                of_name.entry(&container.image).or_default().push(node);
            }
        }
        let Some((_, by_image)) = images.into_iter().find(|(_, by_image)| by_image.len() > 1) else {
            continue;
        };
        let is_rolling = controller.updated < controller.desired;
        let facts: Vec<String> = by_image
            .iter()
            .map(|(image, nodes)| format!("{image} on {}", few(nodes)))
            .collect();
        let (severity, how) = if is_rolling {
            (Severity::Note, "is being brought to another version")
        } else {
            (Severity::Warning, "runs in several versions")
        };
        judgement.findings.push(Finding::new(
            CHECK.id,
            severity,
            controller.subject(),
            format!("{} {how}: {}", controller.product, facts.join(", ")),
            Evidence::command(
                format!(
                    "{} of {} pods are updated",
                    controller.updated, controller.desired
                ),
                format!(
                    "kubectl -n {} rollout status daemonset {}",
                    word(&controller.namespace),
                    word(&controller.name)
                ),
            ),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, controller, no, seen};
    use super::*;
    use crate::shown;

    #[test]
    fn several_versions_are_a_warning_unless_they_are_being_replaced() {
        let other = Fixture::healthy().cni_pod("node2", |pod| {
            pod.containers[0].image = "ghcr.io/flannel-io/flannel:v0.20.0".into();
        });
        let findings = shown::finds(&CHECK, &other.observe());
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0].summary.contains("v0.20.0 on node2"),
            "{}",
            findings[0].summary
        );
        let rolling = other.change(|cni| seen(&mut cni.controllers)[0].updated = 2);
        assert_eq!(
            shown::finds(&CHECK, &rolling.observe())[0].severity,
            Severity::Note
        );
    }

    #[test]
    fn what_nobody_mends_is_a_warning() {
        for (product, image, is_old) in [
            (CniProduct::Weave, "weaveworks/weave-kube:2.8.1", true),
            (CniProduct::Calico, "docker.io/calico/node:v3.29.4", true),
            (CniProduct::Cilium, "quay.io/cilium/cilium:v1.16.9", true),
            (CniProduct::Antrea, "antrea/antrea-agent-ubuntu:v2.1.0", true),
            (
                CniProduct::Calico,
                "registry.example:5000/calico/node:v3.30.0",
                false,
            ),
            (
                CniProduct::Cilium,
                "quay.io/cilium/cilium:v1.17.2@sha256:0",
                false,
            ),
            (CniProduct::Cilium, "quay.io/cilium/cilium@sha256:0", false),
        ] {
            let fixture = Fixture::healthy().change(|cni| {
                let mut old = controller(product, "x");
                old.images = vec![image.into()];
                *seen(&mut cni.controllers) = vec![old];
            });
            if is_old {
                shown::finds(&CHECK, &fixture.observe());
            } else {
                shown::passes(&CHECK, &fixture.observe());
            }
        }
    }

    #[test]
    fn pods_that_may_not_be_listed_are_unknown() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().change(|cni| cni.pods = no("pods")).observe(),
        );
    }
}
