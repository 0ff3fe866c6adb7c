//! Made-up nodes that tried each other and their own pods: the real plan, with answers as a closure gives them.

use std::collections::{BTreeMap, BTreeSet};

use netprobe::{Answer, Outcome, Sample};
use observation::{Attempt, Observation, Source, Underlay};
use report::{Gap, GapReason, Observed};

use super::{name_gateways, plan_nodes, plan_own_nodes, plan_own_pods};
use crate::fold::SourceAnswers;
use crate::reach::{Place, ReachOptions, assemble, fold_reach};
use crate::tries::scene::{Scene, well};

/// A cluster of so many nodes, all of which try, where each try ends as the closure says, or well.
pub(crate) fn observe(nodes: u8, outcome: impl Fn(&Attempt) -> Option<Outcome>) -> Observation {
    observe_from(nodes, |_| true, outcome)
}

/// As [`observe`], where only some nodes have a probe in their own network.
pub(crate) fn observe_from(
    nodes: u8,
    tries: impl Fn(&str) -> bool,
    outcome: impl Fn(&Attempt) -> Option<Outcome>,
) -> Observation {
    let scene = Scene {
        nodes,
        hosts: true,
        ..Scene::new()
    };
    let is_host = |place: &Place| matches!(place.source, Source::Host { .. });
    let (mut hosts, pods): (Vec<Place>, Vec<Place>) = scene.places().into_iter().partition(is_host);
    hosts.retain(|host| host.source.node().is_some_and(&tries));
    let objects = scene.node_objects();
    let options = ReachOptions::default();
    let agents: BTreeSet<String> = hosts
        .iter()
        .filter_map(|host| Some(host.source.node()?.to_owned()))
        .collect();
    let host_options = ReachOptions {
        tcp_port: 17_500,
        udp_port: 17_500,
        ..ReachOptions::default()
    };
    let mut underlay = Underlay::default();
    for (places, wanted) in [
        (&hosts, plan_nodes(&objects, &hosts, &host_options)),
        (&hosts, plan_own_pods(&hosts, &pods, &options)),
        (&pods, plan_own_nodes(&objects, &pods, &agents, 17_500, &options)),
    ] {
        let plan = assemble("r", places, &wanted, &options);
        let answers = plan.sources.iter().map(|(source, tries)| {
            let answer = |(id, attempt): (u32, usize)| {
                let attempt = &tries.attempts[attempt];
                let outcome = outcome(attempt).unwrap_or_else(|| well(attempt));
                let sample = Sample {
                    at_us: 1,
                    retry: false,
                    outcome,
                };
                Answer {
                    id,
                    samples: vec![sample],
                }
            };
            let given = SourceAnswers {
                answers: (0..).zip(tries.attempt_of.iter().copied()).map(answer).collect(),
                complete: Observed::Seen(()),
            };
            (source.clone(), given)
        });
        underlay.add(fold_reach(&plan, &answers.collect()));
    }
    let gateways: BTreeMap<Source, Vec<std::net::IpAddr>> = (1..=nodes)
        .map(|node| {
            let source = Source::Pod {
                node: format!("node{node}"),
            };
            (source, vec![[10, 244, node, 1].into()])
        })
        .collect();
    name_gateways(&mut underlay.attempts, &gateways);
    let mut observation = scene.observe(|_, _| None);
    observation.reach = None;
    observation.node_reading = Some(Observed::Seen(()));
    observation.underlay = Some(underlay);
    observation
}

/// The same, where no answer arrived from this node.
pub(crate) fn unanswered(mut observation: Observation, node: &str) -> Observation {
    let underlay = observation.underlay.as_mut().expect("an underlay");
    for state in underlay
        .sources
        .iter_mut()
        .filter(|it| it.source.node() == Some(node))
    {
        state.answered = Observed::Unseen(Gap {
            what: format!("answers from {node}"),
            why: GapReason::Failed,
            message: "the connection broke".into(),
            hint: None,
        });
    }
    for attempt in underlay
        .attempts
        .iter_mut()
        .filter(|it| it.source.node() == Some(node))
    {
        attempt.samples.clear();
    }
    observation
}
