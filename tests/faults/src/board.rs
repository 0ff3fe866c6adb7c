//! The score.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use crate::compare::Outcome;
use crate::fault::{Fault, Plugin};

/// What came of one fault.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) plugin: Plugin,
    pub(crate) control: bool,
    pub(crate) outcome: Outcome,
    /// How long the plugin took.
    pub(crate) took: Option<Duration>,
    /// How many requests it made.
    pub(crate) api_calls: Option<u64>,
}

impl Entry {
    pub(crate) fn new(fault: &Fault) -> Self {
        Self {
            id: fault.id.clone(),
            title: fault.title.clone(),
            plugin: fault.plugin,
            control: fault.is_control(),
            outcome: Outcome::NotInjected {
                why: "not tried".to_owned(),
            },
            took: None,
            api_calls: None,
        }
    }

    /// As one line for the terminal.
    pub(crate) fn line(&self) -> String {
        let seconds = self
            .took
            .map_or(String::new(), |took| format!("{:.1} s", took.as_secs_f64()));
        let calls = self
            .api_calls
            .map_or(String::new(), |calls| format!("{calls} calls"));
        let line = format!(
            "{:<14} {:<16} {seconds:>7} {calls:>10}  {}",
            self.id,
            self.outcome.word(),
            self.title
        );
        match self.outcome.to_string().as_str() {
            "" => line,
            more => format!("{line}\n{:53}{more}", ""),
        }
    }
}

/// How many of one plugin's faults came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Score {
    faults: u32,
    named_first: u32,
    among: u32,
    controls: u32,
    silent: u32,
    wrong: u32,
    pending: u32,
    not_injected: u32,
}

impl Score {
    fn count(&mut self, entry: &Entry) {
        if entry.control {
            self.controls += 1;
        } else {
            self.faults += 1;
        }
        match entry.outcome {
            Outcome::NamedFirst { .. } => self.named_first += 1,
            Outcome::Silent => self.silent += 1,
            Outcome::Among { .. } => self.among += 1,
            Outcome::WrongBlame { .. } => self.wrong += 1,
            Outcome::Pending { .. } => self.pending += 1,
            Outcome::NotInjected { .. } => self.not_injected += 1,
            Outcome::Detected | Outcome::Missed { .. } | Outcome::NoReport { .. } | Outcome::Injected => {}
        }
    }

    /// In words. Everything that is not good is in the denominator, also what could not be tried.
    fn sentence(&self) -> String {
        let mut text = format!(
            "{} of {} faults named first{}, {} of {} controls silent{}",
            self.named_first,
            self.faults,
            percentage(self.named_first, self.faults),
            self.silent,
            self.controls,
            percentage(self.silent, self.controls),
        );
        for (count, what) in [
            (self.among, "among the causes"),
            (self.wrong, "with a wrong blame"),
            (self.pending, "pending"),
            (self.not_injected, "not injected"),
        ] {
            if count > 0 {
                let _ = write!(text, "; {count} {what}");
            }
        }
        text
    }
}

fn percentage(part: u32, whole: u32) -> String {
    if whole == 0 {
        return String::new();
    }
    format!(" ({:.0} %)", 100.0 * f64::from(part) / f64::from(whole))
}

fn scores(entries: &[Entry]) -> BTreeMap<Plugin, Score> {
    let mut scores: BTreeMap<Plugin, Score> = BTreeMap::new();
    for entry in entries {
        scores.entry(entry.plugin).or_default().count(entry);
    }
    scores
}

/// The totals, a line per plugin.
pub(crate) fn totals(entries: &[Entry]) -> String {
    let mut text = String::new();
    for (plugin, score) in scores(entries) {
        let _ = writeln!(text, "{plugin}: {}", score.sentence());
    }
    text
}

/// The whole board for a browser or an editor.
pub(crate) fn markdown(entries: &[Entry]) -> String {
    let mut text = String::from("# Faults\n\n");
    for (plugin, score) in scores(entries) {
        let _ = writeln!(text, "- **{plugin}**: {}", score.sentence());
    }
    text.push_str("\n| id | fault | outcome | seconds | API calls | |\n|---|---|---|---|---|---|\n");
    for alike in entries.chunk_by(|a, b| a.id == b.id && a.outcome == b.outcome) {
        let entry = &alike[0];
        let times = match alike.len() {
            1 => String::new(),
            many => format!(", {many} times"),
        };
        let took = range(alike.iter().filter_map(|entry| entry.took), |took| {
            format!("{:.1}", took.as_secs_f64())
        });
        let calls = range(alike.iter().filter_map(|entry| entry.api_calls), |calls| {
            calls.to_string()
        });
        let _ = writeln!(
            text,
            "| {} | {} | {}{times} | {took} | {calls} | {} |",
            entry.id,
            entry.title,
            entry.outcome.word(),
            entry.outcome.to_string().replace('|', "\\|"),
        );
    }
    text
}

/// The least and the most, or the only one.
fn range<T: Ord + Copy>(values: impl Iterator<Item = T> + Clone, show: impl Fn(T) -> String) -> String {
    match (values.clone().min(), values.max()) {
        (Some(least), Some(most)) if least < most => format!("{}–{}", show(least), show(most)),
        (Some(only), _) => show(only),
        (None, _) => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, control: bool, outcome: Outcome) -> Entry {
        Entry {
            id: id.to_owned(),
            title: "a title".to_owned(),
            plugin: Plugin::Netcheck,
            control,
            outcome,
            took: Some(Duration::from_millis(4200)),
            api_calls: Some(17),
        }
    }

    #[test]
    fn what_was_not_found_for_any_reason_counts_against_the_plugin() {
        let why = || "because".to_owned();
        let entries = [
            entry("N-01", false, Outcome::NamedFirst { also: Vec::new() }),
            entry("N-02", false, Outcome::Pending { why: why() }),
            entry("N-03", false, Outcome::NotInjected { why: why() }),
            entry("N-04", false, Outcome::Detected),
            entry("OK-01", true, Outcome::Silent),
            entry(
                "OK-02",
                true,
                Outcome::WrongBlame {
                    blamed: vec!["net-mtu node/node1".to_owned()],
                },
            ),
        ];
        assert_eq!(
            totals(&entries),
            "netcheck: 1 of 4 faults named first (25 %), 1 of 2 controls silent (50 %); 1 with a wrong blame; \
             1 pending; 1 not injected\n"
        );
    }

    #[test]
    fn a_plugin_without_controls_has_no_percentage_of_them() {
        let entries = [entry("N-01", false, Outcome::NamedFirst { also: Vec::new() })];
        assert!(totals(&entries).contains("1 of 1 faults named first (100 %), 0 of 0 controls silent\n"));
    }

    #[test]
    fn a_line_says_what_it_took_and_below_it_what_is_wrong() {
        let line = entry(
            "N-07",
            false,
            Outcome::WrongBlame {
                blamed: vec!["cni-fdb node/node1".to_owned()],
            },
        )
        .line();
        assert!(line.starts_with("N-07           WRONG BLAME        4.2 s   17 calls  a title\n"));
        assert!(line.ends_with("blames cni-fdb node/node1"));
    }

    #[test]
    fn looks_that_came_to_the_same_are_one_row() {
        let mut slow = entry("OK-01", true, Outcome::Silent);
        slow.took = Some(Duration::from_millis(6100));
        let other = entry("OK-01", true, Outcome::Detected);
        let text = markdown(&[entry("OK-01", true, Outcome::Silent), slow, other]);
        assert!(text.contains("| OK-01 | a title | silent, 2 times | 4.2–6.1 | 17 |  |\n"));
        assert!(text.contains("| OK-01 | a title | only detected | 4.2 | 17 |  |\n"));
        assert!(text.contains("2 of 3 controls silent"));
    }

    #[test]
    fn the_table_has_a_row_for_each_fault() {
        let text = markdown(&[entry("N-01", false, Outcome::Detected)]);
        assert!(text.contains("| N-01 | a title | only detected | 4.2 | 17 |  |\n"));
    }
}
