//! A bundle for the eyes of others: names and addresses are replaced, each by the same alias everywhere, so that what is
//! judged from it stays what it was.
//!
//! The whole document is rewritten as JSON, so that a field that is new is not forgotten: whatever is a string is looked
//! at. What cannot be rewritten makes it fail; nothing is ever written that was rewritten in part.

mod addresses;
mod dns;
mod hosts;
mod names;
mod words;

use serde_json::{Map, Value};

use self::addresses::Addresses;
use self::names::Names;
use crate::Observation;

/// Why an observation could not be rewritten.
#[derive(Debug, thiserror::Error)]
#[error("its names and addresses cannot be replaced")]
pub struct RedactError(#[source] serde_json::Error);

impl Observation {
    /// The same observation with aliases for names of nodes, zones, namespaces, pods, Services and other objects, label
    /// values and hosts, and with other addresses of the same family, kind and prefix relations. Names that every
    /// cluster has (`kube-system`, `coredns`) stay.
    ///
    /// `seed` decides which address becomes which: with a random one nobody can tell what an address was from what it
    /// became.
    ///
    /// # Errors
    /// When the result would not be an observation, because a name is one that the format itself uses.
    pub fn redacted(&self, seed: u64) -> Result<Self, RedactError> {
        let mut document = serde_json::to_value(self).map_err(RedactError)?;
        let redactor = Redactor {
            names: Names::of(&document),
            addresses: Addresses::new(seed),
        };
        redactor.rewrite("", false, &mut document);
        serde_json::from_value(document).map_err(RedactError)
    }
}

/// Strings under these keys are words of the format.
const WORDS_OF_THE_FORMAT: &[&str] = &[
    "apiVersion",
    "tool",
    "takenAt",
    "type",
    "state",
    "kind",
    "protocol",
    "family",
    "verb",
    "line",
    "level",
    "eyes",
    "expected",
    "operstate",
    "architecture",
    "operatingSystem",
    "kernelVersion",
    "kubeletVersion",
    "containerRuntimeVersion",
    "gitVersion",
    "platform",
    "uid",
];

struct Redactor {
    names: Names,
    addresses: Addresses,
}

impl Redactor {
    /// Rewrites what stands under a key; `is_item` where it is one of a list there.
    fn rewrite(&self, within: &str, is_item: bool, value: &mut Value) {
        match value {
            Value::Object(fields) => self.rewrite_object(within, is_item, fields),
            Value::Array(items) => {
                for item in items {
                    self.rewrite(within, true, item);
                }
            }
            Value::String(text) if names::are_names(within) => *text = self.whole(text),
            Value::String(text) => *text = self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn rewrite_object(&self, within: &str, is_item: bool, fields: &mut Map<String, Value>) {
        if names::is_about_a_label(fields) {
            self.rewrite_about_a_label(fields);
            return;
        }
        let has_namespace = fields.contains_key("namespace");
        let is_reply = fields.contains_key("rcode");
        let selectors: Vec<String> = fields
            .keys()
            .filter(|key| names::is_selector(key, fields))
            .cloned()
            .collect();
        for (key, mut value) in std::mem::take(fields) {
            let is_name = !is_item && names::is_key_a_name(within, &key);
            // What stands under a name is a thing of its own; `seen` says only that it was seen.
            let inner = match key.as_str() {
                "seen" => within,
                _ if is_name => "",
                key => key,
            };
            match &mut value {
                Value::String(_) if WORDS_OF_THE_FORMAT.contains(&key.as_str()) => {}
                Value::String(text) if is_reply && key == "message" => *text = dns::message(self, text),
                Value::String(text) if selectors.contains(&key) => *text = self.selector(text),
                Value::String(text) if names::is_name_of(within, &key, has_namespace) => {
                    *text = self.whole(text);
                }
                Value::Object(labels) if names::are_labels(&key, labels) => self.rewrite_labels(labels),
                Value::Object(_) if key == names::LABELS_OF_NODES => {
                    self.rewrite_labels_of_nodes(&mut value);
                }
                Value::Array(items) if selectors.contains(&key) => {
                    for item in items {
                        match item {
                            Value::String(text) => *text = self.selector(text),
                            other => self.rewrite(&key, true, other),
                        }
                    }
                }
                _ => self.rewrite(inner, false, &mut value),
            }
            let key = if is_name {
                self.whole(&key)
            } else {
                self.text(&key)
            };
            fields.insert(key, value);
        }
    }

    /// What is a name in whole; text where it is none that was found.
    fn whole(&self, name: &str) -> String {
        self.names.alias(name).unwrap_or_else(|| self.text(name))
    }

    fn selector(&self, text: &str) -> String {
        self.names.selector(text, |word| self.text(word))
    }

    /// A condition on a label, or a taint: the key of a label with its values.
    fn rewrite_about_a_label(&self, fields: &mut Map<String, Value>) {
        for (field, value) in fields.iter_mut() {
            match (field.as_str(), value) {
                ("key", Value::String(key)) => *key = self.names.label_key(key),
                ("value", Value::String(value)) => *value = self.whole(value),
                ("values", Value::Array(values)) => {
                    for value in values {
                        if let Value::String(value) = value {
                            *value = self.whole(value);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Labels of nodes by the nodes' names, each rewritten once: an alias could be somebody's name.
    fn rewrite_labels_of_nodes(&self, value: &mut Value) {
        let Some(nodes) = value.get_mut("seen").and_then(Value::as_object_mut) else {
            self.rewrite("", false, value);
            return;
        };
        for (node, mut labels) in std::mem::take(nodes) {
            match &mut labels {
                Value::Object(labels) => self.rewrite_labels(labels),
                other => self.rewrite("", false, other),
            }
            nodes.insert(self.whole(&node), labels);
        }
    }

    fn rewrite_labels(&self, labels: &mut Map<String, Value>) {
        for (key, mut value) in std::mem::take(labels) {
            match &mut value {
                Value::String(text) => *text = self.whole(text),
                other => self.rewrite("", false, other),
            }
            labels.insert(self.names.label_key(&key), value);
        }
    }

    /// Any text, with all names and addresses in it replaced.
    fn text(&self, text: &str) -> String {
        self.names
            .replace_in(&self.addresses.replace_in(text), &self.addresses)
    }
}

#[cfg(test)]
mod tests;
