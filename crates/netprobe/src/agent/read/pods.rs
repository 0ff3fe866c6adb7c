//! Reads in the network namespaces of the pods of a node.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use netprobe::{PodReads, Read, ReadAnswer, ReadOutcome};

use crate::agent::pod::{self, PodNamespace};

/// Reads the same in each namespace, until the time is over.
pub(super) fn read(reads: &BTreeMap<u32, Read>, most: u32, left: Duration) -> ReadOutcome {
    let until = Instant::now() + left;
    let found = match pod::all() {
        Ok(found) => found,
        Err(message) => return ReadOutcome::Failed { message },
    };
    // A thread of its own: it never has to find its way back.
    let outcome = thread::scope(|scope| scope.spawn(|| each(&found, reads, most, until)).join());
    outcome.unwrap_or_else(|_| ReadOutcome::Failed {
        message: "reading in network namespaces of pods did not end well".to_owned(),
    })
}

fn each(found: &[PodNamespace], reads: &BTreeMap<u32, Read>, most: u32, until: Instant) -> ReadOutcome {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut pods = Vec::new();
    let mut cut_short = (found.len() > most).then(|| {
        format!(
            "{} pods have a network of their own, which is more than {most}",
            found.len()
        )
    });
    for pod in found.iter().take(most) {
        if Instant::now() >= until {
            cut_short = Some(format!(
                "the time was over after {} of {} pods",
                pods.len(),
                found.len()
            ));
            break;
        }
        let answers = pod.enter().map(|()| inside(reads, until));
        pods.push(PodReads {
            uid: pod.uid.clone(),
            process: pod.process,
            answers,
        });
    }
    ReadOutcome::PodNetworks { pods, cut_short }
}

fn inside(reads: &BTreeMap<u32, Read>, until: Instant) -> Vec<ReadAnswer> {
    let answer = |(id, read): (&u32, &Read)| ReadAnswer {
        id: *id,
        outcome: super::perform(read, until.saturating_duration_since(Instant::now())),
    };
    reads.iter().map(answer).collect()
}
