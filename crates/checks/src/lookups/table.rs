//! Lookups as checks read them: what each came to, and how well each way to each server carries questions.

use std::collections::BTreeMap;

use netprobe::Sample;
use observation::{Lookup, LookupServer, Lookups, NameClass, RecordData, Reply, Source, Truth};
use report::{CellState, Failure, FailureClass, Subject};

use super::ask::record;
use crate::outcome::cell_state;

/// What a lookup came to.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// A server said this: the first that was said.
    Said(Reply),
    /// Nothing came back, or a refusal.
    Failed(Failure),
    /// No answer of the agent arrived.
    Unasked,
}

/// One lookup.
#[derive(Clone, Debug)]
pub(crate) struct Row<'a> {
    pub(crate) lookup: &'a Lookup,
    pub(crate) state: State,
}

impl Row<'_> {
    /// Whether it came out right; `None` when it is not known.
    pub(crate) fn is_right(&self) -> Option<bool> {
        match &self.state {
            State::Unasked => None,
            State::Failed(_) => Some(false),
            State::Said(reply) => Some(is_true(reply, self.lookup)),
        }
    }

    /// What came of it, as a clause behind the name of the server.
    pub(crate) fn words(&self) -> String {
        match &self.state {
            State::Unasked => "was not asked".to_owned(),
            State::Failed(failure) => format!("gives {}", failure.detail),
            State::Said(reply) => format!("answers {}", said(reply, self.lookup.qtype())),
        }
    }

    /// As a clause that makes the same of the same answers, whoever was asked.
    pub(crate) fn answer(&self) -> Option<String> {
        match &self.state {
            State::Said(reply) => Some(said(reply, self.lookup.qtype())),
            State::Failed(_) | State::Unasked => None,
        }
    }

    /// The lookup as a probe is named.
    pub(crate) fn label(&self) -> String {
        let lookup = self.lookup;
        format!(
            "{} {} → {}, {} {}",
            if lookup.is_tcp() { "dns over tcp" } else { "dns" },
            crate::tries::source_name(&lookup.source),
            lookup.address,
            lookup.name(),
            type_name(lookup.qtype())
        )
    }
}

/// One way from a place to a server.
#[derive(Clone, Debug)]
pub(crate) struct Way<'a> {
    pub(crate) source: &'a Source,
    pub(crate) server: &'a LookupServer,
    pub(crate) address: std::net::IpAddr,
    pub(crate) tcp: bool,
    /// First tries, each of which is one datagram over UDP; and those of them without an answer.
    pub(crate) asked: u32,
    pub(crate) lost: u32,
    /// Lookups that were answered in the end.
    pub(crate) answered: u32,
    /// How one failed that was never answered.
    pub(crate) failure: Option<Failure>,
}

impl Way<'_> {
    /// Whether nothing at all came back.
    pub(crate) fn is_silent(&self) -> bool {
        self.asked > 0 && self.answered == 0
    }

    /// Whether it loses some of the questions or the answers, and not all: more than a few.
    pub(crate) fn is_lossy(&self) -> bool {
        !self.is_silent()
            && self.asked >= LEAST_ASKED
            && self.lost >= LEAST_LOST
            && self.lost * 10 >= self.asked
    }
}

/// Of fewer questions nothing follows.
const LEAST_ASKED: u32 = 8;
/// So many have to be lost: one is lost now and then.
const LEAST_LOST: u32 = 3;

/// All lookups of an observation.
#[derive(Clone, Debug)]
pub(crate) struct Table<'a> {
    pub(crate) lookups: &'a Lookups,
    pub(crate) rows: Vec<Row<'a>>,
    /// The ways to servers of the cluster and of its nodes, by names of the cluster; and to upstreams by any.
    pub(crate) ways: Vec<Way<'a>>,
}

impl<'a> Table<'a> {
    pub(crate) fn of(lookups: &'a Lookups) -> Self {
        let rows: Vec<Row<'a>> = lookups
            .lookups
            .iter()
            .map(|lookup| Row {
                lookup,
                state: state(&lookup.samples),
            })
            .collect();
        let ways = ways(&rows);
        Self { lookups, rows, ways }
    }

    /// The way of a lookup.
    pub(crate) fn way(&self, lookup: &Lookup) -> Option<&Way<'a>> {
        self.ways.iter().find(|way| {
            way.tcp == lookup.is_tcp() && way.address == lookup.address.ip() && *way.source == lookup.source
        })
    }

    /// Whether the way of a lookup carries nothing: then its name is not the matter.
    pub(crate) fn is_on_silent_way(&self, lookup: &Lookup) -> bool {
        self.way(lookup).is_some_and(Way::is_silent)
    }

    /// The ways to the cluster's own servers over this protocol.
    pub(crate) fn own_ways(&self, tcp: bool) -> impl Iterator<Item = &Way<'a>> {
        self.ways
            .iter()
            .filter(move |way| way.tcp == tcp && is_own(way.server))
    }

    /// The other protocol of the same way.
    pub(crate) fn twin(&self, way: &Way<'a>) -> Option<&Way<'a>> {
        self.ways
            .iter()
            .find(|other| other.tcp != way.tcp && other.address == way.address && other.source == way.source)
    }

    /// Whether names of every kind were asked for, as far as the cluster has them.
    pub(crate) fn asks_for_everything(&self) -> bool {
        let lookups = self.rows.iter().map(|row| row.lookup);
        lookups
            .filter(|lookup| !lookup.measured)
            .any(|lookup| lookup.class == NameClass::Missing)
    }

    /// The DNS Service as a subject; the cluster where none was found.
    pub(crate) fn service(&self) -> Subject {
        self.lookups.service.clone().unwrap_or(Subject::Cluster)
    }
}

/// Whether a server belongs to the cluster.
pub(crate) fn is_own(server: &LookupServer) -> bool {
    match server {
        LookupServer::Service | LookupServer::Pod { .. } | LookupServer::NodeLocal => true,
        LookupServer::Upstream { .. } | LookupServer::Given => false,
    }
}

/// Whether the server answers for the name by itself.
pub(crate) fn is_of_cluster(class: NameClass) -> bool {
    match class {
        NameClass::Internal
        | NameClass::Service
        | NameClass::Headless
        | NameClass::PodName
        | NameClass::Port
        | NameClass::Reverse
        | NameClass::Missing => true,
        NameClass::ExternalName
        | NameClass::External
        | NameClass::Searched
        | NameClass::Uncached
        | NameClass::Asked => false,
    }
}

fn ways<'a>(rows: &[Row<'a>]) -> Vec<Way<'a>> {
    let mut ways: Vec<Way<'a>> = Vec::new();
    let mut places: BTreeMap<(&Source, std::net::IpAddr, bool), usize> = BTreeMap::new();
    for row in rows {
        let lookup = row.lookup;
        if (is_own(&lookup.server) && !is_of_cluster(lookup.class)) || lookup.samples.is_empty() {
            continue;
        }
        let key = (&lookup.source, lookup.address.ip(), lookup.is_tcp());
        let place = *places.entry(key).or_insert_with(|| {
            ways.push(Way {
                source: &lookup.source,
                server: &lookup.server,
                address: lookup.address.ip(),
                tcp: lookup.is_tcp(),
                asked: 0,
                lost: 0,
                answered: 0,
                failure: None,
            });
            ways.len() - 1
        });
        let way = &mut ways[place];
        for sample in lookup.samples.iter().filter(|sample| !sample.retry) {
            way.asked += 1;
            way.lost += u32::from(!sample.outcome.is_ok());
        }
        match &row.state {
            State::Said(_) => way.answered += 1,
            State::Failed(failure) => {
                // A refusal says more than silence.
                let tells_more = way
                    .failure
                    .as_ref()
                    .is_none_or(|known| known.class == FailureClass::Timeout);
                if tells_more {
                    way.failure = Some(failure.clone());
                }
            }
            State::Unasked => {}
        }
    }
    ways
}

fn state(samples: &[Sample]) -> State {
    if let Some(reply) = samples.iter().find_map(|sample| Reply::of(&sample.outcome)) {
        return State::Said(reply);
    }
    match cell_state(samples, |_| true) {
        CellState::Failed { failure } | CellState::Flaky { failure, .. } => State::Failed(failure),
        CellState::Ok { .. } | CellState::Unknown { .. } => State::Unasked,
    }
}

pub(crate) const SERVER_FAILURE: u8 = 2;
pub(crate) const NO_SUCH_NAME: u8 = 3;
pub(crate) const REFUSED: u8 = 5;

fn is_true(reply: &Reply, lookup: &Lookup) -> bool {
    let found = reply.rcode == 0;
    match &lookup.truth {
        Truth::Addresses { addresses } => {
            let (mut right, mut seen) = (addresses.clone(), reply.addresses());
            right.sort_unstable();
            seen.sort_unstable();
            seen.dedup();
            // Of an answer that was cut, a part is there; the agent keeps the first sixteen.
            let is_part = reply.truncated || (reply.authoritative.is_none() && seen.len() >= 16);
            found && (seen == right || (is_part && seen.iter().all(|address| right.contains(address))))
        }
        Truth::OneOf { names } => {
            let pointers = reply.answers.iter().filter_map(|record| match &record.data {
                RecordData::Pointer(name) => Some(name),
                _ => None,
            });
            found && (reply.authoritative.is_none() || pointers.into_iter().any(|name| names.contains(name)))
        }
        Truth::Records { count } => {
            let is_record = |data: &RecordData| !matches!(data, RecordData::Alias(_));
            let records = reply.answers.iter().filter(|record| is_record(&record.data));
            found && (reply.authoritative.is_none() || reply.truncated || records.count() >= *count)
        }
        Truth::Something => found && (reply.truncated || !reply.answers.is_empty()),
        Truth::NoSuchName => reply.rcode == NO_SUCH_NAME,
        Truth::Anything => found || reply.rcode == NO_SUCH_NAME,
    }
}

/// A response code by its name.
pub(crate) fn code_name(rcode: u8) -> String {
    match rcode {
        0 => "NOERROR".to_owned(),
        1 => "FORMERR".to_owned(),
        SERVER_FAILURE => "SERVFAIL".to_owned(),
        NO_SUCH_NAME => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        REFUSED => "REFUSED".to_owned(),
        other => format!("code {other}"),
    }
}

/// A type of record by its name.
pub(crate) fn type_name(qtype: u16) -> String {
    match qtype {
        record::A => "A".to_owned(),
        record::NS => "NS".to_owned(),
        record::PTR => "PTR".to_owned(),
        record::AAAA => "AAAA".to_owned(),
        record::SRV => "SRV".to_owned(),
        other => format!("type {other}"),
    }
}

/// What a server said, in an order that does not depend on the server.
fn said(reply: &Reply, qtype: u16) -> String {
    if reply.rcode != 0 {
        return code_name(reply.rcode);
    }
    let mut records: Vec<String> = reply
        .answers
        .iter()
        .map(|record| match &record.data {
            RecordData::Address(address) => address.to_string(),
            RecordData::Alias(name) => format!("CNAME {name}"),
            RecordData::Pointer(name) => name.clone(),
            RecordData::Service { port, target } => format!("{target}:{port}"),
            RecordData::Other(other) => format!("a record of {}", type_name(*other)),
        })
        .collect();
    records.sort();
    records.dedup();
    if records.is_empty() {
        return if reply.truncated {
            "only that it is too long".to_owned()
        } else {
            format!("NOERROR without a record of type {}", type_name(qtype))
        };
    }
    let more = records.len().saturating_sub(MOST_TOLD);
    records.truncate(MOST_TOLD);
    let list = records.join(", ");
    if more == 0 {
        list
    } else {
        format!("{list} and {more} more")
    }
}

const MOST_TOLD: usize = 8;
