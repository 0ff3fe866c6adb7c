//! Looks for the objects of runs, in as many namespaces as may be read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::ListParams;
use kube::{Api, Client};
use report::Gap;

use super::{CleanupOptions, Leftover, LeftoverKind};
use crate::names;
use crate::owner::{self, Owner};
use crate::trouble::{PATIENCE, Trouble, within};

/// The objects of one run, as they are found.
#[derive(Default)]
pub(super) struct Found {
    /// And whether each is being deleted already.
    pub(super) objects: Vec<(Leftover, bool)>,
    pub(super) owner: Option<Owner>,
    pub(super) created: Option<Timestamp>,
    /// And the ConfigMap that carries it.
    pub(super) heartbeat: Option<(String, Leftover)>,
}

pub(super) fn selector(options: &CleanupOptions) -> ListParams {
    let run = match &options.run {
        Some(run) => format!("{}={run}", names::RUN),
        None => names::RUN.to_owned(),
    };
    ListParams::default().labels(&format!("{}=kubectl-{},{run}", names::MANAGED_BY, options.tool))
}

pub(super) struct Search<'a> {
    pub(super) client: &'a Client,
    pub(super) params: ListParams,
    /// Where to look one by one, if not everywhere at once.
    pub(super) places: BTreeSet<String>,
    pub(super) found: BTreeMap<String, Found>,
    pub(super) gaps: Vec<Gap>,
}

impl Search<'_> {
    pub(super) async fn namespaces(&mut self) {
        let api = Api::<Namespace>::all(self.client.clone());
        match within(PATIENCE, api.list_metadata(&self.params)).await {
            Ok(list) => {
                for namespace in list.items {
                    self.places.extend(namespace.metadata.name.clone());
                    self.take(LeftoverKind::Namespace, namespace.metadata);
                }
            }
            Err(trouble) => self
                .gaps
                .push(trouble.gap("namespaces of runs", "list", "namespaces", None)),
        }
    }

    pub(super) async fn config_maps(&mut self) {
        let (client, params) = (self.client.clone(), self.params.clone());
        let list = async |namespace: Option<String>| {
            let api = match namespace {
                Some(namespace) => Api::<ConfigMap>::namespaced(client.clone(), &namespace),
                None => Api::<ConfigMap>::all(client.clone()),
            };
            let list = within(PATIENCE, api.list_metadata(&params)).await?;
            Ok(list.items.into_iter().map(|map| map.metadata).collect())
        };
        self.everywhere(LeftoverKind::ConfigMap, "configmaps", list).await;
    }

    pub(super) async fn pods(&mut self) {
        let (client, params) = (self.client.clone(), self.params.clone());
        let list = async |namespace: Option<String>| {
            let api = match namespace {
                Some(namespace) => Api::<Pod>::namespaced(client.clone(), &namespace),
                None => Api::<Pod>::all(client.clone()),
            };
            let list = within(PATIENCE, api.list_metadata(&params)).await?;
            Ok(list.items.into_iter().map(|pod| pod.metadata).collect())
        };
        self.everywhere(LeftoverKind::Pod, "pods", list).await;
    }

    /// Lists all namespaces at once, or those that are known one by one.
    async fn everywhere(
        &mut self,
        kind: LeftoverKind,
        resource: &str,
        list: impl AsyncFn(Option<String>) -> Result<Vec<ObjectMeta>, Trouble>,
    ) {
        match list(None).await {
            Ok(items) => {
                for item in items {
                    self.take(kind, item);
                }
            }
            Err(trouble) => {
                self.gaps.push(trouble.gap(
                    format!("{resource} of runs in all namespaces"),
                    "list",
                    resource,
                    None,
                ));
                if !trouble.is_forbidden() {
                    return;
                }
                for place in self.places.clone() {
                    match list(Some(place.clone())).await {
                        Ok(items) => {
                            for item in items {
                                self.take(kind, item);
                            }
                        }
                        Err(trouble) => {
                            let what = format!("{resource} of runs in namespace {place}");
                            self.gaps.push(trouble.gap(what, "list", resource, Some(&place)));
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, kind: LeftoverKind, metadata: ObjectMeta) {
        let labels = metadata.labels.unwrap_or_default();
        let (Some(run), Some(name), Some(uid)) = (labels.get(names::RUN), metadata.name, metadata.uid) else {
            return;
        };
        let object = Leftover {
            kind,
            namespace: metadata.namespace,
            name,
            uid,
        };
        let annotations = metadata.annotations.unwrap_or_default();
        let found = self.found.entry(run.clone()).or_default();
        found.owner = found.owner.take().or_else(|| Owner::read(&annotations));
        found.created = found.created.max(metadata.creation_timestamp.map(|time| time.0));
        if kind == LeftoverKind::ConfigMap
            && let Some(beat) = annotations.get(owner::HEARTBEAT)
        {
            found.heartbeat = Some((beat.clone(), object.clone()));
        }
        found
            .objects
            .push((object, metadata.deletion_timestamp.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_runs_of_the_tool_are_looked_for() {
        let mut options = CleanupOptions {
            tool: "netcheck".to_owned(),
            dry_run: false,
            run: None,
            probe_namespace: None,
            force: false,
        };
        let labels = |options: &CleanupOptions| selector(options).label_selector.unwrap();
        assert_eq!(
            labels(&options),
            "app.kubernetes.io/managed-by=kubectl-netcheck,netcheck.dev/run"
        );
        options.run = Some("0123456789".to_owned());
        assert_eq!(
            labels(&options),
            "app.kubernetes.io/managed-by=kubectl-netcheck,netcheck.dev/run=0123456789"
        );
    }
}
