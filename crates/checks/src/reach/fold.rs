use std::collections::BTreeMap;

use observation::{Attempt, Source, SourceState};
use report::{Gap, GapReason};

use super::ReachPlan;
use crate::fold::{SourceAnswers, deal};

/// Puts the answers where they belong. Every planned attempt is in the result; one without an answer has no samples. A
/// source that is missing from `answers`, or that answers something it was not asked, is a gap.
pub fn fold_reach(
    plan: &ReachPlan,
    answers: &BTreeMap<Source, SourceAnswers>,
) -> (Vec<SourceState>, Vec<Attempt>) {
    let mut states = Vec::new();
    let mut all = Vec::new();
    for (source, tries) in &plan.sources {
        let mut attempts = tries.attempts.clone();
        let answered = deal(
            answers.get(source),
            &tries.attempt_of,
            |index, samples| attempts[index].samples.extend_from_slice(samples),
            |message| gap(source, message),
        );
        for attempt in &mut attempts {
            attempt.samples.sort_by_key(|sample| (sample.retry, sample.at_us));
        }
        states.push(SourceState {
            source: source.clone(),
            answered,
        });
        all.append(&mut attempts);
    }
    (states, all)
}

fn gap(source: &Source, message: String) -> Gap {
    let what = match source {
        Source::Pod { node } => format!("answers of the probe pod on {node}"),
        Source::Host { node } => format!("answers from the network of {node}"),
        Source::Inside { namespace, pod, .. } => {
            format!("answers from the network of pod/{pod} -n {namespace}")
        }
        Source::Outside => "answers of this machine".to_owned(),
    };
    Gap {
        what,
        why: GapReason::Failed,
        message,
        hint: None,
    }
}
