//! `kubectl netcheck watch`: the mesh, the Services of the API and of the DNS, and names, again and again from the same
//! pods, and a line for whatever changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use checks::{Effort, MeshOptions, ReachOptions, Wanted};
use cluster::ConnectionArgs;
use netprobe::{Kind, Outcome, Sample};
use observation::{Attempt, Mesh, Purpose};
use plugin::{Failure, OutputFormat, Run};
use report::ExitStatus;
use serde_json::json;

use session::mesh::run_mesh;
use session::tries::{pod_places, try_all};
use session::{Look, Session, duration, rounds};

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    /// How long from the beginning of one round to that of the next.
    #[arg(long, default_value = "30s", value_name = "DURATION", value_parser = duration)]
    interval: Duration,
    /// How long to watch.
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = duration)]
    duration: Duration,
    #[command(flatten)]
    look: Look,
}

/// From where, to where, in which way.
type Way = (String, String, &'static str);

/// What is known of each way so far.
#[derive(Default)]
struct Ledger {
    is_well: BTreeMap<Way, bool>,
    answered: BTreeMap<Way, (u32, u32)>,
}

/// What changed, or was not well from the beginning.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    way: Way,
    is_well: bool,
    how: String,
}

/// Runs the subcommand and returns its exit status: that of a problem when anything was not well at any time.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &WatchArgs, run: &Run) -> Result<u8, Failure> {
    let look = &wanted.look;
    look.refuse_bundle("watch")?;
    let mut session = Box::pin(Session::open(connection, &look.pods, &look.output, run)).await?;
    // Pods end by themselves after that: some time for starting and the last round.
    session.options.max_run = wanted.duration + Duration::from_mins(5);
    let options = MeshOptions {
        count: 1,
        timeout_ms: look.timeout_ms(),
        tcp_port: session.options.tcp_port,
        udp_port: session.options.udp_port,
        ..MeshOptions::default()
    };
    let reach = ReachOptions {
        count: 1,
        timeout_ms: options.timeout_ms,
        tcp_port: options.tcp_port,
        udp_port: options.udp_port,
        // What fails now is tried again in the next round.
        retries: 0,
        ..ReachOptions::default()
    };
    let cluster = session.cluster.clone();
    let services = session
        .observe("reading Services", session::services::sampled(&cluster, 0))
        .await?;
    let nodes = session.nodes();
    let is_json = look.output.output == OutputFormat::Json;
    let watched = session.with_pods(look.choice(), async |pods, spinner| {
        let mut ledger = Ledger::default();
        let mut count = 0;
        let watching = rounds(wanted.interval, wanted.duration, async || {
            let mesh = run_mesh(pods, &options, spinner).await;
            let mut places = pod_places(pods.placement());
            for place in &mut places {
                place.effort = place
                    .source
                    .node()
                    .map_or(Effort::Full, |node| Effort::after(&mesh, node));
            }
            let (tries, _) = services.plan(&nodes, &places, &reach);
            let tries: Vec<Wanted> = tries.into_iter().filter(is_watched).collect();
            let plan = checks::assemble(&pods.placement().run, &places, &tries, &reach);
            let (_, attempts) = try_all(pods, &plan, spinner).await;
            count += 1;
            spinner.clear();
            let mut changes = ledger.add(&mesh);
            changes.extend(ledger.add_tries(&attempts));
            plugin::write(&lines(&jiff::Timestamp::now(), &changes, is_json))
        });
        watching.await?;
        Ok::<_, Failure>((ledger, count))
    });
    let (_, value) = Box::pin(watched).await?;
    let Some(done) = value else {
        return Ok(ExitStatus::Inconclusive.into());
    };
    let (ledger, rounds) = done?;
    plugin::write(&ledger.summary(rounds, is_json))?;
    Ok(ledger.exit_status().into())
}

impl Ledger {
    /// Notes a round of the mesh, and says what changed.
    fn add(&mut self, mesh: &Mesh) -> Vec<Change> {
        let mut changes = Vec::new();
        for cell in mesh.cells.iter().filter(|cell| !cell.samples.is_empty()) {
            // ICMP alone is filtered in many healthy networks.
            let Some(kind) = kind(&cell.kind) else { continue };
            let way = (cell.source.clone(), cell.target.clone(), kind);
            let is_well = cell.samples.iter().any(|sample| sample.outcome.is_ok());
            changes.extend(self.note(way, is_well, &cell.samples));
        }
        changes
    }

    /// Notes a round of Services and names, and says what changed.
    fn add_tries(&mut self, attempts: &[Attempt]) -> Vec<Change> {
        let mut changes = Vec::new();
        for attempt in attempts {
            let (Some(node), Some(is_well)) = (attempt.source.node(), checks::came_out_right(attempt)) else {
                continue;
            };
            let kind = match (&attempt.purpose, &attempt.kind) {
                (Purpose::Name { .. }, _) => "name",
                (_, Kind::Dns { tcp: true, .. }) => "dns over tcp",
                (_, Kind::Dns { .. }) => "dns",
                _ => "tcp",
            };
            let target = match &attempt.purpose {
                Purpose::ClusterIp => format!("{} {}", attempt.subject, attempt.address),
                _ => attempt.subject.to_string(),
            };
            changes.extend(self.note((node.to_owned(), target, kind), is_well, &attempt.samples));
        }
        changes
    }

    /// What is well from the beginning is no news.
    fn note(&mut self, way: Way, is_well: bool, samples: &[Sample]) -> Option<Change> {
        let count = self.answered.entry(way.clone()).or_default();
        count.0 += u32::from(is_well);
        count.1 += 1;
        let before = self.is_well.insert(way.clone(), is_well);
        before
            .map_or(!is_well, |before| before != is_well)
            .then(|| Change {
                way,
                is_well,
                how: how(samples),
            })
    }

    fn summary(&self, rounds: u32, is_json: bool) -> String {
        let (mut answered, mut tried) = (0, 0);
        for (well, all) in self.answered.values() {
            answered += well;
            tried += all;
        }
        if is_json {
            return format!(
                "{}\n",
                json!({"rounds": rounds, "answered": answered, "tried": tried})
            );
        }
        let mut text = format!("{rounds} rounds, {answered} of {tried} probes answered\n");
        for ((source, target, kind), (well, all)) in &self.answered {
            if well < all {
                let _ = writeln!(text, "  {kind} {source} → {target}: {well} of {all}");
            }
        }
        cluster::sanitize(&text).into_owned()
    }

    fn exit_status(&self) -> ExitStatus {
        if self.answered.is_empty() {
            ExitStatus::Inconclusive
        } else if self.answered.values().any(|(well, all)| well < all) {
            ExitStatus::ProblemFound
        } else {
            ExitStatus::NoProblem
        }
    }
}

/// A Service at its ClusterIP, and its name: what is behind it changes while one watches.
fn is_watched(wanted: &Wanted) -> bool {
    matches!(wanted.purpose, Purpose::ClusterIp | Purpose::Name { .. })
}

fn kind(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Tcp => Some("tcp"),
        Kind::Udp => Some("udp"),
        Kind::Bulk { .. } => Some("large"),
        Kind::Icmp
        | Kind::Connect { .. }
        | Kind::Dns { .. }
        | Kind::Http { .. }
        | Kind::Train { .. }
        | Kind::Size => None,
    }
}

/// The end of the last sample, in a word.
fn how(samples: &[Sample]) -> String {
    let outcome = samples.last().map(|sample| &sample.outcome);
    let word = match outcome {
        Some(
            Outcome::Ok { rtt_us, .. }
            | Outcome::Dns { rtt_us, .. }
            | Outcome::Http { rtt_us, .. }
            | Outcome::Train { rtt_us, .. }
            | Outcome::Size { rtt_us, .. },
        ) => {
            return format!("answers in {}.{:02}ms", rtt_us / 1000, rtt_us % 1000 / 10);
        }
        Some(Outcome::Refused { .. }) => "refused",
        Some(Outcome::HostUnreachable { .. }) => "no route to host",
        Some(Outcome::NetUnreachable { .. }) => "network is unreachable",
        Some(Outcome::LocalError { .. }) => "not sent",
        Some(Outcome::TimedOut { .. }) | None => "no answer",
        Some(Outcome::Stalled { .. }) => "stalls",
        Some(Outcome::Reset { .. }) => "reset",
        Some(Outcome::WrongPeer { .. }) => "wrong peer",
        Some(Outcome::NotPermitted { .. }) => "not permitted",
    };
    word.to_owned()
}

/// A line for each change; for people one for all nodes from which it is the same.
fn lines(time: &jiff::Timestamp, changes: &[Change], is_json: bool) -> String {
    let time = time.strftime("%FT%TZ");
    let mut text = String::new();
    if is_json {
        for change in changes {
            let (source, target, kind) = &change.way;
            let document = json!({
                "time": time.to_string(), "source": source, "target": target, "protocol": kind,
                "answered": change.is_well, "how": change.how,
            });
            let _ = writeln!(text, "{document}");
        }
        return text;
    }
    // What answers differs in its time only.
    let mut same: BTreeMap<(bool, &str, &str, &str), Vec<&Change>> = BTreeMap::new();
    for change in changes {
        let how = if change.is_well { "" } else { &change.how };
        let (_, target, kind) = &change.way;
        same.entry((change.is_well, target, kind, how))
            .or_default()
            .push(change);
    }
    for ((is_well, target, kind, _), changes) in same {
        let mark = if is_well { "✓" } else { "✗" };
        let sources: Vec<&str> = changes.iter().map(|change| change.way.0.as_str()).collect();
        let how = match changes.as_slice() {
            [only] => &only.how,
            _ if is_well => "answers",
            all => &all[0].how,
        };
        let _ = writeln!(
            text,
            "{time} {mark} {kind} {} → {target}: {how}",
            sources.join(", ")
        );
    }
    cluster::sanitize(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use observation::{Cell, Coverage, Expected, Source};
    use report::Subject;

    use super::*;

    fn mesh(is_well: bool) -> Mesh {
        let outcome = if is_well {
            Outcome::Ok {
                rtt_us: 250,
                peer: None,
            }
        } else {
            Outcome::TimedOut { after_us: 4_000_000 }
        };
        Mesh {
            coverage: Coverage::Full,
            tcp_port: 1,
            udp_port: 1,
            sources: BTreeMap::new(),
            cells: vec![Cell {
                source: "node1".into(),
                target: "node2".into(),
                address: [10, 0, 0, 1].into(),
                kind: Kind::Tcp,
                samples: vec![Sample {
                    at_us: 0,
                    retry: false,
                    outcome,
                }],
            }],
        }
    }

    #[test]
    fn only_what_changes_is_told() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.add(&mesh(true)), []);
        assert_eq!(ledger.exit_status(), ExitStatus::NoProblem);
        let changes = ledger.add(&mesh(false));
        assert_eq!((changes.len(), changes[0].is_well), (1, false));
        assert_eq!(ledger.add(&mesh(false)), []);
        assert!(ledger.add(&mesh(true))[0].is_well);
        assert_eq!(ledger.exit_status(), ExitStatus::ProblemFound);
        assert_eq!(
            ledger.summary(4, false),
            "4 rounds, 2 of 4 probes answered\n  tcp node1 → node2: 2 of 4\n"
        );
    }

    #[test]
    fn a_service_that_stops_answering_is_told_with_its_address() {
        let attempt = |outcome: Outcome| Attempt {
            source: Source::Pod { node: "node1".into() },
            purpose: Purpose::ClusterIp,
            subject: Subject::Object {
                kind: "service".into(),
                name: "kubernetes".into(),
                namespace: Some("default".into()),
            },
            address: ([10, 96, 0, 1], 443).into(),
            kind: Kind::Connect { linger_ms: 50 },
            expected: Expected::Answer,
            samples: vec![Sample {
                at_us: 0,
                retry: false,
                outcome,
            }],
        };
        let mut ledger = Ledger::default();
        let well = attempt(Outcome::Ok {
            rtt_us: 250,
            peer: None,
        });
        assert_eq!(ledger.add_tries(&[well]), []);
        let changes = ledger.add_tries(&[attempt(Outcome::TimedOut { after_us: 4_000_000 })]);
        assert_eq!(
            lines(&jiff::Timestamp::UNIX_EPOCH, &changes, false),
            "1970-01-01T00:00:00Z ✗ tcp node1 → service/kubernetes -n default 10.96.0.1:443: no answer\n"
        );
    }

    #[test]
    fn what_is_not_well_from_the_beginning_is_told_at_once() {
        let changes = Ledger::default().add(&mesh(false));
        assert_eq!(
            lines(&jiff::Timestamp::UNIX_EPOCH, &changes, false),
            "1970-01-01T00:00:00Z ✗ tcp node1 → node2: no answer\n"
        );
        let document = lines(&jiff::Timestamp::UNIX_EPOCH, &changes, true);
        assert!(document.contains("\"answered\":false"), "{document}");
    }

    #[test]
    fn what_is_the_same_from_several_nodes_is_one_line() {
        let change = |source: &str, is_well: bool, how: &str| Change {
            way: (source.to_owned(), "node3".to_owned(), "tcp"),
            is_well,
            how: how.to_owned(),
        };
        let changes = [
            change("node1", false, "no answer"),
            change("node2", false, "no answer"),
            change("node4", true, "answers in 0.20ms"),
        ];
        assert_eq!(
            lines(&jiff::Timestamp::UNIX_EPOCH, &changes, false),
            "1970-01-01T00:00:00Z ✗ tcp node1, node2 → node3: no answer\n\
             1970-01-01T00:00:00Z ✓ tcp node4 → node3: answers in 0.20ms\n"
        );
    }

    #[test]
    fn nothing_seen_is_not_nothing_wrong() {
        assert_eq!(Ledger::default().exit_status(), ExitStatus::Inconclusive);
    }
}
