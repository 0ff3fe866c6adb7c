//! Runs a plan of what lies beyond the mesh in the probe pods that there are.

use std::collections::BTreeMap;

use checks::{Effort, ReachPlace, ReachPlan, SourceAnswers};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use netprobe::Plan;
use observation::{Attempt, Node, NodePod, Place, Placement, Source, SourceState};
use plugin::Spinner;
use probe::{Executed, ProbeRun};
use report::Observed;

/// The probe pods that run, as sources.
pub fn pod_places(placement: &Placement) -> Vec<ReachPlace> {
    let places = placement.nodes.iter();
    places
        .filter_map(|(node, place)| match place {
            Place::Ready(pod) => Some(ReachPlace {
                source: Source::Pod { node: node.clone() },
                addresses: pod.addresses.clone(),
                effort: Effort::Full,
            }),
            Place::LeftOut { .. } | Place::Failed(_) => None,
        })
        .collect()
}

/// The probe pods that run in the network of their nodes, as sources with the addresses of the nodes.
pub fn host_places(placement: &Placement, nodes: &[Node]) -> Vec<ReachPlace> {
    let places = placement.nodes.iter();
    places
        .filter_map(|(node, place)| match place {
            Place::Ready(_) => Some(ReachPlace {
                source: Source::Host { node: node.clone() },
                addresses: nodes.iter().find(|it| it.name == *node)?.internal_ips.clone(),
                effort: Effort::Full,
            }),
            Place::LeftOut { .. } | Place::Failed(_) => None,
        })
        .collect()
}

/// Both lists as one, or the gap of either.
pub fn joined<T>(one: Observed<Vec<T>>, other: Observed<Vec<T>>) -> Observed<Vec<T>> {
    match (one, other) {
        (Observed::Seen(mut one), Observed::Seen(other)) => {
            one.extend(other);
            Observed::Seen(one)
        }
        (Observed::Unseen(gap), _) | (_, Observed::Unseen(gap)) => Observed::Unseen(gap),
    }
}

/// Who runs plans.
#[derive(Clone, Copy, Debug)]
pub struct Probers<'a> {
    /// The probe pods.
    pub pods: &'a ProbeRun,
    /// Those that enter the network of a pod of the cluster, and the pod.
    pub inside: Option<(&'a ProbeRun, &'a NodePod)>,
}

impl<'a> From<&'a ProbeRun> for Probers<'a> {
    fn from(pods: &'a ProbeRun) -> Self {
        Self { pods, inside: None }
    }
}

impl Probers<'_> {
    /// All places to try from.
    pub fn places(&self) -> Vec<ReachPlace> {
        let mut places = pod_places(self.pods.placement());
        places.extend(self.inside.map(|(_, pod)| ReachPlace {
            source: inside(pod),
            addresses: pod.addresses.clone(),
            effort: Effort::Full,
        }));
        places
    }

    async fn execute(&self, source: &Source, node: &str, plan: &Plan) -> Executed {
        match (source, self.inside) {
            (Source::Inside { .. }, Some((hosts, pod))) => {
                // The run that the plan says it belongs to is that of the probe pod which takes it.
                let plan = Plan {
                    run: hosts.placement().run.clone(),
                    ..plan.clone()
                };
                hosts.execute_inside(node, &pod.uid, &plan).await
            }
            _ => self.pods.execute(node, plan).await,
        }
    }
}

/// A pod of the cluster as a source.
fn inside(pod: &NodePod) -> Source {
    Source::Inside {
        node: pod.node.clone(),
        namespace: pod.namespace.clone(),
        pod: pod.name.clone(),
    }
}

/// Runs the plan, all sources at once.
pub async fn try_all(
    probers: impl Into<Probers<'_>>,
    plan: &ReachPlan,
    spinner: &Spinner,
) -> (Vec<SourceState>, Vec<Attempt>) {
    let answers = execute_all(probers, plan, spinner).await;
    let answers = answers
        .into_iter()
        .map(|(source, executed)| (source, given(executed)));
    checks::fold_reach(plan, &answers.collect())
}

/// What one agent brought back, as it is judged.
pub fn given(executed: Executed) -> SourceAnswers {
    SourceAnswers {
        answers: executed.answers,
        complete: executed.seen,
    }
}

/// Runs the plan, all sources at once, and returns all that they said.
pub async fn execute_all(
    probers: impl Into<Probers<'_>>,
    plan: &ReachPlan,
    spinner: &Spinner,
) -> BTreeMap<Source, Executed> {
    let probers = probers.into();
    let total = plan.sources.len();
    spinner.say(format!("trying from {total} places"));
    let mut running: FuturesUnordered<_> = plan
        .sources
        .iter()
        .filter_map(|(source, tries)| {
            let node = source.node()?;
            Some(async move { (source.clone(), probers.execute(source, node, &tries.plan).await) })
        })
        .collect();
    let mut answers = BTreeMap::new();
    while let Some((source, executed)) = running.next().await {
        answers.insert(source, executed);
        spinner.say(format!(
            "trying: {} of {total} places have answered",
            answers.len()
        ));
    }
    answers
}
