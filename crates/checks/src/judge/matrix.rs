//! The mesh as the report shows it.

use std::collections::{BTreeMap, BTreeSet};

use report::{CellState, Family, FamilyMatrix, Matrix, MatrixCell, ProbeState, Protocol};

use crate::measured;
use crate::view::View;

pub(super) fn matrix(view: &View<'_>) -> Option<Matrix> {
    let mesh = view.observation.mesh.as_ref()?;
    let coverage = match mesh.coverage {
        observation::Coverage::Full => report::Coverage::Full,
        observation::Coverage::Ring { neighbours, sample } => report::Coverage::Ring { neighbours, sample },
    };
    let families = view
        .families()
        .into_iter()
        .map(|family| of_family(view, family))
        .collect();
    Some(Matrix {
        coverage,
        bulk_bytes: view.bulk_bytes(),
        families,
    })
}

fn of_family(view: &View<'_>, family: Family) -> FamilyMatrix {
    let mut cells: BTreeMap<(&str, &str), Vec<ProbeState>> = BTreeMap::new();
    for (key, entry) in view.entries.iter().filter(|(key, _)| key.family == family) {
        let probe = ProbeState {
            protocol: key.protocol,
            result: entry.state.clone(),
        };
        cells.entry((key.source, key.target)).or_default().push(probe);
    }
    let mut nodes: BTreeSet<&str> = cells
        .keys()
        .flat_map(|(source, target)| [*source, *target])
        .collect();
    let full = view
        .observation
        .mesh
        .as_ref()
        .is_some_and(|mesh| mesh.coverage == observation::Coverage::Full);
    let missing = view.without_pod();
    if full {
        nodes.extend(missing.keys());
        for (source, target) in nodes
            .iter()
            .flat_map(|source| nodes.iter().map(move |target| (*source, *target)))
        {
            let absent = [source, target]
                .into_iter()
                .find(|node| missing.contains_key(node));
            if let Some(absent) = absent {
                cells.insert((source, target), unprobed(&view.protocols(), absent));
            }
        }
    }
    let names: Vec<String> = nodes.into_iter().map(str::to_owned).collect();
    FamilyMatrix {
        family,
        sources: names.clone(),
        targets: names,
        cells: cells
            .into_iter()
            .map(|((source, target), probes)| MatrixCell {
                source: source.to_owned(),
                target: target.to_owned(),
                probes,
                path_mtu: measured::sizes(view)
                    .find(|size| (size.source, size.target, size.family) == (source, target, family))
                    .map(|size| size.shown()),
                loss: measured::trains(view)
                    .filter(|train| (train.source, train.target, train.family) == (source, target, family))
                    .map(|train| train.shown())
                    .collect(),
            })
            .collect(),
    }
}

fn unprobed(protocols: &BTreeSet<Protocol>, node: &str) -> Vec<ProbeState> {
    let why = format!("there was no probe pod on {node}");
    let unknown = |protocol: &Protocol| ProbeState {
        protocol: *protocol,
        result: CellState::Unknown { why: why.clone() },
    };
    protocols.iter().map(unknown).collect()
}
