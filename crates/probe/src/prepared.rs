//! A place for the pods of a run, before there are any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cluster::Cluster;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use observation::{Place, Placement};
use report::Gap;
use tokio_util::sync::CancellationToken;

use crate::agent::Architecture;
use crate::exec::Streamed;
use crate::gate::Gate;
use crate::names;
use crate::options::{NodeTarget, ProbeOptions};
use crate::owner::{self, Owner};
use crate::places;
use crate::pod::Run;
use crate::progress::Progress;
use crate::removal::{self, Removal};
use crate::site::Site;
use crate::start::{self, Wait, Wanted};

/// How often a run says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// A place for probe pods, without any yet. What was made for it has to be removed: by a run, or as it is.
#[must_use = "what was made has to be removed"]
pub struct Prepared {
    pub(crate) access: Access,
    pub(crate) site: Site,
    /// What is to be started, or why nothing can be.
    pub(crate) ready: Result<Waiting, Gap>,
    /// How long it took.
    pub(crate) took: Duration,
}

/// What is to be started.
pub(crate) struct Waiting {
    pub(crate) wanted: Vec<Wanted>,
    /// Nodes where no pod is tried.
    pub(crate) others: BTreeMap<String, Place>,
    /// `None` where there is nothing to start.
    pub(crate) owner: Option<OwnerReference>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared")
            .field("run", &self.site.run.id)
            .finish_non_exhaustive()
    }
}

impl Prepared {
    /// Starts the pods, on each node as soon as `gate` lets them. Returns early when `cancel` is cancelled.
    pub async fn start(self, gate: Gate, cancel: &CancellationToken, progress: &dyn Progress) -> Launched {
        self.start_telling(Wait { gate, told: None }, cancel, progress)
            .await
    }

    pub(crate) async fn start_telling(
        self,
        waiting: Wait,
        cancel: &CancellationToken,
        progress: &dyn Progress,
    ) -> Launched {
        let Self {
            access,
            mut site,
            ready,
            took,
        } = self;
        let began = Instant::now();
        let placement = match ready {
            Ok(ready) => Ok(place(&mut site, ready, waiting, cancel, progress).await),
            Err(gap) => Err(gap),
        };
        Launched {
            access,
            site,
            placement,
            took: took + began.elapsed(),
        }
    }
}

/// Probe pods that were started, as far as they could be. They have to be removed: by a run, or as they are.
#[must_use = "what was made has to be removed"]
pub struct Launched {
    pub(crate) access: Access,
    pub(crate) site: Site,
    /// What became of each node, or why there was no place for any pod.
    pub(crate) placement: Result<Placement, Gap>,
    /// How long it took, with what was waited for.
    pub(crate) took: Duration,
}

impl std::fmt::Debug for Launched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Launched")
            .field("run", &self.site.run.id)
            .finish_non_exhaustive()
    }
}

impl Launched {
    /// Waits for something, and says meanwhile that the run lives.
    pub async fn until<T>(&self, it: impl Future<Output = T>) -> T {
        alive(&self.site, it).await
    }

    /// Takes them away again, unused.
    pub async fn remove(self) -> Removal {
        removal::remove(&self.site).await
    }
}

async fn alive<T>(site: &Site, it: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        value = it => value,
        never = heartbeat(site) => match never {},
    }
}

async fn place(
    site: &mut Site,
    ready: Waiting,
    waiting: Wait,
    cancel: &CancellationToken,
    progress: &dyn Progress,
) -> Placement {
    let Waiting {
        wanted,
        others: mut nodes,
        owner,
    } = ready;
    if let Some(owner) = owner {
        let both = async {
            tokio::join!(
                start::start(site, &owner, &wanted, waiting, cancel, progress),
                site.policies(cancel)
            )
        };
        let (mut started, policies) = alive(site, Box::pin(both)).await;
        site.notes.extend(policies);
        site.notes.append(&mut started.notes);
        let ready = started.ready.into_iter();
        nodes.extend(ready.map(|(node, pod)| (node, Place::Ready(pod))));
        let failed = started.failed.into_iter();
        nodes.extend(failed.map(|(node, gap)| (node, Place::Failed(gap))));
    }
    placement(site, nodes)
}

pub(crate) fn placement(site: &Site, nodes: BTreeMap<String, Place>) -> Placement {
    Placement {
        run: site.run.id.clone(),
        namespace: site.run.namespace.clone(),
        own_namespace: site.own_namespace.clone(),
        nodes,
        notes: site.notes.clone(),
    }
}

/// Chooses the nodes and their images, and makes what all pods need: the namespace and its ConfigMaps. What fails is said by the run that
/// is made of it. When `cancel` is cancelled, no more is made.
pub async fn prepare(
    cluster: &Cluster,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
) -> Prepared {
    prepare_at(access(cluster), options, targets, cancel, progress).await
}

pub(crate) async fn prepare_at(
    access: Access,
    options: &ProbeOptions,
    targets: &[NodeTarget],
    cancel: &CancellationToken,
    progress: &dyn Progress,
) -> Prepared {
    let began = Instant::now();
    let id = names::run_id();
    let run = Run {
        namespace: names::run_name(&options.tool, &id),
        id,
        annotations: Owner::this(options.max_run).annotations(Timestamp::now()),
    };
    let mut site = Site::new(access.client.clone(), options.clone(), run);
    progress.say("choosing images for the probe pods");
    let (wanted, others) = places::choose(&site, targets).await;
    // Without a pod there is nothing to prepare for.
    let owner = if wanted.is_empty() || cancel.is_cancelled() {
        Ok(None)
    } else {
        progress.say("making a place for the probe pods");
        let architectures: BTreeSet<Architecture> = wanted.iter().map(|wanted| wanted.architecture).collect();
        let architectures: Vec<Architecture> = architectures.into_iter().collect();
        let owner = site.prepare(&access.namespace, &architectures, cancel).await;
        owner.map(Some)
    };
    Prepared {
        ready: owner.map(|owner| Waiting {
            wanted,
            others,
            owner,
        }),
        access,
        site,
        took: began.elapsed(),
    }
}

fn access(cluster: &Cluster) -> Access {
    Access {
        client: cluster.client(),
        namespace: cluster.namespace().to_owned(),
        streamed: Arc::default(),
        silent: Arc::default(),
    }
}

/// The way to the cluster.
pub(crate) struct Access {
    pub(crate) client: Client,
    /// The context's.
    pub(crate) namespace: String,
    /// Counts what goes over execs.
    pub(crate) streamed: Arc<Streamed>,
    /// Nodes that nobody got through to, and the gap that it left: each further try would take as long.
    pub(crate) silent: Arc<Mutex<BTreeMap<String, Gap>>>,
}

/// Says on the run's ConfigMap that the run lives, for as long as it is polled. One that cannot be written is no harm:
/// others then spare the run until it expires.
pub(crate) async fn heartbeat(site: &Site) -> std::convert::Infallible {
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
