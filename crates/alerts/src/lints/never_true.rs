use report::Severity;

use crate::lint::{Lint, Outcome, readable};
use crate::metrics::{Kind, is_counter, metric};
use crate::promql::{Binary, Expr};
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-never-true",
    claim: "no comparison that a series can never satisfy",
    judge,
};

/// What values an expression can take, where that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    /// This one only.
    Only(f64),
    /// Nothing below this.
    From(f64),
}

fn judge(input: &Input, outcome: &mut Outcome) {
    for (rule, expr) in readable(input) {
        expr.walk(&mut |part| {
            let Expr::Binary(binary) = part else { return };
            let Some((values, of, operator, number)) = comparison(binary) else {
                return;
            };
            if can_be(values, operator, number) {
                return;
            }
            let (why, hint) = match values {
                Values::Only(_) => (
                    "each of its series is 1, or does not exist",
                    "ask for what is not there with unless or absent()",
                ),
                Values::From(least) if least > 0.0 => (
                    "with nothing to count there is no series, not 0",
                    "ask for what is not there with absent()",
                ),
                Values::From(_) => (
                    "it is never negative",
                    "compare what can change, as with increase() or absent()",
                ),
            };
            let summary = format!("{of} {operator} {number} is never true: {why}");
            outcome.found(rule, Severity::Error, &summary, hint.to_owned());
        });
    }
}

fn comparison(binary: &Binary) -> Option<(Values, String, &str, f64)> {
    match (&binary.left, &binary.right) {
        (left, Expr::Number(number)) => {
            let (values, of) = values(left)?;
            Some((values, of, &binary.operator, *number))
        }
        (Expr::Number(number), right) => {
            let (values, of) = values(right)?;
            let turned = match binary.operator.as_str() {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                other => other,
            };
            Some((values, of, turned, *number))
        }
        _ => None,
    }
}

/// What an expression can be, and how it is called.
fn values(expr: &Expr) -> Option<(Values, String)> {
    match expr {
        Expr::Selector(selector) if selector.range.is_none() => {
            let name = selector.metric.as_deref()?;
            match metric(name).map(|metric| metric.kind) {
                Some(Kind::Info) => Some((Values::Only(1.0), name.to_owned())),
                Some(Kind::State) => Some((Values::From(0.0), name.to_owned())),
                _ if is_counter(name) => Some((Values::From(0.0), name.to_owned())),
                _ => None,
            }
        }
        Expr::Call { function, arguments } if ["rate", "increase", "irate"].contains(&function.as_str()) => {
            let [Expr::Selector(selector)] = arguments.as_slice() else {
                return Some((Values::From(0.0), format!("{function}()")));
            };
            let name = selector.metric.as_deref().unwrap_or("…");
            Some((Values::From(0.0), format!("{function}({name})")))
        }
        Expr::Call { function, .. } if function == "absent" => {
            Some((Values::Only(1.0), "absent()".to_owned()))
        }
        Expr::Aggregate { operator, .. } if operator == "count" => {
            Some((Values::From(1.0), "count()".to_owned()))
        }
        Expr::Aggregate {
            operator, arguments, ..
        } if ["sum", "min", "max", "avg"].contains(&operator.as_str()) => match values(arguments.first()?)? {
            (Values::From(least), of) => Some((Values::From(least), format!("{operator} of {of}"))),
            (Values::Only(_), of) => Some((Values::From(1.0), format!("{operator} of {of}"))),
        },
        _ => None,
    }
}

#[expect(clippy::float_cmp, reason = "the numbers are written down, not computed")]
fn can_be(values: Values, operator: &str, number: f64) -> bool {
    match (values, operator) {
        (Values::Only(value), "==") => value == number,
        (Values::Only(value), "!=") => value != number,
        (Values::Only(value), "<") => value < number,
        (Values::Only(value), "<=") => value <= number,
        (Values::Only(value), ">") => value > number,
        (Values::Only(value), ">=") => value >= number,
        (Values::From(least), "==" | "<=") => number >= least,
        (Values::From(least), "<") => number > least,
        _ => true,
    }
}
