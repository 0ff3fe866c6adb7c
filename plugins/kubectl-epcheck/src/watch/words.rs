//! What is printed of what was seen.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use report::Gap;
use serde_json::json;

use crate::churn::{Change, Ledger, Tally, What};

pub(super) fn lines(is_json: bool, changes: &[Change]) -> String {
    if is_json {
        return changes.iter().map(document).collect();
    }
    let mut text = String::new();
    // What nodes have done by the same look is one line.
    let mut nodes: BTreeMap<(&str, bool), (Vec<&str>, u64)> = BTreeMap::new();
    for change in changes {
        match &change.what {
            What::Followed { node, after_ms } | What::Behind { node, after_ms } => {
                let is_behind = matches!(change.what, What::Behind { .. });
                let entry = nodes.entry((&change.service, is_behind)).or_default();
                entry.0.push(node);
                entry.1 = entry.1.max(*after_ms);
            }
            What::Ready { .. } | What::NotReady { .. } | What::Gone { .. } => {
                text.push_str(&told(&line(change)));
            }
        }
    }
    for ((service, is_behind), (names, after_ms)) in nodes {
        let (names, after) = (names.join(", "), seconds(after_ms));
        text.push_str(&told(&if is_behind {
            format!("✗ {service}: rules of {names} do not follow after {after}")
        } else {
            format!("· {service}: rules of {names} follow within {after}")
        }));
    }
    text
}

pub(super) fn summary(is_json: bool, ledger: &Ledger) -> String {
    if is_json {
        return summary_document(ledger);
    }
    let mut text = String::new();
    if ledger.tally.values().all(|tally| *tally == Tally::default()) {
        text.push_str("nothing changed\n");
    }
    for (service, tally) in &ledger.tally {
        let _ = write!(text, "{service}: {} came, {} went", tally.came, tally.went);
        if tally.was_empty {
            text.push_str("; ✗ for a time no endpoint was ready");
        }
        text.push('\n');
        for (endpoint, times) in tally.flapping() {
            let _ = writeln!(text, "  ✗ {endpoint} stopped being ready {times} times");
        }
        if let Some(times) = percentiles(&tally.after_pod_ms) {
            let _ = writeln!(text, "  from ready pod to ready endpoint: {times}");
        }
    }
    for (node, times) in &ledger.followed {
        if let Some(times) = percentiles(times) {
            let _ = writeln!(text, "from slices to rules of {node}: {times}");
        }
    }
    for node in &ledger.behind {
        let _ = writeln!(
            text,
            "✗ rules of {node} did not follow: `kubectl epcheck rules --node-access` says in what"
        );
    }
    cluster::sanitize(&text).into_owned()
}

fn summary_document(ledger: &Ledger) -> String {
    let services: BTreeMap<&str, serde_json::Value> = ledger
        .tally
        .iter()
        .map(|(service, tally)| {
            let flapping: BTreeMap<&str, u32> = tally.flapping().collect();
            let of_service = json!({
                "came": tally.came, "went": tally.went, "wasEmpty": tally.was_empty, "flapping": flapping,
                "readyToSliceMs": tally.after_pod_ms,
            });
            (service.as_str(), of_service)
        })
        .collect();
    let document = json!({
        "services": services, "sliceToRulesMs": ledger.followed, "behind": ledger.behind,
    });
    format!("{document}\n")
}

/// A line with the time before it.
pub(super) fn told(line: &str) -> String {
    let now = jiff::Timestamp::now().strftime("%FT%TZ");
    format!("{now} {}\n", cluster::sanitize(line))
}

pub(super) fn unseen(gap: &Gap) -> String {
    format!("? {} cannot be seen: {}", gap.what, gap.message)
}

pub(super) fn line(change: &Change) -> String {
    let Change {
        service,
        what,
        ready,
        all,
    } = change;
    let (mark, text) = match what {
        What::Ready {
            endpoint,
            after_pod_ms,
        } => {
            let after = after_pod_ms.map_or_else(String::new, |ms| format!(" {} after its pod", seconds(ms)));
            ("✓", format!("{endpoint} is ready{after}"))
        }
        What::NotReady { endpoint } => ("!", format!("{endpoint} is not ready")),
        What::Gone { endpoint } => ("·", format!("{endpoint} is gone")),
        What::Followed { node, after_ms } => (
            "·",
            format!("rules of {node} follow within {}", seconds(*after_ms)),
        ),
        What::Behind { node, after_ms } => (
            "✗",
            format!("rules of {node} do not follow after {}", seconds(*after_ms)),
        ),
    };
    let mark = if *ready == 0 { "✗" } else { mark };
    format!("{mark} {service}: {text}; {ready} of {all} ready")
}

fn document(change: &Change) -> String {
    let (event, endpoint, node, ms) = match &change.what {
        What::Ready {
            endpoint,
            after_pod_ms,
        } => ("ready", Some(endpoint), None, *after_pod_ms),
        What::NotReady { endpoint } => ("notReady", Some(endpoint), None, None),
        What::Gone { endpoint } => ("gone", Some(endpoint), None, None),
        What::Followed { node, after_ms } => ("rulesFollow", None, Some(node), Some(*after_ms)),
        What::Behind { node, after_ms } => ("rulesBehind", None, Some(node), Some(*after_ms)),
    };
    let time = jiff::Timestamp::now().strftime("%FT%TZ").to_string();
    let document = json!({
        "time": time, "service": change.service, "event": event, "endpoint": endpoint, "node": node, "afterMs": ms,
        "ready": change.ready, "all": change.all,
    });
    format!("{document}\n")
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02}s", ms / 1000, ms % 1000 / 10)
}

/// `p50 0.20s, max 1.10s of 7`.
fn percentiles(times: &[u64]) -> Option<String> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let (middle, last) = (sorted.get(sorted.len() / 2)?, sorted.last()?);
    Some(match sorted.len() {
        1 => seconds(*last),
        several => format!("p50 {}, max {} of {several}", seconds(*middle), seconds(*last)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_middle_and_the_longest() {
        assert_eq!(percentiles(&[]), None);
        assert_eq!(percentiles(&[1_500]).as_deref(), Some("1.50s"));
        assert_eq!(
            percentiles(&[100, 3_000, 200]).as_deref(),
            Some("p50 0.20s, max 3.00s of 3")
        );
    }
}
