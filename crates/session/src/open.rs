//! What every subcommand that looks at a cluster does: connect, read the nodes, choose among them, run probe pods on
//! them, and put together an observation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cluster::{Cluster, ConnectionArgs, Identity, NodeRead};
use observation::{Node, Observation, Phase, Place, Placement, ServerVersion, Stats};
use plugin::{Failure, OutputArgs, Run, Spinner};
use probe::{Gate, NodeTarget, ProbeError, ProbeOptions, ProbeRun, Tier};
use report::{Gap, GapReason, Observed};
use tokio::sync::{Notify, oneshot};

use crate::args::{self, ProbePods};
use crate::early::Early;

/// One look at one cluster, from the first request to the observation.
pub struct Session<'a> {
    /// The cluster, for whatever else is to be read.
    pub cluster: Cluster,
    /// What the API server says of itself.
    pub server: Observed<ServerVersion>,
    /// All nodes, by name.
    pub nodes: Observed<Vec<NodeRead>>,
    /// How probe pods are made. May be changed until [`Session::with_pods`].
    pub options: ProbeOptions,
    /// Says what is under way.
    pub spinner: Spinner,
    /// The program that runs, and whether the user stopped it.
    pub run: &'a Run,
    taken_at: String,
    /// What took how long so far.
    pub phases: Vec<Phase>,
    /// Probe pods that are being started.
    pub(crate) early: Option<Early>,
    /// Told when the work among probe pods is done, before they are removed.
    pub(crate) worked: Arc<Notify>,
}

/// The nodes that a user wants to probe.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeChoice<'a> {
    /// By name; empty for all.
    pub names: &'a [String],
    /// By labels, as in `kubectl get nodes -l`.
    pub selector: Option<&'a str>,
}

impl<'a> Session<'a> {
    /// Connects, and reads the server's version and the nodes.
    ///
    /// # Errors
    /// When there is no way to the cluster, when the probe options cannot be understood, and when the user stopped it.
    /// That nodes may not be read is no error, but a gap.
    pub async fn open(
        connection: &ConnectionArgs,
        pods: &ProbePods,
        output: &OutputArgs,
        run: &'a Run,
    ) -> Result<Self, Failure> {
        let spinner = Spinner::new(output.progress_on_stderr());
        let options = probe_options(run.program.plugin, pods)?;
        let taken_at = jiff::Timestamp::now().to_string();
        let began = Instant::now();
        let identity = Identity::new(run.program.binary, run.program.version);
        let cluster = Cluster::connect(connection, &identity).await?;
        spinner.say("reading the nodes");
        let read = async { tokio::join!(cluster.server_version(), cluster.nodes()) };
        let (server, nodes) = uninterrupted(run, read).await?;
        reachable(&server, &nodes)?;
        Ok(Self {
            cluster,
            server,
            nodes,
            options,
            spinner,
            run,
            taken_at,
            phases: vec![phase("observe", began.elapsed())],
            early: None,
            worked: Arc::default(),
        })
    }

    /// Waits for reads of the cluster, and counts their time to the phase of observing.
    ///
    /// # Errors
    /// When the user stopped it.
    pub async fn observe<T>(&mut self, what: &str, reads: impl Future<Output = T>) -> Result<T, Failure> {
        self.spinner.say(what);
        let began = Instant::now();
        let value = uninterrupted(self.run, reads).await?;
        count(&mut self.phases, "observe", began.elapsed());
        Ok(value)
    }

    /// The nodes, as an observation holds them; none where they could not be read.
    pub fn nodes(&self) -> Vec<Node> {
        let reads = self.nodes.seen().into_iter().flatten();
        reads.map(|read| read.node.clone()).collect()
    }

    /// The nodes of a choice, as places for probe pods; none where nodes could not be read.
    ///
    /// # Errors
    /// When the choice matches none.
    pub(crate) fn targets(&self, choice: NodeChoice<'_>) -> Result<Vec<NodeTarget>, Failure> {
        let Observed::Seen(reads) = &self.nodes else {
            return Ok(Vec::new());
        };
        Ok(select(reads, choice)?.into_iter().map(target).collect())
    }

    /// Starts a probe pod on each node of the choice, runs `work` against them, and takes them away again. Without a
    /// list of nodes, and when the run could not be prepared, there is no value, and the placement says why.
    ///
    /// # Errors
    /// When the choice matches no node, and when the user stopped it.
    pub async fn with_pods<T>(
        &mut self,
        choice: NodeChoice<'_>,
        work: impl AsyncFnOnce(&ProbeRun, &Spinner) -> T,
    ) -> Result<(Placement, Option<T>), Failure> {
        let Observed::Seen(reads) = &self.nodes else {
            // Without the nodes' names there is nowhere to place probes, and the gap of the nodes says why.
            return Ok((self.nowhere(BTreeMap::new()), None));
        };
        let selected = select(reads, choice)?;
        let targets: Vec<NodeTarget> = selected.iter().map(|&read| target(read)).collect();
        let spinner = &self.spinner;
        let token = self.run.interrupt.token();
        let began = Instant::now();
        let early = match self.early.take() {
            Some(early) => Box::pin(early.take(&self.options, &targets)).await,
            None => None,
        };
        let launched = if let Some(launched) = early {
            launched
        } else {
            let launch = async {
                let prepared = probe::prepare(&self.cluster, &self.options, &targets, token, spinner).await;
                prepared.start(Gate::open(), token, spinner).await
            };
            Box::pin(launch).await
        };
        let start_took = began.elapsed();
        let worked = &self.worked;
        let finished = probe::with_launched(&self.cluster, launched, token, spinner, async |pods| {
            let began = Instant::now();
            let value = work(pods, spinner).await;
            worked.notify_one();
            (value, began.elapsed())
        });
        let (placement, value) = match Box::pin(finished).await {
            Ok(finished) => {
                let (value, took) = finished.value;
                count(&mut self.phases, "start", start_took);
                count(&mut self.phases, "probe", took);
                count(&mut self.phases, "clean up", finished.removal_took);
                plugin::report_removal(&finished.removal);
                (finished.placement, Some(value))
            }
            Err(ProbeError::NotPrepared { gap, removal }) => {
                plugin::report_removal(&removal);
                let failed = |target: &NodeTarget| (target.name.clone(), Place::Failed(gap.clone()));
                (self.nowhere(targets.iter().map(failed).collect()), None)
            }
            Err(error @ ProbeError::Cancelled { .. }) => {
                self.spinner.clear();
                return Err(Failure::new(format!("error: interrupted: {}", error.removal())));
            }
        };
        Ok((left_out(placement, reads, &selected, choice), value))
    }

    /// As [`Session::with_pods`], and does something `beside` it from the beginning, with probes in nodes' own networks: these are
    /// there until both are done.
    ///
    /// # Errors
    /// As [`Session::with_pods`].
    pub async fn with_pods_beside<T, B>(
        &mut self,
        choice: NodeChoice<'_>,
        beside: impl Future<Output = B>,
        work: impl AsyncFnOnce(&ProbeRun, &Spinner) -> T,
    ) -> Result<(Placement, Option<T>, B), Failure> {
        let (done, is_done) = oneshot::channel::<()>();
        let beside = async {
            let value = beside.await;
            drop(done);
            value
        };
        let working = self.with_pods(choice, async |pods, spinner| {
            let value = work(pods, spinner).await;
            // Only ever ends: nothing is sent.
            let _ = is_done.await;
            value
        });
        let (beside, worked) = tokio::join!(beside, Box::pin(working));
        worked.map(|(placement, value)| (placement, value, beside))
    }

    /// As [`Session::with_pods`], with pods in the network of their nodes: a run of its own, without any capability, or
    /// with privileges where the tier is [`Tier::Privileged`].
    ///
    /// # Errors
    /// As [`Session::with_pods`].
    pub async fn with_host_pods<T>(
        &mut self,
        tier: Tier,
        choice: NodeChoice<'_>,
        work: impl AsyncFnOnce(&ProbeRun, &Spinner) -> T,
    ) -> Result<(Placement, Option<T>), Failure> {
        let options = self.options.clone().on_host(tier);
        let own = std::mem::replace(&mut self.options, options);
        let done = self.with_pods(choice, work).await;
        self.options = own;
        done
    }

    /// What was seen so far. Parts that only some subcommands look at are absent, and theirs to add.
    ///
    /// # Errors
    /// When the server warned and warnings are errors.
    pub fn finish(self, placement: Option<Placement>) -> Result<Observation, Failure> {
        self.spinner.clear();
        self.cluster.check_warnings()?;
        let usage = self.cluster.usage();
        let nodes = self
            .nodes
            .map(|reads| reads.into_iter().map(|read| read.node).collect());
        let mut observation = Observation::new(tool(self.run), self.taken_at, self.server, nodes);
        observation.placement = placement;
        observation.stats = Stats {
            api_calls: Some(usage.calls),
            bytes_received: Some(usage.bytes_received),
            bytes_sent: Some(usage.bytes_sent),
            phases: self.phases,
        };
        Ok(observation)
    }

    /// The placement of a run that never had a pod.
    fn nowhere(&self, nodes: BTreeMap<String, Place>) -> Placement {
        let namespace = self.options.probe_namespace.as_deref();
        Placement {
            run: String::new(),
            namespace: namespace.unwrap_or(self.cluster.namespace()).to_owned(),
            own_namespace: Observed::Seen(()),
            nodes,
            notes: Vec::new(),
        }
    }
}

/// The program, as reports and bundles name it.
pub fn tool(run: &Run) -> String {
    format!("{} v{}", run.program.binary, run.program.version)
}

async fn uninterrupted<T>(run: &Run, reads: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        read = reads => Ok(read),
        () = run.interrupt.token().cancelled() => Err(Failure::new("error: interrupted")),
    }
}

/// Nothing at all could be read: there is no cluster to say anything about.
fn reachable(server: &Observed<ServerVersion>, nodes: &Observed<Vec<NodeRead>>) -> Result<(), Failure> {
    let denied = |gap: &Gap| matches!(gap.why, GapReason::Forbidden { .. });
    match (server, nodes) {
        (Observed::Unseen(_), Observed::Unseen(gap)) if !denied(gap) => {
            Err(Failure::new(gap.message.clone()).with_hint(gap.hint.clone()))
        }
        _ => Ok(()),
    }
}

/// The nodes that were asked for, in the order of their names.
pub(crate) fn select<'a>(
    reads: &'a [NodeRead],
    choice: NodeChoice<'_>,
) -> Result<Vec<&'a NodeRead>, Failure> {
    if let Some(missing) = choice
        .names
        .iter()
        .find(|name| !reads.iter().any(|read| read.node.name == **name))
    {
        return Err(Failure::new(format!(
            "Error from server (NotFound): nodes {missing:?} not found"
        )));
    }
    let selector = match choice.selector {
        Some(text) => Some(cluster::Selector::parse(text).map_err(|error| Failure::of(&error))?),
        None => None,
    };
    let named = |read: &NodeRead| choice.names.is_empty() || choice.names.contains(&read.node.name);
    let labelled = |read: &NodeRead| {
        selector
            .as_ref()
            .is_none_or(|selector| selector.matches(&read.labels))
    };
    let selected: Vec<&NodeRead> = reads
        .iter()
        .filter(|read| named(read) && labelled(read))
        .collect();
    if selected.is_empty() {
        return Err(Failure::new("error: no node matches --node and --selector")
            .with_hint(Some("kubectl get nodes --show-labels".to_owned())));
    }
    Ok(selected)
}

fn target(read: &NodeRead) -> NodeTarget {
    let images = read.images.iter().map(|image| probe::NodeImage {
        names: image.names.clone(),
        size_bytes: image.size_bytes,
    });
    NodeTarget::new(&read.node, images.collect())
}

/// Adds the nodes that were not asked for, and turns a node that was asked for by name but left out into a gap: the user
/// wanted to know about it.
fn left_out(
    mut placement: Placement,
    reads: &[NodeRead],
    selected: &[&NodeRead],
    choice: NodeChoice<'_>,
) -> Placement {
    for (name, place) in &mut placement.nodes {
        if let Place::LeftOut { reason, hint } = place
            && choice.names.contains(name)
        {
            *place = Place::Failed(Gap {
                what: format!("probe pod on {name}"),
                why: GapReason::NotStarted,
                message: format!("{name} was asked for by name and is {reason}"),
                hint: hint.take(),
            });
        }
    }
    for read in reads
        .iter()
        .filter(|read| !selected.iter().any(|chosen| chosen.node.name == read.node.name))
    {
        let place = Place::LeftOut {
            reason: "not selected".to_owned(),
            hint: None,
        };
        placement.nodes.insert(read.node.name.clone(), place);
    }
    placement
}

fn probe_options(plugin: &'static str, pods: &ProbePods) -> Result<ProbeOptions, Failure> {
    let mut options = ProbeOptions::new(plugin);
    options.probe_namespace.clone_from(&pods.probe_namespace);
    options.image.clone_from(&pods.image);
    options.image_pull_secret.clone_from(&pods.image_pull_secret);
    options.keep = pods.keep;
    options.start_timeout = pods.start_timeout;
    for text in &pods.tolerations {
        options
            .tolerations
            .push(text.parse().map_err(|error| Failure::of(&error))?);
    }
    if let Some(text) = &pods.requests {
        args::apply_resources("--requests", text, &mut options.requests)?;
    }
    if let Some(text) = &pods.limits {
        args::apply_resources("--limits", text, &mut options.limits)?;
    }
    Ok(options)
}

/// Counts time to a phase, which a run may come to more than once.
fn count(phases: &mut Vec<Phase>, name: &str, time: Duration) {
    let took = phase(name, time);
    match phases.iter_mut().find(|phase| phase.name == took.name) {
        Some(phase) => phase.took_ms += took.took_ms,
        None => phases.push(took),
    }
}

pub(crate) fn phase(name: &str, took: Duration) -> Phase {
    Phase {
        name: name.to_owned(),
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_that_comes_again_is_one_phase() {
        let mut phases = vec![phase("observe", Duration::from_millis(5))];
        for name in ["start", "probe", "start", "observe"] {
            count(&mut phases, name, Duration::from_millis(10));
        }
        let told: Vec<(&str, u64)> = phases.iter().map(|it| (it.name.as_str(), it.took_ms)).collect();
        assert_eq!(told, [("observe", 15), ("start", 20), ("probe", 10)]);
    }
}
