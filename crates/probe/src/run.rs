//! The bracket around a run: whatever happens inside, what was made is removed.

mod deny;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cluster::Cluster;
use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use netprobe::{Plan, ReadPlan};
use observation::{Place, Placement};
use report::{Gap, GapReason, Observed};
use tokio_util::sync::CancellationToken;

use crate::ProbeError;
use crate::exec::{self, Executed, Streamed};
use crate::options::{NodeTarget, ProbeOptions};
#[cfg(test)]
use crate::prepared::prepare_at;
use crate::prepared::{Access, Prepared, Waiting, heartbeat, prepare};
use crate::progress::Progress;
use crate::removal::{self, Removal};
use crate::site::Site;
use crate::start;

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
    /// How long it took until all pods were Ready or given up.
    pub start_took: Duration,
    /// How long the removal took.
    pub removal_took: Duration,
}

/// Probe pods that run. Borrowed by the work, and gone after it.
pub struct ProbeRun {
    client: Client,
    placement: Placement,
    ports: (u16, u16),
    executing: tokio::sync::Semaphore,
    streamed: Arc<Streamed>,
    /// As [`ProbeOptions::tool`].
    pub(crate) tool: String,
    /// Nodes that nobody got through to, and the gap that it left: each further try would take as long.
    silent: Mutex<BTreeMap<String, Gap>>,
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
    /// What became of each node that was asked for.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Where the agents listen, over TCP and over UDP.
    pub fn ports(&self) -> (u16, u16) {
        self.ports
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
        let _permit = self.executing.acquire().await;
        let place = exec::Place {
            api: self.pods(),
            namespace: &self.placement.namespace,
            node,
            pod: &pod.name,
            run: &self.placement.run,
            command,
            inside,
            streamed: &self.streamed,
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
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pods of the run's namespace.
    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.placement.namespace)
    }

    /// A number for the next pod that tells something briefly, so that no two have the same name.
    pub(crate) fn next_brief(&self) -> u32 {
        self.briefs.fetch_add(1, Ordering::Relaxed)
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
    with_prepared(cluster, prepared, cancel, progress, work).await
}

/// As [`with_probes`], in a place that is there already.
///
/// # Errors
/// As [`with_probes`].
pub async fn with_prepared<T>(
    cluster: &Cluster,
    prepared: Prepared,
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let streamed = Arc::clone(&prepared.access.streamed);
    let finished = run_in(prepared, cancel, progress, work).await;
    cluster.count_stream(
        streamed.received.load(Ordering::Relaxed),
        streamed.sent.load(Ordering::Relaxed),
    );
    finished
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
    run_in(prepared, cancel, progress, work).await
}

async fn run_in<T>(
    prepared: Prepared,
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let Prepared {
        access: Access { client, streamed, .. },
        mut site,
        ready,
        took,
    } = prepared;
    let began = Instant::now();
    let started = match ready {
        Ok(waiting) => Ok(start(&mut site, waiting, cancel, progress).await),
        Err(gap) => Err(gap),
    };
    let start_took = took + began.elapsed();
    let options = site.options.clone();
    let result = match started {
        Err(gap) => Err(Failure::NotPrepared(gap)),
        Ok(_) if cancel.is_cancelled() => Err(Failure::Cancelled),
        Ok(placement) => {
            let executing = tokio::sync::Semaphore::new(EXECUTING);
            let run = ProbeRun {
                client,
                placement,
                ports: (options.tcp_port, options.udp_port),
                executing,
                streamed,
                tool: options.tool.clone(),
                silent: Mutex::default(),
                briefs: AtomicU32::new(0),
            };
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
    let removal = if options.keep && !matches!(result, Err(Failure::NotPrepared(_))) {
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

async fn start(
    site: &mut Site,
    waiting: Waiting,
    cancel: &CancellationToken,
    progress: &dyn Progress,
) -> Placement {
    let Waiting {
        wanted,
        others: mut nodes,
        owner,
    } = waiting;
    let mut started = start::Started::default();
    if let Some(owner) = owner {
        let (pods, policies) = tokio::join!(
            start::start(site, &owner, &wanted, cancel, progress),
            site.policies(cancel)
        );
        started = pods;
        site.notes.extend(policies);
        site.notes.append(&mut started.notes);
    }
    nodes.extend(
        started
            .ready
            .into_iter()
            .map(|(node, pod)| (node, Place::Ready(pod))),
    );
    nodes.extend(
        started
            .failed
            .into_iter()
            .map(|(node, gap)| (node, Place::Failed(gap))),
    );
    Placement {
        run: site.run.id.clone(),
        namespace: site.run.namespace.clone(),
        own_namespace: site.own_namespace.clone(),
        nodes,
        notes: site.notes.clone(),
    }
}
