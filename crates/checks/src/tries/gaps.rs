use observation::{Attempt, Reach, SourceState};
use report::{Gap, GapReason, Observed};

use super::{all_rows, blindness, source_name};
use crate::view::View;

/// What kept sources from trying, or their answers from arriving.
pub(crate) fn gaps(view: &View<'_>, reach: &Reach) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = view.without_pod().into_values().cloned().collect();
    let sources: Vec<&SourceState> = reach.sources.iter().collect();
    let attempts: Vec<&Attempt> = reach.attempts.iter().collect();
    gaps.extend(attempt_gaps(&sources, &attempts));
    if let Some(why) = blindness(reach) {
        gaps.push(Gap {
            what: "the cluster from this machine".to_owned(),
            why: GapReason::Failed,
            message: why.to_owned(),
            hint: Some(
                "run it where the users of these Services are, or where there is a route to the nodes"
                    .to_owned(),
            ),
        });
    }
    if all_rows(reach).is_empty() && gaps.is_empty() {
        gaps.push(Gap {
            what: "what lies beyond the pods of the nodes".to_owned(),
            why: GapReason::NotStarted,
            message: "nothing was tried".to_owned(),
            hint: None,
        });
    }
    gaps
}

/// What is missing of these attempts.
pub(crate) fn attempt_gaps(sources: &[&SourceState], attempts: &[&Attempt]) -> Vec<Gap> {
    let answered = |state: &&SourceState| state.answered.gap().cloned();
    let mut gaps: Vec<Gap> = sources.iter().filter_map(answered).collect();
    let cut_off = |state: &SourceState| state.answered.gap().is_some();
    for state in sources.iter().filter(|state| !cut_off(state)) {
        let planned = attempts.iter().filter(|it| it.source == state.source);
        let (mut all, mut silent) = (0, 0);
        for attempt in planned {
            all += 1;
            silent += usize::from(attempt.samples.is_empty());
        }
        if silent > 0 {
            gaps.push(Gap {
                what: format!("{silent} of {all} tries from {}", source_name(&state.source)),
                why: GapReason::Truncated,
                message: "they were planned and have no answer".to_owned(),
                hint: None,
            });
        }
    }
    gaps
}

/// What of the API could not be read that Services are judged by.
pub(crate) fn services_gaps(reach: &Reach) -> Vec<Gap> {
    let services = reach.services.as_ref().and_then(Observed::gap);
    let slices = reach.slices.as_ref().and_then(Observed::gap);
    services.into_iter().chain(slices).cloned().collect()
}
