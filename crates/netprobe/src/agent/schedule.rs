//! What is tried when: pure, so that it can be tested without a network or a clock.
//!
//! First every probe, as many at once as allowed. When all have ended, the failed ones again, with at least the gap of
//! the plan between two starts; one that waits in silence does not hold up the next.

use std::collections::{BTreeMap, VecDeque};
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use netprobe::{Answer, Kind, Outcome, Plan, Probe, Retry, Sample};

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Start a sample of the probe with this index in the plan.
    Start(usize),
    /// Nothing before this time, since the plan was taken, unless a sample ends before.
    WaitUntil(Duration),
    /// Nothing until a sample ends.
    Wait,
    /// All is done.
    Done,
}

/// The course of a plan.
pub(crate) struct Schedule {
    probes: Vec<Probe>,
    retry: Option<Retry>,
    /// The least time between two first tries, and when the next may be made.
    spacing: (Duration, Duration),
    samples: Vec<Vec<Sample>>,
    /// The most that may be under way at once, from the plan or from what the system allows.
    most_at_once: usize,
    under_way: usize,
    /// The first probe that was not tried yet.
    untried: usize,
    /// Probes whose series goes on, and what could not be started for want of sockets.
    again: VecDeque<usize>,
    /// Probes that failed and were not tried again yet.
    failed: Vec<usize>,
    phase: Phase,
    answers: Vec<Answer>,
}

enum Phase {
    First,
    Retry {
        chosen: VecDeque<usize>,
        /// When the next of them may start.
        next_start: Duration,
        /// Probes whose series goes on later, and when.
        waiting: VecDeque<(Duration, usize)>,
    },
}

impl Schedule {
    pub(crate) fn new(plan: Plan, sockets_allowed: usize) -> Self {
        let most = usize::try_from(plan.concurrency).unwrap_or(usize::MAX);
        Self {
            samples: vec![Vec::new(); plan.probes.len()],
            probes: plan.probes,
            retry: plan.retry,
            spacing: (Duration::from_millis(plan.gap_ms), Duration::ZERO),
            most_at_once: most.clamp(1, sockets_allowed),
            under_way: 0,
            untried: 0,
            again: VecDeque::new(),
            failed: Vec::new(),
            phase: Phase::First,
            answers: Vec::new(),
        }
    }

    pub(crate) fn probe(&self, index: usize) -> &Probe {
        &self.probes[index]
    }

    /// Whether samples are made alone now.
    pub(crate) fn is_retrying(&self) -> bool {
        matches!(self.phase, Phase::Retry { .. })
    }

    /// The answers that are complete by now, each once.
    pub(crate) fn answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    pub(crate) fn next(&mut self, now: Duration) -> Step {
        if self.under_way >= self.most_at_once {
            return Step::Wait;
        }
        let (gap, not_before) = self.spacing;
        if matches!(self.phase, Phase::First) && (!self.again.is_empty() || self.untried < self.probes.len())
        {
            if now < not_before {
                return Step::WaitUntil(not_before);
            }
            self.spacing.1 = now + gap;
        }
        if let Some(index) = self.again.pop_front() {
            return self.start(index);
        }
        if self.untried < self.probes.len() {
            self.untried += 1;
            return self.start(self.untried - 1);
        }
        if matches!(self.phase, Phase::First) {
            if self.under_way > 0 {
                return Step::Wait;
            }
            self.begin_retries(now);
        }
        let gap = self.gap();
        let Phase::Retry {
            chosen,
            next_start,
            waiting,
        } = &mut self.phase
        else {
            return Step::Wait;
        };
        if waiting.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, index)) = waiting.pop_front()
        {
            return self.start(index);
        }
        if *next_start <= now
            && let Some(index) = chosen.pop_front()
        {
            *next_start = now + gap;
            return self.start(index);
        }
        let next = (!chosen.is_empty()).then_some(*next_start);
        let next = next.into_iter().chain(waiting.front().map(|(at, _)| *at)).min();
        match next {
            Some(at) => Step::WaitUntil(at),
            None if self.under_way > 0 => Step::Wait,
            None => Step::Done,
        }
    }

    fn start(&mut self, index: usize) -> Step {
        self.under_way += 1;
        Step::Start(index)
    }

    /// Takes back a start for which there was no socket, and asks for no more than are under way now.
    pub(crate) fn postpone(&mut self, index: usize) {
        self.under_way -= 1;
        self.most_at_once = self.under_way.max(1);
        self.again.push_front(index);
    }

    pub(crate) fn ended(&mut self, index: usize, sample: Sample, now: Duration) {
        self.under_way -= 1;
        let is_ok = sample.outcome.is_ok();
        let may_retry = may_retry(&self.probes[index].kind, &sample.outcome);
        self.samples[index].push(sample);
        let is_full = self.samples[index].len() >= self.count(index);
        let gap = self.gap();
        match &mut self.phase {
            Phase::First if is_ok && !is_full => self.again.push_back(index),
            Phase::First if !is_ok && may_retry && self.retry.is_some() => self.failed.push(index),
            Phase::Retry { waiting, .. }
                if self.samples[index].iter().any(|s| s.retry && s.outcome.is_ok()) && !is_full =>
            {
                // It recovered: the rest of the series says how often it fails, and so does not end at a failure.
                if is_ok {
                    self.again.push_back(index);
                } else {
                    waiting.push_back((now + gap, index));
                }
            }
            Phase::First | Phase::Retry { .. } => self.answer(index),
        }
    }

    /// Gives up on what is left: probes that have failed once keep what is known of them, those that have not ended
    /// are left out.
    pub(crate) fn cut_short(&mut self) {
        for index in std::mem::take(&mut self.failed) {
            self.answer(index);
        }
        let is_retrying = self.is_retrying();
        for index in 0..self.samples.len() {
            if is_retrying && !self.samples[index].is_empty() {
                self.answer(index);
            }
        }
    }

    fn count(&self, index: usize) -> usize {
        usize::try_from(self.probes[index].count).unwrap_or(usize::MAX)
    }

    fn gap(&self) -> Duration {
        Duration::from_millis(self.retry.as_ref().map_or(0, |retry| retry.gap_ms))
    }

    fn answer(&mut self, index: usize) {
        let samples = std::mem::take(&mut self.samples[index]);
        self.answers.push(Answer {
            id: self.probes[index].id,
            samples,
        });
    }

    fn begin_retries(&mut self, now: Duration) {
        let failed = std::mem::take(&mut self.failed);
        let most = self.retry.as_ref().map_or(0, |retry| retry.most);
        let mut chosen = spread(&self.probes, failed);
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(chosen.len());
        for index in chosen.split_off(most) {
            self.answer(index);
        }
        // The last failure has just been seen, so the first retry keeps the gap too.
        let next_start = now + self.gap();
        self.phase = Phase::Retry {
            chosen: chosen.into(),
            next_start,
            waiting: VecDeque::new(),
        };
    }
}

/// Whether a second try could come to something else. Whatever is no agent may refuse by right, and then has said so.
fn may_retry(kind: &Kind, outcome: &Outcome) -> bool {
    match outcome {
        Outcome::NotPermitted { .. } => false,
        Outcome::Refused { .. } => !matches!(kind, Kind::Connect { .. }),
        _ => true,
    }
}

/// The failed probes of one target by kind.
type Kinds = Vec<(Discriminant<Kind>, VecDeque<usize>)>;

/// Orders failed probes so that the first few of them cover as many targets, and then as many kinds, as possible.
/// The same plan and failures always give the same order.
fn spread(probes: &[Probe], mut failed: Vec<usize>) -> Vec<usize> {
    failed.sort_unstable();
    // Targets in the order of the plan, and each with its kinds in the order of the plan.
    let mut targets: Vec<Kinds> = Vec::new();
    let mut places = BTreeMap::new();
    for index in failed {
        let probe = &probes[index];
        // The port is a different one for each kind.
        let address = probe.target.ip();
        let place = *places.entry(address).or_insert_with(|| {
            targets.push(Vec::new());
            targets.len() - 1
        });
        let kinds = &mut targets[place];
        let kind = discriminant(&probe.kind);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, queue)) => queue.push_back(index),
            None => kinds.push((kind, VecDeque::from([index]))),
        }
    }
    // Neighbouring targets begin with different kinds.
    for (place, kinds) in targets.iter_mut().enumerate() {
        let first = place % kinds.len();
        kinds.rotate_left(first);
    }
    let mut order = Vec::new();
    while !targets.is_empty() {
        for kinds in &mut targets {
            let (kind, mut queue) = kinds.remove(0);
            order.extend(queue.pop_front());
            if !queue.is_empty() {
                kinds.push((kind, queue));
            }
        }
        targets.retain(|kinds| !kinds.is_empty());
    }
    order
}

#[cfg(test)]
mod tests;
