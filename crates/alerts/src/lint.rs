//! The table of lints, and the report that they make together.

use report::{CheckResult, Evidence, Finding, Gap, Report, Severity, Target};

use crate::lints;
use crate::promql::Expr;
use crate::rules::{Input, Rule};

/// One claim about rules, and what decides it.
#[derive(Clone, Copy, Debug)]
pub struct Lint {
    /// Stable and kebab-case, as the id of a check.
    pub id: &'static str,
    /// What holds when it passes.
    pub claim: &'static str,
    pub(crate) judge: fn(&Input, &mut Outcome),
}

/// What a lint came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    id: &'static str,
    pub(crate) findings: Vec<Finding>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) skipped: Option<String>,
}

/// Every lint, causes before what follows from them.
pub const LINTS: &[Lint] = &[
    lints::syntax::LINT,
    lints::unknown_metric::LINT,
    lints::absent_label::LINT,
    lints::quantile::LINT,
    lints::never_true::LINT,
    lints::vector_match::LINT,
    lints::relabel_drop::LINT,
    lints::job_name::LINT,
    lints::count_as_rate::LINT,
    lints::readiness::LINT,
    lints::coverage::LINT,
];

impl Outcome {
    /// A finding about a rule; its expression is the evidence.
    pub(crate) fn found(&mut self, rule: &Rule, severity: Severity, summary: &str, hint: impl Into<String>) {
        let shown: String = rule.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut finding = Finding::new(
            self.id,
            severity,
            rule.subject.clone(),
            format!("{}: {summary}", rule.name),
            Evidence::field(shown, rule.place.clone()),
        );
        finding.hint = Some(hint.into());
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// The rules whose expressions could be read, with those.
pub(crate) fn readable(input: &Input) -> impl Iterator<Item = (&Rule, &Expr)> {
    input
        .rules
        .iter()
        .filter_map(|rule| rule.expr.as_ref().ok().map(|expr| (rule, expr)))
}

/// Looks at rules. `tool` is the program that looks: `kubectl-netcheck v0.1.0`.
pub fn lint(input: &Input, tool: &str) -> Report {
    let mut findings = Vec::new();
    let mut outcomes = Vec::new();
    for lint in LINTS {
        let mut outcome = Outcome {
            id: lint.id,
            findings: Vec::new(),
            gaps: input.unread.clone(),
            skipped: None,
        };
        if input.rules.is_empty() {
            outcome.skipped = input.unread.is_empty().then(|| "there is no rule".to_owned());
        } else {
            (lint.judge)(input, &mut outcome);
        }
        findings.append(&mut outcome.findings);
        outcomes.push((lint, outcome));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let checks: Vec<CheckResult> = outcomes
        .into_iter()
        .map(|(lint, outcome)| match outcome.skipped {
            Some(reason) => CheckResult::skipped(lint.id, lint.claim, reason),
            None => CheckResult::judged(lint.id, lint.claim, &findings, outcome.gaps),
        })
        .collect();
    let target = Target {
        command: "alerts lint".to_owned(),
        server_version: None,
        nodes: None,
        probe_namespace: None,
    };
    let summary = summary(input, &findings);
    Report::new(tool, target, summary, findings, checks)
}

fn summary(input: &Input, findings: &[Finding]) -> String {
    let count = |severity| {
        findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    };
    let rules = match input.rules.len() {
        1 => "1 rule".to_owned(),
        rules => format!("{rules} rules"),
    };
    match (count(Severity::Error), count(Severity::Warning)) {
        _ if input.rules.is_empty() => "no rule was looked at".to_owned(),
        (0, 0) => format!("nothing is wrong in {rules}"),
        (0, warnings) => format!("{rules}: {warnings} to look at"),
        (errors, 0) => format!("{rules}: {errors} wrong"),
        (errors, warnings) => format!("{rules}: {errors} wrong, and {warnings} to look at"),
    }
}

#[cfg(test)]
mod tests;
