//! What runs left that were killed: finds it, tells the dead from the living, and removes it.

mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use cluster::Cluster;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{DeleteParams, Preconditions};
use kube::{Api, Client};
use report::Gap;

use self::search::{Found, Search, selector};
use crate::kubelet;
use crate::owner::{self, Judgement, Life, Owner, Testimony};
use crate::removal::{at_once, persist};
use crate::trouble::{PATIENCE, Trouble, within};

/// What to clean up.
#[derive(Clone, Debug)]
pub struct CleanupOptions {
    /// The plugin's name, as `netcheck`: only its own runs are looked for.
    pub tool: String,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Only this run.
    pub run: Option<String>,
    /// Also look in this namespace, where not all namespaces can be listed.
    pub probe_namespace: Option<String>,
    /// Remove the run although it may live. Without effect unless `run` names it.
    pub force: bool,
}

/// An object of a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leftover {
    /// What it is.
    pub kind: LeftoverKind,
    /// Its namespace; `None` for a namespace itself.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// Only the object with this uid is deleted, not another one of the same name.
    uid: String,
}

/// The kinds of objects that a run makes, in the order in which they are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftoverKind {
    /// A probe pod.
    Pod,
    /// A ConfigMap: the agent, or the owner of all.
    ConfigMap,
    /// The run's own namespace.
    Namespace,
}

impl fmt::Display for Leftover {
    /// As kubectl takes it: `pod/netcheck-1-node1 -n shop`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            LeftoverKind::Pod => "pod",
            LeftoverKind::ConfigMap => "configmap",
            LeftoverKind::Namespace => "namespace",
        };
        write!(f, "{kind}/{}", self.name)?;
        match &self.namespace {
            Some(namespace) => write!(f, " -n {namespace}"),
            None => Ok(()),
        }
    }
}

/// A run that was found in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// Its id.
    pub id: String,
    /// Its objects, in the order in which they are removed.
    pub objects: Vec<Leftover>,
    /// Whether it lives, and by what that is known.
    pub life: Life,
    /// Whether all of it is being deleted already.
    pub going: bool,
}

/// What became of a run that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Every deletion was accepted.
    Removed,
    /// It would be removed, were this no dry run.
    WouldRemove,
    /// It may live.
    Spared,
    /// It was being deleted already.
    Going,
    /// What could not be removed, one clause each.
    Failed(Vec<String>),
}

/// What a cleanup found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanupReport {
    /// The runs, by id.
    pub runs: Vec<(FoundRun, Action)>,
    /// Where could not be looked: there may be more.
    pub gaps: Vec<Gap>,
}

/// Two heartbeats and some: a live run of another machine has beaten by then.
const WATCH: Duration = Duration::from_secs(12);

/// Finds the runs of a tool in all namespaces that may be read. Takes 12 s where a heartbeat must be watched, else only
/// as long as the requests.
pub async fn find_runs(cluster: &Cluster, options: &CleanupOptions) -> (Vec<FoundRun>, Vec<Gap>) {
    find(&cluster.client(), cluster.namespace(), options).await
}

/// Finds the runs of a tool, and removes the dead. A live run is never touched unless it was named and `force` was given.
pub async fn cleanup(cluster: &Cluster, options: &CleanupOptions) -> CleanupReport {
    clean(&cluster.client(), cluster.namespace(), options).await
}

pub(crate) async fn clean(client: &Client, namespace: &str, options: &CleanupOptions) -> CleanupReport {
    let (found, gaps) = find(client, namespace, options).await;
    let mut report = CleanupReport {
        runs: Vec::new(),
        gaps,
    };
    for run in found {
        let forced = options.force && options.run.as_deref() == Some(run.id.as_str());
        let action = match &run.life {
            _ if run.going => Action::Going,
            Life::Live(_) if !forced => Action::Spared,
            Life::Live(_) | Life::Dead(_) if options.dry_run => Action::WouldRemove,
            Life::Live(_) | Life::Dead(_) => remove(client, &run).await,
        };
        report.runs.push((run, action));
    }
    report
}

async fn find(client: &Client, namespace: &str, options: &CleanupOptions) -> (Vec<FoundRun>, Vec<Gap>) {
    let mut search = Search {
        client,
        params: selector(options),
        places: BTreeSet::from([namespace.to_owned()]),
        found: BTreeMap::new(),
        gaps: Vec::new(),
    };
    search.places.extend(options.probe_namespace.clone());
    search.namespaces().await;
    search.config_maps().await;
    search.pods().await;
    let Search { found, gaps, .. } = search;
    if found.is_empty() {
        return (Vec::new(), gaps);
    }
    let now = server_now(client).await;
    let here = Owner::this(Duration::ZERO);
    let mut known = Vec::new();
    let mut watched = Vec::new();
    for (id, run) in found {
        let testimony = Testimony {
            owner: run.owner.clone(),
            created: run.created,
            heartbeat: run.heartbeat.as_ref().map(|(beat, _)| beat.clone()),
        };
        match owner::judge(&testimony, now, &here, owner::process_start) {
            Judgement::Known(life) => known.push(found_run(id, run, life)),
            Judgement::Heartbeat(beat) => watched.push((id, run, beat)),
        }
    }
    if !watched.is_empty() {
        tokio::time::sleep(WATCH).await;
    }
    for (id, run, before) in watched {
        let life = match &run.heartbeat {
            Some((_, record)) => heartbeat(client, record, &before).await,
            None => Life::Live("its heartbeat could not be watched".to_owned()),
        };
        known.push(found_run(id, run, life));
    }
    known.sort_by(|one, other| one.id.cmp(&other.id));
    (known, gaps)
}

fn found_run(id: String, run: Found, life: Life) -> FoundRun {
    let going = run.objects.iter().all(|(_, going)| *going)
        || run
            .objects
            .iter()
            .any(|(object, going)| object.kind == LeftoverKind::Namespace && *going);
    let mut objects: Vec<Leftover> = run.objects.into_iter().map(|(object, _)| object).collect();
    objects.sort();
    FoundRun {
        id,
        objects,
        life,
        going,
    }
}

async fn heartbeat(client: &Client, record: &Leftover, before: &str) -> Life {
    let maps = Api::<ConfigMap>::namespaced(client.clone(), record.namespace.as_deref().unwrap_or_default());
    match within(PATIENCE, maps.get_metadata_opt(&record.name)).await {
        Ok(Some(map)) => {
            let after = map
                .metadata
                .annotations
                .and_then(|all| all.get(owner::HEARTBEAT).cloned());
            owner::judge_heartbeat(before, after.as_deref(), WATCH)
        }
        Ok(None) => owner::judge_heartbeat(before, None, WATCH),
        Err(trouble) => Life::Live(format!("its heartbeat could not be watched: {trouble}")),
    }
}

/// The API server's clock, by which it stamps objects; this machine's where it does not tell.
async fn server_now(client: &Client) -> Timestamp {
    let request = http::Request::get("/version").body(kube::client::Body::empty());
    let Ok(request) = request else {
        return Timestamp::now();
    };
    let response = within(PATIENCE, client.send(request)).await;
    response
        .ok()
        .and_then(|response| kubelet::server_time(response.headers()))
        .unwrap_or_else(Timestamp::now)
}

async fn remove(client: &Client, run: &FoundRun) -> Action {
    let mut failed = Vec::new();
    for object in &run.objects {
        if let Err(trouble) = delete(client, object).await {
            failed.push(format!("{object}: {trouble}"));
        }
    }
    if failed.is_empty() {
        Action::Removed
    } else {
        Action::Failed(failed)
    }
}

async fn delete(client: &Client, object: &Leftover) -> Result<(), Trouble> {
    let only_this = |params: DeleteParams| DeleteParams {
        preconditions: Some(Preconditions {
            uid: Some(object.uid.clone()),
            resource_version: None,
        }),
        ..params
    };
    let namespace = object.namespace.as_deref().unwrap_or_default();
    let name = &object.name;
    match object.kind {
        LeftoverKind::Pod => {
            let (api, params) = (
                Api::<Pod>::namespaced(client.clone(), namespace),
                only_this(at_once()),
            );
            persist(|| api.delete(name, &params)).await
        }
        LeftoverKind::ConfigMap => {
            let api = Api::<ConfigMap>::namespaced(client.clone(), namespace);
            let params = only_this(DeleteParams::background());
            persist(|| api.delete(name, &params)).await
        }
        LeftoverKind::Namespace => {
            let api = Api::<Namespace>::all(client.clone());
            let params = only_this(DeleteParams::background());
            persist(|| api.delete(name, &params)).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_print_as_kubectl_takes_them() {
        let mut object = Leftover {
            kind: LeftoverKind::Pod,
            namespace: Some("shop".to_owned()),
            name: "p".to_owned(),
            uid: "u".to_owned(),
        };
        assert_eq!(object.to_string(), "pod/p -n shop");
        object.kind = LeftoverKind::Namespace;
        object.namespace = None;
        assert_eq!(object.to_string(), "namespace/p");
    }
}
