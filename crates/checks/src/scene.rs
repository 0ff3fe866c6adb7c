//! What was seen of policies, as the checks of policies read it: evaluated policies, the ends of the flow that was asked about, and which
//! lists are whole.

mod answer;
mod asked;
mod dns;
mod engine;
#[cfg(test)]
pub(crate) mod fixture;
mod uses;

use std::collections::{BTreeMap, HashMap};

use netmodel::policy::{ContainerPort, Direction, Pod, Policy, PolicyRef, Protocol, World};
use observation::{Observation, PolicyFacts, PolicyObject, PolicyPod, PolicyService};
use report::{Evidence, Finding, Gap, GapReason, Observed, Origin, Severity, Subject};

pub(crate) use answer::answer;
pub(crate) use asked::{AskedFlow, judged_flows, side_fact, target_port};
pub(crate) use dns::{DnsServer, dns_servers};
pub(crate) use engine::{Engine, engine};
pub(crate) use uses::{Meant, Use, uses};

use crate::check::Judgement;
use crate::shell::word;
use crate::view::View;

/// Policies and what they are about.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) facts: &'a PolicyFacts,
    /// With the policies that were added.
    pub(crate) world: World,
    /// The cluster as it is; `None` when nothing was added to it.
    pub(crate) before: Option<World>,
    unreadable: Vec<Gap>,
    services: HashMap<&'a str, Vec<&'a PolicyService>>,
    pods: HashMap<(&'a str, &'a str), &'a PolicyPod>,
}

/// A list that a check cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objects {
    Pods,
    Namespaces,
    Services,
    Workloads,
}

impl<'a> Scene<'a> {
    /// `None` when policies were not asked about.
    pub(crate) fn of(observation: &'a Observation) -> Option<Self> {
        let facts = observation.policy.as_ref()?;
        let mut unreadable = Vec::new();
        let mut read = |objects: &[PolicyObject]| -> Vec<Policy> {
            let mut policies = Vec::new();
            for object in objects {
                match Policy::read(&object.namespace, &object.name, &object.spec) {
                    Ok(policy) => policies.push(policy),
                    Err(error) => unreadable.push(Gap {
                        what: format!("networkpolicy/{} -n {}", object.name, object.namespace),
                        why: GapReason::Failed,
                        message: error.to_string(),
                        hint: None,
                    }),
                }
            }
            policies
        };
        let there = facts.policies.seen().map_or(Vec::new(), |objects| read(objects));
        let added = read(&facts.added);
        let make = |policies: Vec<Policy>| world(observation, facts, policies);
        let (world, before) = if facts.added.is_empty() {
            (make(there), None)
        } else {
            let before = make(there.clone());
            (make(there.into_iter().chain(added).collect()), Some(before))
        };
        let mut services: HashMap<&str, Vec<&PolicyService>> = HashMap::new();
        for service in seen(&facts.services) {
            services.entry(&service.namespace).or_default().push(service);
        }
        let pods = seen(&facts.pods).iter();
        Some(Self {
            facts,
            world,
            before,
            unreadable,
            services,
            pods: pods
                .map(|pod| ((pod.namespace.as_str(), pod.name.as_str()), pod))
                .collect(),
        })
    }

    /// Whether all policies of a namespace are looked at, rather than those that concern a pod or a flow.
    pub(crate) fn is_lint(&self) -> bool {
        self.facts.question.source.is_none()
    }

    /// Whether a namespace was asked about.
    pub(crate) fn covers(&self, namespace: &str) -> bool {
        self.facts
            .question
            .namespace
            .as_deref()
            .is_none_or(|wanted| wanted == namespace)
    }

    /// The policies that were asked about: of a namespace, or those that select an end of the flow.
    pub(crate) fn policies(&self) -> Vec<&Policy> {
        if self.is_lint() {
            return self
                .world
                .policies()
                .filter(|policy| self.covers(&policy.name.namespace))
                .collect();
        }
        let ends = self.named_pods();
        self.world
            .policies()
            .filter(|policy| ends.iter().any(|pod| policy.selects(pod)))
            .collect()
    }

    /// Whether all pods of a namespace were seen.
    pub(crate) fn knows_pods_of(&self, namespace: &str) -> bool {
        if self.facts.pods.gap().is_some() {
            return false;
        }
        self.pods_gap().is_none() || self.namespaces_of_question().contains(&namespace)
    }

    /// Whether all pods of the cluster were seen.
    pub(crate) fn knows_all_pods(&self) -> bool {
        self.facts.pods.gap().is_none() && self.pods_gap().is_none()
    }

    /// What is missing from the list of pods, although there is one.
    fn pods_gap(&self) -> Option<&Gap> {
        let of_pods =
            |gap: &&Gap| matches!(&gap.why, GapReason::Forbidden { resource, .. } if resource == "pods");
        self.facts.partial.iter().find(of_pods)
    }

    fn namespaces_of_question(&self) -> Vec<&str> {
        let question = &self.facts.question;
        let of_end = |end: &'a Option<observation::PolicyEnd>| match end {
            Some(observation::PolicyEnd::Object { namespace, .. }) => Some(namespace.as_str()),
            Some(observation::PolicyEnd::Address { .. }) | None => None,
        };
        let facts: &'a PolicyFacts = self.facts;
        question
            .namespace
            .as_deref()
            .into_iter()
            .chain(of_end(&facts.question.source))
            .chain(of_end(&facts.question.destination))
            .collect()
    }

    /// What keeps a check from passing that reads policies and these lists.
    pub(crate) fn gaps(&self, needs: &[Objects]) -> Vec<Gap> {
        let facts = self.facts;
        let mut gaps: Vec<Gap> = facts.policies.gap().cloned().into_iter().collect();
        gaps.extend(self.unreadable.iter().cloned());
        for need in needs {
            gaps.extend(self.gap(*need).cloned());
            if *need == Objects::Pods {
                gaps.extend(self.pods_gap().cloned());
            }
        }
        gaps
    }

    fn gap(&self, need: Objects) -> Option<&Gap> {
        match need {
            Objects::Pods => self.facts.pods.gap(),
            Objects::Namespaces => self.facts.namespaces.gap(),
            Objects::Services => self.facts.services.gap(),
            Objects::Workloads => self.facts.workloads.gap(),
        }
    }

    /// When a policy was made, where the API said it.
    pub(crate) fn created(&self, policy: &PolicyRef) -> Option<&str> {
        let objects = self.facts.policies.seen().into_iter().flatten();
        objects
            .filter(|object| object.name == policy.name && object.namespace == policy.namespace)
            .find_map(|object| object.created.as_deref())
    }

    /// What was seen of a pod beside what policies need.
    pub(crate) fn seen_pod(&self, pod: &Pod) -> Option<&'a PolicyPod> {
        self.pods
            .get(&(pod.namespace.as_str(), pod.name.as_str()))
            .copied()
    }

    /// The Services of a namespace.
    pub(crate) fn services_of(&self, namespace: &str) -> &[&'a PolicyService] {
        self.services.get(namespace).map_or(&[], Vec::as_slice)
    }
}

/// Makes a check of policies: not asked without facts of them, without findings where one of the lists is missing.
pub(crate) fn lint(
    view: &View<'_>,
    needs: &[Objects],
    find: impl FnOnce(&Scene<'_>) -> Vec<Finding>,
) -> Judgement {
    let Some(scene) = &view.scene else {
        return Judgement::not_asked();
    };
    let is_whole = needs.iter().all(|need| scene.gap(*need).is_none());
    let findings = if is_whole { find(scene) } else { Vec::new() };
    Judgement {
        findings: findings
            .into_iter()
            .map(|finding| showable(scene, finding))
            .collect(),
        gaps: scene.gaps(needs),
        ..Judgement::default()
    }
}

/// Without commands that show a policy which is only in a file: they would find nothing.
fn showable(scene: &Scene<'_>, mut finding: Finding) -> Finding {
    let there = seen(&scene.facts.policies);
    for object in &scene.facts.added {
        if there
            .iter()
            .any(|it| it.name == object.name && it.namespace == object.namespace)
        {
            continue;
        }
        let policy = PolicyRef {
            namespace: object.namespace.clone(),
            name: object.name.clone(),
        };
        let show = show(&policy);
        finding.hint = finding
            .hint
            .map(|hint| match hint.strip_suffix(&format!(": `{show}`")) {
                Some(text) => text.to_owned(),
                None => hint,
            });
        for evidence in &mut finding.evidence {
            if matches!(&evidence.from, Origin::Command { command } if *command == show) {
                evidence.from = Origin::Field {
                    path: format!("{policy} of the file"),
                };
            }
        }
    }
    finding
}

fn world(observation: &Observation, facts: &PolicyFacts, policies: Vec<Policy>) -> World {
    let pods = facts.pods.seen().into_iter().flatten().map(pod).collect();
    let namespaces = facts.namespaces.seen().into_iter().flatten();
    let namespaces: BTreeMap<_, _> = namespaces
        .map(|it| (it.name.clone(), it.labels.clone()))
        .collect();
    let mut world = World::new(policies, pods, namespaces);
    for node in observation.nodes.seen().into_iter().flatten() {
        world = world.with_node(&node.name, node.internal_ips.iter().copied());
    }
    world
}

fn pod(seen: &PolicyPod) -> Pod {
    let ports = seen.ports.iter().filter_map(|port| {
        Some(ContainerPort {
            name: port.name.clone(),
            number: port.number,
            protocol: Protocol::named(&port.protocol)?,
        })
    });
    Pod {
        namespace: seen.namespace.clone(),
        name: seen.name.clone(),
        labels: seen.labels.clone(),
        node: seen.node.clone(),
        addresses: seen.addresses.clone(),
        host_network: seen.host_network,
        ports: ports.collect(),
    }
}

/// The policy as what a finding is about.
pub(crate) fn subject(policy: &PolicyRef) -> Subject {
    object("networkpolicy", &policy.namespace, &policy.name)
}

/// An object of a namespace as what a finding is about.
pub(crate) fn object(kind: &str, namespace: &str, name: &str) -> Subject {
    Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

/// As kubectl prints it: `pod/web-1 -n shop`.
pub(crate) fn pod_name(pod: &Pod) -> String {
    format!("pod/{} -n {}", pod.name, pod.namespace)
}

/// A field of a policy as evidence.
pub(crate) fn field(policy: &PolicyRef, path: &str, fact: impl Into<String>) -> Evidence {
    Evidence::field(fact, format!("{policy} {path}"))
}

/// The path of a rule: `.spec.ingress[0]`.
pub(crate) fn rule_path(direction: Direction, rule: usize) -> String {
    format!(".spec.{direction}[{rule}]")
}

/// The command that shows a policy.
pub(crate) fn show(policy: &PolicyRef) -> String {
    format!(
        "kubectl get networkpolicy {} -n {} -o yaml",
        word(&policy.name),
        word(&policy.namespace)
    )
}

/// A finding about a policy, with the command that shows it.
pub(crate) fn about(
    id: &str,
    severity: Severity,
    policy: &PolicyRef,
    summary: impl Into<String>,
    evidence: Evidence,
    hint: &str,
) -> Finding {
    let mut finding = Finding::new(id, severity, subject(policy), summary, evidence);
    finding.hint = Some(format!("{hint}: `{}`", show(policy)));
    finding
}

/// `1 pod`, `2 pods`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        // The only noun of these checks that does not take an s alone.
        _ if noun.ends_with("olicy") => format!("{number} {}ies", noun.trim_end_matches('y')),
        _ => format!("{number} {noun}s"),
    }
}

/// The first of some names, and how many more there are.
pub(crate) fn some<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 3;
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match names.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => format!("{} and {more} more", names[..SHOWN].join(", ")),
        _ => names.join(", "),
    }
}

/// The items of a list; none of one that was not seen. Only where the gap is told elsewhere.
pub(crate) fn seen<T>(list: &Observed<Vec<T>>) -> &[T] {
    list.seen().map_or(&[], Vec::as_slice)
}
