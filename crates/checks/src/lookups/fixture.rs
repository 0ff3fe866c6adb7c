//! Made-up clusters whose DNS was asked: the real plan, with answers as a closure gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use base64::Engine as _;
use netprobe::{Answer, Outcome, Sample};
use observation::{
    EndpointSlice, Lookup, LookupServer, Lookups, NameClass, Observation, Pace, Service, Source, Truth,
};
use report::{Gap, GapReason, Observed, Subject};

use super::ask::record;
use super::{
    DnsServerAt, LookupOptions, Series, dns_servers, fold_lookups, lookup_questions, plan_lookups,
    search_questions,
};
use crate::fold::SourceAnswers;
use crate::tries::scene::{Scene as Tried, service, slice};

/// A cluster of three nodes with two DNS pods, on node1 and on node2, and a Service of each kind.
pub(crate) struct Scene {
    /// Servers to which names outside are passed on, asked from the nodes of the DNS pods.
    pub(crate) upstreams: Vec<[u8; 4]>,
    /// Domains in which nodes search.
    pub(crate) search: Vec<String>,
    /// How many rounds a series has, where one is measured.
    pub(crate) rounds: Option<u32>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self {
            upstreams: Vec::new(),
            search: Vec::new(),
            rounds: None,
        }
    }

    /// What is seen when each lookup ends as the closure says, or well where it says nothing. A lookup that fails is made once more, and
    /// fails again.
    pub(crate) fn observe(&self, outcome: impl Fn(&Lookup) -> Option<Outcome>) -> Observation {
        self.seen(|lookup| Some(outcome(lookup).unwrap_or_else(|| well(lookup))))
    }

    /// What is seen when no probe pod answers.
    pub(crate) fn unanswered(&self) -> Observation {
        self.seen(|_| None)
    }

    fn seen(&self, outcome: impl Fn(&Lookup) -> Option<Outcome>) -> Observation {
        let (services, slices) = objects();
        let dns = services.iter().find(|service| service.is_dns);
        let options = LookupOptions::default();
        let (mut servers, left_out) = dns_servers(dns, &slices, &[], &[], &options);
        servers.extend(self.upstreams.iter().map(|address| upstream(*address)));
        let mut questions = lookup_questions(&services, &slices, &options);
        let domains: BTreeSet<String> = self.search.iter().cloned().collect();
        questions.extend(search_questions(&domains, &options));
        // Some thirty lookups at three servers are a round.
        let series = self.rounds.map(|rounds| Series {
            rate: 1000,
            duration_ms: u64::from(rounds) * 60,
        });
        let tried = Tried::new();
        let plan = plan_lookups("r", &tried.places(), &servers, &questions, series, &options);
        let mut answers = BTreeMap::new();
        for (source, asked) in &plan.sources {
            let answer = |(id, lookup): (u32, &usize)| {
                let itself = Outcome::Ok {
                    rtt_us: 90,
                    peer: None,
                };
                let first = match asked.lookups.get(*lookup) {
                    Some(lookup) => outcome(lookup)?,
                    None => itself,
                };
                let first = sample(false, id, first);
                let again = !first.outcome.is_ok() && series.is_none();
                let again = again.then(|| sample(true, id, first.outcome.clone()));
                let samples = std::iter::once(first).chain(again).collect();
                Some(Answer { id, samples })
            };
            let given: Vec<Answer> = (0..).zip(&asked.lookup_of).filter_map(answer).collect();
            let complete = if given.len() == asked.lookup_of.len() {
                Observed::Seen(())
            } else {
                Observed::Unseen(Gap {
                    what: "lookups".into(),
                    why: GapReason::Truncated,
                    message: "the answer was cut off".into(),
                    hint: None,
                })
            };
            let given = SourceAnswers {
                answers: given,
                complete,
            };
            answers.insert(source.clone(), given);
        }
        let folded = fold_lookups(&plan, &answers);
        let mut observation = tried.observe(|_, _| None);
        observation.reach = None;
        observation.lookups = Some(Box::new(Lookups {
            domain: "cluster.local".into(),
            service: dns.map(Service::subject),
            sources: folded.sources,
            lookups: folded.lookups,
            floor: folded.floor,
            left_out,
            pace: self.rounds.map(|_| Pace {
                rate: 20,
                duration_ms: 1000,
            }),
            ..Lookups::default()
        }));
        observation
    }
}

/// No probe pod answered.
pub(crate) fn unanswered() -> Observation {
    Scene::new().unanswered()
}

/// As [`unanswered`], where a series was to be measured.
pub(crate) fn unanswered_series() -> Observation {
    let mut scene = Scene::new();
    scene.rounds = Some(20);
    scene.unanswered()
}

/// Whether a lookup asks this pod by itself.
pub(crate) fn is_pod(lookup: &Lookup, pod: &str) -> bool {
    matches!(&lookup.server, LookupServer::Pod { name, .. } if name == pod)
}

/// Silence.
pub(crate) fn silence() -> Outcome {
    Outcome::TimedOut { after_us: 4_000_000 }
}

/// An answer without a whole message.
pub(crate) fn dns(rcode: u8, addresses: &[[u8; 4]]) -> Outcome {
    let addresses = addresses.iter().map(|address| IpAddr::from(*address)).collect();
    said(rcode, addresses, String::new(), 400)
}

/// The right answer, after so many microseconds.
pub(crate) fn after(lookup: &Lookup, microseconds: u64) -> Outcome {
    match well(lookup) {
        Outcome::Dns {
            rcode,
            addresses,
            message,
            ..
        } => said(rcode, addresses, message, microseconds),
        other => other,
    }
}

fn said(rcode: u8, addresses: Vec<IpAddr>, message: String, rtt_us: u64) -> Outcome {
    Outcome::Dns {
        rtt_us,
        rcode,
        addresses,
        truncated: false,
        message,
    }
}

/// What is right.
fn well(lookup: &Lookup) -> Outcome {
    let (rcode, addresses, records): (u8, Vec<IpAddr>, Vec<Vec<u8>>) = match &lookup.truth {
        Truth::Addresses { addresses } => return said(0, addresses.clone(), String::new(), 400),
        Truth::OneOf { names } => (
            0,
            Vec::new(),
            names.first().map(|it| name(it)).into_iter().collect(),
        ),
        Truth::Records { count } => {
            let record = [
                &[0, 0, 0, 100, 0, 53][..],
                &name("kube-dns.kube-system.svc.cluster.local"),
            ]
            .concat();
            (0, Vec::new(), vec![record; *count])
        }
        Truth::Something => return said(0, vec![[192, 0, 2, 7].into()], String::new(), 400),
        Truth::NoSuchName => (3, Vec::new(), Vec::new()),
        Truth::Anything => (0, Vec::new(), Vec::new()),
    };
    let message = if lookup.measured {
        String::new()
    } else {
        base64::engine::general_purpose::STANDARD.encode(message(lookup, rcode, &records))
    };
    said(rcode, addresses, message, 400)
}

/// A message with these records for the question of a lookup.
fn message(lookup: &Lookup, rcode: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![0, 7, 0x85, 0x80 | rcode, 0, 1, 0, count, 0, 0, 0, 0];
    bytes.extend(name(lookup.name()));
    bytes.extend(lookup.qtype().to_be_bytes());
    bytes.extend([0, 1]);
    for record in records {
        bytes.extend([0xc0, 12]);
        bytes.extend(lookup.qtype().to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 5]);
        bytes.extend(u16::try_from(record.len()).unwrap_or_default().to_be_bytes());
        bytes.extend(record);
    }
    bytes
}

fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut bytes = Vec::new();
    for label in labels {
        bytes.push(u8::try_from(label.len()).unwrap_or_default());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn objects() -> (Vec<Service>, Vec<EndpointSlice>) {
    let api = service("default", "kubernetes", 1, 443, "TCP");
    let mut dns = service("kube-system", "kube-dns", 10, 53, "UDP");
    dns.is_dns = true;
    dns.ports[0].name = "dns".into();
    let mut db = service("shop", "db", 0, 5432, "TCP");
    db.headless = true;
    db.cluster_ips.clear();
    let mut mail = service("shop", "mail", 0, 25, "TCP");
    mail.cluster_ips.clear();
    mail.external_name = Some("mail.example.com".into());
    let web = service("shop", "web", 21, 80, "TCP");
    let mut of_dns = slice(
        &dns,
        &[(Some(1), [10, 244, 1, 5]), (Some(2), [10, 244, 2, 5])],
        53,
    );
    of_dns.ports[0].name = "dns".into();
    for (number, endpoint) in (1..).zip(&mut of_dns.endpoints) {
        endpoint.pod = Some(format!("coredns-{number}"));
    }
    let mut of_db = slice(
        &db,
        &[(Some(1), [10, 244, 1, 7]), (Some(2), [10, 244, 2, 7])],
        5432,
    );
    of_db.endpoints[0].hostname = Some("db-0".into());
    (vec![api, dns, db, mail, web], vec![of_dns, of_db])
}

fn upstream(address: [u8; 4]) -> DnsServerAt {
    let at = SocketAddr::from((address, 53));
    DnsServerAt {
        server: LookupServer::Upstream {
            zone: ".".into(),
            written: Subject::Object {
                kind: "configmap".into(),
                name: "coredns".into(),
                namespace: Some("kube-system".into()),
            },
        },
        udp: at,
        tcp: at,
        from: Some(BTreeSet::from(["node1".to_owned(), "node2".to_owned()])),
    }
}

fn sample(retry: bool, id: u32, outcome: Outcome) -> Sample {
    Sample {
        at_us: u64::from(id) * 10 + if retry { 5_000_000 } else { 0 },
        retry,
        outcome,
    }
}

/// That what a scene asks is what its checks are about.
#[test]
fn the_scene_asks_for_names_of_every_kind_from_every_node() {
    let observation = Scene::new().observe(|_| None);
    let lookups = &observation.lookups.as_ref().unwrap().lookups;
    let classes: BTreeSet<NameClass> = lookups.iter().map(|lookup| lookup.class).collect();
    assert_eq!(classes.len(), 9);
    let sources: BTreeSet<&Source> = lookups.iter().map(|lookup| &lookup.source).collect();
    assert_eq!(sources.len(), 3);
    assert!(lookups.iter().any(|lookup| lookup.qtype() == record::SRV));
}
