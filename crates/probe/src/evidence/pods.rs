//! What the network namespaces of a node's pods show, each from inside.

use netprobe::{NetlinkTable, PodReads, Read, ReadOutcome, ReadPlan, WIRE_VERSION};
use observation::{PodNetwork, PodNetworks};
use report::{Gap, GapReason, Observed};

use super::plan::DEADLINE_MS;
use super::{Answers, id, netlink, proc};
use crate::options::Tier;
use crate::run::ProbeRun;

/// The id of the only read: those inside of it have the ids of a node's.
const PODS: u32 = 1;
/// Kubelets allow 110 pods by default, and large nodes some 500.
const MOST: u32 = 1000;

impl ProbeRun {
    /// Reads the networks of the pods of one node, through a privileged pod there. Pods in the network of the node are
    /// left out.
    ///
    /// A node without a privileged pod, and an exec that failed, are unseen as a whole; a namespace that could not be
    /// entered is unseen in each of its parts.
    pub async fn read_pods(&self, node: &str) -> Observed<PodNetworks> {
        let executed = self.read(node, &plan(&self.placement().run)).await;
        let Some(answer) = executed.reads.iter().find(|answer| answer.id == PODS) else {
            return Observed::Unseen(match executed.seen {
                Observed::Unseen(gap) => gap,
                Observed::Seen(()) => gap(node, "they were not answered".to_owned()),
            });
        };
        networks(node, &answer.outcome)
    }
}

fn plan(run: &str) -> ReadPlan {
    let inside = [
        (id::LINKS, NetlinkTable::Links),
        (id::ADDRESSES, NetlinkTable::Addresses),
        (id::ROUTES, NetlinkTable::Routes),
        (id::NEIGHBOURS, NetlinkTable::Neighbours),
    ];
    let mut reads: std::collections::BTreeMap<u32, Read> = inside
        .into_iter()
        .map(|(id, table)| (id, Read::Netlink { table }))
        .collect();
    reads.insert(id::SOCKETS, Read::Listening);
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads: [(PODS, Read::PodNetworks { reads, most: MOST })].into(),
    }
}

fn gap(node: &str, message: String) -> Gap {
    Gap {
        what: format!("networks of the pods of {node}"),
        why: GapReason::Failed,
        message,
        hint: None,
    }
}

fn networks(node: &str, outcome: &ReadOutcome) -> Observed<PodNetworks> {
    match outcome {
        ReadOutcome::PodNetworks { pods, cut_short } => Observed::Seen(PodNetworks {
            pods: pods.iter().map(|pod| network(node, pod)).collect(),
            partial: cut_short.clone().map(|message| Gap {
                why: GapReason::Truncated,
                ..gap(node, message)
            }),
        }),
        ReadOutcome::Failed { message } => Observed::Unseen(gap(node, message.clone())),
        _ => Observed::Unseen(gap(node, "another answer than networks of pods".to_owned())),
    }
}

fn network(node: &str, pod: &PodReads) -> PodNetwork {
    let place = format!("pod {} on {node}", pod.uid);
    let (given, refused) = match &pod.answers {
        Ok(answers) => (answers.as_slice(), None),
        Err(message) => (&[][..], Some(message.clone())),
    };
    let answers = Answers {
        node: &place,
        tier: Tier::Privileged,
        by_id: given.iter().map(|answer| (answer.id, answer)).collect(),
        cut_off: Some(Gap {
            what: format!("the network of {place}"),
            why: GapReason::Failed,
            message: refused.unwrap_or_else(|| "it was not answered".to_owned()),
            hint: None,
        }),
    };
    let names = netlink::Names::read(&answers);
    PodNetwork {
        uid: pod.uid.clone(),
        process: pod.process,
        links: netlink::links(&answers),
        routes: netlink::routes(&answers, &names),
        neighbours: netlink::neighbours(&answers, &names),
        listeners: proc::listeners(&answers),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use netprobe::{FileText, ReadAnswer};

    use super::*;

    fn outcome(answers: Result<Vec<ReadAnswer>, String>) -> ReadOutcome {
        ReadOutcome::PodNetworks {
            pods: vec![PodReads {
                uid: "u-1".to_owned(),
                process: 42,
                answers,
            }],
            cut_short: None,
        }
    }

    #[test]
    fn what_listens_in_a_pod_is_of_that_pod() {
        let text =
            "  sl  local_address rem_address   st\n   0: 00000000:1F90 00000000:0000 0A 0\n".to_owned();
        let table = FileText::Text {
            text,
            truncated: false,
        };
        let answer = ReadAnswer {
            id: id::SOCKETS,
            outcome: ReadOutcome::Files {
                files: BTreeMap::from([("/proc/thread-self/net/tcp".to_owned(), table)]),
            },
        };
        let networks = networks("node1", &outcome(Ok(vec![answer])));
        let pod = &networks.seen().unwrap().pods[0];
        assert_eq!((pod.uid.as_str(), pod.process), ("u-1", 42));
        assert_eq!(pod.listeners.seen().unwrap()[0].port, 8080);
        assert!(pod.links.gap().unwrap().message.contains("not answered"));
    }

    #[test]
    fn a_namespace_that_could_not_be_entered_is_unseen_and_not_empty() {
        let refused = outcome(Err("cannot enter /proc/42/ns/net: not permitted".to_owned()));
        let networks = networks("node1", &refused);
        let pod = &networks.seen().unwrap().pods[0];
        for gap in [
            pod.links.gap(),
            pod.routes.gap(),
            pod.neighbours.gap(),
            pod.listeners.gap(),
        ] {
            assert!(gap.unwrap().message.contains("cannot enter"), "{gap:?}");
        }
    }

    #[test]
    fn pods_that_were_not_reached_are_said_to_be_missing() {
        let cut_short = ReadOutcome::PodNetworks {
            pods: Vec::new(),
            cut_short: Some("the time was over after 0 of 9 pods".to_owned()),
        };
        let networks = networks("node1", &cut_short);
        let partial = networks.seen().unwrap().partial.as_ref().unwrap();
        assert_eq!(partial.why, GapReason::Truncated);
        let failed = ReadOutcome::Failed {
            message: "/proc: not permitted".to_owned(),
        };
        assert!(super::networks("node1", &failed).gap().is_some());
    }
}
