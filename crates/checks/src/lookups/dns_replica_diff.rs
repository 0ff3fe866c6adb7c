use std::collections::{BTreeMap, BTreeSet};

use observation::NameClass;
use report::{Evidence, Finding, Severity, Subject};

use super::names::{Question, rows_of};
use super::place::pod_of;
use super::silence::no_server;
use super::table::{Row, State, Table};
use super::{judged, seen};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// The same names, asked of each DNS pod: the DNS Service leads to any of them, and hides one that is sick.
pub(crate) static CHECK: Check = Check {
    id: "dns-replica-diff",
    claim: "all DNS pods give the same answers",
    needs: &[Need::Lookups],
    judge,
};

const CLASSES: &[NameClass] = &[
    NameClass::Internal,
    NameClass::Service,
    NameClass::Headless,
    NameClass::PodName,
    NameClass::Port,
    NameClass::Reverse,
    NameClass::Missing,
];

fn judge(view: &View<'_>) -> Judgement {
    judged(view, |table| {
        let pods: BTreeSet<Subject> = rows_of(table, CLASSES)
            .filter_map(|row| pod_of(&row.lookup.server))
            .collect();
        if pods.len() == 1 {
            return Judgement::skipped("there is one DNS pod, and none to compare it with");
        }
        Judgement {
            findings: findings(table),
            gaps: no_server(table),
            ..Judgement::default()
        }
    })
}

/// What each DNS pod says to one question.
type Answers<'t, 'a> = BTreeMap<Subject, &'t Row<'a>>;

fn findings(table: &Table<'_>) -> Vec<Finding> {
    let mut questions: BTreeMap<Question<'_>, Answers<'_, '_>> = BTreeMap::new();
    for row in rows_of(table, CLASSES).filter(|row| matches!(row.state, State::Said(_))) {
        let Some(pod) = pod_of(&row.lookup.server) else {
            continue;
        };
        let question = (row.lookup.name(), row.lookup.qtype());
        let answers = questions.entry(question).or_default();
        // Of what one pod says differently at different times, the answer that is wrong counts.
        if answers
            .get(&pod)
            .is_none_or(|known| known.is_right() != Some(false))
        {
            answers.insert(pod, row);
        }
    }
    let mut sick: BTreeMap<Subject, Vec<(&Row<'_>, &Row<'_>)>> = BTreeMap::new();
    let mut asked: BTreeMap<Subject, usize> = BTreeMap::new();
    for answers in questions.values() {
        for pod in answers.keys() {
            *asked.entry(pod.clone()).or_default() += 1;
        }
        for (pod, row, other) in odd(answers) {
            sick.entry(pod).or_default().push((row, other));
        }
    }
    let findings = sick.into_iter().filter_map(|(pod, rows)| {
        let questions = asked.get(&pod).copied().unwrap_or_default();
        finding(&pod, &rows, questions)
    });
    findings.collect()
}

/// The pods that say something else than what is right, where another one says that.
fn odd<'t, 'a>(answers: &Answers<'t, 'a>) -> Vec<(Subject, &'t Row<'a>, &'t Row<'a>)> {
    let Some(right) = answers.values().find(|row| row.is_right() == Some(true)) else {
        return Vec::new();
    };
    let wrong = answers.iter().filter(|(_, row)| row.is_right() == Some(false));
    wrong.map(|(pod, row)| (pod.clone(), *row, *right)).collect()
}

fn finding(pod: &Subject, rows: &[(&Row<'_>, &Row<'_>)], asked: usize) -> Option<Finding> {
    let (first, other) = rows.first()?;
    let evidence: Vec<Evidence> = rows
        .iter()
        .take(3)
        .map(|(row, _)| seen(row))
        .chain([seen(other)])
        .collect();
    let summary = format!(
        "{pod} answers {} of {asked} names otherwise than the other DNS pods, and than the API has them: it {} for {}",
        rows.len(),
        first.words(),
        first.lookup.name()
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        pod.clone(),
        summary,
        evidence.first()?.clone(),
    );
    finding.evidence = evidence;
    if let Subject::Object {
        name,
        namespace: Some(namespace),
        ..
    } = pod
    {
        finding.hint = Some(format!(
            "see whether it reaches the API and follows it; once it can, it is well again or can be deleted: `kubectl logs {} -n {} --tail=50`",
            word(name),
            word(namespace)
        ));
    }
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lookups::fixture::{Scene, dns, is_pod, silence, unanswered};
    use crate::shown;

    #[test]
    fn the_pod_that_says_something_else_is_named() {
        let observation = Scene::new().observe(|lookup| {
            (is_pod(lookup, "coredns-2") && lookup.class == NameClass::Service).then(|| dns(3, &[]))
        });
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].subject.to_string(), "pod/coredns-2 -n kube-system");
        assert!(
            findings[0].summary.contains("NXDOMAIN"),
            "{}",
            findings[0].summary
        );
    }

    #[test]
    fn what_all_say_alike_is_no_difference_be_it_right_or_wrong() {
        shown::passes(&CHECK, &Scene::new().observe(|_| None));
        shown::passes(&CHECK, &Scene::new().observe(|_| Some(dns(3, &[]))));
    }

    #[test]
    fn of_pods_that_say_nothing_nothing_is_told() {
        shown::cannot_tell(&CHECK, &unanswered());
        shown::cannot_tell(&CHECK, &Scene::new().observe(|_| Some(silence())));
    }
}
