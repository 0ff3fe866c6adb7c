//! What happens by itself: accounts of new namespaces, the end of deleted ones, and what dies with its owner.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::create::prepare;
use crate::delete::collect;
use crate::shared::Shared;
use crate::store::{Change, Entry, Key};
use crate::{kubelet, scheduler};

/// Follows the log until the runtime ends.
pub(crate) async fn run(shared: Arc<Shared>) {
    let (mut wake, mut version) = {
        let store = shared.store();
        (store.subscribe(), 0)
    };
    let mut begun = BTreeSet::new();
    loop {
        let entries = {
            let store = shared.store();
            // After a compaction, and at the start: everything is news.
            let entries = store.since(version).unwrap_or_else(|| {
                let all = store.all().map(|(key, object)| Entry {
                    version: store.version(),
                    change: Change::Modified,
                    key: key.clone(),
                    object: Arc::clone(object),
                    previous: None,
                });
                all.collect()
            });
            version = store.version();
            entries
        };
        for entry in entries {
            react(&shared, &entry, &mut begun);
        }
        if wake.changed().await.is_err() {
            return;
        }
    }
}

/// Begins what follows from a change, once: `begun` holds what was.
fn react(shared: &Arc<Shared>, entry: &Entry, begun: &mut BTreeSet<(String, &'static str)>) {
    let object = &entry.object;
    let uid = object["metadata"]["uid"].as_str().unwrap_or("").to_owned();
    let mut first = |what| begun.insert((uid.clone(), what));
    let shared = Arc::clone(shared);
    let key = entry.key.clone();
    let ends = object["metadata"]["deletionTimestamp"].is_string();
    if entry.change == Change::Deleted {
        tokio::spawn(collect_dependants(shared, uid));
        return;
    }
    let finalizers = object["metadata"]["finalizers"].as_array();
    let waits_for =
        |name: &str| finalizers.is_some_and(|list| list.iter().any(|finalizer| finalizer == name));
    if ends && waits_for("foregroundDeletion") && first("foreground") {
        tokio::spawn(delete_in_foreground(
            Arc::clone(&shared),
            key.clone(),
            object["metadata"]["uid"].clone(),
        ));
    }
    if ends && waits_for("orphan") && first("orphan") {
        tokio::spawn(orphan(
            Arc::clone(&shared),
            key.clone(),
            object["metadata"]["uid"].clone(),
        ));
    }
    if key.is("namespaces") {
        if !ends && first("accounts") {
            tokio::spawn(add_account(shared, key.name));
        } else if ends && first("end") {
            tokio::spawn(end_namespace(shared, key.name));
        }
    } else if key.is("pods") {
        let bound = object["spec"]["nodeName"].is_string();
        if ends && bound {
            // Again for each change: a second deletion may shorten the grace.
            let version = object["metadata"]["deletionGracePeriodSeconds"].to_string();
            if begun.insert((format!("{uid}/{version}"), "stop")) {
                tokio::spawn(kubelet::stop(shared, key, Arc::clone(object)));
            }
        } else if bound && object["status"]["phase"] == "Pending" && first("start") {
            tokio::spawn(kubelet::start(shared, key, Arc::clone(object)));
        } else if !bound && first("schedule") {
            tokio::spawn(scheduler::schedule(shared, key, Arc::clone(object)));
        }
    }
}

async fn add_account(shared: Arc<Shared>, namespace: String) {
    tokio::time::sleep(shared.config.service_account_delay).await;
    let mut store = shared.store();
    let phase = store.get(&Key::core("namespaces", "", &namespace));
    if phase.is_none_or(|object| object["status"]["phase"] == "Terminating") {
        return;
    }
    for (plural, kind, name) in [
        ("configmaps", "ConfigMap", "kube-root-ca.crt"),
        ("serviceaccounts", "ServiceAccount", "default"),
    ] {
        let key = Key::core(plural, &namespace, name);
        if let (None, Some(resource)) = (store.get(&key), shared.resource_of_kind(kind)) {
            let value = prepare(
                &mut store,
                resource,
                &namespace,
                json!({"metadata": {"name": name}}),
            );
            store.put(&key, value);
        }
    }
}

/// Content goes first, pods with their grace; the namespace goes when it is empty and its time has come.
async fn end_namespace(shared: Arc<Shared>, namespace: String) {
    let end = tokio::time::Instant::now() + shared.config.namespace_delay;
    tokio::time::sleep(shared.config.collector_delay).await;
    loop {
        let left = {
            let mut store = shared.store();
            let keys: Vec<Key> = store
                .all()
                .map(|(key, _)| key)
                .filter(|key| key.namespace == namespace)
                .cloned()
                .collect();
            let begun = |key: &Key, store: &crate::store::Store| {
                store
                    .get(key)
                    .is_some_and(|object| object["metadata"]["deletionTimestamp"].is_string())
            };
            for key in &keys {
                if !begun(key, &store) {
                    collect(&mut store, key);
                }
            }
            keys.iter().filter(|key| store.get(key).is_some()).count()
        };
        if left == 0 && tokio::time::Instant::now() >= end {
            shared.store().remove(&Key::core("namespaces", "", &namespace));
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Everything that names this uid as its owner, with the key and its other owners.
fn dependants(shared: &Shared, uid: &str) -> Vec<(Key, Vec<String>)> {
    let store = shared.store();
    let of = |object: &Value| -> Vec<String> {
        let owners = object["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten();
        owners
            .filter_map(|owner| owner["uid"].as_str().map(str::to_owned))
            .collect()
    };
    let all = store.all().map(|(key, object)| (key.clone(), of(object)));
    all.filter(|(_, owners)| owners.iter().any(|owner| owner == uid))
        .collect()
}

async fn collect_dependants(shared: Arc<Shared>, uid: String) {
    tokio::time::sleep(shared.config.collector_delay).await;
    for (key, owners) in dependants(&shared, &uid) {
        let mut store = shared.store();
        // An object with another living owner stays.
        let lives = |owner: &String| store.all().any(|(_, object)| object["metadata"]["uid"] == *owner);
        if !owners.iter().any(lives) {
            collect(&mut store, &key);
        }
    }
}

async fn delete_in_foreground(shared: Arc<Shared>, key: Key, uid: Value) {
    tokio::time::sleep(shared.config.collector_delay).await;
    let id = uid.as_str().unwrap_or("").to_owned();
    for (key, _) in dependants(&shared, &id) {
        collect(&mut shared.store(), &key);
    }
    while !dependants(&shared, &id).is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    release(&shared, &key, &uid, "foregroundDeletion");
}

async fn orphan(shared: Arc<Shared>, key: Key, uid: Value) {
    tokio::time::sleep(shared.config.collector_delay).await;
    for (key, _) in dependants(&shared, uid.as_str().unwrap_or("")) {
        let object = shared.store().get(&key);
        if let Some(object) = object {
            shared.update(&key, &object["metadata"]["uid"], |value| {
                if let Some(owners) = value["metadata"]["ownerReferences"].as_array_mut() {
                    owners.retain(|owner| owner["uid"] != uid);
                }
            });
        }
    }
    release(&shared, &key, &uid, "orphan");
}

/// Takes a finalizer away, and the object with the last one.
fn release(shared: &Shared, key: &Key, uid: &Value, finalizer: &str) {
    let object = shared.update(key, uid, |value| {
        if let Some(list) = value["metadata"]["finalizers"].as_array_mut() {
            list.retain(|name| name != finalizer);
        }
    });
    let empty = |object: &Value| {
        object["metadata"]["finalizers"]
            .as_array()
            .is_none_or(Vec::is_empty)
    };
    // Kubelets and the namespace's end remove what they still hold.
    let held = key.is("namespaces") || key.is("pods");
    if object.is_some_and(|object| empty(&object)) && !held {
        shared.store().remove(key);
    }
}
