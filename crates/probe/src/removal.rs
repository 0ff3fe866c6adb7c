//! How a run takes away what it made.

use std::fmt;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use tokio::time::Instant;

use crate::names;
use crate::site::Site;
use crate::trouble::{Trouble, within};

/// What became of a run's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Pods and ConfigMaps were seen gone, and the deletion of the run's own namespace was accepted.
    Done,
    /// They were kept, as was asked for.
    Kept {
        /// What removes them.
        command: String,
    },
    /// Some of them may still be there.
    Incomplete {
        /// What may still be there, and why.
        left: Vec<String>,
        /// What removes them.
        command: String,
    },
}

impl fmt::Display for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("everything was removed"),
            Self::Kept { command } => write!(f, "everything was kept; remove it with: {command}"),
            Self::Incomplete { left, command } => {
                write!(
                    f,
                    "not everything could be removed ({}); do it by hand: {command}",
                    left.join("; ")
                )
            }
        }
    }
}

/// How long one request may take, and how long its object may take to go.
const REQUEST: Duration = Duration::from_secs(5);
const GONE: Duration = Duration::from_secs(10);
/// A request that fails for a passing reason is sent again after so long.
const AGAIN: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// Removes everything of a run. All requests that make something must have ended.
pub(crate) async fn remove(site: &Site) -> Removal {
    let namespace = &site.run.namespace;
    let mut left = Vec::new();
    if !site.config_maps.is_empty() {
        let (pods, maps) = tokio::join!(remove_pods(site), remove_config_maps(site));
        left.extend(pods.err());
        left.extend(maps.err());
        left.extend(see_gone(site).await.err());
    }
    if site.is_own() {
        let api = Api::<Namespace>::all(site.client.clone());
        let params = DeleteParams::background();
        let deleted = persist(|| api.delete(namespace, &params)).await;
        match deleted {
            // What else is in there goes with it.
            Ok(()) => left.clear(),
            Err(trouble) => left.push(format!("namespace/{namespace}: {trouble}")),
        }
    }
    if left.is_empty() {
        Removal::Done
    } else {
        Removal::Incomplete {
            left,
            command: command(site),
        }
    }
}

/// What removes a run by hand.
pub(crate) fn command(site: &Site) -> String {
    let namespace = &site.run.namespace;
    if site.is_own() {
        format!("kubectl delete namespace {namespace}")
    } else {
        format!(
            "kubectl delete pods,configmaps -n {namespace} -l {}={}",
            names::RUN,
            site.run.id
        )
    }
}

fn of_run(site: &Site) -> ListParams {
    ListParams::default().labels(&format!("{}={}", names::RUN, site.run.id))
}

/// Grace 0, so that a node whose kubelet is dead does not hold its pod.
pub(crate) fn at_once() -> DeleteParams {
    DeleteParams {
        grace_period_seconds: Some(0),
        ..DeleteParams::background()
    }
}

async fn remove_pods(site: &Site) -> Result<(), String> {
    let api = Api::<Pod>::namespaced(site.client.clone(), &site.run.namespace);
    let (now, of_run) = (at_once(), of_run(site));
    let all = persist(|| api.delete_collection(&now, &of_run)).await;
    match all {
        Ok(()) => Ok(()),
        // Roles often have `delete` without `deletecollection`.
        Err(trouble) if trouble.is_forbidden() => {
            let names = site
                .pods
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .clone();
            let mut failed = Vec::new();
            for name in names {
                if let Err(trouble) = persist(|| api.delete(&name, &now)).await {
                    failed.push(format!("pod/{name}: {trouble}"));
                }
            }
            if failed.is_empty() {
                Ok(())
            } else {
                Err(failed.join(", "))
            }
        }
        Err(trouble) => Err(format!("the probe pods: {trouble}")),
    }
}

async fn remove_config_maps(site: &Site) -> Result<(), String> {
    let api = Api::<ConfigMap>::namespaced(site.client.clone(), &site.run.namespace);
    let params = DeleteParams::background();
    let mut failed = Vec::new();
    for name in &site.config_maps {
        if let Err(trouble) = persist(|| api.delete(name, &params)).await {
            failed.push(format!("configmap/{name}: {trouble}"));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join(", "))
    }
}

/// Looks until nothing of the run is there any more.
async fn see_gone(site: &Site) -> Result<(), String> {
    let pods = Api::<Pod>::namespaced(site.client.clone(), &site.run.namespace);
    let maps = Api::<ConfigMap>::namespaced(site.client.clone(), &site.run.namespace);
    let params = of_run(site);
    let until = Instant::now() + GONE;
    let mut pause = Duration::from_millis(50);
    loop {
        let (pods, maps) = tokio::join!(
            within(REQUEST, pods.list_metadata(&params)),
            within(REQUEST, maps.list_metadata(&params))
        );
        let seen = match (pods, maps) {
            (Ok(pods), Ok(maps)) if pods.items.is_empty() && maps.items.is_empty() => return Ok(()),
            (Ok(pods), Ok(maps)) => {
                let names = |kind: &str, names: Vec<Option<String>>| -> Vec<String> {
                    names
                        .into_iter()
                        .flatten()
                        .map(|name| format!("{kind}/{name}"))
                        .collect()
                };
                let mut left = names(
                    "pod",
                    pods.items.into_iter().map(|pod| pod.metadata.name).collect(),
                );
                left.extend(names(
                    "configmap",
                    maps.items.into_iter().map(|map| map.metadata.name).collect(),
                ));
                format!("{} not gone after {} s", left.join(", "), GONE.as_secs())
            }
            (Err(trouble), _) | (_, Err(trouble)) => {
                let words = format!("whether they are gone could not be seen: {trouble}");
                if !trouble.is_passing() {
                    return Err(words);
                }
                words
            }
        };
        if Instant::now() + pause > until {
            return Err(seen);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// Sends a deletion until it is answered. What is not there is deleted.
pub(crate) async fn persist<T, F>(request: impl Fn() -> F) -> Result<(), Trouble>
where
    F: Future<Output = Result<T, kube::Error>>,
{
    let mut pauses = AGAIN.iter();
    loop {
        match within(REQUEST, request()).await {
            Ok(_) => return Ok(()),
            Err(trouble) if trouble.is_not_found() => return Ok(()),
            Err(trouble) => match pauses.next() {
                Some(pause) if trouble.is_passing() => tokio::time::sleep(*pause).await,
                _ => return Err(trouble),
            },
        }
    }
}
