//! Measures between made-up nodes, as a closure gives them.

use netprobe::{Kind, Outcome, Sample};
use observation::{Cell, Coverage, Mesh, Observation};
use report::Observed;

/// How many datagrams a train has here.
pub(crate) const SENT: u32 = 100;

/// A healthy mesh of three nodes, in which each pair was measured with these kinds. The closure gets source, target and
/// kind; where it says nothing all is well.
pub(crate) fn observe(kinds: &[Kind], outcome: impl Fn(&str, &str, &Kind) -> Option<Outcome>) -> Observation {
    let healthy = include_str!("../../cases/healthy/observation.json");
    let mut observation = Observation::from_bundle(healthy).expect("a bundle");
    let mesh = observation.mesh.as_ref().expect("a mesh");
    let mut cells = Vec::new();
    for cell in mesh.cells.iter().filter(|cell| cell.kind == Kind::Udp) {
        for kind in kinds {
            let outcome = outcome(&cell.source, &cell.target, kind).unwrap_or_else(|| well(kind));
            let sample = Sample {
                at_us: 1,
                retry: false,
                outcome,
            };
            cells.push(Cell {
                kind: kind.clone(),
                samples: vec![sample],
                ..cell.clone()
            });
        }
    }
    observation.measured = Some(Mesh {
        coverage: Coverage::Full,
        tcp_port: mesh.tcp_port,
        udp_port: mesh.udp_port,
        sources: ["node1", "node2", "node3"]
            .map(|node| (node.to_owned(), Observed::Seen(())))
            .into(),
        cells,
    });
    observation
}

/// Trains of small and of large datagrams.
pub(crate) fn both_lengths() -> [Kind; 2] {
    [false, true].map(|large| Kind::Train {
        count: SENT,
        gap_ms: 10,
        large,
    })
}

fn well(kind: &Kind) -> Outcome {
    match kind {
        Kind::Size => sized(1450, 1450),
        _ => train(0, 0),
    }
}

/// A train that lost so many on the way there and on the way back.
pub(crate) fn train(there: u32, back: u32) -> Outcome {
    Outcome::Train {
        rtt_us: 400,
        sent: SENT,
        arrived: Some(SENT - there),
        answered: SENT - there - back,
        bytes: 80,
    }
}

/// A hole above a size.
pub(crate) fn sized(passes: u32, sends: u32) -> Outcome {
    Outcome::Size {
        rtt_us: 400,
        passes,
        sends,
        told: None,
    }
}

/// The same, where nothing arrived from this node.
pub(crate) fn unanswered(mut observation: Observation, node: &str) -> Observation {
    let measured = observation.measured.as_mut().expect("measures");
    for cell in measured.cells.iter_mut().filter(|cell| cell.source == node) {
        cell.samples.clear();
    }
    observation
}
