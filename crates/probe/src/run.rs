//! The bracket around a run: whatever happens inside, what was made is removed.

mod deny;
mod own;
mod service;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cluster::Cluster;
use futures::StreamExt as _;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use netprobe::{Plan, ReadPlan};
use observation::{Place, Placement, ProbePod};
use report::{Gap, GapReason, Observed};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::ProbeError;
use crate::exec::{self, Executed, Streamed};
use crate::gate::Gate;
use crate::options::{NodeTarget, ProbeOptions};
#[cfg(test)]
use crate::prepared::prepare_at;
use crate::prepared::{Access, Launched, Prepared, heartbeat, placement, prepare};
use crate::progress::Progress;
use crate::removal::{self, Removal};
use crate::site::Site;
use crate::start::Wait;

pub use service::OwnService;

/// Execs under way at once.
const EXECUTING: usize = 64;

/// A run that did its work.
#[derive(Debug)]
pub struct Finished<T> {
    /// What the work came to.
    pub value: T,
    /// How the probe pods were placed.
    pub placement: Placement,
    /// What became of the run's objects.
    pub removal: Removal,
    /// How long it took until all pods were Ready or given up, with what was waited for.
    pub start_took: Duration,
    /// How long the removal took.
    pub removal_took: Duration,
}

/// Probe pods that run. Lent to the work, and gone after it; one that is kept for longer gets no answers any more.
#[derive(Clone)]
pub struct ProbeRun {
    placement: Placement,
    shared: Arc<Shared>,
}

/// What is the same whichever pods are meant.
struct Shared {
    client: Client,
    ports: (u16, u16),
    executing: tokio::sync::Semaphore,
    streamed: Arc<Streamed>,
    tool: String,
    silent: Arc<Mutex<BTreeMap<String, Gap>>>,
    briefs: AtomicU32,
}

impl std::fmt::Debug for ProbeRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProbeRun")
            .field("placement", &self.placement)
            .finish_non_exhaustive()
    }
}

impl ProbeRun {
    fn new(access: &Access, site: &Site, placement: Placement) -> Self {
        let options = &site.options;
        let shared = Shared {
            client: access.client.clone(),
            ports: (options.tcp_port, options.udp_port),
            executing: tokio::sync::Semaphore::new(EXECUTING),
            streamed: Arc::clone(&access.streamed),
            tool: options.tool.clone(),
            silent: Arc::clone(&access.silent),
            briefs: AtomicU32::new(0),
        };
        Self {
            placement,
            shared: Arc::new(shared),
        }
    }

    /// The same, where only this pod is ready yet.
    fn with_only(&self, node: &str, pod: ProbePod) -> Self {
        let mut only = self.clone();
        only.placement.nodes = BTreeMap::from([(node.to_owned(), Place::Ready(pod))]);
        only
    }

    /// What became of each node that was asked for.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Where the agents listen, over TCP and over UDP.
    pub fn ports(&self) -> (u16, u16) {
        self.shared.ports
    }

    /// Asks something of every node with a pod that runs, of all at the same time.
    pub async fn on_each<T>(&self, ask: impl AsyncFn(&str) -> T) -> BTreeMap<String, T> {
        let ask = &ask;
        let asked = self.placement.ready();
        join_all(asked.map(|node| async move { (node.to_owned(), ask(node).await) }))
            .await
            .into_iter()
            .collect()
    }

    /// Runs a plan in the probe pod of a node. May be called for many nodes at once. A node without a pod, a failed exec
    /// and a cut off answer are gaps of the result.
    pub async fn execute(&self, node: &str, plan: &Plan) -> Executed {
        let encoded = netprobe::encode_plan(plan);
        self.ask(node, "run", None, encoded, plan.deadline_ms).await
    }

    /// Runs a plan in the network of a pod of the cluster, by its uid as [`observation::NodePod::uid`]. Only privileged probe pods
    /// can: from any other, and where the pod is not found, the gap says so. As [`ProbeRun::execute`] for the rest.
    pub async fn execute_inside(&self, node: &str, uid: &str, plan: &Plan) -> Executed {
        let encoded = netprobe::encode_plan(plan);
        self.ask(node, "run", Some(uid), encoded, plan.deadline_ms).await
    }

    /// Reads what the plan says in the probe pod of a node, as [`ProbeRun::execute`].
    pub async fn read(&self, node: &str, plan: &ReadPlan) -> Executed {
        let encoded = netprobe::encode_read_plan(plan);
        self.ask(node, "read", None, encoded, plan.deadline_ms).await
    }

    async fn ask(
        &self,
        node: &str,
        command: &'static str,
        inside: Option<&str>,
        encoded: Result<Vec<u8>, std::io::Error>,
        deadline_ms: u64,
    ) -> Executed {
        let unasked = |gap| Executed {
            hello: None,
            answers: Vec::new(),
            reads: Vec::new(),
            end: None,
            seen: Observed::Unseen(gap),
            is_silent: false,
        };
        let nothing = |why, message| {
            unasked(Gap {
                what: format!("answers from {node}"),
                why,
                message,
                hint: None,
            })
        };
        if let Some(gap) = self.silent().get(node) {
            return unasked(gap.clone());
        }
        let Some(Place::Ready(pod)) = self.placement.nodes.get(node) else {
            return nothing(GapReason::NotStarted, format!("no probe pod runs on {node}"));
        };
        let encoded = match encoded {
            Ok(encoded) => encoded,
            Err(error) => {
                return nothing(
                    GapReason::Failed,
                    format!("the plan for {node} could not be sent: {error}"),
                );
            }
        };
        // Never closed.
        let _permit = self.shared.executing.acquire().await;
        let place = exec::Place {
            api: self.pods(),
            namespace: &self.placement.namespace,
            node,
            pod: &pod.name,
            run: &self.placement.run,
            command,
            inside,
            streamed: &self.shared.streamed,
        };
        let executed = exec::execute(&place, &encoded, Duration::from_millis(deadline_ms)).await;
        if executed.is_silent
            && let Observed::Unseen(gap) = &executed.seen
        {
            self.silent().insert(node.to_owned(), gap.clone());
        }
        executed
    }

    fn silent(&self) -> MutexGuard<'_, BTreeMap<String, Gap>> {
        self.shared.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pods of the run's namespace.
    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.shared.client.clone(), &self.placement.namespace)
    }

    /// As [`ProbeOptions::tool`].
    pub(crate) fn tool(&self) -> &str {
        &self.shared.tool
    }

    /// A number for the next pod that tells something briefly, so that no two have the same name.
    pub(crate) fn next_brief(&self) -> u32 {
        self.shared.briefs.fetch_add(1, Ordering::Relaxed)
    }
}

/// Starts a probe pod on each target, runs `work` against them, and removes everything however that ends.
///
/// A closure rather than a guard with `Drop`, because deleting needs an `await`. When `cancel` is cancelled, `work` is
/// dropped where it is; requests that create something are waited for, so that they leave nothing behind. Nodes where no pod
/// can be had are part of the placement, not an error.
///
/// # Errors
/// When the run was cancelled, or what all pods need could not be made. The error says what became of the rest.
pub async fn with_probes<T>(
    cluster: &Cluster,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let prepared = prepare(cluster, options, targets, cancel, progress).await;
    let launched = prepared.start(Gate::open(), cancel, progress).await;
    with_launched(cluster, launched, cancel, progress, work).await
}

/// As [`with_probes`], with pods that were started already.
///
/// # Errors
/// As [`with_probes`].
pub async fn with_launched<T>(
    cluster: &Cluster,
    launched: Launched,
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let streamed = Arc::clone(&launched.access.streamed);
    let finished = run_in(launched, cancel, progress, work).await;
    cluster.count_stream(
        streamed.received.load(Ordering::Relaxed),
        streamed.sent.load(Ordering::Relaxed),
    );
    finished
}

/// As [`with_probes`], and does something `first` with each pod as soon as it is ready, while others may still be starting. `work`
/// begins when that is done too, and has what came of it by the nodes' names; those without a pod are absent.
///
/// # Errors
/// As [`with_probes`].
pub async fn with_probes_first<F, T>(
    cluster: &Cluster,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
    first: impl AsyncFn(&ProbeRun, &str) -> F,
    work: impl AsyncFnOnce(&ProbeRun, BTreeMap<String, F>) -> T,
) -> Result<Finished<T>, ProbeError> {
    let prepared = prepare(cluster, options, targets, cancel, progress).await;
    let (launched, done) = begin(prepared, cancel, progress, first).await;
    with_launched(cluster, launched, cancel, progress, async |run| {
        work(run, done).await
    })
    .await
}

/// Starts the pods and does something with each as soon as it is ready.
pub(crate) async fn begin<F>(
    prepared: Prepared,
    cancel: &CancellationToken,
    progress: &dyn Progress,
    first: impl AsyncFn(&ProbeRun, &str) -> F,
) -> (Launched, BTreeMap<String, F>) {
    let (told, mut hears) = mpsc::unbounded_channel();
    let nobody = placement(&prepared.site, BTreeMap::new());
    let nobody = ProbeRun::new(&prepared.access, &prepared.site, nobody);
    let first = &first;
    let begin = async |node: String, pod: ProbePod| {
        let only = nobody.with_only(&node, pod);
        let value = first(&only, node.as_str()).await;
        (node, value)
    };
    let doing = async {
        let mut under_way = FuturesUnordered::new();
        let mut done = BTreeMap::new();
        let mut more = true;
        while more || !under_way.is_empty() {
            tokio::select! {
                told = hears.recv(), if more => match told {
                    Some((node, pod)) => under_way.push(begin(node, pod)),
                    None => more = false,
                },
                Some((node, value)) = under_way.next() => {
                    done.insert(node, value);
                }
                () = cancel.cancelled() => break,
            }
        }
        done
    };
    let waiting = Wait {
        gate: Gate::open(),
        told: Some(told),
    };
    let starting = Box::pin(prepared.start_telling(waiting, cancel, progress));
    tokio::join!(starting, doing)
}

#[cfg(test)]
pub(crate) async fn bracket<T>(
    access: Access,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let prepared = prepare_at(access, options, targets, cancel, progress).await;
    let launched = prepared.start(Gate::open(), cancel, progress).await;
    run_in(launched, cancel, progress, work).await
}

async fn run_in<T>(
    launched: Launched,
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let Launched {
        access,
        site,
        placement,
        took: start_took,
    } = launched;
    let result = match placement {
        Err(gap) => Err(Failure::NotPrepared(gap)),
        Ok(_) if cancel.is_cancelled() => Err(Failure::Cancelled),
        Ok(placement) => {
            let run = ProbeRun::new(&access, &site, placement);
            let value = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(Failure::Cancelled),
                value = work(&run) => Ok(value),
                never = heartbeat(&site) => match never {},
            };
            value.map(|value| (value, run.placement))
        }
    };
    let began = Instant::now();
    let removal = if site.options.keep && !matches!(result, Err(Failure::NotPrepared(_))) {
        Removal::Kept {
            command: removal::command(&site),
        }
    } else {
        progress.say("removing the probe pods");
        removal::remove(&site).await
    };
    match result {
        Ok((value, placement)) => Ok(Finished {
            value,
            placement,
            removal,
            start_took,
            removal_took: began.elapsed(),
        }),
        Err(Failure::Cancelled) => Err(ProbeError::Cancelled { removal }),
        // A request that failed because it was given up is no failure of its own.
        Err(Failure::NotPrepared(_)) if cancel.is_cancelled() => Err(ProbeError::Cancelled { removal }),
        Err(Failure::NotPrepared(gap)) => Err(ProbeError::NotPrepared { gap, removal }),
    }
}

enum Failure {
    Cancelled,
    NotPrepared(Gap),
}
