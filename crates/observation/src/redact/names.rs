use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::addresses::Addresses;
use super::{hosts, words};

/// What a name is of. A name that is of several is of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Node,
    Namespace,
    Service,
    Pod,
    Zone,
    Host,
    Other,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Namespace => "ns",
            Self::Service => "svc",
            Self::Pod => "pod",
            Self::Zone => "zone",
            Self::Host => "host",
            Self::Other => "name",
        }
    }
}

/// Which name stands under a key, in whole.
fn kind_of(key: &str, has_namespace: bool) -> Option<Kind> {
    Some(match key {
        "node" | "nodeName" => Kind::Node,
        "namespace" | "fromNamespace" | "serviceNamespace" => Kind::Namespace,
        "service" | "serviceName" => Kind::Service,
        "pod" => Kind::Pod,
        "zone" => Kind::Zone,
        "serviceAccount" | "vswitch" | "instanceType" => Kind::Other,
        "name" if has_namespace => Kind::Other,
        _ => return None,
    })
}

/// What the objects of a list are.
fn kind_in(list: &str) -> Kind {
    match list {
        "pods" | "nodePods" => Kind::Pod,
        "services" => Kind::Service,
        _ => Kind::Other,
    }
}

pub(super) fn is_name_of(key: &str, has_namespace: bool) -> bool {
    kind_of(key, has_namespace).is_some()
}

/// Whether names stand in the list under a key.
pub(super) fn are_names(key: &str) -> bool {
    matches!(key, "namespaces" | "nodes" | "vswitches" | "elsewhere")
}

/// Whether what stands under a key are labels with their values.
pub(super) fn are_labels(key: &str, fields: &Map<String, Value>) -> bool {
    let is_key = matches!(
        key,
        "labels" | "templateLabels" | "nodeSelector" | "matchLabels" | "selector" | "podSelector"
    );
    is_key && fields.values().all(Value::is_string)
}

/// Under this key stand the labels of each node.
pub(super) const LABELS_OF_NODES: &str = "nodeLabels";

/// The labels of each node.
pub(super) fn maps_of_nodes(value: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let nodes = value.pointer_mut("/seen").and_then(Value::as_object_mut);
    nodes
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut)
}

/// Aliases for names.
pub(super) struct Names {
    aliases: BTreeMap<String, String>,
    /// Those of nodes that can be searched for, the longest first.
    nodes: Vec<(String, String)>,
    /// Those that do not end where a word of letters, digits, dashes and dots does, the longest first.
    odd: Vec<(String, String)>,
    label_keys: BTreeMap<String, String>,
}

impl Names {
    /// Aliases for all names of a document, in their order: what was sorted stays sorted.
    pub(super) fn of(document: &Value) -> Self {
        let mut found = Found::default();
        found.nodes(document);
        found.walk("", document, false);
        let mut by_kind: BTreeMap<Kind, BTreeSet<&str>> = BTreeMap::new();
        for (name, kind) in &found.names {
            if !words::is_of_a_part(name) {
                by_kind.entry(*kind).or_default().insert(name);
            }
        }
        let mut aliases = BTreeMap::new();
        for (kind, names) in &by_kind {
            let width = names.len().to_string().len();
            for (number, name) in names.iter().enumerate() {
                let ending = if *kind == Kind::Host { ".invalid" } else { "" };
                let alias = format!("{}-{:0width$}{ending}", kind.word(), number + 1);
                aliases.insert((*name).to_owned(), alias);
            }
        }
        let mut nodes: Vec<(String, String)> = by_kind
            .get(&Kind::Node)
            .into_iter()
            .flatten()
            .filter(|name| words::is_telling(name))
            .filter_map(|name| Some(((*name).to_owned(), aliases.get(*name)?.clone())))
            .collect();
        nodes.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let is_odd = |name: &&String| !name.chars().all(is_inner) && words::is_telling(name);
        let odd = aliases.keys().filter(is_odd);
        let mut odd: Vec<_> = odd.map(|name| (name.clone(), aliases[name].clone())).collect();
        odd.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        let label_keys = found.label_keys.iter().enumerate();
        Self {
            aliases,
            nodes,
            odd,
            label_keys: label_keys
                .map(|(number, key)| (key.clone(), format!("label-{}", number + 1)))
                .collect(),
        }
    }

    /// The alias of a whole name, also of one with its namespace before it, as `shop/web`; `None` where it is none that
    /// was found.
    pub(super) fn alias(&self, name: &str) -> Option<String> {
        match name.split_once('/') {
            Some((namespace, name)) => {
                let namespace = self.alias(namespace).unwrap_or_else(|| namespace.to_owned());
                Some(format!("{namespace}/{}", self.alias(name)?))
            }
            None => self.aliases.get(name).cloned(),
        }
    }

    /// What becomes of the key of a label.
    pub(super) fn label_key(&self, key: &str) -> String {
        self.label_keys
            .get(key)
            .cloned()
            .unwrap_or_else(|| key.to_owned())
    }

    /// A text with all names in it replaced, alone and as parts of domain names.
    pub(super) fn replace_in(&self, text: &str, addresses: &Addresses) -> String {
        let mut whole = std::borrow::Cow::Borrowed(text);
        for (name, alias) in self.odd.iter().filter(|(name, _)| text.contains(name.as_str())) {
            whole = whole.replace(name.as_str(), alias).into();
        }
        let mut out = String::with_capacity(text.len());
        let mut rest = whole.as_ref();
        while !rest.is_empty() {
            let start = rest.find(is_inner).unwrap_or(rest.len());
            let (before, run) = rest.split_at(start);
            let end = run.find(|character| !is_inner(character)).unwrap_or(run.len());
            let (run, after) = run.split_at(end);
            out.push_str(before);
            self.replace_run(&mut out, run, addresses);
            rest = after;
        }
        out
    }

    /// A run of letters, digits, dashes and dots: the longest names in it first.
    fn replace_run(&self, out: &mut String, run: &str, addresses: &Addresses) {
        if run.is_empty() {
            return;
        }
        if let Some(alias) = self.in_text(run) {
            out.push_str(alias);
            return;
        }
        let dots: Vec<usize> = run.match_indices('.').map(|(at, _)| at).collect();
        for length in (1..=dots.len()).rev() {
            // Parts of `length` labels, from the left.
            for start in 0..=dots.len() + 1 - length {
                let from = start.checked_sub(1).map_or(0, |dot| dots[dot] + 1);
                let to = dots.get(start + length - 1).copied().unwrap_or(run.len());
                if let Some(alias) = run.get(from..to).and_then(|part| self.in_text(part)) {
                    self.replace_run(out, &run[..from], addresses);
                    out.push_str(alias);
                    self.replace_run(out, &run[to..], addresses);
                    return;
                }
            }
        }
        let labels = run.split('.').map(|label| self.label(label, addresses));
        out.push_str(&labels.collect::<Vec<_>>().join("."));
    }

    fn in_text(&self, name: &str) -> Option<&str> {
        let alias = self
            .aliases
            .get(name)
            .or_else(|| self.aliases.get(&name.to_ascii_lowercase()))?;
        words::is_telling(name).then_some(alias.as_str())
    }

    /// One label: names of nodes within it, as controllers and clouds put them there, and addresses with dashes.
    fn label(&self, label: &str, addresses: &Addresses) -> String {
        let is_end = |neighbour: Option<char>| neighbour.is_none_or(|it| it == '-');
        for (node, alias) in &self.nodes {
            if let Some(at) = label.find(node.as_str()) {
                let (before, after) = (&label[..at], &label[at + node.len()..]);
                if is_end(before.chars().last()) && is_end(after.chars().next()) {
                    return format!("{before}{alias}{}", self.label(after, addresses));
                }
            }
        }
        dashed(label, addresses).unwrap_or_else(|| label.to_owned())
    }
}

/// Whether a character may stand in a name, as names of the API are.
fn is_inner(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-.".contains(character)
}

/// An address with dashes for dots: `10-244-1-7`, `ip-10-0-1-2`.
fn dashed(label: &str, addresses: &Addresses) -> Option<String> {
    let parts: Vec<&str> = label.split('-').collect();
    let start = parts.len().checked_sub(4)?;
    let address: std::net::Ipv4Addr = parts[start..].join(".").parse().ok()?;
    let mapped = addresses.map(address.into()).to_string().replace('.', "-");
    let mut whole = parts[..start].to_vec();
    whole.push(&mapped);
    Some(whole.join("-"))
}

#[derive(Default)]
struct Found {
    names: BTreeMap<String, Kind>,
    label_keys: BTreeSet<String>,
}

impl Found {
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

    /// Nodes, from wherever they are listed.
    fn nodes(&mut self, document: &Value) {
        for node in document
            .pointer("/nodes/seen")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(name) = node.get("name").and_then(Value::as_str) {
                self.add(name, Kind::Node);
            }
        }
        for path in [
            "/placement/nodes",
            "/mesh/sources",
            "/measured/sources",
            "/nodeEvidence",
        ] {
            for name in document
                .pointer(path)
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(Map::keys)
            {
                self.add(name, Kind::Node);
            }
        }
    }

    fn walk(&mut self, within: &str, value: &Value, is_text: bool) {
        match value {
            Value::Object(fields) if are_labels(within, fields) => self.labels(fields),
            Value::Object(_) if within == LABELS_OF_NODES => {
                for labels in maps_of_nodes(&mut value.clone()) {
                    self.labels(labels);
                }
            }
            Value::Object(fields) => {
                let has_namespace = fields.contains_key("namespace");
                for (key, value) in fields {
                    match (value, kind_of(key, has_namespace)) {
                        (Value::String(name), Some(Kind::Other)) => self.add(name, kind_in(within)),
                        (Value::String(name), Some(kind)) => self.add(name, kind),
                        (Value::String(name), None) if key == "controller" => {
                            self.add(name.rsplit('/').next().unwrap_or_default(), Kind::Other);
                        }
                        (Value::Array(names), _) if are_names(key) => {
                            for name in names.iter().filter_map(Value::as_str) {
                                self.add(
                                    name,
                                    if key == "namespaces" {
                                        Kind::Namespace
                                    } else {
                                        Kind::Other
                                    },
                                );
                            }
                        }
                        _ => {}
                    }
                    // `seen` says only that it was seen.
                    let within = if key == "seen" { within } else { key };
                    self.walk(within, value, is_text || hosts::is_text(key));
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(within, item, is_text)),
            Value::String(text) if is_text => {
                for host in hosts::in_text(text) {
                    self.add(host, Kind::Host);
                }
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn labels(&mut self, labels: &Map<String, Value>) {
        for (key, value) in labels {
            if !words::is_common_label(key) {
                self.label_keys.insert(key.clone());
            }
            if let Value::String(value) = value {
                self.add(value, Kind::Other);
            }
        }
    }
}
