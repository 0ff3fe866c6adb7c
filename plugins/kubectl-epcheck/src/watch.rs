//! `kubectl epcheck watch`: a line for whatever becomes of endpoints, and how long it takes until nodes know.

mod words;

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use checks::Led;
use cluster::{Cluster, ConnectionArgs, Followed, ServiceScope};
use futures::StreamExt as _;
use futures::future::join_all;
use observation::{BackendPod, EndpointSlice, Place, Service};
use plugin::{Failure, OutputFormat, Run};
use probe::{ProbeRun, Tier};
use report::{ExitStatus, GapReason, Observed};
use session::{Look, Session, duration, services};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use self::words::{told, unseen};
use crate::churn::{Change, Ledger};

/// How often rules are read that have yet to follow.
const EVERY: Duration = Duration::from_millis(500);

#[derive(clap::Args, Clone, Debug)]
pub(crate) struct WatchArgs {
    /// Only these Services of one namespace, as NAME, svc/NAME or NAME.NAMESPACE.
    #[arg(value_name = "SERVICE")]
    names: Vec<String>,
    /// All namespaces.
    #[arg(short = 'A', long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true, conflicts_with = "names")]
    all_namespaces: bool,
    /// How long to watch.
    #[arg(long, default_value = "5m", value_name = "DURATION", value_parser = duration)]
    duration: Duration,
    /// Also measure how long it takes until the rules of each node follow, through a privileged pod on each. It reads only.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
    #[command(flatten)]
    look: Look,
}

/// Runs the subcommand and returns its exit status: that of a problem when a Service lost all its endpoints, when one of them could not
/// make up its mind, and when the rules of a node did not follow.
pub(crate) async fn run(connection: &ConnectionArgs, wanted: &WatchArgs, run: &Run) -> Result<u8, Failure> {
    let look = &wanted.look;
    look.refuse_bundle("watch")?;
    let mut session = Box::pin(Session::open(connection, &look.pods, &look.output, run)).await?;
    session.options.max_run = wanted.duration + Duration::from_mins(5);
    session.options.twins = false;
    let (namespace, services) = Box::pin(asked(&mut session, wanted)).await?;
    let watching = Watching {
        namespace,
        services,
        duration: wanted.duration,
        is_json: look.output.output == OutputFormat::Json,
    };
    let cluster = session.cluster.clone();
    if !wanted.node_access {
        session.spinner.clear();
        return tokio::select! {
            status = watching.follow(&cluster, None) => status,
            () = run.interrupt.token().cancelled() => Err(Failure::new("error: interrupted")),
        };
    }
    let watched = session.with_host_pods(Tier::Privileged, look.choice(), async |hosts, spinner| {
        spinner.clear();
        watching.follow(&cluster, Some(hosts)).await
    });
    match Box::pin(watched).await? {
        (_, Some(status)) => status,
        (placement, None) => {
            for place in placement.nodes.values() {
                if let Place::Failed(gap) = place {
                    plugin::write(&told(&unseen(gap)))?;
                }
            }
            Ok(ExitStatus::Inconclusive.into())
        }
    }
}

/// The Services to watch, and their namespace where it is one.
async fn asked(
    session: &mut Session<'_>,
    wanted: &WatchArgs,
) -> Result<(Option<String>, Vec<Service>), Failure> {
    let cluster = session.cluster.clone();
    let (names, namespace) = services::parse_names(&wanted.names, cluster.namespace())?;
    let scope = if wanted.all_namespaces {
        ServiceScope::All
    } else {
        ServiceScope::Namespace(&namespace)
    };
    let read = session
        .observe("reading Services", cluster.services(scope))
        .await?;
    let mut services = match read {
        Observed::Seen(services) => services,
        Observed::Unseen(gap) => {
            return Err(Failure::new(format!("error: {}: {}", gap.what, gap.message)).with_hint(gap.hint));
        }
    };
    for name in &names {
        if !services.iter().any(|service| service.name == *name) {
            return Err(Failure::new(format!(
                "Error from server (NotFound): services {name:?} not found"
            )));
        }
    }
    services.retain(|service| names.is_empty() || names.contains(&service.name));
    if services.is_empty() {
        return Err(Failure::new(format!(
            "error: no Services found in {namespace} namespace."
        )));
    }
    Ok(((!wanted.all_namespaces).then_some(namespace), services))
}

/// What happened, and when.
enum Event {
    Slice(Followed<EndpointSlice>),
    Pod(Followed<BackendPod>),
}

struct Watching {
    namespace: Option<String>,
    services: Vec<Service>,
    duration: Duration,
    is_json: bool,
}

impl Watching {
    async fn follow(&self, cluster: &Cluster, hosts: Option<&ProbeRun>) -> Result<u8, Failure> {
        let nodes: BTreeSet<String> = hosts
            .into_iter()
            .flat_map(|hosts| hosts.placement().ready())
            .map(str::to_owned)
            .collect();
        let mut ledger = Ledger::new(&self.services, nodes);
        let began = Instant::now();
        let now = || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (sender, mut events) = unbounded_channel();
        let namespace = self.namespace.as_deref();
        let slices = cluster.follow_slices(namespace).map(Event::Slice);
        let pods = cluster.follow_pods(namespace).map(Event::Pod);
        // Read at once, so that the times are those of the events however long something else takes.
        let reading = tokio::spawn(forward(slices, pods, sender, began));
        let (mut listed, mut gaps) = (Listed::default(), BTreeSet::new());
        let mut end = pin!(tokio::time::sleep(self.duration));
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let status = loop {
            let changes = tokio::select! {
                event = next(&mut events) => match self.note(&mut ledger, &mut listed, &mut gaps, event)? {
                    Noted::Changes(changes) => changes,
                    Noted::Hopeless => break ExitStatus::Inconclusive,
                },
                _ = tick.tick(), if !ledger.awaited().is_empty() => {
                    let read = read_rules(hosts, &ledger.awaited()).await;
                    let mut changes = Vec::new();
                    for (node, led) in read {
                        changes.extend(ledger.rules(now(), &node, &led));
                    }
                    changes
                }
                () = &mut end => break status(&ledger, listed.is_done()),
            };
            plugin::write(&words::lines(self.is_json, &changes))?;
        };
        reading.abort();
        plugin::write(&words::summary(self.is_json, &ledger))?;
        Ok(status.into())
    }

    fn note(
        &self,
        ledger: &mut Ledger,
        listed: &mut Listed,
        gaps: &mut BTreeSet<String>,
        (at_ms, event): (u64, Event),
    ) -> Result<Noted, Failure> {
        let was_done = listed.is_done();
        let mut changes = Vec::new();
        match event {
            Event::Slice(Followed::Is(slice)) => changes = ledger.slice(at_ms, *slice),
            Event::Slice(Followed::Gone(namespace, name)) => {
                changes = ledger.slice_gone(at_ms, &(namespace, name));
            }
            Event::Slice(Followed::Listed) => listed.slices = true,
            Event::Pod(Followed::Is(pod)) => ledger.pod(at_ms, &pod),
            Event::Pod(Followed::Gone(namespace, name)) => ledger.pod_gone(&(namespace, name)),
            Event::Pod(Followed::Listed) => listed.pods = true,
            Event::Slice(Followed::Unseen(gap)) => {
                if gaps.insert(gap.message.clone()) {
                    plugin::write(&told(&unseen(&gap)))?;
                }
                if matches!(gap.why, GapReason::Forbidden { .. }) {
                    return Ok(Noted::Hopeless);
                }
            }
            // Without pods the slices can still be followed.
            Event::Pod(Followed::Unseen(gap)) => {
                listed.pods |= matches!(gap.why, GapReason::Forbidden { .. });
                if gaps.insert(gap.message.clone()) {
                    plugin::write(&told(&unseen(&gap)))?;
                }
            }
        }
        if listed.is_done() && !was_done {
            ledger.listed();
            let (services, all, ready) = ledger.count();
            if !self.is_json {
                plugin::write(&told(&format!(
                    "· watching {services} {}: {ready} of {all} endpoints ready",
                    if services == 1 { "Service" } else { "Services" }
                )))?;
            }
        }
        Ok(Noted::Changes(changes))
    }
}

enum Noted {
    Changes(Vec<Change>),
    /// It will never be seen.
    Hopeless,
}

#[derive(Default)]
struct Listed {
    slices: bool,
    pods: bool,
}

impl Listed {
    fn is_done(&self) -> bool {
        self.slices && self.pods
    }
}

/// Both streams into one, each event with its time.
async fn forward(
    slices: impl futures::Stream<Item = Event>,
    pods: impl futures::Stream<Item = Event>,
    sender: UnboundedSender<(u64, Event)>,
    began: Instant,
) {
    let mut both = pin!(futures::stream::select(slices, pods));
    while let Some(event) = both.next().await {
        let at_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if sender.send((at_ms, event)).is_err() {
            return;
        }
    }
}

/// The streams have no end.
async fn next(events: &mut UnboundedReceiver<(u64, Event)>) -> (u64, Event) {
    match events.recv().await {
        Some(event) => event,
        None => std::future::pending().await,
    }
}

async fn read_rules(hosts: Option<&ProbeRun>, nodes: &BTreeSet<String>) -> Vec<(String, Observed<Led>)> {
    let Some(hosts) = hosts else {
        return Vec::new();
    };
    let read = nodes.iter().map(|node| async move {
        let reads = hosts.read_rules(node).await;
        let led = match reads {
            Observed::Seen(reads) => checks::led(node, &reads),
            Observed::Unseen(gap) => Observed::Unseen(gap),
        };
        (node.clone(), led)
    });
    join_all(read).await
}

fn status(ledger: &Ledger, is_listed: bool) -> ExitStatus {
    if !is_listed {
        return ExitStatus::Inconclusive;
    }
    let has_problem = |tally: &crate::churn::Tally| tally.was_empty || tally.flapping().next().is_some();
    if !ledger.behind.is_empty() || ledger.tally.values().any(has_problem) {
        ExitStatus::ProblemFound
    } else {
        ExitStatus::NoProblem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::churn::What;

    fn change(what: What) -> Change {
        Change {
            service: "service/web -n shop".into(),
            what,
            ready: 2,
            all: 3,
        }
    }

    #[test]
    fn nodes_whose_rules_follow_by_the_same_look_are_one_line() {
        let followed = |node: &str, after_ms| {
            change(What::Followed {
                node: node.into(),
                after_ms,
            })
        };
        let text = words::lines(false, &[followed("node1", 900), followed("node2", 950)]);
        let (_, line) = text.split_once(' ').unwrap();
        assert_eq!(
            line,
            "· service/web -n shop: rules of node1, node2 follow within 0.95s\n"
        );
    }

    #[test]
    fn an_endpoint_is_told_with_how_many_are_ready() {
        let ready = change(What::Ready {
            endpoint: "pod/a on node1".into(),
            after_pod_ms: Some(250),
        });
        assert_eq!(
            words::line(&ready),
            "✓ service/web -n shop: pod/a on node1 is ready 0.25s after its pod; 2 of 3 ready"
        );
        let text = words::lines(true, &[ready]);
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (document["event"].as_str(), document["afterMs"].as_u64()),
            (Some("ready"), Some(250))
        );
    }

    #[test]
    fn nothing_seen_is_not_nothing_wrong() {
        let ledger = Ledger::new(&[], BTreeSet::new());
        assert_eq!(status(&ledger, false), ExitStatus::Inconclusive);
        assert_eq!(status(&ledger, true), ExitStatus::NoProblem);
    }
}
