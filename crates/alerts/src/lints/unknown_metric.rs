use report::{Gap, GapReason, Severity};

use crate::lint::{Lint, Outcome, readable};
use crate::metrics::{COMPLETE, METRICS, NEVER, metric};
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-unknown-metric",
    claim: "every metric in a rule exists",
    judge,
};

/// Families that are known in part: what is not in the table may exist.
const IN_PART: [&str; 5] = [
    "kube_",
    "node_nf_conntrack_",
    "awscni_",
    "container_network_",
    "flannel_",
];

fn judge(input: &Input, outcome: &mut Outcome) {
    let mut unknown: Vec<&str> = Vec::new();
    for (rule, expr) in readable(input) {
        for name in expr
            .selectors()
            .into_iter()
            .filter_map(|selector| selector.metric.as_deref())
        {
            let is_recorded = input.rules.iter().any(|rule| !rule.is_alert && rule.name == name);
            if is_recorded || name == "up" || name == "ALERTS" {
                continue;
            }
            if let Some(metric) = metric(name) {
                if let Some(gone) = metric.gone {
                    let summary = format!("{name} is {gone}");
                    let hint = format!("the rule is silent where {} is newer", metric.by);
                    outcome.found(rule, Severity::Error, &summary, hint);
                }
            } else if let Some((_, instead)) = NEVER.iter().find(|(never, _)| is_named(never, name)) {
                outcome.found(
                    rule,
                    Severity::Error,
                    &format!("nothing exports {name}"),
                    (*instead).to_owned(),
                );
            } else if COMPLETE.iter().any(|family| name.starts_with(family)) {
                let hint = nearest(name).map_or_else(
                    || "compare with what the program exports".to_owned(),
                    |near| format!("the nearest that exists is {near}"),
                );
                outcome.found(rule, Severity::Error, &format!("there is no metric {name}"), hint);
            } else if IN_PART.iter().any(|family| name.starts_with(family)) && !unknown.contains(&name) {
                unknown.push(name);
            }
        }
    }
    if !unknown.is_empty() {
        outcome.gaps.push(Gap {
            what: "whether every metric exists".to_owned(),
            why: GapReason::Failed,
            message: format!("not in the table of known metrics: {}", unknown.join(", ")),
            hint: Some("ask Prometheus for one series of each".to_owned()),
        });
    }
}

fn is_named(never: &str, name: &str) -> bool {
    match never.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => never == name,
    }
}

/// The current metric with the longest beginning in common.
fn nearest(name: &str) -> Option<&'static str> {
    let common = |other: &str| {
        name.bytes()
            .zip(other.bytes())
            .take_while(|(a, b)| a == b)
            .count()
    };
    let current = METRICS.iter().filter(|metric| metric.gone.is_none());
    let near = current.max_by_key(|metric| common(metric.name))?;
    (common(near.name) * 2 > name.len()).then_some(near.name)
}
