//! The sockets of the pods of the small cluster, for tests.

use observation::{Listener, NodePod, Observation, PodNetwork, PodNetworks};
use report::{Gap, GapReason, Observed};

use super::fixture::Fixture;
use crate::node_scene::Scene;

/// Every pod listens so: protocol, address, port.
pub(super) fn listening(fixture: Fixture, sockets: &[(&str, &str, u16)]) -> Observation {
    with_networks(fixture, |uid| PodNetwork {
        uid: uid.to_owned(),
        process: 4711,
        links: Observed::Seen(Vec::new()),
        routes: Observed::Seen(Vec::new()),
        neighbours: Observed::Seen(Vec::new()),
        listeners: Observed::Seen(
            sockets
                .iter()
                .map(|(protocol, address, port)| Listener {
                    protocol: (*protocol).to_owned(),
                    address: address.parse().expect("an address"),
                    port: *port,
                })
                .collect(),
        ),
    })
}

/// No pod's network could be entered.
pub(super) fn unread(fixture: Fixture) -> Observation {
    let mut observation = listening(fixture, &[]);
    for evidence in observation.node_evidence.values_mut() {
        if let Observed::Seen(evidence) = evidence {
            evidence.pods = Some(Observed::Unseen(Gap {
                what: "the networks of pods".to_owned(),
                why: GapReason::Failed,
                message: "they could not be entered".to_owned(),
                hint: None,
            }));
        }
    }
    observation
}

fn with_networks(fixture: Fixture, network: impl Fn(&str) -> PodNetwork) -> Observation {
    let mut observation = fixture.observe();
    let nodes = Scene::privileged(3).observation();
    let backends = observation.backends.as_ref().expect("Services");
    let pods = backends.pods.seen().expect("pods").clone();
    observation.node_reading = nodes.node_reading;
    observation.node_evidence = nodes.node_evidence;
    for (node, evidence) in &mut observation.node_evidence {
        if let Observed::Seen(evidence) = evidence {
            let of_node = pods.iter().filter(|pod| pod.node.as_ref() == Some(node));
            evidence.pods = Some(Observed::Seen(PodNetworks {
                pods: of_node.map(|pod| network(&pod.uid)).collect(),
                partial: None,
            }));
        }
    }
    let listed = pods.iter().map(|pod| NodePod {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        node: pod.node.clone().unwrap_or_default(),
        created: pod.created.clone(),
        controller: pod.controller.clone(),
        addresses: pod.addresses.clone(),
    });
    observation.node_pods = Some(Observed::Seen(listed.collect()));
    observation
}
