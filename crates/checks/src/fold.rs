use std::collections::{BTreeMap, BTreeSet};

use netprobe::{Answer, Sample};
use observation::{Cell, Mesh};
use report::{Gap, GapReason, Observed};

use crate::plan::{MeshPlan, SourcePlan};

/// What one source brought back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceAnswers {
    /// What arrived, in any order; also when the rest was cut off.
    pub answers: Vec<Answer>,
    /// Whether all of it arrived, or why not.
    pub complete: Observed<()>,
}

/// Deals the answers of one source out to what it was asked. `asked` has for each probe, by its id, to what it belongs; `add` takes the
/// samples of such a one. A source without answers, or one that answers something it was not asked, is a gap of this making.
pub(crate) fn deal(
    given: Option<&SourceAnswers>,
    asked: &[usize],
    mut add: impl FnMut(usize, &[Sample]),
    gap: impl Fn(String) -> Gap,
) -> Observed<()> {
    let Some(given) = given else {
        return Observed::Unseen(gap("it was not asked".to_owned()));
    };
    let mut answered = vec![false; asked.len()];
    let mut stray = None;
    for answer in &given.answers {
        let place = usize::try_from(answer.id).ok();
        let whose = place.and_then(|id| asked.get(id));
        match (whose, place.and_then(|id| answered.get_mut(id))) {
            (Some(whose), Some(seen)) if !*seen => {
                *seen = true;
                add(*whose, &answer.samples);
            }
            _ => stray = Some(answer.id),
        }
    }
    match stray {
        Some(id) => Observed::Unseen(gap(format!(
            "it answered for a try that it was not asked for, or twice: {id}"
        ))),
        // Whatever was given up then was a second try.
        None if answered.iter().all(|seen| *seen) => Observed::Seen(()),
        None => given.complete.clone(),
    }
}

/// Puts the answers where they belong. Every planned cell is in the mesh; a cell without an answer has no samples. A
/// source that is missing from `answers`, or that answers something it was not asked, is a gap.
pub fn fold(plan: &MeshPlan, answers: &BTreeMap<String, SourceAnswers>) -> Mesh {
    let mut sources = BTreeMap::new();
    let mut cells = Vec::new();
    for (source, planned) in &plan.sources {
        let given = answers.get(source);
        sources.insert(source.clone(), complete(source, planned, given));
        let mut samples: BTreeMap<u32, _> = BTreeMap::new();
        for answer in given.iter().flat_map(|given| &given.answers) {
            samples.entry(answer.id).or_insert_with(|| answer.samples.clone());
        }
        cells.extend((0..).zip(&planned.cells).map(|(id, cell)| Cell {
            source: source.clone(),
            target: cell.target.clone(),
            address: cell.address,
            kind: cell.kind.clone(),
            samples: samples.remove(&id).into_iter().flatten().collect(),
        }));
    }
    Mesh {
        coverage: plan.coverage,
        tcp_port: plan.tcp_port,
        udp_port: plan.udp_port,
        sources,
        cells,
    }
}

fn complete(source: &str, planned: &SourcePlan, given: Option<&SourceAnswers>) -> Observed<()> {
    let gap = |message: String| {
        let what = format!("answers of the probe pod on {source}");
        Observed::Unseen(Gap {
            what,
            why: GapReason::Failed,
            message,
            hint: None,
        })
    };
    let Some(given) = given else {
        return gap("it was not asked".to_owned());
    };
    let mut seen = BTreeSet::new();
    for answer in &given.answers {
        if answer.id as usize >= planned.cells.len() || !seen.insert(answer.id) {
            return gap(format!(
                "it answered for a probe that it was not asked for, or twice: {}",
                answer.id
            ));
        }
    }
    if seen.len() == planned.cells.len() {
        // Whatever was given up then was a second try: every probe has its outcome.
        return Observed::Seen(());
    }
    given.complete.clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{MeshOptions, plan_mesh};
    use netprobe::{Outcome, Sample};
    use observation::{Place, ProbePod};

    fn plan() -> MeshPlan {
        let place = |last: u8| {
            Place::Ready(ProbePod {
                name: "probe".into(),
                addresses: vec![[10, 0, 0, last].into()],
                image: "pause".into(),
                ready_after_ms: 1,
                twin: None,
            })
        };
        let places = BTreeMap::from([("a".to_owned(), place(1)), ("b".to_owned(), place(2))]);
        plan_mesh(&places, "r", &MeshOptions::default())
    }

    fn answer(id: u32) -> Answer {
        let sample = Sample {
            at_us: 0,
            retry: false,
            outcome: Outcome::TimedOut { after_us: 4_000_000 },
        };
        Answer {
            id,
            samples: vec![sample],
        }
    }

    #[test]
    fn a_source_that_was_cut_off_keeps_what_arrived() {
        let gap = Gap {
            what: "answers".into(),
            why: GapReason::Truncated,
            message: "cut off".into(),
            hint: None,
        };
        let given = SourceAnswers {
            answers: vec![answer(1)],
            complete: Observed::Unseen(gap.clone()),
        };
        let mesh = fold(&plan(), &BTreeMap::from([("a".to_owned(), given)]));
        assert_eq!(mesh.sources["a"], Observed::Unseen(gap));
        let answered: Vec<bool> = mesh
            .cells
            .iter()
            .filter(|cell| cell.source == "a")
            .map(|cell| !cell.samples.is_empty())
            .collect();
        assert_eq!(answered, [false, true, false, false]);
        assert_eq!(mesh.cells.len(), 8, "every planned cell is there");
    }

    #[test]
    fn a_source_that_gave_up_second_tries_only_was_seen() {
        let gap = Gap {
            what: "answers".into(),
            why: GapReason::Truncated,
            message: "the deadline passed".into(),
            hint: None,
        };
        let given = SourceAnswers {
            answers: (0..4).map(answer).collect(),
            complete: Observed::Unseen(gap),
        };
        let mesh = fold(&plan(), &BTreeMap::from([("a".to_owned(), given)]));
        assert_eq!(mesh.sources["a"], Observed::Seen(()));
    }

    #[test]
    fn a_source_without_answers_is_a_gap() {
        let mesh = fold(&plan(), &BTreeMap::new());
        assert!(mesh.sources["a"].gap().is_some());
    }

    #[test]
    fn an_answer_to_something_else_is_a_gap_and_not_a_result() {
        let given = SourceAnswers {
            answers: vec![answer(99)],
            complete: Observed::Seen(()),
        };
        let mesh = fold(&plan(), &BTreeMap::from([("a".to_owned(), given)]));
        assert!(mesh.sources["a"].gap().is_some());
        assert!(mesh.cells.iter().all(|cell| cell.samples.is_empty()));
    }
}
