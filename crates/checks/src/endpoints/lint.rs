//! How a check of Services is made: over all that were asked about, and silent where a list is missing that it needs.

use std::collections::BTreeMap;

use report::{Finding, Gap, Severity, Subject};

use super::case::Case;
use super::scene::{Part, Scene};
use super::words::count;
use crate::check::Judgement;
use crate::view::View;

/// So many pieces of evidence stand under findings that are told as one.
const NAMED: usize = 5;

/// Makes a check of every Service that was asked about. It finds nothing where one of the lists is missing that it needs.
pub(super) fn each(
    view: &View<'_>,
    needs: &[Part],
    find: impl Fn(&Scene<'_>, &Case<'_>) -> Vec<Finding>,
) -> Judgement {
    over(view, needs, |scene| {
        scene.cases.iter().flat_map(|case| find(scene, case)).collect()
    })
}

/// As [`each`], where the Services are not looked at one by one.
pub(super) fn over(
    view: &View<'_>,
    needs: &[Part],
    find: impl FnOnce(&Scene<'_>) -> Vec<Finding>,
) -> Judgement {
    let Some(scene) = &view.backends else {
        return Judgement::not_asked();
    };
    if let Some((namespace, name)) = scene.missing() {
        return Judgement::skipped(format!("there is no service/{name} in namespace {namespace}"));
    }
    let gaps = gaps(view, scene, needs);
    let findings = if gaps.is_empty() { find(scene) } else { Vec::new() };
    Judgement {
        findings: if scene.is_single() {
            findings
        } else {
            folded(findings)
        },
        gaps,
        ..Judgement::default()
    }
}

/// What keeps a check from being made.
pub(super) fn gaps(view: &View<'_>, scene: &Scene<'_>, needs: &[Part]) -> Vec<Gap> {
    let services = scene.facts.services.gap().into_iter();
    let parts = needs.iter().filter_map(|part| scene.gap(view.observation, *part));
    services.chain(parts).cloned().collect()
}

/// Notes of one check about several Services of a namespace as one: who asks about all of them looks for faults.
fn folded(findings: Vec<Finding>) -> Vec<Finding> {
    let (notes, mut rest): (Vec<Finding>, Vec<Finding>) = findings
        .into_iter()
        .partition(|finding| finding.severity == Severity::Note);
    let mut groups: BTreeMap<(String, String), Vec<Finding>> = BTreeMap::new();
    for note in notes {
        let namespace = match &note.subject {
            Subject::Object {
                namespace: Some(namespace),
                ..
            } => namespace.clone(),
            Subject::Object { .. } | Subject::NodePair { .. } | Subject::Cluster => String::new(),
        };
        groups.entry((note.id.clone(), namespace)).or_default().push(note);
    }
    for ((id, namespace), notes) in groups {
        if notes.len() == 1 {
            rest.extend(notes);
            continue;
        }
        let number = notes.len() - 1;
        let summary = format!(
            "{}; and the same of {} in namespace {namespace}",
            notes[0].summary,
            count(number, "further Service")
        );
        let mut evidence = notes.into_iter().flat_map(|note| note.evidence).take(NAMED);
        let Some(first) = evidence.next() else {
            continue;
        };
        let subject = Subject::Object {
            kind: "namespace".to_owned(),
            name: namespace,
            namespace: None,
        };
        let mut one = Finding::new(id, Severity::Note, subject, summary, first);
        one.evidence.extend(evidence);
        rest.push(one);
    }
    rest
}
