//! The sentence that answers, where something beyond the mesh was asked about.

use std::collections::BTreeSet;

use observation::{Expected, Reach, Source, Topic};
use report::{CellState, Verdict};

use super::{all_rows, source_name};

/// What was asked about, and that it is well: `service/web -n shop answers from 2 nodes, by each of 5 ways`.
pub(crate) fn healthy(reach: &Reach) -> String {
    let sources: BTreeSet<&Source> = reach.attempts.iter().map(|attempt| &attempt.source).collect();
    let ways = all_rows(reach)
        .iter()
        .filter(|row| row.sample.expected != Expected::Anything)
        .count();
    let from = from(&sources);
    let by = if ways == 1 {
        String::new()
    } else {
        format!(": {ways} addresses tried")
    };
    let is = |topic| reach.topics.contains(&topic);
    let mut parts = Vec::new();
    if is(Topic::Service) {
        parts.push(match reach.asked.as_slice() {
            [one] => format!("{one} answers"),
            some => format!("{} Services answer", some.len()),
        });
    }
    if is(Topic::ControlPlane) {
        parts.push("the control plane can be reached".to_owned());
    }
    if is(Topic::Egress) {
        parts.push("what lies outside can be reached".to_owned());
    }
    if is(Topic::External) {
        parts.push("what is open to the outside answers".to_owned());
    }
    if is(Topic::Path) {
        parts.push("the destination can be reached".to_owned());
    }
    if is(Topic::Performance) {
        parts.push("nothing is slow and little gets lost".to_owned());
    }
    format!("{} {from}{by}", parts.join(", "))
}

/// The sentence where not enough was seen.
pub(crate) fn unknown(reach: &Reach) -> String {
    let all = all_rows(reach);
    let cells = all.iter().flat_map(|row| row.from.values());
    let (mut known, mut planned) = (0, 0);
    for cell in cells {
        planned += 1;
        known += usize::from(!matches!(cell.state, CellState::Unknown { .. }));
    }
    if known == 0 {
        return "nothing could be tried".to_owned();
    }
    format!("nothing wrong was seen, but not all could be seen: {known} of {planned} tries have a result")
}

fn from(sources: &BTreeSet<&Source>) -> String {
    let of = |is: fn(&Source) -> bool| sources.iter().filter(|source| is(source)).count();
    let pods = of(|source| matches!(source, Source::Pod { .. }));
    let hosts = of(|source| matches!(source, Source::Host { .. }));
    let inside: Vec<String> = sources
        .iter()
        .filter(|source| matches!(source, Source::Inside { .. }))
        .map(|source| source_name(source))
        .collect();
    // Who asked about one pod wants to know that it was asked.
    if !inside.is_empty() {
        return format!("from {}", inside.join(", "));
    }
    let names: Vec<String> = sources.iter().map(|source| source_name(source)).collect();
    let too = match of(|source| *source == Source::Outside) {
        0 => "",
        _ => " and from this machine",
    };
    match (names.as_slice(), pods, hosts) {
        ([], ..) => "from nowhere".to_owned(),
        ([one], ..) if one == "outside" => "from this machine".to_owned(),
        ([one], ..) => format!("from {one}"),
        (_, pods, 0) => format!("from pods of {pods} nodes{too}"),
        (_, 0, hosts) => format!("from {hosts} nodes{too}"),
        (_, pods, hosts) => format!("from pods of {pods} nodes and from {hosts} nodes themselves"),
    }
}

/// The answer of a report that is not about the mesh; `None` where the findings say it.
pub(crate) fn answer(reach: &Reach, verdict: Verdict, warnings: &str) -> Option<String> {
    match verdict {
        Verdict::Fail => None,
        Verdict::Warn => Some(format!("{}, but {warnings}", healthy(reach))),
        Verdict::Pass => Some(healthy(reach)),
        Verdict::Unknown => Some(unknown(reach)),
        Verdict::Skipped => Some("nothing was looked at".to_owned()),
    }
}
