use report::Severity;

use crate::lint::{Lint, Outcome, readable};
use crate::metrics::is_counter;
use crate::promql::{Binary, Expr};
use crate::rules::{Input, Rule};

pub(crate) const LINT: Lint = Lint {
    id: "alert-count-as-rate",
    claim: "no count that grows with traffic is called a rate",
    judge,
};

fn judge(input: &Input, outcome: &mut Outcome) {
    for (rule, expr) in readable(input).filter(|(rule, _)| rule.is_alert && speaks_of_a_rate(rule)) {
        expr.walk(&mut |part| {
            let Expr::Binary(binary) = part else { return };
            let Binary { operator, left, right: Expr::Number(number), .. } = binary.as_ref() else { return };
            if !matches!(operator.as_str(), ">" | ">=") || *number <= 0.0 {
                return;
            }
            if let Some(count) = count(left) {
                let summary = format!("{count} {operator} {number} is a count, which grows with traffic, and it is called a rate");
                let hint = "divide by all requests in the same time, and ask for a least number of them: a ratio > 0.05 and a rate > 1".to_owned();
                outcome.found(rule, Severity::Warning, &summary, hint);
            }
        });
    }
}

fn speaks_of_a_rate(rule: &Rule) -> bool {
    let mut texts = rule.annotations.values().chain([&rule.name]);
    texts.any(|text| {
        words(text)
            .iter()
            .any(|word| matches!(word.as_str(), "rate" | "ratio" | "percent" | "percentage"))
    })
}

/// The words of a text in lower case; `DNSErrorRate` and `dns_error_rate` are three each.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for character in text.chars() {
        let begins = character.is_uppercase() && was_lower;
        if begins || !character.is_alphabetic() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| character.is_alphabetic()) {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words
}

/// A counter, or its growth, as a number of events.
fn count(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Selector(selector) => {
            let name = selector.metric.as_deref()?;
            is_counter(name).then(|| name.to_owned())
        }
        Expr::Call { function, .. } if function == "increase" => Some("increase()".to_owned()),
        Expr::Aggregate {
            operator, arguments, ..
        } if operator == "sum" => count(arguments.first()?),
        _ => None,
    }
}
