use std::collections::BTreeSet;

use regex_lite::Regex;
use report::{Evidence, Finding, Gap, GapReason, Severity};

use crate::lint::{Lint, Outcome, readable};
use crate::rules::{Filter, Input, Monitor};

pub(crate) const LINT: Lint = Lint {
    id: "alert-relabel-drop",
    claim: "no monitor drops a metric that a rule needs",
    judge,
};

fn judge(input: &Input, outcome: &mut Outcome) {
    let monitors = match &input.monitors {
        None => {
            outcome.skipped = Some("no ServiceMonitor or PodMonitor was given".to_owned());
            return;
        }
        Some(report::Observed::Unseen(gap)) => {
            outcome.gaps.push(gap.clone());
            return;
        }
        Some(report::Observed::Seen(monitors)) => monitors,
    };
    let used: BTreeSet<&str> = readable(input)
        .flat_map(|(_, expr)| expr.selectors())
        .filter_map(|selector| selector.metric.as_deref())
        .collect();
    for monitor in monitors {
        for filters in &monitor.filters {
            judge_endpoint(monitor, filters, &used, outcome);
        }
    }
}

fn judge_endpoint(monitor: &Monitor, filters: &[Filter], used: &BTreeSet<&str>, outcome: &mut Outcome) {
    let mut compiled = Vec::new();
    for filter in filters {
        match Regex::new(&format!("^(?:{})$", filter.regex)) {
            Ok(regex) => compiled.push((filter, regex)),
            Err(error) => outcome.gaps.push(Gap {
                what: format!("what {} drops", monitor.subject),
                why: GapReason::Failed,
                message: format!("its expression {:?} cannot be read: {error}", filter.regex),
                hint: None,
            }),
        }
    }
    for metric in used {
        let Some((filter, _)) = compiled
            .iter()
            .find(|(filter, regex)| regex.is_match(metric) != filter.keeps)
        else {
            continue;
        };
        if filter.keeps && !concerns(&filter.regex, metric) {
            continue;
        }
        let action = if filter.keeps { "keep" } else { "drop" };
        let fact = format!("metricRelabelings: action {action}, regex {}", filter.regex);
        let mut finding = Finding::new(
            LINT.id,
            Severity::Error,
            monitor.subject.clone(),
            format!("{metric} is used by a rule and dropped when it is scraped"),
            Evidence::field(
                fact,
                format!("{}: .spec.endpoints[].metricRelabelings", monitor.place),
            ),
        );
        finding.hint = Some(if filter.keeps {
            format!("add {metric} to what is kept")
        } else {
            format!("leave {metric} out of what is dropped")
        });
        outcome.findings.push(finding);
    }
}

/// Whether a monitor that keeps these names is the one that scrapes the metric: it keeps others of its family.
fn concerns(regex: &str, metric: &str) -> bool {
    let family = metric.split('_').next().unwrap_or(metric);
    regex.contains(&format!("{family}_"))
}
