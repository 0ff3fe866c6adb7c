use report::Severity;

use crate::labels::labels;
use crate::lint::{Lint, Outcome, readable};
use crate::metrics::OF_TARGETS;
use crate::rules::{Input, Rule};

pub(crate) const LINT: Lint = Lint {
    id: "alert-syntax",
    claim: "rules can be read, and wait long enough to see a second scrape",
    judge,
};

/// The interval of scrapes that is assumed: the operator's default.
const SCRAPE_S: f64 = 30.0;

fn judge(input: &Input, outcome: &mut Outcome) {
    for rule in &input.rules {
        if let Err(error) = &rule.expr {
            let hint = "correct the expression; Prometheus refuses a whole file for one such rule".to_owned();
            outcome.found(
                rule,
                Severity::Error,
                &format!("the expression cannot be read: {error}"),
                hint,
            );
        }
        if let Some(wait) = &rule.wrong_wait {
            let hint = "write it as 5m or 1h30m".to_owned();
            outcome.found(
                rule,
                Severity::Error,
                &format!("for: {wait:?} is no duration"),
                hint,
            );
        }
    }
    for (rule, expr) in readable(input).filter(|(rule, _)| rule.is_alert && rule.wrong_wait.is_none()) {
        let looks_back = rule.waits + expr.longest_range();
        if looks_back < 2.0 * SCRAPE_S {
            let hint = format!(
                "wait for two scrapes at least, as with `for: 2m` (scrapes every {SCRAPE_S} s are assumed)"
            );
            let summary = format!("one bad scrape is enough: it looks back over {looks_back} s only");
            outcome.found(rule, Severity::Warning, &summary, hint);
        }
        let Some(known) = labels(expr) else { continue };
        for label in named(rule) {
            let is_there = known.own.contains(&label)
                || rule.labels.contains_key(&label)
                || (known.of_target && OF_TARGETS.contains(&label.as_str()));
            if !is_there {
                let own: Vec<&str> = known.own.iter().map(String::as_str).collect();
                let hint = format!("labels that are left: {}", own.join(", "));
                let summary = format!("an annotation names the label {label}, which its series do not have");
                outcome.found(rule, Severity::Warning, &summary, hint);
            }
        }
    }
}

/// The labels that annotations name.
fn named(rule: &Rule) -> Vec<String> {
    let mut labels = Vec::new();
    for text in rule.annotations.values() {
        for rest in text.split("$labels.").skip(1) {
            let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let label = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
            if !label.is_empty() && !labels.iter().any(|known| known == label) {
                labels.push(label.to_owned());
            }
        }
    }
    labels
}
