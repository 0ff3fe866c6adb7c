use super::flow::{Direction, End, Flow};
use super::object::{IpBlock, Peer, Policy, Rule};
use super::port::{Port, PortMatch};
use super::selector::{Labels, Selector};
use super::verdict::{DirectionVerdict, Exemption, Miss, MissReason, PeerMiss, Verdict};
use super::world::{NAMESPACE_NAME, Pod, World};

/// What the policies of the world say about a flow.
///
/// The flow is one that begins; answers to it are always allowed. Where packets reach a pod with another address than their sender's
/// (a NodePort without `externalTrafficPolicy: Local`), the flow to ask about is one from the address that the pod sees.
pub fn evaluate(flow: &Flow<'_>, world: &World) -> Verdict {
    Verdict {
        egress: side(flow, world, Direction::Egress),
        ingress: side(flow, world, Direction::Ingress),
    }
}

/// The answer for a part of a rule. `Maybe` says what it depends on.
enum Covers<M> {
    Yes(Option<usize>),
    No(M),
    Maybe(String),
}

fn side(flow: &Flow<'_>, world: &World, direction: Direction) -> DirectionVerdict {
    let (subject, other) = match direction {
        Direction::Egress => (flow.source, flow.destination),
        Direction::Ingress => (flow.destination, flow.source),
    };
    let Some(pod) = subject.pod() else {
        return DirectionVerdict::Exempt(Exemption::NotAPod);
    };
    if let Some(exemption) = exemption(pod, &other, direction) {
        return DirectionVerdict::Exempt(exemption);
    }
    let isolating: Vec<&Policy> = world.isolating(pod, direction).collect();
    if isolating.is_empty() {
        return DirectionVerdict::NotIsolated;
    }
    let (mut misses, mut why) = (Vec::new(), Vec::new());
    for policy in &isolating {
        let rules = policy.rules(direction).unwrap_or(&[]);
        if rules.is_empty() {
            misses.push(Miss {
                policy: policy.name.clone(),
                rule: None,
                why: MissReason::NoRules,
            });
        }
        for (index, rule) in rules.iter().enumerate() {
            let ports = covers_port(rule, flow);
            match (covers_peer(policy, rule, &other, flow, world), ports) {
                (Covers::Yes(peer), Covers::Yes(port)) => {
                    return DirectionVerdict::Allowed {
                        policy: policy.name.clone(),
                        rule: index,
                        peer,
                        port,
                    };
                }
                (Covers::No(peers), ports) => misses.push(Miss {
                    policy: policy.name.clone(),
                    rule: Some(index),
                    why: MissReason::Peer {
                        peers,
                        port_matches: !matches!(ports, Covers::No(_)),
                    },
                }),
                (_, Covers::No(reason)) => misses.push(Miss {
                    policy: policy.name.clone(),
                    rule: Some(index),
                    why: reason,
                }),
                (Covers::Maybe(reason), _) | (_, Covers::Maybe(reason)) => {
                    why.push(format!("{} .spec.{direction}[{index}]: {reason}", policy.name));
                }
            }
        }
    }
    let isolating = isolating.iter().map(|policy| policy.name.clone()).collect();
    if !why.is_empty() {
        return DirectionVerdict::Unknown { isolating, why };
    }
    misses.sort_by_key(|miss| std::cmp::Reverse(miss.closeness()));
    DirectionVerdict::Denied { isolating, misses }
}

fn exemption(pod: &Pod, other: &End<'_>, direction: Direction) -> Option<Exemption> {
    if other.pod().is_some_and(|other| other.is(pod)) {
        return Some(Exemption::SamePod);
    }
    if pod.host_network {
        return Some(Exemption::HostNetwork);
    }
    let own_node =
        direction == Direction::Ingress && pod.node.is_some() && other.host() == pod.node.as_deref();
    own_node.then_some(Exemption::OwnNode)
}

fn covers_peer(
    policy: &Policy,
    rule: &Rule,
    other: &End<'_>,
    flow: &Flow<'_>,
    world: &World,
) -> Covers<Vec<PeerMiss>> {
    if rule.peers.is_empty() {
        return Covers::Yes(None);
    }
    let (mut misses, mut maybe) = (Vec::new(), None);
    for (index, peer) in rule.peers.iter().enumerate() {
        let covers = match peer {
            Peer::Pods { namespaces, pods } => {
                selects(policy, namespaces.as_ref(), pods.as_ref(), other, world)
            }
            Peer::Block(block) => contains(block, other, flow),
            Peer::Unreadable(text) => Covers::Maybe(format!("this program does not know what {text} means")),
        };
        match covers {
            Covers::Yes(_) => return Covers::Yes(Some(index)),
            Covers::No(miss) => misses.push(miss),
            Covers::Maybe(reason) => maybe = maybe.or(Some(reason)),
        }
    }
    match maybe {
        Some(reason) => Covers::Maybe(reason),
        None => Covers::No(misses),
    }
}

fn selects(
    policy: &Policy,
    namespaces: Option<&Selector>,
    pods: Option<&Selector>,
    other: &End<'_>,
    world: &World,
) -> Covers<PeerMiss> {
    let Some(pod) = other.pod() else {
        return Covers::No(PeerMiss::NotAPod);
    };
    if pod.host_network {
        return Covers::No(PeerMiss::HostNetwork);
    }
    let pod_matches = pods.is_none_or(|pods| pods.matches(&pod.labels));
    let namespace = match namespaces {
        None if pod.namespace == policy.name.namespace => Covers::Yes(None),
        None => return Covers::No(PeerMiss::OtherNamespace),
        Some(selector) => selects_namespace(selector, &pod.namespace, pod_matches, world),
    };
    match (namespace, pods) {
        (Covers::No(miss), _) => Covers::No(miss),
        (_, Some(pods)) if !pod_matches => Covers::No(PeerMiss::PodLabels {
            unmet: pods.unmet(&pod.labels),
        }),
        (covers, _) => covers,
    }
}

fn selects_namespace(selector: &Selector, name: &str, pod_matches: bool, world: &World) -> Covers<PeerMiss> {
    let unmet = if let Some(labels) = world.namespace(name) {
        selector.unmet(labels)
    } else {
        // The API server itself sets one label, to one value: that is known without having been read.
        let automatic = Labels::from([(NAMESPACE_NAME.to_owned(), name.to_owned())]);
        let (decided, open): (Vec<_>, Vec<_>) = selector
            .requirements()
            .into_iter()
            .partition(|requirement| requirement.key == NAMESPACE_NAME);
        let unmet: Vec<_> = decided.into_iter().filter(|it| !it.matches(&automatic)).collect();
        if unmet.is_empty() && !open.is_empty() {
            return Covers::Maybe(format!("the labels of namespace {name} are not known"));
        }
        unmet
    };
    if unmet.is_empty() {
        Covers::Yes(None)
    } else {
        Covers::No(PeerMiss::NamespaceLabels { unmet, pod_matches })
    }
}

fn contains(block: &IpBlock, other: &End<'_>, flow: &Flow<'_>) -> Covers<PeerMiss> {
    let outside = || PeerMiss::OutsideBlock { block: block.clone() };
    let Some(address) = other.address(flow.family).map(|address| address.to_canonical()) else {
        return Covers::No(outside());
    };
    let excepted = block.except.iter().any(|except| except.contains(&address));
    if !block.block.contains(&address) || excepted {
        return Covers::No(outside());
    }
    match other {
        End::Pod(pod) if !pod.host_network => Covers::Maybe(format!(
            "{} holds the pod's address, and whether an ipBlock covers pods depends on the network plugin",
            block.block
        )),
        End::Pod(_) | End::Node { .. } | End::Outside(_) => Covers::Yes(None),
    }
}

fn covers_port(rule: &Rule, flow: &Flow<'_>) -> Covers<MissReason> {
    if rule.ports.is_empty() {
        return Covers::Yes(None);
    }
    match rule.ports.iter().position(|port| covers(port, flow)) {
        Some(index) => Covers::Yes(Some(index)),
        None => Covers::No(MissReason::Port {
            allowed: rule.ports.clone(),
            undeclared: undeclared(rule, flow),
        }),
    }
}

fn covers(port: &Port, flow: &Flow<'_>) -> bool {
    match &port.port {
        PortMatch::Named(name) => {
            port.protocol == flow.protocol
                && flow
                    .destination
                    .pod()
                    .is_some_and(|pod| declares(pod, name, flow))
        }
        PortMatch::Any | PortMatch::Number(_) | PortMatch::Range(..) => port.covers(flow.protocol, flow.port),
    }
}

/// Whether one of the pod's ports of that name is the flow's.
fn declares(pod: &Pod, name: &str, flow: &Flow<'_>) -> bool {
    pod.ports.iter().any(|port| {
        port.name.as_deref() == Some(name) && port.protocol == flow.protocol && port.number == flow.port
    })
}

fn undeclared(rule: &Rule, flow: &Flow<'_>) -> Vec<String> {
    let names = rule.ports.iter().filter_map(|port| match &port.port {
        PortMatch::Named(name) => Some((name, port.protocol)),
        PortMatch::Any | PortMatch::Number(_) | PortMatch::Range(..) => None,
    });
    names
        .filter(|(name, protocol)| {
            flow.destination
                .pod()
                .is_some_and(|pod| pod.named_port(name, *protocol).is_none())
        })
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests;
