//! The objects of the cluster, and the log of everything that happened to them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::resource::Resource;

/// An object without `kind` and `apiVersion`: these are written when it is served, as in lists they are absent.
pub(crate) type Object = Arc<Value>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) group: String,
    pub(crate) plural: String,
    /// Empty for objects without one.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self {
            group: resource.group.clone(),
            plural: resource.plural.clone(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The key of an object of the core group.
    pub(crate) fn core(plural: &str, namespace: &str, name: &str) -> Self {
        Self {
            group: String::new(),
            plural: plural.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn is(&self, plural: &str) -> bool {
        self.group.is_empty() && self.plural == plural
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Added,
    Modified,
    Deleted,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) version: u64,
    pub(crate) change: Change,
    pub(crate) key: Key,
    pub(crate) object: Object,
    pub(crate) previous: Option<Object>,
}

/// How many entries the log keeps; a watch from before them is answered with 410.
const LOG_LENGTH: usize = 100_000;

#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Key, Object>,
    log: VecDeque<Entry>,
    version: u64,
    /// Watches can begin here or later.
    oldest: u64,
    serial: u64,
    wake: watch::Sender<u64>,
}

impl Store {
    pub(crate) fn new() -> Self {
        // A real cluster never starts at zero, and zero has a meaning of its own in requests.
        let first = 1000;
        Self {
            objects: BTreeMap::new(),
            log: VecDeque::new(),
            version: first,
            oldest: first,
            serial: 0,
            wake: watch::Sender::new(first),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }

    /// Changes whenever the store does.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }

    /// Forgets the log: what asks for a version before now is answered with 410.
    pub(crate) fn compact(&mut self) {
        self.oldest = self.version;
        self.log.clear();
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Object> {
        self.objects.get(key).cloned()
    }

    /// Objects by namespace and name, from after `from` where one is given.
    pub(crate) fn list<'a>(
        &'a self,
        resource: &'a Resource,
        namespace: Option<&'a str>,
        from: Option<(&str, &str)>,
    ) -> impl Iterator<Item = (&'a Key, &'a Object)> {
        let (start_namespace, start_name) = from.unwrap_or((namespace.unwrap_or(""), ""));
        let start = Key::new(resource, start_namespace, start_name);
        let skipped = from.is_some().then(|| start.clone());
        self.objects
            .range(start..)
            .take_while(|(key, _)| key.group == resource.group && key.plural == resource.plural)
            .take_while(move |(key, _)| namespace.is_none_or(|namespace| key.namespace == namespace))
            .filter(move |(key, _)| skipped.as_ref() != Some(*key))
    }

    /// Every object there is.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Object)> {
        self.objects.iter()
    }

    /// Stores a new object or a new state of one. A state that equals the last one changes nothing.
    pub(crate) fn put(&mut self, key: &Key, mut value: Value) -> Object {
        let previous = self.get(key);
        if let Some(last) = &previous {
            value["metadata"]["resourceVersion"] = last["metadata"]["resourceVersion"].clone();
            if **last == value {
                return Arc::clone(last);
            }
        }
        let change = if previous.is_some() {
            Change::Modified
        } else {
            Change::Added
        };
        let object = self.stamp(value);
        self.objects.insert(key.clone(), Arc::clone(&object));
        self.record(change, key, &object, previous);
        object
    }

    /// Removes an object for good and gives its last state.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<Object> {
        let last = self.objects.remove(key)?;
        let object = self.stamp((*last).clone());
        self.record(Change::Deleted, key, &object, Some(last));
        Some(object)
    }

    /// Everything after a version, oldest first, or `None` when the log does not reach back so far.
    pub(crate) fn since(&self, version: u64) -> Option<Vec<Entry>> {
        if version < self.oldest {
            return None;
        }
        let start = self.log.partition_point(|entry| entry.version <= version);
        Some(self.log.range(start..).cloned().collect())
    }

    /// A number that was never given before.
    pub(crate) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    fn stamp(&mut self, mut value: Value) -> Object {
        self.version += 1;
        value["metadata"]["resourceVersion"] = json!(self.version.to_string());
        Arc::new(value)
    }

    fn record(&mut self, change: Change, key: &Key, object: &Object, previous: Option<Object>) {
        self.log.push_back(Entry {
            version: self.version,
            change,
            key: key.clone(),
            object: Arc::clone(object),
            previous,
        });
        if self.log.len() > LOG_LENGTH
            && let Some(dropped) = self.log.pop_front()
        {
            self.oldest = dropped.version;
        }
        self.wake.send_replace(self.version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_equals_the_last_one_changes_nothing() {
        let mut store = Store::new();
        let key = Key::core("pods", "a", "b");
        let first = store.put(&key, json!({"metadata": {"name": "b"}}));
        let again = store.put(&key, json!({"metadata": {"name": "b"}}));
        assert_eq!(first, again);
        assert_eq!(store.since(1000).unwrap().len(), 1);
    }

    #[test]
    fn after_compaction_the_past_is_gone() {
        let mut store = Store::new();
        store.put(&Key::core("pods", "a", "b"), json!({"metadata": {}}));
        store.compact();
        assert!(store.since(1000).is_none());
        assert!(store.since(store.version()).unwrap().is_empty());
    }
}
