use report::Severity;

use crate::lint::{Lint, Outcome, readable};
use crate::metrics::{OF_TARGETS, labels_of};
use crate::promql::MatchOperator;
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-absent-label",
    claim: "no rule selects by a label that the metric does not have",
    judge,
};

fn judge(input: &Input, outcome: &mut Outcome) {
    for (rule, expr) in readable(input) {
        for selector in expr.selectors() {
            let Some(metric) = selector.metric.as_deref() else {
                continue;
            };
            let Some(labels) = labels_of(metric) else { continue };
            for matcher in &selector.matchers {
                let label = matcher.label.as_str();
                // A quantile is the other lint's.
                if labels.contains(&label) || OF_TARGETS.contains(&label) || label == "quantile" {
                    continue;
                }
                let matches_empty = matcher.value.is_empty() || matcher.value == ".*";
                let effect = match matcher.operator {
                    MatchOperator::NotEqual | MatchOperator::MatchesNot if !matches_empty => {
                        "it matches every series, and the rule may fire for ever"
                    }
                    MatchOperator::Equal | MatchOperator::Matches if !matches_empty => {
                        "it matches no series, and the rule is silent"
                    }
                    _ => continue,
                };
                let hint = match labels.as_slice() {
                    [] => "its only labels are those of its target".to_owned(),
                    labels => format!("its labels are {}, and those of its target", labels.join(", ")),
                };
                outcome.found(
                    rule,
                    Severity::Error,
                    &format!("{metric} has no label {label}: {effect}"),
                    hint,
                );
            }
        }
    }
}
