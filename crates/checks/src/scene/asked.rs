//! The flow that was asked about: from names to pods, from a Service's port to a pod's.

use netmodel::policy::{
    Direction, DirectionVerdict, End, Family, Flow, Outcome, Pod, Protocol, Verdict, World, evaluate,
};
use observation::{PolicyEnd, PolicyService};
use report::{Evidence, Gap, GapReason};

use super::{Scene, field, pod_name, rule_path, seen};

/// The flows that a question comes to.
#[derive(Debug, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) flows: Vec<AskedFlow<'a>>,
    /// What could not be worked out.
    pub(crate) gaps: Vec<Gap>,
}

/// One flow, and what people call it.
#[derive(Clone, Debug)]
pub(crate) struct AskedFlow<'a> {
    pub(crate) flow: Flow<'a>,
    /// As `pod/web -n shop`.
    pub(crate) source: String,
    /// As `pod/db -n shop`.
    pub(crate) destination: String,
}

impl AskedFlow<'_> {
    /// As `TCP 5432`.
    pub(crate) fn port(&self) -> String {
        format!("{} {}", self.flow.protocol, self.flow.port)
    }
}

/// What an end was resolved to.
struct Resolved<'a> {
    ends: Vec<End<'a>>,
    service: Option<&'a PolicyService>,
}

impl Scene<'_> {
    /// The pods that the question names.
    pub(crate) fn named_pods(&self) -> Vec<&Pod> {
        let question = &self.facts.question;
        let ends = [&question.source, &question.destination];
        let resolved = ends
            .into_iter()
            .flatten()
            .filter_map(|end| self.resolve(&self.world, end).ok());
        resolved
            .flat_map(|resolved| resolved.ends)
            .filter_map(|end| end.pod())
            .collect()
    }

    /// What the question names and the cluster does not have, in the API's words.
    pub(crate) fn missing(&self) -> Option<String> {
        let question = &self.facts.question;
        [&question.source, &question.destination]
            .into_iter()
            .flatten()
            .find_map(|end| self.resolve(&self.world, end).err().flatten())
    }

    /// The flows that were asked about, in this world; `None` when none was.
    pub(crate) fn asked<'w>(&'w self, world: &'w World) -> Option<Asked<'w>> {
        let question = &self.facts.question;
        let (source, destination) = (question.source.as_ref()?, question.destination.as_ref()?);
        let mut asked = Asked::default();
        let (Ok(sources), Ok(destinations)) = (self.resolve(world, source), self.resolve(world, destination))
        else {
            asked.gaps.push(unresolved(
                "the pods of both ends",
                "not all of them could be read",
            ));
            return Some(asked);
        };
        if sources.ends.is_empty() || destinations.ends.is_empty() {
            asked.gaps.push(unresolved(
                "the pods of both ends",
                "one end has no pods at the moment",
            ));
            return Some(asked);
        }
        // The pods that one object makes have the labels of one template.
        let Some(source) = sources.ends.first().copied() else {
            return Some(asked);
        };
        for destination in &destinations.ends {
            let ports = self.ports(destination, destinations.service);
            if ports.is_empty() {
                let what = format!("a port of {}", name(destination));
                asked
                    .gaps
                    .push(unresolved(&what, "it declares none; name one with --port"));
            }
            for (protocol, port) in ports {
                for family in families(&source, destination) {
                    let flow = Flow {
                        source,
                        destination: *destination,
                        protocol,
                        port,
                        family,
                    };
                    asked.flows.push(AskedFlow {
                        flow,
                        source: name(&source),
                        destination: name(destination),
                    });
                }
            }
        }
        Some(asked)
    }

    /// `Err(Some)` when it is not there, `Err(None)` when it could not be looked for.
    fn resolve<'w>(&'w self, world: &'w World, end: &PolicyEnd) -> Result<Resolved<'w>, Option<String>> {
        let (kind, namespace, name) = match end {
            PolicyEnd::Address { address } => {
                return Ok(Resolved {
                    ends: vec![world.end(*address)],
                    service: None,
                });
            }
            PolicyEnd::Object {
                kind,
                namespace,
                name,
            } => (kind.as_str(), namespace, name),
        };
        let not_found = |resource: &str| {
            Some(format!(
                "{resource} {name:?} not found in namespace {namespace:?}"
            ))
        };
        let pods = |selects: &dyn Fn(&Pod) -> bool| {
            let pods = world.pods_of(namespace).filter(|pod| selects(pod));
            pods.map(End::Pod).collect()
        };
        let carries = |pod: &Pod, labels: &netmodel::policy::Labels| {
            labels
                .iter()
                .all(|(key, value)| pod.labels.get(key) == Some(value))
        };
        match kind {
            "pod" if self.facts.pods.gap().is_some() => Err(None),
            "pod" => match world.pod(namespace, name) {
                Some(pod) => Ok(Resolved {
                    ends: vec![End::Pod(pod)],
                    service: None,
                }),
                None => Err(not_found("pods")),
            },
            "service" if self.facts.services.gap().is_some() => Err(None),
            "service" => {
                let mut services = seen(&self.facts.services).iter();
                let service = services
                    .find(|service| service.namespace == *namespace && service.name == *name)
                    .ok_or_else(|| not_found("services"))?;
                Ok(Resolved {
                    ends: pods(&|pod| !service.selector.is_empty() && carries(pod, &service.selector)),
                    service: Some(service),
                })
            }
            _ if self.facts.workloads.gap().is_some() => Err(None),
            _ => {
                let mut workloads = seen(&self.facts.workloads).iter();
                let workload = workloads
                    .find(|it| it.kind == kind && it.namespace == *namespace && it.name == *name)
                    .ok_or_else(|| not_found(&format!("{kind}s")))?;
                Ok(Resolved {
                    ends: pods(&|pod| carries(pod, &workload.template_labels)),
                    service: None,
                })
            }
        }
    }

    /// The ports of a destination that were asked about, as the pod has them.
    fn ports(&self, destination: &End<'_>, service: Option<&PolicyService>) -> Vec<(Protocol, u16)> {
        let question = &self.facts.question;
        let protocol = question.protocol.as_deref().and_then(Protocol::named);
        let is_wanted = |of: Protocol| protocol.is_none_or(|protocol| protocol == of);
        let mut ports: Vec<(Protocol, u16)> = match (service, question.port) {
            (Some(service), wanted) => {
                let ports = service
                    .ports
                    .iter()
                    .filter(|port| wanted.is_none_or(|wanted| wanted == port.port));
                ports
                    .filter_map(|port| {
                        let protocol = Protocol::named(&port.protocol).filter(|it| is_wanted(*it))?;
                        Some((protocol, target_port(&port.target, protocol, destination.pod()?)?))
                    })
                    .collect()
            }
            (None, Some(port)) => vec![(protocol.unwrap_or(Protocol::Tcp), port)],
            (None, None) => {
                let ports = destination.pod().into_iter().flat_map(|pod| &pod.ports);
                ports
                    .filter(|port| is_wanted(port.protocol))
                    .map(|port| (port.protocol, port.number))
                    .collect()
            }
        };
        ports.sort_unstable();
        ports.dedup();
        ports
    }
}

/// The port of a pod that a `targetPort` means.
pub(crate) fn target_port(target: &str, protocol: Protocol, pod: &Pod) -> Option<u16> {
    target.parse().ok().or_else(|| pod.named_port(target, protocol))
}

fn families(source: &End<'_>, destination: &End<'_>) -> Vec<Family> {
    let both = |family: &Family| source.address(*family).is_some() && destination.address(*family).is_some();
    let families: Vec<Family> = [Family::V4, Family::V6].into_iter().filter(both).collect();
    // A pod without an address yet is judged by its labels.
    if families.is_empty() {
        vec![Family::V4]
    } else {
        families
    }
}

fn name(end: &End<'_>) -> String {
    match end {
        End::Pod(pod) => pod_name(pod),
        End::Node { name, .. } => format!("node/{name}"),
        End::Outside(address) => address.to_string(),
    }
}

fn unresolved(what: &str, message: &str) -> Gap {
    Gap {
        what: what.to_owned(),
        why: GapReason::Failed,
        message: message.to_owned(),
        hint: None,
    }
}

/// The verdicts on the flows, those of a flow's families and of a Service's pods once where they are the same.
pub(crate) fn judged_flows<'a>(asked: &Asked<'a>, world: &World) -> Vec<(AskedFlow<'a>, Verdict)> {
    let mut judged: Vec<(AskedFlow<'a>, Verdict)> = Vec::new();
    for flow in &asked.flows {
        let verdict = evaluate(&flow.flow, world);
        let is_known = judged.iter().any(|(other, known)| {
            let same_flow = other.flow.port == flow.flow.port && other.flow.protocol == flow.flow.protocol;
            same_flow
                && (*known == verdict
                    || (known.outcome() == Outcome::Allowed && verdict.outcome() == Outcome::Allowed))
        });
        if !is_known {
            judged.push((flow.clone(), verdict));
        }
    }
    judged
}

/// What one side says, as evidence.
pub(crate) fn side_fact(
    asked: &AskedFlow<'_>,
    direction: Direction,
    verdict: &DirectionVerdict,
) -> Vec<Evidence> {
    let whose = match direction {
        Direction::Ingress => &asked.destination,
        Direction::Egress => &asked.source,
    };
    let list = || {
        let namespace = match direction {
            Direction::Ingress => asked.flow.destination.pod(),
            Direction::Egress => asked.flow.source.pod(),
        };
        match namespace {
            Some(pod) => format!(
                "kubectl get networkpolicies -n {}",
                crate::shell::word(&pod.namespace)
            ),
            None => "kubectl get networkpolicies --all-namespaces".to_owned(),
        }
    };
    match verdict {
        DirectionVerdict::Exempt(why) => vec![Evidence::command(
            format!("{direction} of {whose}: {why}"),
            list(),
        )],
        DirectionVerdict::NotIsolated => {
            let fact = format!("{direction} of {whose}: no policy isolates it");
            vec![Evidence::command(fact, list())]
        }
        DirectionVerdict::Allowed {
            policy,
            rule,
            peer,
            port,
        } => {
            let mut path = rule_path(direction, *rule);
            let side = match direction {
                Direction::Ingress => "from",
                Direction::Egress => "to",
            };
            let mut parts = Vec::new();
            parts.push(peer.map_or("any peer".to_owned(), |peer| format!("{side}[{peer}]")));
            parts.push(port.map_or("any port".to_owned(), |port| format!("ports[{port}]")));
            if let (Some(peer), None) = (peer, port) {
                path = format!("{path}.{side}[{peer}]");
            }
            let fact = format!("{direction} of {whose} is allowed by {}", parts.join(" and "));
            vec![field(policy, &path, fact)]
        }
        DirectionVerdict::Denied { misses, .. } => misses
            .iter()
            .map(|miss| {
                let path = match miss.rule {
                    Some(rule) => rule_path(direction, rule),
                    None => format!(".spec.{direction}"),
                };
                field(&miss.policy, &path, format!("does not allow it: {}", miss.why))
            })
            .collect(),
        DirectionVerdict::Unknown { why, .. } => why
            .iter()
            .map(|why| Evidence::command(why.clone(), list()))
            .collect(),
    }
}
