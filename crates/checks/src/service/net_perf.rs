use std::collections::BTreeSet;

use netprobe::Kind;
use observation::{Purpose, Reach, Source, Topic};
use report::{Evidence, Finding, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::tries::{Row, about, gaps, rows, source_name};
use crate::view::View;

/// How long small requests take between probe pods, how quick much data is, and how much gets lost.
pub(crate) static CHECK: Check = Check {
    id: "net-perf",
    claim: "no pair of nodes is much slower than the others, and little gets lost between them",
    needs: &[Need::Mesh],
    judge,
};

/// A pair is slow when its median is so many times that of all pairs,
const SLOW: u64 = 10;
/// and at least this, in microseconds: below, the machine's own work shows.
const SLOW_US: u64 = 2_000;
/// So many samples at least before loss is spoken of.
const ENOUGH: usize = 20;

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, &[Topic::Performance]) else {
        return Judgement::not_asked();
    };
    let all = rows(reach);
    let ways: Vec<Way<'_>> = all.iter().flat_map(ways).collect();
    // Where trains were sent they count loss better, each way by itself.
    let has_trains = view.observation.measured.is_some();
    let mut findings: Vec<Finding> = ways.iter().filter(|_| !has_trains).filter_map(lossy).collect();
    findings.extend(slow(&ways));
    findings.extend(figures(&ways));
    Judgement {
        findings,
        gaps: gaps(view, reach),
        ..Judgement::default()
    }
}

/// One pair, one way of probing.
struct Way<'a> {
    source: &'a Source,
    target: &'a str,
    kind: &'a Kind,
    /// Of first tries, sorted, in microseconds.
    round_trips: Vec<u64>,
    tried: usize,
}

impl Way<'_> {
    fn at(&self, percent: usize) -> Option<u64> {
        let last = self.round_trips.len().checked_sub(1)?;
        self.round_trips.get(last * percent / 100).copied()
    }

    fn is_within_node(&self) -> bool {
        self.source.node() == Some(self.target)
    }

    fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Udp => "datagrams",
            Kind::Bulk { .. } => "much data",
            _ => "requests",
        };
        format!("{kind} {} → {}", source_name(self.source), self.target)
    }

    /// The figures of the pair, as they stand in a report.
    fn figures(&self) -> Option<String> {
        if let Kind::Bulk { bytes } = self.kind {
            let took = self.at(50)?.max(1);
            // Bytes in a microsecond are megabytes in a second; both directions count.
            return Some(format!("{} MB/s over both directions", 2 * bytes / took));
        }
        let figure = |percent| self.at(percent).map(milliseconds);
        Some(format!(
            "p50 {}, p95 {}, p99 {}, max {}; {} of {} lost",
            figure(50)?,
            figure(95)?,
            figure(99)?,
            figure(100)?,
            self.tried - self.round_trips.len(),
            self.tried
        ))
    }
}

fn milliseconds(us: u64) -> String {
    format!("{}.{:02}ms", us / 1000, us % 1000 / 10)
}

fn ways<'a>(row: &Row<'a>) -> Vec<Way<'a>> {
    let Purpose::ProbePod { node } = &row.sample.purpose else {
        return Vec::new();
    };
    let of = |(source, cell): (&&'a Source, &crate::tries::Cell<'a>)| {
        let firsts = cell.attempt.samples.iter().filter(|sample| !sample.retry);
        let mut round_trips: Vec<u64> = firsts
            .clone()
            .filter_map(|sample| sample.outcome.rtt_us())
            .collect();
        round_trips.sort_unstable();
        Way {
            source,
            target: node,
            kind: &row.sample.kind,
            round_trips,
            tried: firsts.count(),
        }
    };
    row.from.iter().map(of).collect()
}

/// A pair between which more than one in a hundred gets lost.
fn lossy(way: &Way<'_>) -> Option<Finding> {
    let lost = way.tried - way.round_trips.len();
    if way.tried < ENOUGH || lost * 100 <= way.tried {
        return None;
    }
    let severity = if lost * 20 > way.tried {
        Severity::Error
    } else {
        Severity::Warning
    };
    let subject = Subject::NodePair {
        from: source_name(way.source),
        to: way.target.to_owned(),
        both: false,
    };
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject,
        format!("{lost} of {} {} get lost", way.tried, way.name()),
        Evidence::probe(
            way.figures().unwrap_or_else(|| "none was answered".to_owned()),
            way.name(),
        ),
    );
    finding.hint = Some(format!(
        "lost in the same share in every direction: a link; only between two: look at `ip -s link` of both nodes, and at \
         rules that pick packets at random: `kubectl netcheck pod-to-pod --count 50 --node {} --node {}`",
        source_name(way.source),
        way.target
    ));
    Some(finding)
}

/// The nodes at the ends of pairs that are much slower than others.
pub fn slow_nodes(reach: &Reach) -> BTreeSet<String> {
    let all = rows(reach);
    let ways: Vec<Way<'_>> = all.iter().flat_map(ways).collect();
    let ends = slow_ways(&ways)
        .into_iter()
        .flat_map(|(way, ..)| [way.source.node(), Some(way.target)]);
    ends.flatten().map(str::to_owned).collect()
}

/// Pairs whose median is many times that of all pairs between nodes.
fn slow(ways: &[Way<'_>]) -> Vec<Finding> {
    let of = |(way, median, usual): (&Way<'_>, u64, u64)| {
        let subject = Subject::NodePair {
            from: source_name(way.source),
            to: way.target.to_owned(),
            both: false,
        };
        let summary = format!(
            "{} take {}, where {} is usual",
            way.name(),
            milliseconds(median),
            milliseconds(usual)
        );
        let evidence = Evidence::probe(way.figures().unwrap_or_default(), way.name());
        Finding::new(CHECK.id, Severity::Warning, subject, summary, evidence)
    };
    slow_ways(ways).into_iter().map(of).collect()
}

/// Those pairs, each with its median and the usual one.
fn slow_ways<'w, 'a>(ways: &'w [Way<'a>]) -> Vec<(&'w Way<'a>, u64, u64)> {
    let mut found = Vec::new();
    for way in ways.iter().filter(|way| !matches!(way.kind, Kind::Bulk { .. })) {
        let same = |it: &&Way<'_>| it.kind == way.kind && it.is_within_node() == way.is_within_node();
        let mut medians: Vec<u64> = ways.iter().filter(same).filter_map(|it| it.at(50)).collect();
        medians.sort_unstable();
        // The lower one of the middle two: of two pairs one would else be compared with itself.
        let usual = medians
            .len()
            .checked_sub(1)
            .and_then(|last| medians.get(last / 2));
        let (Some(median), Some(usual)) = (way.at(50), usual) else {
            continue;
        };
        if medians.len() < 2 || median < SLOW_US || median <= usual * SLOW {
            continue;
        }
        found.push((way, median, *usual));
    }
    found
}

/// All figures, as a note.
fn figures(ways: &[Way<'_>]) -> Option<Finding> {
    let mut requests: Vec<u64> = ways
        .iter()
        .filter(|way| *way.kind == Kind::Tcp)
        .flat_map(|way| way.round_trips.iter().copied())
        .collect();
    requests.sort_unstable();
    let last = requests.len().checked_sub(1)?;
    let at = |percent: usize| requests.get(last * percent / 100).copied().map(milliseconds);
    let mut seen = ways
        .iter()
        .filter_map(|way| Some(Evidence::probe(way.figures()?, way.name())));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Note,
        Subject::Cluster,
        format!(
            "requests between pods take {} in the middle and {} at the 99th percentile",
            at(50)?,
            at(99)?
        ),
        seen.next()?,
    );
    finding.evidence.extend(seen);
    Some(finding)
}

#[cfg(test)]
mod tests;
