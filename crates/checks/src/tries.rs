//! What was tried beyond the mesh, as checks read it: a row for each address, with what came of it from each source.

mod answer;
mod come;
mod gaps;
#[cfg(test)]
pub(crate) mod scene;
mod show;

use std::collections::BTreeMap;

use netprobe::{Kind, Outcome};
use observation::{Attempt, Purpose, Reach, Service, Source, Topic};
use report::CellState;

use crate::reach::belongs;
use crate::view::View;
pub(crate) use answer::answer;
pub use come::came_out_right;
pub(crate) use come::{came_of, has_sign, is_right, telling};
pub(crate) use gaps::{attempt_gaps, gaps, services_gaps};
pub(crate) use show::{count_attempts, kind_name, source_name, tried, way};

/// One address, tried in one way, from some sources.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    /// The first of the attempts; all have the same purpose, subject, address and kind.
    pub(crate) sample: &'a Attempt,
    pub(crate) from: BTreeMap<&'a Source, Cell<'a>>,
}

/// What came of it from one source.
#[derive(Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) attempt: &'a Attempt,
    pub(crate) state: CellState,
}

impl<'a> Row<'a> {
    /// The sources from which something else came of it than is right.
    pub(crate) fn failing(&self) -> Vec<&'a Source> {
        self.whose(|cell| is_right(cell.attempt, &cell.state) == Some(false))
    }

    /// The sources from which it was as is right.
    pub(crate) fn right(&self) -> Vec<&'a Source> {
        self.whose(|cell| is_right(cell.attempt, &cell.state) == Some(true))
    }

    fn whose(&self, is: impl Fn(&Cell<'a>) -> bool) -> Vec<&'a Source> {
        self.from
            .iter()
            .filter(|(_, cell)| is(cell))
            .map(|(source, _)| *source)
            .collect()
    }

    /// Whether it failed from each of these sources, of which there are some.
    pub(crate) fn fails_from_all(&self) -> bool {
        !self.failing().is_empty() && self.right().is_empty()
    }

    /// What tells most of all that came from sources where it failed.
    pub(crate) fn telling(&self) -> Option<&'a Outcome> {
        let failing = self
            .from
            .values()
            .filter(|cell| is_right(cell.attempt, &cell.state) == Some(false));
        let outcomes = failing.filter_map(|cell| telling(&cell.attempt.samples));
        outcomes.max_by_key(|outcome| !matches!(outcome, Outcome::TimedOut { .. }))
    }
}

/// The rows, in the order in which they were planned first. Tries from within a pod of the cluster are not among them:
/// what fails there and not beside it is that pod's matter, and nothing of its node's.
pub(crate) fn rows(reach: &Reach) -> Vec<Row<'_>> {
    let is_ours = |attempt: &&Attempt| !matches!(attempt.source, Source::Inside { .. });
    grouped(reach, reach.attempts.iter().filter(is_ours))
}

/// Why what the machine on which the program ran came to says nothing of the cluster, if it does not: nothing at all came
/// back, so that it has no way there; or a port answered where nothing listens, so that something on the way answers for
/// everybody.
pub(crate) fn blindness(reach: &Reach) -> Option<&'static str> {
    let tried = || {
        let from_here = |attempt: &&Attempt| attempt.source == Source::Outside && !attempt.samples.is_empty();
        reach.attempts.iter().filter(from_here)
    };
    let is_impostor = |attempt: &Attempt| {
        let answers = |sample: &netprobe::Sample| sample.outcome.is_ok();
        matches!(attempt.purpose, Purpose::ClosedPort { .. }) && attempt.samples.iter().any(answers)
    };
    if tried().any(is_impostor) {
        return Some(
            "something between this machine and the cluster answers for any port, also where nothing listens",
        );
    }
    (tried().next().is_some() && !tried().any(has_sign)).then_some(
        "no address of a node or of a load balancer answers this machine anything, neither well nor with a refusal",
    )
}

/// As [`rows`], with those from within pods of the cluster.
pub(crate) fn all_rows(reach: &Reach) -> Vec<Row<'_>> {
    grouped(reach, reach.attempts.iter())
}

fn grouped<'a>(reach: &Reach, attempts: impl Iterator<Item = &'a Attempt>) -> Vec<Row<'a>> {
    let blindness = blindness(reach);
    let mut rows: Vec<Row<'a>> = Vec::new();
    let mut places: BTreeMap<(&Purpose, &report::Subject, std::net::SocketAddr, &Kind), usize> =
        BTreeMap::new();
    for attempt in attempts {
        let key = (&attempt.purpose, &attempt.subject, attempt.address, &attempt.kind);
        let place = *places.entry(key).or_insert_with(|| {
            rows.push(Row {
                sample: attempt,
                from: BTreeMap::new(),
            });
            rows.len() - 1
        });
        let state = match blindness.filter(|_| attempt.source == Source::Outside) {
            Some(why) => CellState::Unknown { why: why.to_owned() },
            None => came_of(attempt),
        };
        rows[place].from.insert(&attempt.source, Cell { attempt, state });
    }
    rows
}

/// The part of the observation, where one of these topics was asked about.
pub(crate) fn about<'a>(view: &View<'a>, topics: &[Topic]) -> Option<&'a Reach> {
    let reach = view.observation.reach.as_ref()?;
    reach
        .topics
        .iter()
        .any(|topic| topics.contains(topic))
        .then_some(reach)
}

/// One Service with the rows about it.
#[derive(Debug)]
pub(crate) struct ServiceRows<'r, 'a> {
    pub(crate) service: &'a Service,
    pub(crate) rows: Vec<&'r Row<'a>>,
}

impl<'r, 'a> ServiceRows<'r, 'a> {
    pub(crate) fn cluster_ips(&self) -> impl Iterator<Item = &'r Row<'a>> + '_ {
        self.rows
            .iter()
            .copied()
            .filter(|row| row.sample.purpose == Purpose::ClusterIp)
    }

    /// The endpoints behind the port that is tried in this way at the ClusterIP.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = &'r Row<'a>> + '_ {
        self.rows
            .iter()
            .copied()
            .filter(|row| matches!(row.sample.purpose, Purpose::Endpoint { .. }))
    }
}

/// The Services that were read and tried, each with its rows.
pub(crate) fn by_service<'r, 'a>(reach: &'a Reach, rows: &'r [Row<'a>]) -> Vec<ServiceRows<'r, 'a>> {
    let services = reach.services.iter().filter_map(report::Observed::seen).flatten();
    services
        .map(|service| {
            let subject = service.subject();
            ServiceRows {
                service,
                rows: rows.iter().filter(|row| row.sample.subject == subject).collect(),
            }
        })
        .filter(|service| !service.rows.is_empty())
        .collect()
}

/// How many endpoints the slices list for a Service: all, and those that are ready.
pub(crate) fn endpoint_counts(reach: &Reach, service: &Service) -> Option<(usize, usize)> {
    let slices = reach.slices.as_ref()?.seen()?;
    let endpoints: Vec<_> = slices
        .iter()
        .filter(|slice| belongs(slice, service))
        .flat_map(|slice| &slice.endpoints)
        .collect();
    Some((
        endpoints.len(),
        endpoints.iter().filter(|endpoint| endpoint.ready).count(),
    ))
}
