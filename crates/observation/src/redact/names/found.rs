//! Finding the names: a walk through the whole document.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::{dns, hosts, words};
use super::{
    Kind, LABELS_OF_NODES, are_labels, is_about_a_label, is_inner, is_of_a_selector, is_selector, kind_in,
    kind_of, kind_of_keys, kind_of_names, kind_within,
};

/// Where in a document something stands.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    /// Under which key.
    within: &'a str,
    /// In a list.
    is_item: bool,
    /// In text that hosts are named in.
    is_text: bool,
}

/// The names of a document, and the keys of its labels.
#[derive(Default)]
pub(super) struct Found {
    pub(super) names: BTreeMap<String, Kind>,
    pub(super) label_keys: BTreeSet<String>,
    /// Values of labels that objects have, with their keys.
    carried: BTreeSet<(String, String)>,
    /// Those that selectors ask for.
    asked: BTreeSet<(String, String)>,
}

impl Found {
    pub(super) fn of(document: &Value) -> Self {
        let mut found = Self::default();
        found.walk(Place::default(), document);
        found
    }

    fn add(&mut self, name: &str, kind: Kind) {
        if let Some((namespace, name)) = name.split_once('/') {
            self.add(namespace, Kind::Namespace);
            self.add(name, kind);
            return;
        }
        let is_address = name.parse::<std::net::IpAddr>().is_ok();
        if name.is_empty() || is_address || !name.bytes().any(|byte| byte.is_ascii_alphabetic()) {
            return;
        }
        let known = self.names.entry(name.to_owned()).or_insert(kind);
        *known = (*known).min(kind);
    }

    fn walk(&mut self, place: Place<'_>, value: &Value) {
        match value {
            Value::Object(fields) if are_labels(place.within, fields) => {
                let is_carried = matches!(place.within, "labels" | "templateLabels");
                self.labels(fields, is_carried);
            }
            Value::Object(_) if place.within == LABELS_OF_NODES => {
                for (node, labels) in value.get("seen").and_then(Value::as_object).into_iter().flatten() {
                    self.add(node, Kind::Node);
                    labels
                        .as_object()
                        .into_iter()
                        .for_each(|labels| self.labels(labels, true));
                }
            }
            Value::Object(fields) if is_about_a_label(fields) => self.about_a_label(fields),
            Value::Object(fields) => self.object(place, fields),
            Value::Array(items) => {
                let place = Place {
                    is_item: true,
                    ..place
                };
                for item in items {
                    self.walk(place, item);
                }
            }
            Value::String(text) if place.is_text => {
                for host in hosts::in_text(text) {
                    self.add(&host, Kind::Host);
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn object(&mut self, place: Place<'_>, fields: &Map<String, Value>) {
        let has_namespace = fields.contains_key("namespace");
        let kind_of_keys = kind_of_keys(place.within).filter(|_| !place.is_item);
        for (key, value) in fields {
            match (value, kind_of(key, has_namespace)) {
                (Value::String(name), Some(Kind::Other)) => self.add(name, kind_in(place.within)),
                (Value::String(name), Some(kind)) => self.add(name, kind),
                (Value::String(name), None) if key == "controller" => {
                    self.add(name.rsplit('/').next().unwrap_or_default(), Kind::Other);
                }
                (Value::String(text), None) if is_selector(key, fields) => self.selector(text),
                // What has more in it than a name of the API can have is no object's.
                (Value::String(name), None) if place.is_item && name.chars().all(is_inner) => {
                    if let Some(kind) = kind_within(place.within, key) {
                        self.add(name, kind);
                    }
                }
                (Value::Array(items), _) => {
                    for item in items.iter().filter_map(Value::as_str) {
                        if is_selector(key, fields) {
                            self.selector(item);
                        } else {
                            self.listed(key, item);
                        }
                    }
                }
                _ => {}
            }
            if key == "message" && fields.contains_key("rcode") {
                for name in value.as_str().into_iter().flat_map(dns::names) {
                    for host in hosts::in_text(&name) {
                        self.add(&host, Kind::Host);
                    }
                }
            }
            let mut inner = Place {
                within: key,
                is_item: false,
                is_text: place.is_text || hosts::is_text(key),
            };
            if key == "seen" {
                // It says only that it was seen.
                inner.within = place.within;
                for name in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    self.listed(place.within, name);
                }
            } else if let Some(kind) = kind_of_keys.filter(|_| key != "unseen") {
                self.add(key, kind);
                inner.within = "";
            }
            self.walk(inner, value);
        }
    }

    fn listed(&mut self, list: &str, name: &str) {
        if let Some(kind) = kind_of_names(list) {
            self.add(name, kind);
        }
    }

    /// Keys and values of a selector that is written as text: `app=web,tier in (a)`, `rack == 'b'`.
    fn selector(&mut self, text: &str) {
        let is_word = |word: &str| !word.is_empty() && word.chars().all(is_of_a_selector);
        let edges = |character: char| !is_of_a_selector(character);
        for term in text.split([',', '&', '|']) {
            let Some((key, value)) = term.split_once('=') else {
                continue;
            };
            let (key, value) = (key.trim_matches(edges), value.trim_matches(edges));
            if is_word(key) && is_word(value) {
                self.label(key, value);
            }
        }
    }

    /// A condition on a label, or a taint.
    fn about_a_label(&mut self, fields: &Map<String, Value>) {
        let key = fields.get("key").and_then(Value::as_str).unwrap_or_default();
        let several = fields.get("values").and_then(Value::as_array);
        let values = several.into_iter().flatten().chain(fields.get("value"));
        self.label(key, "");
        for value in values.filter_map(Value::as_str) {
            self.label(key, value);
        }
    }

    fn label(&mut self, key: &str, value: &str) {
        if !key.is_empty() && !words::is_common_label(key) {
            self.label_keys.insert(key.to_owned());
        }
        self.add(value, Kind::Other);
    }

    fn labels(&mut self, labels: &Map<String, Value>, is_carried: bool) {
        for (key, value) in labels {
            let value = value.as_str().unwrap_or_default();
            self.label(key, value);
            let pairs = if is_carried {
                &mut self.carried
            } else {
                &mut self.asked
            };
            pairs.insert((key.clone(), value.to_owned()));
        }
    }

    /// What a selector asks for that no object has is mostly meant to be what some have: its alias is then like theirs,
    /// so that the slip is still seen.
    pub(super) fn keep_likeness(&self, aliases: &mut BTreeMap<String, String>) {
        for (key, value) in self.asked.difference(&self.carried) {
            let there = self.carried.iter().filter(|(it, _)| it == key);
            let near = there
                .map(|(_, there)| there)
                .filter(|there| words::are_alike(value, there))
                .min_by_key(|there| words::distance(value, there));
            let is_no_object = self.names.get(value) == Some(&Kind::Other);
            let Some(near) = near.filter(|_| is_no_object && aliases.contains_key(value)) else {
                continue;
            };
            // Never the same: it would select what it did not.
            let mut alias = format!("{}x", aliases.get(near).unwrap_or(near));
            while aliases.values().any(|known| *known == alias) {
                alias.push('x');
            }
            aliases.insert(value.clone(), alias);
        }
    }
}
