use report::Severity;

use crate::lint::{Lint, Outcome, readable};
use crate::promql::{Expr, Matcher};
use crate::rules::Input;

pub(crate) const LINT: Lint = Lint {
    id: "alert-job-name",
    claim: "that a job is no longer scraped is noticed",
    judge,
};

fn judge(input: &Input, outcome: &mut Outcome) {
    let covered: Vec<String> = readable(input).flat_map(|(_, expr)| absent_jobs(expr)).collect();
    for (rule, expr) in readable(input).filter(|(rule, _)| rule.is_alert) {
        for selector in expr.selectors() {
            let job = selector.matchers.iter().find(|matcher| matcher.label == "job");
            let (Some("up"), Some(Matcher { value, .. })) = (selector.metric.as_deref(), job) else {
                continue;
            };
            if !covered.contains(value) {
                let summary = format!(
                    "when the job {value:?} is no longer scraped, up is gone too and the rule is silent"
                );
                let hint = format!("add a rule on absent(up{{job=\"{value}\"}} == 1)");
                outcome.found(rule, Severity::Warning, &summary, hint);
            }
        }
    }
}

/// The jobs whose absence an expression notices.
fn absent_jobs(expr: &Expr) -> Vec<String> {
    let mut jobs = Vec::new();
    expr.walk(&mut |part| {
        let Expr::Call { function, arguments } = part else {
            return;
        };
        if !function.starts_with("absent") {
            return;
        }
        for selector in arguments.iter().flat_map(Expr::selectors) {
            let job = selector.matchers.iter().find(|matcher| matcher.label == "job");
            jobs.extend(job.map(|matcher| matcher.value.clone()));
        }
    });
    jobs
}
