//! Samples of pairs of nodes.

use std::collections::BTreeMap;

use super::exposition::{Exposition, Metric};
use crate::{CellState, FamilyMatrix, Matrix, MatrixCell, ProbeState, Protocol};

const PAIRS: Metric = Metric::new(
    "netcheck_pairs",
    "Ordered pairs of nodes, by family, way of probing and what came of it.",
);
const ANSWERED: Metric = Metric::new(
    "netcheck_pair_answered_ratio",
    "Share of the samples that were answered. Without a sample where it is not known.",
);
const MEDIAN: Metric = Metric::new(
    "netcheck_pair_rtt_median_seconds",
    "Median round trip of the samples that were answered.",
);
const WORST: Metric = Metric::new(
    "netcheck_pair_rtt_max_seconds",
    "Longest round trip of the samples that were answered.",
);
const MTU: Metric = Metric::new(
    "netcheck_pair_path_mtu_bytes",
    "Longest packet that arrives, with its IP header.",
);
const LOST: Metric = Metric::new(
    "netcheck_pair_lost_ratio",
    "Share of the datagrams of trains that were lost, either way.",
);

pub(super) fn write(out: &mut Exposition, matrix: &Matrix) {
    for family in &matrix.families {
        write_counts(out, family);
    }
    each(matrix, |pair, probe| {
        if let Some((answered, samples)) = answered(&probe.result) {
            out.ratio(&ANSWERED, &pair, answered, samples);
        }
    });
    for (metric, figure) in [(MEDIAN, median as fn(&CellState) -> Option<u64>), (WORST, worst)] {
        each(matrix, |pair, probe| {
            if let Some(us) = figure(&probe.result) {
                out.seconds(&metric, &pair, us, 1_000_000);
            }
        });
    }
    each_cell(matrix, |[family, source, target], cell| {
        if let Some(mtu) = &cell.path_mtu {
            out.sample(&MTU, &[family, source, target], u64::from(mtu.passes));
        }
    });
    each_cell(matrix, |[family, source, target], cell| {
        let mut trains: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
        for loss in &cell.loss {
            let (lost, sent) = trains.entry(loss.bytes).or_default();
            *lost += u64::from(loss.lost);
            *sent += u64::from(loss.sent);
        }
        for (bytes, (lost, sent)) in trains.into_iter().filter(|(_, (_, sent))| *sent > 0) {
            let bytes = bytes.to_string();
            out.ratio(
                &LOST,
                &[family, source, target, ("packet_bytes", &bytes)],
                lost,
                sent,
            );
        }
    });
}

const STATES: [&str; 4] = ["ok", "flaky", "failed", "unknown"];

fn write_counts(out: &mut Exposition, family: &FamilyMatrix) {
    let mut counts: BTreeMap<Protocol, [u64; 4]> = BTreeMap::new();
    for probe in family.cells.iter().flat_map(|cell| &cell.probes) {
        let state = match probe.result {
            CellState::Ok { .. } => 0,
            CellState::Flaky { .. } => 1,
            CellState::Failed { .. } => 2,
            CellState::Unknown { .. } => 3,
        };
        counts.entry(probe.protocol).or_default()[state] += 1;
    }
    for (protocol, counts) in counts {
        for (state, count) in STATES.into_iter().zip(counts) {
            let family = name(family);
            out.sample(
                &PAIRS,
                &[
                    ("family", family),
                    ("protocol", protocol.short()),
                    ("state", state),
                ],
                count,
            );
        }
    }
}

fn name(family: &FamilyMatrix) -> &'static str {
    match family.family {
        crate::Family::IPv4 => "IPv4",
        crate::Family::IPv6 => "IPv6",
    }
}

type Label<'a> = (&'static str, &'a str);

fn each<'a>(matrix: &'a Matrix, mut with: impl FnMut([Label<'a>; 4], &ProbeState)) {
    each_cell(matrix, |[family, source, target], cell| {
        for probe in &cell.probes {
            with(
                [family, source, target, ("protocol", probe.protocol.short())],
                probe,
            );
        }
    });
}

fn each_cell<'a>(matrix: &'a Matrix, mut with: impl FnMut([Label<'a>; 3], &'a MatrixCell)) {
    for family in &matrix.families {
        for cell in &family.cells {
            let labels = [
                ("family", name(family)),
                ("source_node", cell.source.as_str()),
                ("target_node", cell.target.as_str()),
            ];
            with(labels, cell);
        }
    }
}

fn answered(state: &CellState) -> Option<(u64, u64)> {
    match state {
        CellState::Ok { .. } => Some((1, 1)),
        CellState::Flaky {
            answered, samples, ..
        } => Some((u64::from(*answered), u64::from(*samples))),
        CellState::Failed { .. } => Some((0, 1)),
        CellState::Unknown { .. } => None,
    }
}

fn median(state: &CellState) -> Option<u64> {
    match state {
        CellState::Ok { median_us, .. } | CellState::Flaky { median_us, .. } => Some(*median_us),
        CellState::Failed { .. } | CellState::Unknown { .. } => None,
    }
}

fn worst(state: &CellState) -> Option<u64> {
    match state {
        CellState::Ok { worst_us, .. } | CellState::Flaky { worst_us, .. } => Some(*worst_us),
        CellState::Failed { .. } | CellState::Unknown { .. } => None,
    }
}
