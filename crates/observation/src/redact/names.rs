use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::addresses::Addresses;
use super::{dns, hosts, words};

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
        "node" | "nodeName" | "sourceNode" => Kind::Node,
        "namespace" | "fromNamespace" | "serviceNamespace" => Kind::Namespace,
        "service" | "serviceName" => Kind::Service,
        "pod" => Kind::Pod,
        "zone" => Kind::Zone,
        "serviceAccount" | "vswitch" | "instanceType" | "configuration" => Kind::Other,
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

/// Which name stands under a key of something that is listed under another, in whole.
fn kind_within(within: &str, key: &str) -> Option<Kind> {
    Some(match (within, key) {
        ("nodes", "name") | ("cells", "source" | "target") => Kind::Node,
        ("namespaces", "name") => Kind::Namespace,
        ("gateways" | "pools" | "peers" | "filters" | "installations", "name") => Kind::Other,
        _ => return None,
    })
}

/// Whether a name stands, in whole, under a key of what is under another. A name that is none stays.
pub(super) fn is_name_of(within: &str, key: &str, has_namespace: bool) -> bool {
    kind_of(key, has_namespace).or_else(|| kind_within(within, key)).is_some()
        // Where nodes are named beside others.
        || matches!((within, key), ("peer" | "subject" | "asked", "name"))
}

/// What the names in the list under a key are of.
fn kind_of_names(key: &str) -> Option<Kind> {
    Some(match key {
        "namespaces" => Kind::Namespace,
        "forNodes" => Kind::Node,
        "forZones" => Kind::Zone,
        "nodes" | "vswitches" | "elsewhere" | "objects" | "filters" => Kind::Other,
        _ => return None,
    })
}

/// Whether names stand in the list under a key.
pub(super) fn are_names(key: &str) -> bool {
    kind_of_names(key).is_some()
}

/// What the keys of the map under a key name.
fn kind_of_keys(within: &str) -> Option<Kind> {
    Some(match within {
        "nodeEvidence" | "kubelets" | "resolvConf" | "birds" | "asked" | "drops" | "sufficient"
        | "containers" | "from" | "nodes" | "sources" | LABELS_OF_NODES => Kind::Node,
        "policies" => Kind::Namespace,
        "vswitches" => Kind::Zone,
        _ => return None,
    })
}

/// Whether the map under a key is one by names, and this key of it one of them.
pub(super) fn is_key_a_name(within: &str, key: &str) -> bool {
    kind_of_keys(within).is_some() && !matches!(key, "seen" | "unseen")
}

/// Whether this is a condition on labels, or a taint: a key with its operator or its effect.
pub(super) fn is_about_a_label(fields: &Map<String, Value>) -> bool {
    fields.get("key").is_some_and(Value::is_string)
        && (fields.contains_key("operator") || fields.contains_key("effect"))
}

/// Whether a selector of labels stands under a key as text. A rule of routing selects packets, and has an action.
pub(super) fn is_selector(key: &str, beside: &Map<String, Value>) -> bool {
    matches!(key, "nodeSelector" | "peerSelector" | "chosenBy")
        || (key == "selector" && !beside.contains_key("action"))
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
        found.walk(Place::default(), document);
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
                let said = if words::is_of_an_enforcer(name) {
                    "-netpol"
                } else {
                    ""
                };
                let ending = if *kind == Kind::Host { ".invalid" } else { "" };
                let alias = format!("{}-{:0width$}{said}{ending}", kind.word(), number + 1);
                aliases.insert((*name).to_owned(), alias);
            }
        }
        found.keep_likeness(&mut aliases);
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

    /// A selector of labels that is written as text: its words are keys and values, however short or common they are.
    /// `other` says what becomes of those that were not found as either.
    pub(super) fn selector(&self, text: &str, other: impl Fn(&str) -> String) -> String {
        let is_inner = |character: char| is_inner(character) || "_/".contains(character);
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let start = rest.find(is_inner).unwrap_or(rest.len());
            let (before, word) = rest.split_at(start);
            let end = word.find(|character| !is_inner(character)).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            out.push_str(before);
            let is_function = after.starts_with('(');
            let known = self.label_keys.get(word).cloned().or_else(|| self.alias(word));
            match known {
                Some(alias) if !is_function => out.push_str(&alias),
                _ => out.push_str(&other(word)),
            }
            rest = after;
        }
        out
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
            rest = after;
            match chain(run) {
                Some((prefix, namespace)) => {
                    let name =
                        |name: &str| self.aliases.get(name).cloned().unwrap_or_else(|| name.to_owned());
                    out.push_str(prefix);
                    out.push_str(&name(namespace));
                    let service = after.strip_prefix('/').and_then(|rest| rest.split('/').next());
                    if let Some(service) = service {
                        out.push('/');
                        out.push_str(&name(service));
                        rest = &after[1 + service.len()..];
                    }
                }
                None => self.replace_run(&mut out, run, addresses),
            }
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

/// A chain or a set of kube-proxy's: what stands before the namespace in `service-FY5PMXPG-shop/web/tcp/http`, and the
/// namespace.
fn chain(run: &str) -> Option<(&str, &str)> {
    let kinds = ["service-", "endpoint-", "local-", "external-", "firewall-"];
    let start = kinds.iter().find(|kind| run.starts_with(**kind))?.len() + 8;
    let is_hash = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    let namespace = run.get(start..)?.strip_prefix('-')?;
    run.get(start - 8..start)?
        .bytes()
        .all(is_hash)
        .then_some((&run[..=start], namespace))
}

/// An address with dashes for dots: `10-244-1-7`, `ip-10-0-1-2`.
fn dashed(label: &str, addresses: &Addresses) -> Option<String> {
    // `fd00-10-244--7`.
    if let Ok(address) = label.replace('-', ":").parse::<std::net::Ipv6Addr>()
        && label.bytes().any(|byte| byte.is_ascii_digit())
    {
        return Some(addresses.map(address.into()).to_string().replace(':', "-"));
    }
    let parts: Vec<&str> = label.split('-').collect();
    let start = parts.len().checked_sub(4)?;
    let address: std::net::Ipv4Addr = parts[start..].join(".").parse().ok()?;
    let mapped = addresses.map(address.into()).to_string().replace('.', "-");
    let mut whole = parts[..start].to_vec();
    whole.push(&mapped);
    Some(whole.join("-"))
}

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

#[derive(Default)]
struct Found {
    names: BTreeMap<String, Kind>,
    label_keys: BTreeSet<String>,
    /// Values of labels that objects have, with their keys.
    carried: BTreeSet<(String, String)>,
    /// Those that selectors ask for.
    asked: BTreeSet<(String, String)>,
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
                if let Some(kind) = kind_of_names(place.within) {
                    for name in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        self.add(name, kind);
                    }
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
        let is_word =
            |word: &str| !word.is_empty() && word.chars().all(|it| is_inner(it) || "_/".contains(it));
        let edges = |character: char| !(is_inner(character) || "_/".contains(character));
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
    fn keep_likeness(&self, aliases: &mut BTreeMap<String, String>) {
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
