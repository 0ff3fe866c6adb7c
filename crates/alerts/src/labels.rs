//! Which labels the series of an expression have, where that can be told.

use std::collections::BTreeSet;

use crate::metrics::labels_of;
use crate::promql::{Expr, Grouping, Matching};

/// The labels of series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels {
    /// Those that are known.
    pub(crate) own: BTreeSet<String>,
    /// Whether those of the target (job, instance and what else a scrape adds) are there too.
    pub(crate) of_target: bool,
}

/// The labels of an expression; `None` where they cannot be told, or where it is a number.
pub(crate) fn labels(expr: &Expr) -> Option<Labels> {
    match expr {
        Expr::Number(_) | Expr::Text(_) => None,
        Expr::Selector(selector) => Some(Labels {
            own: labels_of(selector.metric.as_deref()?)?
                .into_iter()
                .map(str::to_owned)
                .collect(),
            of_target: true,
        }),
        Expr::Subquery { inner, .. } | Expr::Signed(inner) => labels(inner),
        Expr::Aggregate {
            grouping,
            arguments,
            operator,
            ..
        } => {
            if ["topk", "bottomk", "limitk", "limit_ratio", "count_values"].contains(&operator.as_str()) {
                return None;
            }
            match grouping {
                Grouping::None => Some(Labels {
                    own: BTreeSet::new(),
                    of_target: false,
                }),
                Grouping::By(by) => Some(Labels {
                    own: by.iter().cloned().collect(),
                    of_target: false,
                }),
                Grouping::Without(without) => {
                    let mut labels = labels(arguments.last()?)?;
                    labels.own.retain(|label| !without.contains(label));
                    Some(labels)
                }
            }
        }
        Expr::Call { function, arguments } => of_call(function, arguments),
        Expr::Binary(binary) => match (labels(&binary.left), labels(&binary.right)) {
            (Some(left), _) if is_set(&binary.operator) && binary.operator != "or" => Some(left),
            (Some(left), Some(right)) if left == right && binary.matching == Matching::All => Some(left),
            (Some(left), None) if matches!(binary.right, Expr::Number(_)) => Some(left),
            (None, Some(right)) if matches!(binary.left, Expr::Number(_)) => Some(right),
            _ => None,
        },
    }
}

fn of_call(function: &str, arguments: &[Expr]) -> Option<Labels> {
    let of_first = || arguments.iter().find_map(labels);
    match function {
        "label_replace" | "label_join" => {
            let mut labels = of_first()?;
            if let Some(Expr::Text(added)) = arguments.get(1) {
                labels.own.insert(added.clone());
            }
            Some(labels)
        }
        "histogram_quantile" => {
            let mut labels = of_first()?;
            labels.own.remove("le");
            Some(labels)
        }
        "absent" | "absent_over_time" | "scalar" | "vector" | "time" | "info" => None,
        _ => of_first(),
    }
}

/// Whether an operator works on sets of series rather than on their values.
pub(crate) fn is_set(operator: &str) -> bool {
    matches!(operator, "and" | "or" | "unless")
}
