//! On which nodes a probe pod is tried, with which images, and why not on the others.

use std::collections::BTreeMap;

use futures::StreamExt;
use observation::Place;
use report::{Gap, GapReason};

use crate::NodeImage;
use crate::agent::Architecture;
use crate::image;
use crate::kubelet;
use crate::options::{NodeTarget, ProbeOptions, Tier};
use crate::site::Site;
use crate::start::Wanted;

/// Divides the nodes into those where a pod is tried, and those where none is, with the reason.
pub(crate) async fn choose(site: &Site, targets: &[NodeTarget]) -> (Vec<Wanted>, BTreeMap<String, Place>) {
    let mut wanted = Vec::new();
    let mut nodes = BTreeMap::new();
    let mut unlisted = Vec::new();
    for target in targets {
        if let Some(place) = left_out(&site.options, target) {
            nodes.insert(target.name.clone(), place);
            continue;
        }
        let Some(architecture) = Architecture::from_name(&target.architecture) else {
            continue;
        };
        let images = images(&site.options, &target.images);
        let want = Wanted {
            node: target.name.clone(),
            architecture,
            images,
        };
        if want.images.is_empty() {
            unlisted.push(want);
        } else {
            wanted.push(want);
        }
    }
    let looked: Vec<(Wanted, Result<Vec<String>, Gap>)> = futures::stream::iter(unlisted)
        .map(|want| async {
            let images = kubelet::running_images(&site.client, &want.node).await;
            let what = format!("images on {}", want.node);
            let images = images
                .map(image::choose_of_running)
                .map_err(|trouble| trouble.gap(what, "list", "pods", None));
            (want, images)
        })
        .buffered(8)
        .collect()
        .await;
    for (mut want, images) in looked {
        match images {
            Ok(images) if !images.is_empty() => {
                want.images = images;
                wanted.push(want);
            }
            images => {
                let place = Place::Failed(no_image(&want.node, images.err()));
                nodes.insert(want.node, place);
            }
        }
    }
    wanted.sort_by(|one, other| one.node.cmp(&other.node));
    (wanted, nodes)
}

/// A node whose CNI is not set up starts pods in its own network all the same, and they can say why it is not.
fn lacks_only_pod_network(options: &ProbeOptions, condition: &str) -> bool {
    options.tier != Tier::Pod && condition.contains("NetworkPluginNotReady")
}

fn images(options: &ProbeOptions, images: &[NodeImage]) -> Vec<String> {
    match &options.image {
        Some(image) => vec![image.clone()],
        None => image::choose(images),
    }
}

/// Why no pod is tried on a node.
fn left_out(options: &ProbeOptions, target: &NodeTarget) -> Option<Place> {
    let name = &target.name;
    if target.operating_system != "linux" {
        return Some(Place::LeftOut {
            reason: format!("runs {}: the agent is for Linux", target.operating_system),
            hint: None,
        });
    }
    if Architecture::from_name(&target.architecture).is_none() {
        return Some(Place::LeftOut {
            reason: format!(
                "is of architecture {}: there is an agent for amd64 and arm64",
                target.architecture
            ),
            hint: None,
        });
    }
    // Before the taints: such a node is tainted because of this.
    if let Some(condition) = &target.not_ready
        && !lacks_only_pod_network(options, condition)
    {
        return Some(Place::Failed(Gap {
            what: format!("probe pod on {name}"),
            why: GapReason::NotStarted,
            message: format!("{name} is not ready: {condition}"),
            hint: Some(format!("kubectl describe node {name}")),
        }));
    }
    let repelling = target.taints.iter().find(|taint| {
        let follows = target.not_ready.is_some() && taint.key == "node.kubernetes.io/not-ready";
        !follows
            && matches!(taint.effect.as_str(), "NoSchedule" | "NoExecute")
            && !options
                .tolerations
                .iter()
                .any(|toleration| toleration.tolerates(taint))
    })?;
    let (key, effect) = (&repelling.key, &repelling.effect);
    let value = if repelling.value.is_empty() {
        String::new()
    } else {
        format!("={}", repelling.value)
    };
    Some(Place::LeftOut {
        reason: format!("tainted {key}{value}:{effect}"),
        hint: Some(format!("--toleration {key}")),
    })
}

fn no_image(node: &str, gap: Option<Gap>) -> Gap {
    let why = gap.as_ref().map_or(GapReason::NotStarted, |gap| gap.why.clone());
    let tail = gap.map_or_else(|| "no container runs there".to_owned(), |gap| gap.message);
    Gap {
        what: format!("probe pod on {node}"),
        why,
        message: format!("{node} names no image in its status that a probe pod could run on, and {tail}"),
        hint: Some("name an image that the node has or can pull with --image".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use observation::Taint;

    use super::*;

    fn target() -> NodeTarget {
        NodeTarget {
            name: "node1".to_owned(),
            architecture: "amd64".to_owned(),
            operating_system: "linux".to_owned(),
            images: vec![],
            taints: vec![],
            not_ready: None,
        }
    }

    fn taint(effect: &str) -> Taint {
        Taint {
            key: "node-role.kubernetes.io/control-plane".to_owned(),
            value: String::new(),
            effect: effect.to_owned(),
        }
    }

    #[test]
    fn a_taint_leaves_a_node_out_unless_it_is_tolerated() {
        let mut options = ProbeOptions::new("netcheck");
        let mut target = target();
        assert_eq!(left_out(&options, &target), None);
        target.taints = vec![taint("PreferNoSchedule")];
        assert_eq!(left_out(&options, &target), None);
        target.taints = vec![taint("NoSchedule")];
        assert_eq!(
            left_out(&options, &target),
            Some(Place::LeftOut {
                reason: "tainted node-role.kubernetes.io/control-plane:NoSchedule".to_owned(),
                hint: Some("--toleration node-role.kubernetes.io/control-plane".to_owned()),
            })
        );
        options.tolerations = vec!["*".parse().unwrap()];
        assert_eq!(left_out(&options, &target), None);
    }

    #[test]
    fn a_node_without_a_pod_network_still_takes_pods_in_its_own() {
        let mut node = target();
        node.not_ready = Some("KubeletNotReady: NetworkReady=false reason:NetworkPluginNotReady".to_owned());
        node.taints = vec![Taint {
            key: "node.kubernetes.io/not-ready".to_owned(),
            value: String::new(),
            effect: "NoSchedule".to_owned(),
        }];
        let pods = ProbeOptions::new("netcheck");
        assert!(matches!(left_out(&pods, &node), Some(Place::Failed(_))));
        let hosts = ProbeOptions::new("netcheck").on_host(Tier::HostNetwork);
        assert_eq!(left_out(&hosts, &node), None);
        node.not_ready = Some("NodeStatusUnknown: Kubelet stopped posting node status.".to_owned());
        assert!(matches!(left_out(&hosts, &node), Some(Place::Failed(_))));
    }

    #[test]
    fn a_node_that_is_not_ready_failed_and_is_not_merely_tainted() {
        let mut target = target();
        target.taints = vec![taint("NoExecute")];
        target.not_ready = Some("KubeletNotReady: cni plugin not initialized".to_owned());
        let Some(Place::Failed(gap)) = left_out(&ProbeOptions::new("netcheck"), &target) else {
            panic!("failed");
        };
        assert_eq!(
            gap.message,
            "node1 is not ready: KubeletNotReady: cni plugin not initialized"
        );
    }

    #[test]
    fn nodes_without_an_agent_are_left_out() {
        let options = ProbeOptions::new("netcheck");
        let windows = NodeTarget {
            operating_system: "windows".to_owned(),
            ..target()
        };
        let mainframe = NodeTarget {
            architecture: "s390x".to_owned(),
            ..target()
        };
        for node in [windows, mainframe] {
            assert!(matches!(
                left_out(&options, &node),
                Some(Place::LeftOut { hint: None, .. })
            ));
        }
    }
}
