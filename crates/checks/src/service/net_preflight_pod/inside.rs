//! What a pod of the cluster met from its own network, beside what a probe pod on the same node met.

use observation::{Purpose, Reach, Source};
use report::{Evidence, Finding, Severity, Subject};

use super::CHECK;
use crate::service::{label, manner};
use crate::shell::word;
use crate::tries::{Row, all_rows, telling};

/// Whether anything was to be tried from within a pod.
pub(super) fn is_asked(reach: &Reach) -> bool {
    reach.sources.iter().any(|state| is_inside(&state.source))
}

fn is_inside(source: &Source) -> bool {
    matches!(source, Source::Inside { .. })
}

/// What fails from within a pod. What fails beside it too is no matter of the pod.
pub(super) fn find(reach: &Reach) -> Vec<Finding> {
    let rows = all_rows(reach);
    let mut sources: Vec<&Source> = reach.attempts.iter().map(|attempt| &attempt.source).collect();
    sources.retain(|source| is_inside(source));
    sources.dedup();
    sources
        .into_iter()
        .filter_map(|source| from_within(reach, source, &rows))
        .collect()
}

fn from_within(reach: &Reach, source: &Source, rows: &[Row<'_>]) -> Option<Finding> {
    let Source::Inside { node, namespace, pod } = source else {
        return None;
    };
    let beside = Source::Pod { node: node.clone() };
    let own: Vec<&Row<'_>> = rows
        .iter()
        .filter(|row| row.failing().contains(&source) && !row.failing().contains(&&beside))
        .collect();
    // The destination that was asked for goes before what was tried to compare.
    let row = own.iter().min_by_key(|row| match row.sample.purpose {
        Purpose::Destination | Purpose::AddressOutside => 0,
        _ if reach.asked.contains(&row.sample.subject) => 1,
        _ => 2,
    })?;
    let subject = Subject::Object {
        kind: "pod".to_owned(),
        name: pod.clone(),
        namespace: Some(namespace.clone()),
    };
    let compared = row.right().contains(&&beside);
    let answers = if compared {
        format!("; a probe pod beside it on {node} reaches it")
    } else {
        String::new()
    };
    let outcome = telling(&row.from.get(source)?.attempt.samples);
    let mut seen: Vec<Evidence> = own
        .iter()
        .filter_map(|row| {
            let detail = row.from.get(source)?.state.failure()?.detail.clone();
            Some(Evidence::probe(detail, label(row, source)))
        })
        .collect();
    seen.truncate(3);
    if compared {
        seen.push(Evidence::probe("answers to the probe pod", label(row, &beside)));
    }
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!(
            "from {subject}, {} {}{answers}",
            row.sample.subject,
            manner(outcome)
        ),
        seen.first()?.clone(),
    );
    finding.evidence = seen;
    finding.hint = compared.then(|| {
        format!(
            "what differs is the pod: its interface, its routes, and the policies that select it: \
             `kubectl netcheck policy pod/{} -n {}`",
            word(pod),
            word(namespace)
        )
    });
    Some(finding)
}
