//! What a reader should know beside findings and gaps.

use std::collections::BTreeMap;

use observation::Place;
use report::{Family, Note, NoteKind, Observed, Severity};

use crate::view::View;

pub(super) fn notes(view: &View<'_>) -> Vec<Note> {
    let mut notes = left_out(view);
    if view.is_wanted() {
        notes.extend(same_node(view));
        notes.extend(one_family(view));
    }
    notes.extend(own_service(view));
    let reach = view.observation.reach.iter().flat_map(|reach| &reach.left_out);
    let lookups = view
        .observation
        .lookups
        .iter()
        .flat_map(|lookups| &lookups.left_out);
    for text in reach.chain(lookups) {
        notes.push(Note {
            kind: NoteKind::Skipped,
            text: text.clone(),
            hint: None,
        });
    }
    if let Some(placement) = &view.observation.placement {
        let note = |text: String, hint: Option<String>| Note {
            kind: NoteKind::Fallback,
            text,
            hint,
        };
        if let Observed::Unseen(gap) = &placement.own_namespace {
            let text = format!(
                "probe pods ran in namespace {}, not in one of their own: {}",
                placement.namespace, gap.message
            );
            notes.push(note(text, gap.hint.clone()));
        }
        notes.extend(placement.notes.iter().map(|text| note(text.clone(), None)));
    }
    if view
        .faults
        .iter()
        .any(|fault| fault.severity >= Severity::Warning)
    {
        notes.push(Note {
            kind: NoteKind::ObserverEffect,
            text: "starting a probe pod runs the CNI on its node, which can repair a bridge or turn forwarding on again; \
                   each `kubectl debug node` leaves a pod behind, to be deleted"
                .to_owned(),
            hint: None,
        });
    }
    notes
}

/// What making a Service does to all nodes.
fn own_service(view: &View<'_>) -> Option<Note> {
    let made = view.observation.reach.as_ref()?.own_service.as_ref()?.seen()?;
    Some(Note {
        kind: NoteKind::ObserverEffect,
        text: format!(
            "{} was made and removed, so that every kube-proxy wrote its rules anew, which may have repaired some; nodes that were to \
             be read were read before",
            made.subject
        ),
        hint: None,
    })
}

/// Nodes that were left out, those for the same reason together.
fn left_out(view: &View<'_>) -> Vec<Note> {
    let mut by_reason: BTreeMap<(&str, Option<&String>), Vec<&str>> = BTreeMap::new();
    let places = view
        .observation
        .placement
        .iter()
        .flat_map(|placement| &placement.nodes);
    for (node, place) in places {
        if let Place::LeftOut { reason, hint } = place {
            by_reason.entry((reason, hint.as_ref())).or_default().push(node);
        }
    }
    by_reason
        .into_iter()
        .map(|((reason, hint), nodes)| Note {
            kind: NoteKind::Skipped,
            text: match nodes.as_slice() {
                few if few.len() <= 5 => format!("{}: {reason}", few.join(", ")),
                many => format!("{} nodes: {reason}", many.len()),
            },
            hint: hint.cloned(),
        })
        .collect()
}

fn same_node(view: &View<'_>) -> Option<Note> {
    let pods = view.pods();
    let none = !pods.is_empty() && pods.values().all(|pod| pod.twin.is_none());
    none.then(|| Note {
        kind: NoteKind::Skipped,
        text: "pairs of pods on the same node: there was no second probe pod on any node".to_owned(),
        hint: None,
    })
}

/// Pods that lack an address which others have are not probed over that family.
fn one_family(view: &View<'_>) -> Vec<Note> {
    let pods = view.pods();
    let has = |family: Family| {
        move |pod: &&observation::ProbePod| pod.addresses.iter().any(|it| Family::of(*it) == family)
    };
    let lacking = |family: Family| {
        let nodes: Vec<&str> = pods
            .iter()
            .filter(|(_, pod)| !has(family)(pod))
            .map(|(node, _)| *node)
            .collect();
        let some = !nodes.is_empty() && nodes.len() < pods.len();
        some.then(|| Note {
            kind: NoteKind::Skipped,
            text: format!(
                "{family} of {}: the probe pod there has no such address, others have",
                nodes.join(", ")
            ),
            hint: None,
        })
    };
    [Family::IPv4, Family::IPv6]
        .into_iter()
        .filter_map(lacking)
        .collect()
}
