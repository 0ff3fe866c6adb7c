//! Checks of the networks of real pods, as they are from inside. One file each, named as the check.

pub(crate) mod cni_dup_ip;
pub(crate) mod cni_dup_mac;
pub(crate) mod cni_veth;
pub(crate) mod net_pod_if;
pub(crate) mod net_pod_rt;
#[cfg(test)]
pub(crate) mod scene;

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{Link, NodePod, PodNetwork};
use report::{Evidence, Gap, GapReason, Observed};

use crate::check::{Breaks, Judgement};
use crate::nodes::Nodes;
use crate::shell::{on_node, word};
use crate::view::View;

/// The pods of the nodes that were read, each with its network.
#[derive(Debug)]
struct Pods<'a> {
    /// Joined by the uid: two pods may have the same address.
    seen: Vec<Inside<'a>>,
    /// What was not seen of others.
    gaps: Vec<Gap>,
}

/// A pod, and what its network shows.
#[derive(Clone, Copy, Debug)]
struct Inside<'a> {
    pod: &'a NodePod,
    network: &'a PodNetwork,
}

/// What it takes to look into networks of pods.
fn not_allowed() -> Judgement {
    Judgement::skipped(
        "it takes a privileged pod on the node to look into the networks of its pods: --node-access allows it",
    )
}

/// Judges one part of the networks of all pods. Where it was not read the gaps say so, and where nothing of any pod could be
/// read, or the rights of the run do not reach so far, there is nothing to find.
fn in_pods<'a, T: 'a>(
    view: &View<'a>,
    part: impl Fn(&'a PodNetwork) -> &'a Observed<T>,
    find: impl FnOnce(&Nodes<'a>, &[(Inside<'a>, &'a T)], &mut Judgement),
) -> Judgement {
    let read = match &view.read_nodes {
        Ok(nodes) => Pods::of(view, nodes).map(|pods| (nodes, pods)),
        Err(judgement) => return judgement.clone(),
    };
    match read {
        Ok((nodes, mut pods)) => {
            let parts = pods.part(part);
            let mut judgement = Judgement {
                gaps: pods.gaps,
                ..Judgement::default()
            };
            find(nodes, &parts, &mut judgement);
            judgement
        }
        Err(judgement) => judgement,
    }
}

impl<'a> Pods<'a> {
    /// The pods whose networks were read, or the judgement of a check that needs them and has none.
    fn of(view: &View<'a>, nodes: &Nodes<'a>) -> Result<Self, Judgement> {
        let listed = match &view.observation.node_pods {
            None => return Err(not_allowed()),
            Some(Observed::Unseen(gap)) => return Err(Judgement::unread(gap)),
            Some(Observed::Seen(pods)) => pods,
        };
        let mut pods = Self {
            seen: Vec::new(),
            gaps: nodes.gaps.clone(),
        };
        for (node, evidence) in &nodes.evidence {
            let networks = match &evidence.pods {
                None => continue,
                Some(Observed::Unseen(gap)) => {
                    pods.gaps.push(gap.clone());
                    continue;
                }
                Some(Observed::Seen(networks)) => networks,
            };
            pods.gaps.extend(networks.partial.clone());
            let by_uid: BTreeMap<&str, &PodNetwork> =
                networks.pods.iter().map(|it| (it.uid.as_str(), it)).collect();
            let mut missing = Vec::new();
            for pod in listed.iter().filter(|pod| pod.node == **node) {
                match by_uid.get(pod.uid.as_str()) {
                    Some(network) => pods.seen.push(Inside { pod, network }),
                    None => missing.push(pod.subject().to_string()),
                }
            }
            if networks.partial.is_none() && !missing.is_empty() {
                pods.gaps.push(not_found(node, &missing));
            }
        }
        Ok(pods)
    }

    /// One part of each network, with a gap for each that was not seen.
    fn part<T>(&mut self, part: impl Fn(&'a PodNetwork) -> &'a Observed<T>) -> Vec<(Inside<'a>, &'a T)> {
        let mut seen = Vec::new();
        for inside in &self.seen {
            match part(inside.network) {
                Observed::Seen(value) => seen.push((*inside, value)),
                Observed::Unseen(gap) => self.gaps.push(Gap {
                    what: format!("the network of {}", inside.pod.subject()),
                    ..gap.clone()
                }),
            }
        }
        seen
    }
}

fn not_found(node: &str, missing: &[String]) -> Gap {
    let pods = match missing {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} and {} others", rest.len()),
        [] => String::new(),
    };
    Gap {
        what: format!("the network of {pods}"),
        why: GapReason::Failed,
        message: format!("no process on {node} was found in a network of its own that belongs to it"),
        hint: None,
    }
}

impl Inside<'_> {
    /// What a command shows in the network of the pod, as evidence.
    fn shows(&self, fact: impl Into<String>, command: &str) -> Evidence {
        Evidence::command(fact, self.command(command))
    }

    /// A command in the network of the pod, to be pasted.
    fn command(&self, command: &str) -> String {
        let enter = format!("nsenter -t {} -n {command}", self.network.process);
        on_node(&self.pod.node, &[&enter])
    }

    /// The interface that has this address.
    fn holder(&self, address: IpAddr) -> Option<&Link> {
        let links = self.network.links.seen()?;
        links.iter().find(|link| has(link, address))
    }
}

fn has(link: &Link, address: IpAddr) -> bool {
    link.addresses.iter().any(|own| own.address == address)
}

/// How to have a pod made anew, which runs the CNI for it.
fn recreate(pod: &NodePod) -> String {
    let (name, namespace) = (word(&pod.name), word(&pod.namespace));
    match pod.controller.as_deref() {
        None => format!(
            "start the pod anew; nothing else would make it again: `kubectl get pod {name} -n {namespace} -o yaml | \
             kubectl replace --force -f -`"
        ),
        Some(node) if node.starts_with("node/") => format!(
            "start the pod anew: it is a static one, whose file in the kubelet's directory of manifests on {} is to be \
             moved away and back",
            pod.node
        ),
        Some(controller) => format!(
            "start the pod anew; {controller} makes another one: `kubectl delete pod {name} -n {namespace}`"
        ),
    }
}

/// Of two pods the one that came later: the other one was there first.
fn later<'a>(one: Inside<'a>, other: Inside<'a>) -> Inside<'a> {
    let key = |inside: &Inside<'a>| (inside.pod.created.clone(), inside.pod.subject().to_string());
    if key(&one) > key(&other) { one } else { other }
}

/// What is tried of these pods fails.
fn breaks(pods: &[Inside<'_>]) -> Breaks {
    Breaks::Pods {
        pods: pods.iter().map(|inside| inside.pod.subject()).collect(),
    }
}
