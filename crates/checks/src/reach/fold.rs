use std::collections::BTreeMap;

use observation::{Attempt, Source, SourceState};
use report::{Gap, GapReason, Observed};

use super::ReachPlan;
use crate::fold::SourceAnswers;

/// Puts the answers where they belong. Every planned attempt is in the result; one without an answer has no samples. A
/// source that is missing from `answers`, or that answers something it was not asked, is a gap.
pub fn fold_reach(
    plan: &ReachPlan,
    answers: &BTreeMap<Source, SourceAnswers>,
) -> (Vec<SourceState>, Vec<Attempt>) {
    let mut states = Vec::new();
    let mut all = Vec::new();
    for (source, tries) in &plan.sources {
        let given = answers.get(source);
        let mut attempts = tries.attempts.clone();
        let mut answered = vec![false; tries.attempt_of.len()];
        let mut stray = None;
        for answer in given.iter().flat_map(|given| &given.answers) {
            let place = usize::try_from(answer.id).ok();
            let attempt = place.and_then(|id| tries.attempt_of.get(id));
            let first = place.and_then(|id| answered.get_mut(id));
            match (attempt, first) {
                (Some(attempt), Some(seen)) if !*seen => {
                    *seen = true;
                    attempts[*attempt].samples.extend(answer.samples.iter().cloned());
                }
                _ => stray = Some(answer.id),
            }
        }
        for attempt in &mut attempts {
            attempt.samples.sort_by_key(|sample| (sample.retry, sample.at_us));
        }
        let complete = match (given, stray) {
            (None, _) => gap(source, "it was not asked".to_owned()),
            (Some(_), Some(id)) => gap(
                source,
                format!("it answered for a try that it was not asked for, or twice: {id}"),
            ),
            // Whatever was given up then was a second try.
            (Some(_), None) if answered.iter().all(|seen| *seen) => Observed::Seen(()),
            (Some(given), None) => given.complete.clone(),
        };
        states.push(SourceState {
            source: source.clone(),
            answered: complete,
        });
        all.append(&mut attempts);
    }
    (states, all)
}

fn gap(source: &Source, message: String) -> Observed<()> {
    let what = match source {
        Source::Pod { node } => format!("answers of the probe pod on {node}"),
        Source::Host { node } => format!("answers from the network of {node}"),
        Source::Inside { namespace, pod, .. } => {
            format!("answers from the network of pod/{pod} -n {namespace}")
        }
        Source::Outside => "answers of this machine".to_owned(),
    };
    Observed::Unseen(Gap {
        what,
        why: GapReason::Failed,
        message,
        hint: None,
    })
}
