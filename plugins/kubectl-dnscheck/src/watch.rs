//! `kubectl dnscheck watch`: the same few names, asked again and again of every DNS server, and who stands behind the DNS Service; a
//! line for whatever changes.

mod endpoints;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use cluster::ConnectionArgs;
use netprobe::Outcome;
use observation::{Lookup, LookupServer, Reply};
use plugin::{Failure, OutputFormat, Run};
use report::ExitStatus;
use serde_json::json;
use session::{Look, Session, duration, rounds};

use self::endpoints::Endpoints;
use crate::asking::{AskArgs, again};
use crate::facts::Facts;
use crate::status::dns;

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    /// How long from the beginning of one round to that of the next.
    #[arg(long, default_value = "10s", value_name = "DURATION", value_parser = duration)]
    interval: Duration,
    /// How long to watch.
    #[arg(long = "duration", default_value = "5m", value_name = "DURATION", value_parser = duration)]
    lasts: Duration,
    #[command(flatten)]
    asking: AskArgs,
    #[command(flatten)]
    look: Look,
}

/// One lookup as it is followed: from where, which server, over what, which name.
type Way = (String, String, &'static str, String);

/// What is known of each way so far.
#[derive(Default)]
struct Ledger {
    last: BTreeMap<Way, String>,
    /// Those of the DNS Service, where there is one.
    endpoints: Option<Endpoints>,
    rounds: u32,
    asked: u32,
    failed: u32,
}

/// What changed, or was not well from the beginning.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    way: Way,
    is_well: bool,
    now: String,
}

/// Runs the subcommand and returns its exit status: that of a problem when any lookup failed at any time.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &WatchArgs, run: &Run) -> Result<u8, Failure> {
    let look = &wanted.look;
    look.refuse_bundle("watch")?;
    let mut session = Box::pin(Session::open(connection, &look.pods, &look.output, run)).await?;
    // Pods end by themselves after that: some time for starting and the last round.
    session.options.max_run = wanted.lasts + Duration::from_mins(5);
    session.options.twins = false;
    let read = dns(&mut session, false).await?;
    let facts = Facts::read(&mut session, look, &wanted.asking, &read).await?;
    let is_json = look.output.output == OutputFormat::Json;
    let cluster = session.cluster.clone();
    let watched = session.with_pods(look.choice(), async |pods, spinner| {
        let mut ledger = Ledger {
            endpoints: facts.service.as_ref().map(Endpoints::of),
            ..Ledger::default()
        };
        let watching = rounds(wanted.interval, wanted.lasts, async || {
            spinner.say("asking DNS servers");
            let slices = async {
                match &ledger.endpoints {
                    Some(endpoints) => Some(endpoints.read(&cluster).await),
                    None => None,
                }
            };
            let (lookups, slices) = tokio::join!(again(pods, &facts), slices);
            spinner.clear();
            let now = jiff::Timestamp::now();
            let mut text = String::new();
            if let (Some(endpoints), Some(slices)) = (&mut ledger.endpoints, slices)
                && let Some((is_well, words)) = endpoints.note(&slices)
            {
                text = endpoints_line(&now, &endpoints.subject(), is_well, &words, is_json);
            }
            text.push_str(&lines(&now, &ledger.add(&lookups), is_json));
            plugin::write(&text)
        });
        watching.await?;
        Ok::<_, Failure>(ledger)
    });
    let (_, value) = Box::pin(watched).await?;
    let Some(ledger) = value else {
        return Ok(ExitStatus::Inconclusive.into());
    };
    let ledger = ledger?;
    plugin::write(&ledger.summary(is_json))?;
    Ok(ledger.exit_status().into())
}

impl Ledger {
    /// Notes a round, and says what changed: an answer that is another one, and what is not answered.
    fn add(&mut self, lookups: &[Lookup]) -> Vec<Change> {
        self.rounds += 1;
        let mut changes = Vec::new();
        for lookup in lookups {
            let Some(sample) = lookup.samples.first() else {
                continue;
            };
            let (is_well, now) = came_of(&sample.outcome);
            self.asked += 1;
            self.failed += u32::from(!is_well);
            let way = (
                lookup.source.node().unwrap_or_default().to_owned(),
                server(lookup),
                if lookup.is_tcp() { "tcp" } else { "udp" },
                lookup.name().to_owned(),
            );
            let before = self.last.insert(way.clone(), now.clone());
            let is_news = before.map_or(!is_well, |before| before != now);
            if is_news {
                changes.push(Change { way, is_well, now });
            }
        }
        changes
    }

    fn exit_status(&self) -> ExitStatus {
        let endpoints = self.endpoints.as_ref();
        if self.failed > 0 || endpoints.is_some_and(|endpoints| endpoints.was_empty) {
            ExitStatus::ProblemFound
        } else if self.asked == 0 || endpoints.is_some_and(|endpoints| endpoints.was_unseen) {
            ExitStatus::Inconclusive
        } else {
            ExitStatus::NoProblem
        }
    }

    fn summary(&self, is_json: bool) -> String {
        let Self {
            rounds,
            asked,
            failed,
            ..
        } = self;
        if is_json {
            return format!(
                "{}\n",
                json!({"rounds": rounds, "lookups": asked, "failed": failed})
            );
        }
        format!("{rounds} rounds: {failed} of {asked} lookups failed\n")
    }
}

fn server(lookup: &Lookup) -> String {
    match &lookup.server {
        LookupServer::Pod { namespace, name, .. } => format!("pod/{name} -n {namespace}"),
        LookupServer::Service => "the DNS Service".to_owned(),
        LookupServer::NodeLocal => "the cache on the node".to_owned(),
        LookupServer::Upstream { .. } | LookupServer::Given => lookup.address.to_string(),
    }
}

/// Whether a lookup came out well, and what came of it; the same words for the same answer.
fn came_of(outcome: &Outcome) -> (bool, String) {
    let Some(reply) = Reply::of(outcome) else {
        let silent = matches!(outcome, Outcome::TimedOut { .. } | Outcome::Stalled { .. });
        return (
            false,
            if silent {
                "no answer"
            } else {
                "refused, or no way there"
            }
            .to_owned(),
        );
    };
    let mut addresses: Vec<String> = reply.addresses().iter().map(ToString::to_string).collect();
    addresses.sort();
    match reply.rcode {
        0 if addresses.is_empty() => (true, "an answer".to_owned()),
        0 => (true, addresses.join(", ")),
        3 => (true, "NXDOMAIN".to_owned()),
        2 => (false, "SERVFAIL".to_owned()),
        5 => (false, "REFUSED".to_owned()),
        other => (false, format!("code {other}")),
    }
}

fn endpoints_line(now: &jiff::Timestamp, subject: &str, is_well: bool, words: &str, is_json: bool) -> String {
    if is_json {
        let line = json!({"at": now.to_string(), "subject": subject, "well": is_well, "endpoints": words});
        return format!("{line}\n");
    }
    let mark = if is_well { "✓" } else { "✗" };
    format!("{} {mark} {subject}: {words}\n", now.strftime("%H:%M:%S"))
}

fn lines(now: &jiff::Timestamp, changes: &[Change], is_json: bool) -> String {
    let mut text = String::new();
    for change in changes {
        let (from, server, protocol, name) = &change.way;
        if is_json {
            let line = json!({
                "at": now.to_string(), "from": from, "server": server, "protocol": protocol, "name": name,
                "well": change.is_well, "answer": change.now,
            });
            let _ = writeln!(text, "{line}");
        } else {
            let mark = if change.is_well { "✓" } else { "✗" };
            let time = now.strftime("%H:%M:%S");
            let _ = writeln!(
                text,
                "{time} {mark} {from} → {server} over {protocol}, {name}: {}",
                change.now
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use netprobe::{Kind, Sample};
    use observation::{NameClass, Source, Truth};

    use super::*;

    fn lookup(outcome: Outcome) -> Lookup {
        Lookup {
            source: Source::Pod { node: "node1".into() },
            server: LookupServer::Service,
            address: ([10, 96, 0, 10], 53).into(),
            class: NameClass::Internal,
            subject: None,
            question: Kind::Dns {
                name: "kubernetes.default.svc.cluster.local.".into(),
                qtype: 1,
                tcp: false,
                whole: true,
                edns: 0,
            },
            truth: Truth::Something,
            measured: false,
            samples: vec![Sample {
                at_us: 0,
                retry: false,
                outcome,
            }],
        }
    }

    fn said(rcode: u8, addresses: &[[u8; 4]]) -> Outcome {
        Outcome::Dns {
            rtt_us: 1,
            rcode,
            addresses: addresses.iter().map(|address| (*address).into()).collect(),
            truncated: false,
            message: String::new(),
        }
    }

    #[test]
    fn what_changes_is_told_once_and_what_is_well_from_the_beginning_is_not() {
        let mut ledger = Ledger::default();
        let mut round = |outcome| ledger.add(&[lookup(outcome)]);
        assert_eq!(round(said(0, &[[10, 96, 0, 1]])), []);
        let lost = round(Outcome::TimedOut { after_us: 1 });
        assert_eq!((lost.len(), lost[0].is_well), (1, false));
        assert_eq!(round(Outcome::TimedOut { after_us: 2 }), []);
        let back = round(said(0, &[[10, 96, 0, 1]]));
        assert_eq!(back[0].now, "10.96.0.1");
        assert_eq!(ledger.exit_status(), ExitStatus::ProblemFound);
        assert_eq!(ledger.summary(false), "4 rounds: 2 of 4 lookups failed\n");
    }

    #[test]
    fn the_order_of_addresses_is_no_change() {
        let mut ledger = Ledger::default();
        let both = [[10, 0, 0, 1], [10, 0, 0, 2]];
        ledger.add(&[lookup(said(0, &both))]);
        assert_eq!(ledger.add(&[lookup(said(0, &[both[1], both[0]]))]), []);
    }
}
