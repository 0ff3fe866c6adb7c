//! The bracket around a run: whatever happens inside, what was made is removed.

mod deny;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cluster::Cluster;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use netprobe::{Plan, ReadPlan};
use observation::{Place, Placement};
use report::{Gap, GapReason, Observed};
use tokio_util::sync::CancellationToken;

use crate::ProbeError;
use crate::agent::Architecture;
use crate::exec::{self, Executed, Streamed};
use crate::names;
use crate::options::{NodeTarget, ProbeOptions};
use crate::owner::{self, Owner};
use crate::places;
use crate::pod::Run;
use crate::progress::Progress;
use crate::removal::{self, Removal};
use crate::site::Site;
use crate::start;

/// How often a run says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
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
    let streamed = Arc::new(Streamed::default());
    let access = Access {
        client: cluster.client(),
        namespace: cluster.namespace().to_owned(),
        streamed: Arc::clone(&streamed),
    };
    let finished = bracket(access, options, targets, cancel, progress, work).await;
    cluster.count_stream(
        streamed.received.load(Ordering::Relaxed),
        streamed.sent.load(Ordering::Relaxed),
    );
    finished
}

/// The way to the cluster.
pub(crate) struct Access {
    pub(crate) client: Client,
    /// The context's.
    pub(crate) namespace: String,
    /// Counts what goes over execs.
    pub(crate) streamed: Arc<Streamed>,
}

pub(crate) async fn bracket<T>(
    access: Access,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
    work: impl AsyncFnOnce(&ProbeRun) -> T,
) -> Result<Finished<T>, ProbeError> {
    let id = names::run_id();
    let run = Run {
        namespace: names::run_name(&options.tool, &id),
        id,
        annotations: Owner::this(options.max_run).annotations(Timestamp::now()),
    };
    let Access {
        client,
        namespace,
        streamed,
    } = access;
    let mut site = Site::new(client.clone(), options, run);
    let began = Instant::now();
    let started = start(&mut site, &namespace, targets, cancel, progress).await;
    let start_took = began.elapsed();
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
    site: &mut Site<'_>,
    context_namespace: &str,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
) -> Result<Placement, Gap> {
    progress.say("choosing images for the probe pods");
    let (wanted, mut nodes) = places::choose(site, targets).await;
    let mut started = start::Started::default();
    // Without a pod there is nothing to prepare for.
    if !wanted.is_empty() && !cancel.is_cancelled() {
        progress.say("making a place for the probe pods");
        let architectures: BTreeSet<Architecture> = wanted.iter().map(|wanted| wanted.architecture).collect();
        let architectures: Vec<Architecture> = architectures.into_iter().collect();
        let owner = site.prepare(context_namespace, &architectures, cancel).await?;
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
    Ok(Placement {
        run: site.run.id.clone(),
        namespace: site.run.namespace.clone(),
        own_namespace: site.own_namespace.clone(),
        nodes,
        notes: site.notes.clone(),
    })
}

/// Says on the run's ConfigMap that the run lives, for as long as it is polled. One that cannot be written is no harm:
/// others then spare the run until it expires.
async fn heartbeat(site: &Site<'_>) -> std::convert::Infallible {
    let maps = Api::<ConfigMap>::namespaced(site.client.clone(), &site.run.namespace);
    let name = names::run_name(&site.options.tool, &site.run.id);
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let beat = serde_json::json!({
            "metadata": {"annotations": {owner::HEARTBEAT: Timestamp::now().to_string()}},
        });
        let (params, patch) = (PatchParams::default(), Patch::Merge(beat));
        let _ = tokio::time::timeout(HEARTBEAT, maps.patch_metadata(&name, &params, &patch)).await;
    }
}
