use report::Severity;

use crate::lint::{Lint, Outcome, readable};
use crate::metrics::{Kind, metric};
use crate::promql::Selector;
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-quantile",
    claim: "quantiles of histograms are computed, not selected",
    judge,
};

fn judge(input: &Input, outcome: &mut Outcome) {
    for (rule, expr) in readable(input) {
        for Selector {
            metric: name,
            matchers,
            ..
        } in expr.selectors()
        {
            let Some(name) = name.as_deref() else { continue };
            let Some(known) = metric(name) else { continue };
            let selects = matchers.iter().any(|matcher| matcher.label == "quantile");
            let is_bare = known.kind == Kind::Histogram && known.name == name;
            if !selects && !is_bare {
                continue;
            }
            let base = known.name;
            let hint = match known.kind {
                Kind::Histogram => {
                    format!("histogram_quantile(0.99, sum by (le) (rate({base}_bucket[5m])))")
                }
                Kind::Counter | Kind::Gauge | Kind::Info | Kind::State => {
                    "it has one value and no quantiles".to_owned()
                }
            };
            let summary = if is_bare {
                format!(
                    "{name} is a histogram: there is no series of this name, only its buckets, sum and count"
                )
            } else {
                format!("{name} has no label quantile")
            };
            outcome.found(rule, Severity::Error, &summary, hint);
        }
    }
}
