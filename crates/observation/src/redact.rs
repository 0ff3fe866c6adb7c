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
        redactor.rewrite(&mut document);
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
    fn rewrite(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => self.rewrite_object(fields),
            Value::Array(items) => items.iter_mut().for_each(|item| self.rewrite(item)),
            Value::String(text) => *text = self.text(text),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn rewrite_object(&self, fields: &mut Map<String, Value>) {
        let has_namespace = fields.contains_key("namespace");
        let is_reply = fields.contains_key("rcode");
        let old = std::mem::take(fields);
        for (key, mut value) in old {
            match &mut value {
                Value::String(_) if WORDS_OF_THE_FORMAT.contains(&key.as_str()) => {}
                Value::String(text) if is_reply && key == "message" => *text = dns::message(self, text),
                Value::String(text) => {
                    let whole = names::is_name_of(&key, has_namespace).then(|| self.names.alias(text));
                    *text = whole.flatten().unwrap_or_else(|| self.text(text));
                }
                Value::Object(labels) if names::are_labels(&key, labels) => self.rewrite_labels(labels),
                Value::Object(_) if key == names::LABELS_OF_NODES => {
                    for labels in names::maps_of_nodes(&mut value) {
                        self.rewrite_labels(labels);
                    }
                    self.rewrite(&mut value);
                }
                Value::Array(_) if names::are_names(&key) => {
                    for item in value.as_array_mut().into_iter().flatten() {
                        self.rewrite_name(item);
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    self.rewrite(&mut value);
                }
            }
            fields.insert(self.text(&key), value);
        }
    }

    fn rewrite_name(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.names.alias(text).unwrap_or_else(|| self.text(text)),
            other => self.rewrite(other),
        }
    }

    fn rewrite_labels(&self, labels: &mut Map<String, Value>) {
        for (_, value) in labels.iter_mut() {
            self.rewrite_name(value);
        }
        let old = std::mem::take(labels);
        labels.extend(
            old.into_iter()
                .map(|(key, value)| (self.names.label_key(&key), value)),
        );
    }

    /// Any text, with all names and addresses in it replaced.
    fn text(&self, text: &str) -> String {
        self.names
            .replace_in(&self.addresses.replace_in(text), &self.addresses)
    }
}

#[cfg(test)]
mod tests;
