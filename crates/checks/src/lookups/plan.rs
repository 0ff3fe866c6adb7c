//! Who asks whom, and back from the answers of agents to lookups.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use netprobe::{Kind, Plan, Probe, Retry, WIRE_VERSION};
use observation::{Lookup, LookupServer, NameClass, ProberFloor, Source, SourceState};
use report::{Family, Gap, GapReason};

use super::ask::LookupQuestion;
use super::servers::DnsServerAt;
use crate::fold::{SourceAnswers, deal};
use crate::plan::{MeshOptions, RETRY_GAP_MS};
use crate::reach::Place;

/// How DNS servers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupOptions {
    /// How long one lookup may take, in milliseconds. Below 4000 an unresolved neighbour looks like silence.
    pub timeout_ms: u64,
    /// How long one for a name outside may take: a server that waits for its own upstream says so only after some seconds.
    pub outside_timeout_ms: u64,
    /// How many lookups of one source may be under way at once.
    pub concurrency: u32,
    /// The least time between two lookups of one source, in milliseconds.
    pub gap_ms: u64,
    /// How many failed lookups of one source are made again, each alone, a second apart.
    pub retries: u32,
    /// The domain of the cluster's names, as `cluster.local`.
    pub domain: String,
    /// Names outside to ask for; none to ask for the root.
    pub outside: Vec<String>,
    /// The first part of names that nothing has: no other run has it, so that no cache knows them.
    pub label: String,
    /// How many Services of each kind are asked for.
    pub services: usize,
    /// How many DNS pods are asked by themselves.
    pub pods: usize,
}

impl Default for LookupOptions {
    fn default() -> Self {
        Self {
            timeout_ms: 4000,
            outside_timeout_ms: 6000,
            concurrency: 48,
            gap_ms: 10,
            retries: 8,
            domain: "cluster.local".to_owned(),
            outside: Vec::new(),
            label: "no-such-name".to_owned(),
            services: 3,
            pods: 10,
        }
    }
}

/// What is to be asked by whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupPlan {
    /// For each source that has something to ask.
    pub sources: BTreeMap<Source, SourceLookups>,
}

/// What one source is to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceLookups {
    /// For the agent.
    pub plan: Plan,
    /// What is asked; without samples.
    pub lookups: Vec<Lookup>,
    /// For each probe, by its id, the lookup that it belongs to; one behind the last is the prober itself.
    pub lookup_of: Vec<usize>,
}

/// How often the same is asked, to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    /// Questions a second, of each source; at least 1.
    pub rate: u32,
    /// For how long, in milliseconds. Every question is asked at least twice, and else never more often than fits in that time.
    pub duration_ms: u64,
}

impl Series {
    /// How often each of so many lookups is made.
    fn rounds(self, lookups: usize) -> u32 {
        let asked = u64::from(self.rate) * self.duration_ms / 1000;
        let rounds = asked / u64::try_from(lookups).unwrap_or(u64::MAX).max(1);
        u32::try_from(rounds).unwrap_or(u32::MAX).max(2)
    }
}

/// So often is an upstream asked the same: one lost datagram says nothing.
const UPSTREAM_TRIES: u32 = 3;
/// So often is each server asked for the API's own name over UDP: how much is lost is seen in any cluster, however few Services it has.
const API_TRIES: u32 = 4;

fn times(is_upstream: bool, class: NameClass, tcp: bool) -> u32 {
    match class {
        _ if is_upstream => UPSTREAM_TRIES,
        NameClass::Internal if !tcp => API_TRIES,
        _ => 1,
    }
}

/// Puts together what each place asks: each question of each server, over UDP and, where it is to be, over TCP. Upstreams are asked for
/// names outside only. With a series everything is asked round after round, at its rate, and nothing is tried again. The same input
/// always gives the same plan.
pub fn plan_lookups(
    run: &str,
    places: &[Place],
    servers: &[DnsServerAt],
    questions: &[LookupQuestion],
    series: Option<Series>,
    options: &LookupOptions,
) -> LookupPlan {
    let mut sources = BTreeMap::new();
    for (position, place) in places.iter().enumerate() {
        let mut lookups = Vec::new();
        let mut tries = Vec::new();
        for server in servers.iter().filter(|server| is_asked_from(server, place)) {
            let is_upstream = matches!(server.server, LookupServer::Upstream { .. });
            let is_outside = |class| {
                matches!(
                    class,
                    NameClass::External | NameClass::Searched | NameClass::Asked
                )
            };
            for question in questions.iter().filter(|it| !is_upstream || is_outside(it.class)) {
                for tcp in [false, true] {
                    if tcp && !question.tcp {
                        continue;
                    }
                    lookups.push(lookup(place, server, question, tcp, series.is_some()));
                    tries.push(times(is_upstream, question.class, tcp));
                }
            }
        }
        if lookups.is_empty() {
            continue;
        }
        let most = tries.iter().copied().max().unwrap_or(1);
        let rounds = series.map_or(most, |series| series.rounds(lookups.len() + 1));
        let mut probes = Vec::new();
        let mut lookup_of = Vec::new();
        for round in 0..rounds {
            for (index, lookup) in lookups.iter().enumerate() {
                if series.is_none() && round >= tries[index] {
                    continue;
                }
                let Ok(id) = u32::try_from(probes.len()) else {
                    break;
                };
                probes.push(Probe {
                    id,
                    target: lookup.address,
                    kind: question(lookup, position, id),
                    count: 1,
                    timeout_ms: timeout(lookup.class, options),
                });
                lookup_of.push(index);
            }
            if let (Some(_), Some(probe)) = (series, itself(place, probes.len(), options)) {
                probes.push(probe);
                lookup_of.push(lookups.len());
            }
        }
        let plan = agent_plan(run, probes, series, options);
        let source = SourceLookups {
            plan,
            lookups,
            lookup_of,
        };
        sources.insert(place.source.clone(), source);
    }
    LookupPlan { sources }
}

/// The question of a lookup; of names that are asked for only once, another one each time.
fn question(lookup: &Lookup, position: usize, id: u32) -> Kind {
    let mut question = lookup.question.clone();
    if let (NameClass::Uncached, Kind::Dns { name, .. }) = (lookup.class, &mut question) {
        *name = format!("{position}-{id}-{name}");
    }
    question
}

/// The agent asks its own server, in the same pod, for an answer as small as that of a name: what it takes is the prober's own.
fn itself(place: &Place, id: usize, options: &LookupOptions) -> Option<Probe> {
    Some(Probe {
        id: u32::try_from(id).ok()?,
        target: SocketAddr::new(*place.addresses.first()?, MeshOptions::default().udp_port),
        kind: Kind::Udp,
        count: 1,
        timeout_ms: options.timeout_ms,
    })
}

fn timeout(class: NameClass, options: &LookupOptions) -> u64 {
    match class {
        NameClass::External
        | NameClass::ExternalName
        | NameClass::Searched
        | NameClass::Uncached
        | NameClass::Asked => options.outside_timeout_ms.max(options.timeout_ms),
        _ => options.timeout_ms,
    }
}

fn is_asked_from(server: &DnsServerAt, place: &Place) -> bool {
    let is_of = server
        .from
        .as_ref()
        .is_none_or(|nodes| place.source.node().is_some_and(|node| nodes.contains(node)));
    let has = |own: &IpAddr| Family::of(*own) == Family::of(server.udp.ip());
    is_of && place.addresses.iter().any(has)
}

fn lookup(
    place: &Place,
    server: &DnsServerAt,
    question: &LookupQuestion,
    tcp: bool,
    measured: bool,
) -> Lookup {
    Lookup {
        source: place.source.clone(),
        server: server.server.clone(),
        address: if tcp { server.tcp } else { server.udp },
        class: question.class,
        subject: question.subject.clone(),
        question: Kind::Dns {
            name: question.name.clone(),
            qtype: question.qtype,
            tcp,
            whole: !measured,
            edns: 0,
        },
        truth: question.truth.clone(),
        measured,
        samples: Vec::new(),
    }
}

fn agent_plan(run: &str, probes: Vec<Probe>, series: Option<Series>, options: &LookupOptions) -> Plan {
    let concurrency = options.concurrency.max(1);
    let count = u32::try_from(probes.len()).unwrap_or(u32::MAX);
    let rounds = u64::from(count.div_ceil(concurrency));
    let longest = probes
        .iter()
        .map(|probe| probe.timeout_ms)
        .max()
        .unwrap_or_default();
    let gap_ms = series.map_or(options.gap_ms, |series| 1000 / u64::from(series.rate.max(1)));
    let retries = if series.is_some() { 0 } else { options.retries };
    Plan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        concurrency,
        // Every lookup may run into its timeout, in as many rounds as it takes; then those that are made again.
        deadline_ms: (rounds + 1) * longest
            + u64::from(count) * gap_ms
            + u64::from(retries) * RETRY_GAP_MS
            + 2000,
        gap_ms,
        retry: (retries > 0).then_some(Retry {
            gap_ms: RETRY_GAP_MS,
            most: retries,
        }),
        probes,
    }
}

/// What came of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupAnswers {
    /// What each source answered, or why not.
    pub sources: Vec<SourceState>,
    /// Everything that was planned, with what was seen of it.
    pub lookups: Vec<Lookup>,
    /// What the probe pods took for themselves; empty without a series.
    pub floor: Vec<ProberFloor>,
}

/// Puts the answers where they belong. Every planned lookup is in the result; one without an answer has no samples. A source that is
/// missing from `answers`, or that answers something it was not asked, is a gap.
pub fn fold_lookups(plan: &LookupPlan, answers: &BTreeMap<Source, SourceAnswers>) -> LookupAnswers {
    let mut all = LookupAnswers::default();
    for (source, asked) in &plan.sources {
        let mut lookups = asked.lookups.clone();
        let mut floor = Vec::new();
        let answered = deal(
            answers.get(source),
            &asked.lookup_of,
            |index, samples| match lookups.get_mut(index) {
                Some(lookup) => lookup.samples.extend_from_slice(samples),
                None => floor.extend_from_slice(samples),
            },
            |message| gap(source, message),
        );
        for lookup in &mut lookups {
            lookup.samples.sort_by_key(|sample| (sample.retry, sample.at_us));
        }
        all.sources.push(SourceState {
            source: source.clone(),
            answered,
        });
        all.lookups.append(&mut lookups);
        if !floor.is_empty() {
            all.floor.push(ProberFloor {
                source: source.clone(),
                samples: floor,
            });
        }
    }
    all
}

fn gap(source: &Source, message: String) -> Gap {
    Gap {
        what: format!("lookups from {}", crate::tries::source_name(source)),
        why: GapReason::Failed,
        message,
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::lookups::ask::outside_questions;
    use crate::reach::Effort;

    fn place(node: u8) -> Place {
        Place {
            source: Source::Pod {
                node: format!("node{node}"),
            },
            addresses: vec![[10, 244, node, 2].into()],
            effort: Effort::Full,
        }
    }

    fn upstream() -> DnsServerAt {
        let at = SocketAddr::from(([192, 0, 2, 53], 53));
        DnsServerAt {
            server: LookupServer::Upstream {
                zone: ".".into(),
                written: report::Subject::node("node2"),
            },
            udp: at,
            tcp: at,
            from: Some(BTreeSet::from(["node2".to_owned()])),
        }
    }

    #[test]
    fn an_upstream_is_asked_from_its_nodes_for_names_outside_only() {
        let options = LookupOptions::default();
        let mut questions = outside_questions(&options);
        questions.push(LookupQuestion {
            class: NameClass::Internal,
            ..questions[0].clone()
        });
        let plan = plan_lookups(
            "r",
            &[place(1), place(2)],
            &[upstream()],
            &questions,
            None,
            &options,
        );
        assert_eq!(plan.sources.len(), 1);
        let asked = plan.sources.values().next().unwrap();
        assert_eq!(asked.lookups.len(), 2, "over UDP and over TCP");
        assert_eq!(asked.plan.probes.len(), 6, "three times each");
    }

    #[test]
    fn a_series_asks_round_after_round_at_its_rate() {
        let options = LookupOptions::default();
        let series = Series {
            rate: 20,
            duration_ms: 5000,
        };
        let questions = outside_questions(&options);
        let plan = plan_lookups(
            "r",
            &[place(2)],
            &[upstream()],
            &questions,
            Some(series),
            &options,
        );
        let asked = plan.sources.values().next().unwrap();
        assert_eq!((asked.plan.gap_ms, asked.plan.retry.is_none()), (50, true));
        assert_eq!(
            asked.lookup_of[..4],
            [0, 1, 2, 0],
            "each round the prober asks itself too"
        );
        assert_eq!(asked.plan.probes.len(), 99);
        assert_eq!(asked.plan.probes[2].kind, Kind::Udp);
        assert!(asked.lookups.iter().all(|lookup| lookup.measured));
    }

    #[test]
    fn names_that_no_cache_has_are_asked_for_once() {
        let options = LookupOptions::default();
        let series = Series {
            rate: 20,
            duration_ms: 1000,
        };
        let mut questions = outside_questions(&options);
        questions[0].class = NameClass::Uncached;
        questions[0].name = "new.example.".into();
        let mut servers = [upstream()];
        servers[0].server = LookupServer::Service;
        servers[0].from = None;
        let plan = plan_lookups(
            "r",
            &[place(1), place(2)],
            &servers,
            &questions,
            Some(series),
            &options,
        );
        let probes: Vec<&Probe> = plan
            .sources
            .values()
            .flat_map(|asked| &asked.plan.probes)
            .collect();
        let names = probes.iter().filter_map(|probe| match &probe.kind {
            Kind::Dns { name, .. } => Some(name.as_str()),
            _ => None,
        });
        let all = names.clone().count();
        assert_eq!(names.collect::<BTreeSet<_>>().len(), all);
        assert!(all > 20);
    }

    #[test]
    fn a_place_that_does_not_answer_is_a_gap_and_its_lookups_stay_without_samples() {
        let options = LookupOptions::default();
        let plan = plan_lookups(
            "r",
            &[place(2)],
            &[upstream()],
            &outside_questions(&options),
            None,
            &options,
        );
        let folded = fold_lookups(&plan, &BTreeMap::new());
        assert!(folded.sources[0].answered.gap().is_some());
        assert!(folded.lookups.iter().all(|lookup| lookup.samples.is_empty()));
    }
}
