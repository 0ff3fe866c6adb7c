use std::fmt::Write as _;

use super::super::sanitize::sanitize;

/// A gauge: its name, with its unit at the end, and what it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric {
    name: &'static str,
    help: &'static str,
}

impl Metric {
    pub(super) const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }
}

/// The text as it grows. All samples of a metric must be added in one go: the format wants them together.
#[derive(Debug)]
pub(super) struct Exposition {
    text: String,
    labels: String,
    last: &'static str,
}

impl Exposition {
    /// A text whose samples all carry these labels.
    pub(super) fn new(labels: &[(&str, &str)]) -> Self {
        Self {
            text: String::new(),
            labels: pairs(labels),
            last: "",
        }
    }

    pub(super) fn sample(&mut self, metric: &Metric, labels: &[(&str, &str)], value: u64) {
        self.write(metric, labels, &value.to_string());
    }

    /// A duration, given in a unit of which so many make a second.
    pub(super) fn seconds(&mut self, metric: &Metric, labels: &[(&str, &str)], value: u64, per_second: u64) {
        self.write(metric, labels, &quotient(value, per_second));
    }

    /// A share, from 0 to 1.
    pub(super) fn ratio(&mut self, metric: &Metric, labels: &[(&str, &str)], part: u64, whole: u64) {
        self.write(metric, labels, &quotient(part, whole));
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    fn write(&mut self, metric: &Metric, labels: &[(&str, &str)], value: &str) {
        let Metric { name, help } = metric;
        if self.last != *name {
            let help = help.replace('\\', "\\\\");
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} gauge");
            self.last = name;
        }
        let comma = if labels.is_empty() { "" } else { "," };
        let _ = writeln!(
            self.text,
            "{name}{{{}{comma}{}}} {value}",
            self.labels,
            pairs(labels)
        );
    }
}

/// With as many figures as it needs to be read back as it is.
fn quotient(value: u64, by: u64) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "neither times nor counts come near 2^52"
    )]
    let quotient = value as f64 / by.max(1) as f64;
    quotient.to_string()
}

fn pairs(labels: &[(&str, &str)]) -> String {
    let pairs = labels.iter().map(|(name, value)| {
        let value = sanitize(value).replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{value}\"")
    });
    pairs.collect::<Vec<_>>().join(",")
}
