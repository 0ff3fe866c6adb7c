use std::collections::BTreeSet;

use report::Severity;

use crate::labels::{Labels, is_set, labels};
use crate::lint::{Lint, Outcome, readable};
use crate::metrics::OF_TARGETS;
use crate::promql::{Binary, Expr, Matching};
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-vector-match",
    claim: "both sides of every operator have series that belong together",
    judge,
};

/// Labels that a target has too, but with another meaning: the Service by which it was scraped.
const SCRAPED_BY: [&str; 2] = ["service", "endpoint"];

fn judge(input: &Input, outcome: &mut Outcome) {
    for (rule, expr) in readable(input) {
        expr.walk(&mut |part| {
            let Expr::Binary(binary) = part else { return };
            if binary.operator == "or" {
                return;
            }
            let (Some(left), Some(right)) = (labels(&binary.left), labels(&binary.right)) else {
                return;
            };
            let Some(why) = never_meets(binary, &left, &right) else {
                return;
            };
            let effect = match binary.operator.as_str() {
                "unless" => "so that nothing is ever taken away",
                _ => "so that no two series ever belong together",
            };
            let summary = format!("the two sides of {:?} {why}, {effect}", binary.operator);
            let common: Vec<&str> = left.own.intersection(&right.own).map(String::as_str).collect();
            let hint = match (common.as_slice(), is_set(&binary.operator)) {
                ([], _) => "make the labels alike with label_replace()".to_owned(),
                (common, true) => format!(
                    "say on which labels: {} on ({})",
                    binary.operator,
                    common.join(", ")
                ),
                (common, false) => {
                    format!(
                        "say on which labels: {} on ({}) group_left",
                        binary.operator,
                        common.join(", ")
                    )
                }
            };
            outcome.found(rule, Severity::Error, &summary, hint);
        });
    }
}

/// Why no series of the one side can belong to one of the other, as a clause.
fn never_meets(binary: &Binary, left: &Labels, right: &Labels) -> Option<String> {
    let has = |side: &Labels, label: &str| {
        side.own.contains(label) || (side.of_target && OF_TARGETS.contains(&label))
    };
    match &binary.matching {
        Matching::On(on) => {
            let differs = |label: &&String| {
                let of_scrape = SCRAPED_BY.contains(&label.as_str())
                    && left.own.contains(*label) != right.own.contains(*label);
                of_scrape || has(left, label) != has(right, label)
            };
            let lacks = on.iter().find(differs)?;
            Some(format!(
                "are matched on {lacks}, which only one of them has as a label of its own"
            ))
        }
        Matching::All => differ(left, right, &[]),
        Matching::Ignoring(ignored) => differ(left, right, ignored),
    }
}

fn differ(left: &Labels, right: &Labels, ignored: &[String]) -> Option<String> {
    let not_ignored = |side: &Labels| -> BTreeSet<String> {
        side.own
            .iter()
            .filter(|label| !ignored.contains(label))
            .cloned()
            .collect()
    };
    let (left_own, right_own) = (not_ignored(left), not_ignored(right));
    let of_one: Vec<&str> = left_own
        .symmetric_difference(&right_own)
        .map(String::as_str)
        .collect();
    if !of_one.is_empty() {
        let shown: Vec<&str> = of_one.into_iter().filter(|label| !is_optional(label)).collect();
        return (!shown.is_empty()).then(|| format!("do not both have the labels {}", shown.join(", ")));
    }
    let target_ignored = ["job", "instance"]
        .iter()
        .all(|label| ignored.iter().any(|it| it == label));
    (left.of_target != right.of_target && !target_ignored)
        .then(|| "do not both have the labels of a target".to_owned())
}

/// Labels that only some versions of the program write.
fn is_optional(label: &str) -> bool {
    matches!(label, "view" | "ip_family" | "uid")
}
