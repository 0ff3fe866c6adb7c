mod found;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use self::found::Found;
use super::addresses::Addresses;
use super::words;

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
        let found = Found::of(document);
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
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let start = rest.find(is_of_a_selector).unwrap_or(rest.len());
            let (before, word) = rest.split_at(start);
            let end = word
                .find(|character| !is_of_a_selector(character))
                .unwrap_or(word.len());
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

/// Whether a character may stand in a key or a value of a selector.
fn is_of_a_selector(character: char) -> bool {
    is_inner(character) || "_/".contains(character)
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
