//! Rules and monitors as they are given: `PrometheusRule` objects, rule files of Prometheus, `ServiceMonitor`s and
//! `PodMonitor`s.

use report::{Observed, Subject};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::promql::{Expr, SyntaxError, duration, parse};

/// Why a file is none of rules.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no YAML.
    #[error("{file}: {error}")]
    NoYaml {
        /// As it was named.
        file: String,
        /// The parser's words.
        error: String,
    },
    /// It holds something else.
    #[error("{file}: neither rules nor a monitor: {error}")]
    NoRules {
        /// As it was named.
        file: String,
        /// What was not as expected.
        error: String,
    },
    /// It holds rules, of which one cannot be understood.
    #[error("{file}: {place}: {error}")]
    WrongRule {
        /// As it was named.
        file: String,
        /// Where, as `groups[dns].rules[2]`.
        place: String,
        /// What was not as expected.
        error: String,
    },
}

/// One document, from a file or from a cluster.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it is from, as the reader knows it: a file's name, or `prometheusrule/dns -n monitoring`.
    pub from: String,
    /// The document.
    pub value: Value,
}

/// All that is to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Input {
    pub(crate) rules: Vec<Rule>,
    /// Unseen where monitors were to be read and could not be.
    pub(crate) monitors: Option<Observed<Vec<Monitor>>>,
    /// Why rules could not be read, where some were to be.
    pub(crate) unread: Vec<report::Gap>,
}

/// One rule of a group.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// The name of the alert or of the series that is recorded.
    pub(crate) name: String,
    pub(crate) is_alert: bool,
    pub(crate) text: String,
    pub(crate) expr: Result<Expr, SyntaxError>,
    /// How long it must hold, in seconds.
    pub(crate) waits: f64,
    /// What is wrong with `for`.
    pub(crate) wrong_wait: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    /// Where its expression stands: `rules.yaml: groups[dns].rules[2].expr`.
    pub(crate) place: String,
    pub(crate) subject: Subject,
}

/// What tells Prometheus what to scrape, and what to forget of it.
#[derive(Clone, Debug)]
pub(crate) struct Monitor {
    pub(crate) subject: Subject,
    /// Where it is from.
    pub(crate) place: String,
    /// `keep` and `drop` of names of metrics, endpoint by endpoint.
    pub(crate) filters: Vec<Vec<Filter>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) keeps: bool,
    pub(crate) regex: String,
}

#[derive(Deserialize)]
struct Group {
    #[serde(deserialize_with = "name")]
    name: String,
    rules: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct RawRule {
    #[serde(default, deserialize_with = "optional_name")]
    alert: Option<String>,
    #[serde(default, deserialize_with = "optional_name")]
    record: Option<String>,
    expr: Value,
    #[serde(rename = "for")]
    waits: Option<Value>,
    labels: Option<BTreeMap<String, Value>>,
    annotations: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MonitorSpec {
    #[serde(default, alias = "podMetricsEndpoints")]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    #[serde(default)]
    metric_relabelings: Vec<Relabeling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Relabeling {
    #[serde(default)]
    action: String,
    #[serde(default, alias = "source_labels")]
    source_labels: Vec<String>,
    #[serde(default)]
    regex: Option<Value>,
}

impl Document {
    /// The documents of a YAML or JSON file.
    ///
    /// # Errors
    /// When it is neither.
    pub fn of_file(file: &str, text: &str) -> Result<Vec<Self>, ReadError> {
        // Prometheus reads `n` and `on` as the words they are wherever a word is expected.
        let options = serde_saphyr::options! { strict_booleans: true };
        let values: Vec<Value> =
            serde_saphyr::from_multiple_with_options(text, options).map_err(|error| ReadError::NoYaml {
                file: file.to_owned(),
                error: error.to_string().lines().next().unwrap_or_default().to_owned(),
            })?;
        let documents = values
            .into_iter()
            .filter(|value| !value.is_null())
            .map(|value| Self {
                from: file.to_owned(),
                value,
            });
        Ok(documents.collect())
    }
}

impl Input {
    /// Adds a document: an object, a list of objects, or a rule file.
    ///
    /// # Errors
    /// When it holds neither rules nor a monitor, or rules that cannot be understood.
    pub fn add(&mut self, document: &Document) -> Result<(), ReadError> {
        let Document { from, value } = document;
        let wrong = |error: String| ReadError::NoRules {
            file: from.clone(),
            error,
        };
        let kind = value.get("kind").and_then(Value::as_str);
        match kind {
            Some("PrometheusRule") => {
                let spec = value.get("spec").unwrap_or(&Value::Null);
                self.add_groups(from, spec, Some(&subject("prometheusrule", value)))
            }
            Some(kind @ ("ServiceMonitor" | "PodMonitor")) => {
                let monitor = monitor(kind, from, value).map_err(|error| wrong(error.to_string()))?;
                match self.monitors.get_or_insert_with(|| Observed::Seen(Vec::new())) {
                    Observed::Seen(monitors) => monitors.push(monitor),
                    Observed::Unseen(_) => {}
                }
                Ok(())
            }
            Some(kind) if kind.ends_with("List") => {
                let items = value.get("items").and_then(Value::as_array);
                for item in items.into_iter().flatten() {
                    self.add(&Document {
                        from: from.clone(),
                        value: item.clone(),
                    })?;
                }
                Ok(())
            }
            Some(kind) => Err(wrong(format!("it is a {kind}"))),
            None if value.get("groups").is_none() => Err(wrong("it has no groups".to_owned())),
            None => self.add_groups(from, value, None),
        }
    }

    /// Says that there are monitors which could not be read.
    pub fn monitors_unseen(&mut self, gap: report::Gap) {
        self.monitors = Some(Observed::Unseen(gap));
    }

    /// Says that monitors were read, even if there are none.
    pub fn monitors_seen(&mut self) {
        self.monitors.get_or_insert_with(|| Observed::Seen(Vec::new()));
    }

    /// Says that there are rules which could not be read.
    pub fn rules_unseen(&mut self, gap: report::Gap) {
        self.unread.push(gap);
    }

    fn add_groups(&mut self, from: &str, value: &Value, object: Option<&Subject>) -> Result<(), ReadError> {
        let wrong = |place: String, error: serde_json::Error| ReadError::WrongRule {
            file: from.to_owned(),
            place,
            error: error.to_string(),
        };
        let groups = value.get("groups").unwrap_or(&Value::Null);
        let groups =
            Option::<Vec<Value>>::deserialize(groups).map_err(|error| wrong("groups".to_owned(), error))?;
        for (index, group) in groups.into_iter().flatten().enumerate() {
            let group =
                Group::deserialize(group).map_err(|error| wrong(format!("groups[{index}]"), error))?;
            for (index, raw) in group.rules.into_iter().flatten().enumerate() {
                let place = format!("groups[{}].rules[{index}]", group.name);
                let raw = RawRule::deserialize(raw).map_err(|error| wrong(place.clone(), error))?;
                self.rules
                    .push(rule(raw, format!("{from}: {place}.expr"), object));
            }
        }
        Ok(())
    }
}

/// A name is text, whatever kind of scalar it looks like.
fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let value = Value::deserialize(from)?;
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(plain(&value)),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(D::Error::custom("a name has to be a text")),
    }
}

fn optional_name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(from)?;
    if value.is_null() {
        return Ok(None);
    }
    name(value).map(Some).map_err(D::Error::custom)
}

fn subject(kind: &str, value: &Value) -> Subject {
    let of = |field: &str| {
        value
            .pointer(&format!("/metadata/{field}"))
            .and_then(Value::as_str)
    };
    Subject::Object {
        kind: kind.to_owned(),
        name: of("name").unwrap_or_default().to_owned(),
        namespace: of("namespace").map(str::to_owned),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn rule(raw: RawRule, place: String, object: Option<&Subject>) -> Rule {
    let is_alert = raw.alert.is_some();
    let name = raw.alert.or(raw.record).unwrap_or_default();
    let text = plain(&raw.expr);
    let waits = raw.waits.as_ref().map(plain);
    let seconds = waits.as_deref().map_or(Some(0.0), |waits| {
        duration(waits).or_else(|| (waits == "0").then_some(0.0))
    });
    let subject = object.cloned().unwrap_or_else(|| Subject::Object {
        kind: "rule".to_owned(),
        name: name.clone(),
        namespace: None,
    });
    let words = |map: Option<BTreeMap<String, Value>>| {
        let pairs = map.into_iter().flatten();
        pairs.map(|(key, value)| (key, plain(&value))).collect()
    };
    Rule {
        expr: parse(&text),
        text,
        is_alert,
        waits: seconds.unwrap_or(0.0),
        wrong_wait: seconds.is_none().then(|| waits.unwrap_or_default()),
        labels: words(raw.labels),
        annotations: words(raw.annotations),
        place,
        subject,
        name,
    }
}

fn monitor(kind: &str, from: &str, value: &Value) -> Result<Monitor, serde_json::Error> {
    let spec = MonitorSpec::deserialize(value.get("spec").unwrap_or(&Value::Null))?;
    let filters = spec.endpoints.iter().map(|endpoint| {
        let of_names = endpoint.metric_relabelings.iter().filter(|relabeling| {
            relabeling.source_labels == ["__name__"]
                && ["keep", "drop"].contains(&relabeling.action.to_lowercase().as_str())
        });
        of_names
            .map(|relabeling| Filter {
                keeps: relabeling.action.eq_ignore_ascii_case("keep"),
                regex: relabeling.regex.as_ref().map_or("(.*)".to_owned(), plain),
            })
            .collect()
    });
    Ok(Monitor {
        subject: subject(&kind.to_lowercase(), value),
        place: from.to_owned(),
        filters: filters.collect(),
    })
}
