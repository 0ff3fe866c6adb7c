//! Objects as they change: a list, and whatever happens to it from then on.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{Config, Error, Event, InitialListStrategy, watcher};
use observation::{BackendPod, EndpointSlice};
use report::Gap;
use serde::de::DeserializeOwned;

use crate::backends::PodItem;
use crate::cluster::Cluster;
use crate::services::SliceObject;

/// Between two attempts after one that failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What happened to objects of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed<T> {
    /// One is there, or has changed. An object that is read anew after a lost connection comes again, changed or not.
    Is(Box<T>),
    /// One is gone: its namespace and name. So are those of which a list after a lost connection has nothing any more.
    Gone(String, String),
    /// All that was there at the beginning has been told.
    Listed,
    /// Nothing can be seen until this passes. Attempts go on.
    Unseen(Gap),
}

impl Cluster {
    /// EndpointSlices of a namespace, or of all, from now on. The stream has no end.
    pub fn follow_slices(
        &self,
        namespace: Option<&str>,
    ) -> impl Stream<Item = Followed<EndpointSlice>> + use<> {
        let kind = GroupVersionKind::gvk("discovery.k8s.io", "v1", "EndpointSlice");
        self.follow::<SliceObject, EndpointSlice>(&kind, namespace, "EndpointSlices")
    }

    /// Pods of a namespace, or of all, from now on. The stream has no end.
    pub fn follow_pods(&self, namespace: Option<&str>) -> impl Stream<Item = Followed<BackendPod>> + use<> {
        let kind = GroupVersionKind::gvk("", "v1", "Pod");
        self.follow::<PodItem, BackendPod>(&kind, namespace, "pods")
    }

    fn follow<O, T>(
        &self,
        kind: &GroupVersionKind,
        namespace: Option<&str>,
        what: &'static str,
    ) -> impl Stream<Item = Followed<T>> + use<O, T>
    where
        O: DeserializeOwned,
        T: From<O>,
    {
        let resource = ApiResource::from_gvk(kind);
        let qualified = match kind.group.as_str() {
            "" => resource.plural.clone(),
            group => format!("{}.{group}", resource.plural),
        };
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(self.client(), namespace, &resource),
            None => Api::all_with(self.client(), &resource),
        };
        let config = Config {
            initial_list_strategy: InitialListStrategy::ListWatch,
            ..Config::default()
        };
        let cluster = self.clone();
        let namespace = namespace.map(str::to_owned);
        let gap = move |error: &Error| {
            let cause = match error {
                Error::InitialListFailed(cause)
                | Error::WatchStartFailed(cause)
                | Error::WatchFailed(cause) => cause,
                Error::WatchError(status) => &kube::Error::Api(status.clone()),
                Error::NoResourceVersion => {
                    return Gap {
                        what: what.to_owned(),
                        why: report::GapReason::Failed,
                        message: "the API server gives lists without a version".to_owned(),
                        hint: None,
                    };
                }
            };
            let verb = if matches!(error, Error::InitialListFailed(_)) {
                "list"
            } else {
                "watch"
            };
            cluster.gap(what, cause, verb, &qualified, namespace.as_deref())
        };
        let mut known = Known::default();
        watcher(api, config)
            .then(async |event| {
                if event.is_err() {
                    tokio::time::sleep(PAUSE).await;
                }
                event
            })
            .flat_map(move |event| {
                stream::iter(match event {
                    Ok(event) => known.note::<O, T>(event),
                    Err(error) => vec![Followed::Unseen(gap(&error))],
                })
            })
    }
}

/// Namespace and name.
type Name = (String, String);

/// What was told to be there, so that what vanished while nobody looked is told to be gone.
#[derive(Default)]
struct Known {
    there: BTreeSet<Name>,
    listed: BTreeSet<Name>,
}

impl Known {
    fn note<O, T>(&mut self, event: Event<DynamicObject>) -> Vec<Followed<T>>
    where
        O: DeserializeOwned,
        T: From<O>,
    {
        match event {
            Event::Init => {
                self.listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed.insert(name(&object));
                read::<O, T>(object).into_iter().collect()
            }
            Event::InitDone => {
                let gone: Vec<Name> = self.there.difference(&self.listed).cloned().collect();
                self.there = std::mem::take(&mut self.listed);
                let gone = gone
                    .into_iter()
                    .map(|(namespace, name)| Followed::Gone(namespace, name));
                gone.chain([Followed::Listed]).collect()
            }
            Event::Apply(object) => {
                self.there.insert(name(&object));
                read::<O, T>(object).into_iter().collect()
            }
            Event::Delete(object) => {
                let (namespace, name) = name(&object);
                self.there.remove(&(namespace.clone(), name.clone()));
                vec![Followed::Gone(namespace, name)]
            }
        }
    }
}

fn name(object: &DynamicObject) -> Name {
    let metadata = &object.metadata;
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

/// An object that is not as the API says cannot be told of.
fn read<O, T>(object: DynamicObject) -> Option<Followed<T>>
where
    O: DeserializeOwned,
    T: From<O>,
{
    let object: O = serde_json::from_value(serde_json::to_value(object).ok()?).ok()?;
    Some(Followed::Is(Box::new(object.into())))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(name: &str) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        }))
        .unwrap()
    }

    fn told(known: &mut Known, event: Event<DynamicObject>) -> Vec<String> {
        let events = known.note::<SliceObject, EndpointSlice>(event);
        let word = |event: Followed<EndpointSlice>| match event {
            Followed::Is(slice) => format!("{} has {}", slice.name, slice.endpoints.len()),
            Followed::Gone(_, name) => format!("{name} gone"),
            Followed::Listed => "listed".to_owned(),
            Followed::Unseen(gap) => gap.message,
        };
        events.into_iter().map(word).collect()
    }

    #[test]
    fn what_vanished_while_nobody_looked_is_told_to_be_gone() {
        let mut known = Known::default();
        assert_eq!(told(&mut known, Event::Init), [""; 0]);
        assert_eq!(
            told(&mut known, Event::InitApply(slice("web-1"))),
            ["web-1 has 1"]
        );
        assert_eq!(told(&mut known, Event::InitDone), ["listed"]);
        assert_eq!(told(&mut known, Event::Apply(slice("web-2"))), ["web-2 has 1"]);
        assert_eq!(told(&mut known, Event::Init), [""; 0]);
        assert_eq!(
            told(&mut known, Event::InitApply(slice("web-2"))),
            ["web-2 has 1"]
        );
        assert_eq!(told(&mut known, Event::InitDone), ["web-1 gone", "listed"]);
        assert_eq!(told(&mut known, Event::Delete(slice("web-2"))), ["web-2 gone"]);
    }
}
