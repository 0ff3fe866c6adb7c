use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn probe(id: u32, target: &str, kind: Kind, count: u32) -> Probe {
    Probe {
        id,
        target: target.parse().unwrap(),
        kind,
        count,
        timeout_ms: 4000,
    }
}

fn schedule(concurrency: u32, retry: Option<Retry>, probes: Vec<Probe>) -> Schedule {
    let plan = Plan {
        version: 1,
        run: "r".to_owned(),
        concurrency,
        deadline_ms: 60_000,
        gap_ms: 0,
        retry,
        probes,
    };
    Schedule::new(plan, 1000)
}

fn sample(retry: bool, is_ok: bool) -> Sample {
    let outcome = if is_ok {
        Outcome::Ok {
            rtt_us: 1,
            peer: None,
        }
    } else {
        Outcome::TimedOut { after_us: 1 }
    };
    Sample {
        at_us: 0,
        retry,
        outcome,
    }
}

/// Runs a schedule whose samples end at once, and says which started when.
fn play(
    schedule: &mut Schedule,
    mut is_ok: impl FnMut(usize, usize) -> bool,
) -> Vec<(Duration, usize, bool)> {
    let mut now = Duration::ZERO;
    let mut starts = Vec::new();
    let mut tries = vec![0; schedule.probes.len()];
    loop {
        match schedule.next(now) {
            Step::Start(index) => {
                let retry = schedule.is_retrying();
                starts.push((now, index, retry));
                let ok = is_ok(index, tries[index]);
                tries[index] += 1;
                schedule.ended(index, sample(retry, ok), now);
            }
            Step::WaitUntil(at) => {
                assert!(at > now, "waits for the past");
                now = at;
            }
            Step::Wait => panic!("waits for nothing"),
            Step::Done => return starts,
        }
    }
}

fn outcomes(answer: &Answer) -> String {
    let letter = |sample: &Sample| match (sample.retry, sample.outcome.is_ok()) {
        (false, true) => 'o',
        (false, false) => 'x',
        (true, true) => 'O',
        (true, false) => 'X',
    };
    answer.samples.iter().map(letter).collect()
}

#[test]
fn no_more_than_the_concurrency_is_under_way() {
    let probes = (0..5).map(|id| probe(id, "10.0.0.1:1", Kind::Tcp, 1)).collect();
    let mut schedule = schedule(2, None, probes);
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(0));
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(1));
    assert_eq!(schedule.next(Duration::ZERO), Step::Wait);
    schedule.ended(0, sample(false, true), Duration::ZERO);
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(2));
}

#[test]
fn a_want_of_sockets_lowers_the_concurrency_and_loses_nothing() {
    let probes = (0..3).map(|id| probe(id, "10.0.0.1:1", Kind::Tcp, 1)).collect();
    let mut schedule = schedule(3, None, probes);
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(0));
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(1));
    schedule.postpone(1);
    assert_eq!(schedule.next(Duration::ZERO), Step::Wait);
    schedule.ended(0, sample(false, true), Duration::ZERO);
    assert_eq!(play(&mut schedule, |_, _| true).len(), 2);
    assert_eq!(schedule.answers().len(), 3);
}

#[test]
fn the_first_failure_ends_a_series() {
    let mut schedule = schedule(1, None, vec![probe(7, "10.0.0.1:1", Kind::Tcp, 5)]);
    play(&mut schedule, |_, attempt| attempt < 2);
    let answers = schedule.answers();
    assert_eq!(answers.iter().map(outcomes).collect::<Vec<_>>(), ["oox"]);
    assert_eq!(answers[0].id, 7);
}

#[test]
fn failures_are_tried_again_after_all_others_and_a_gap_apart() {
    let probes = (0..4)
        .map(|id| probe(id, &format!("10.0.0.{id}:1"), Kind::Tcp, 1))
        .collect();
    let mut schedule = schedule(
        4,
        Some(Retry {
            gap_ms: 1000,
            most: 9,
        }),
        probes,
    );
    let starts = play(&mut schedule, |index, _| index == 1);
    let retries: Vec<_> = starts.iter().filter(|start| start.2).collect();
    assert!(starts[..4].iter().all(|start| !start.2));
    assert_eq!(
        retries,
        [&(SECOND, 0, true), &(SECOND * 2, 2, true), &(SECOND * 3, 3, true)]
    );
}

#[test]
fn a_retry_in_silence_does_not_hold_up_the_next() {
    let probes = (0..2)
        .map(|id| probe(id, &format!("10.0.0.{id}:1"), Kind::Tcp, 1))
        .collect();
    let mut schedule = schedule(
        4,
        Some(Retry {
            gap_ms: 1000,
            most: 9,
        }),
        probes,
    );
    for index in 0..2 {
        assert_eq!(schedule.next(Duration::ZERO), Step::Start(index));
    }
    for index in 0..2 {
        schedule.ended(index, sample(false, false), Duration::ZERO);
    }
    assert_eq!(schedule.next(Duration::ZERO), Step::WaitUntil(SECOND));
    assert_eq!(schedule.next(SECOND), Step::Start(0));
    assert_eq!(schedule.next(SECOND), Step::WaitUntil(SECOND * 2));
    assert_eq!(schedule.next(SECOND * 2), Step::Start(1));
    assert_eq!(schedule.next(SECOND * 2), Step::Wait);
}

#[test]
fn a_recovered_probe_goes_on_through_failures_until_its_count() {
    let probes = vec![probe(0, "10.0.0.1:1", Kind::Tcp, 8)];
    let mut schedule = schedule(
        4,
        Some(Retry {
            gap_ms: 1000,
            most: 9,
        }),
        probes,
    );
    let starts = play(&mut schedule, |_, attempt| ![1, 4].contains(&attempt));
    assert_eq!(
        schedule.answers().iter().map(outcomes).collect::<Vec<_>>(),
        ["oxOOXOOO"]
    );
    assert_eq!(
        starts[5].0,
        starts[4].0 + SECOND,
        "a failure is followed by a gap"
    );
}

#[test]
fn a_single_sample_that_recovers_is_shown_with_its_failure() {
    let probes = vec![
        probe(0, "10.0.0.1:1", Kind::Tcp, 1),
        probe(1, "10.0.0.1:1", Kind::Udp, 3),
    ];
    let mut schedule = schedule(
        4,
        Some(Retry {
            gap_ms: 1000,
            most: 9,
        }),
        probes,
    );
    play(&mut schedule, |index, attempt| index == 0 && attempt == 1);
    let mut answers = schedule.answers();
    answers.sort_by_key(|answer| answer.id);
    assert_eq!(answers.iter().map(outcomes).collect::<Vec<_>>(), ["xO", "xX"]);
}

#[test]
fn the_few_retries_cover_targets_first_and_then_kinds() {
    let kinds = [Kind::Tcp, Kind::Udp, Kind::Bulk { bytes: 1 }];
    let probes: Vec<_> = (0..9)
        .map(|id| {
            probe(
                id,
                &format!("10.0.0.{}:1", id / 3),
                kinds[id as usize % 3].clone(),
                1,
            )
        })
        .collect();
    assert_eq!(
        spread(&probes, (0..9).rev().collect()),
        [0, 4, 8, 1, 5, 6, 2, 3, 7]
    );
    let mut schedule = schedule(9, Some(Retry { gap_ms: 0, most: 3 }), probes);
    let starts = play(&mut schedule, |_, _| false);
    assert_eq!(
        starts[9..].iter().map(|start| start.1).collect::<Vec<_>>(),
        [0, 4, 8]
    );
    let answers = schedule.answers();
    assert_eq!(
        answers.iter().filter(|answer| outcomes(answer) == "xX").count(),
        3
    );
    assert_eq!(answers.iter().filter(|answer| outcomes(answer) == "x").count(), 6);
}

#[test]
fn what_was_not_permitted_is_not_tried_again() {
    let mut schedule = schedule(
        1,
        Some(Retry { gap_ms: 0, most: 9 }),
        vec![probe(0, "10.0.0.1:0", Kind::Icmp, 3)],
    );
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(0));
    let outcome = Outcome::NotPermitted { what: "x".to_owned() };
    schedule.ended(
        0,
        Sample {
            at_us: 0,
            retry: false,
            outcome,
        },
        Duration::ZERO,
    );
    assert_eq!(schedule.next(Duration::ZERO), Step::Done);
    assert_eq!(schedule.answers().len(), 1);
}

#[test]
fn what_had_failed_before_the_end_is_answered_and_what_had_not_ended_is_left_out() {
    let probes = (0..3)
        .map(|id| probe(id, &format!("10.0.0.{id}:1"), Kind::Tcp, 2))
        .collect();
    let mut schedule = schedule(9, Some(Retry { gap_ms: 0, most: 9 }), probes);
    for index in 0..3 {
        assert_eq!(schedule.next(Duration::ZERO), Step::Start(index));
    }
    schedule.ended(0, sample(false, false), Duration::ZERO);
    schedule.ended(1, sample(false, true), Duration::ZERO);
    schedule.cut_short();
    let answers = schedule.answers();
    assert_eq!(answers.iter().map(|answer| answer.id).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_retry_that_had_not_ended_leaves_the_first_failure() {
    let probes = (0..2)
        .map(|id| probe(id, &format!("10.0.0.{id}:1"), Kind::Tcp, 1))
        .collect();
    let mut schedule = schedule(9, Some(Retry { gap_ms: 0, most: 9 }), probes);
    for index in 0..2 {
        assert_eq!(schedule.next(Duration::ZERO), Step::Start(index));
    }
    for index in 0..2 {
        schedule.ended(index, sample(false, false), Duration::ZERO);
    }
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(0));
    schedule.cut_short();
    assert_eq!(
        schedule.answers().iter().map(outcomes).collect::<Vec<_>>(),
        ["x", "x"]
    );
}

proptest! {
    #[test]
    fn every_probe_is_answered_exactly_once(
        kinds in prop::collection::vec((0_u8..4, 0_u8..5, 1_u32..6), 0..40),
        concurrency in 1_u32..8,
        retry in prop::option::of((0_u64..2000, 0_u32..20)),
        seed in any::<u64>(),
    ) {
        let all = [Kind::Tcp, Kind::Udp, Kind::Icmp, Kind::Bulk { bytes: 9 }];
        let probes: Vec<_> = kinds.iter().zip(0..).map(|((kind, target, count), id)| {
            probe(id, &format!("10.0.0.{target}:1"), all[usize::from(*kind)].clone(), *count)
        }).collect();
        let retry = retry.map(|(gap_ms, most)| Retry { gap_ms, most });
        let mut schedule = schedule(concurrency, retry.clone(), probes.clone());
        let starts = play(&mut schedule, |index, attempt| (seed >> ((index * 7 + attempt * 3) % 64)) & 1 == 0);
        let answers = schedule.answers();
        let mut ids: Vec<_> = answers.iter().map(|answer| answer.id).collect();
        ids.sort_unstable();
        prop_assert_eq!(ids, (0..u32::try_from(probes.len()).unwrap()).collect::<Vec<_>>());
        for answer in &answers {
            let count = usize::try_from(probes[answer.id as usize].count).unwrap();
            prop_assert!(!answer.samples.is_empty());
            prop_assert!(answer.samples.len() <= count + 1);
        }
        let most = retry.map_or(0, |retry| retry.most);
        let retried = answers.iter().filter(|answer| answer.samples.iter().any(|sample| sample.retry)).count();
        prop_assert!(retried <= usize::try_from(most).unwrap());
        prop_assert_eq!(starts.len(), answers.iter().map(|answer| answer.samples.len()).sum::<usize>());
    }
}

#[test]
fn a_connection_that_was_refused_is_not_tried_again_and_a_silent_one_is() {
    let connect = Kind::Connect { linger_ms: 0 };
    let probes = vec![
        probe(1, "10.0.0.1:1", connect.clone(), 1),
        probe(2, "10.0.0.2:1", connect, 1),
        probe(3, "10.0.0.3:1", Kind::Tcp, 1),
    ];
    let retry = Some(Retry { gap_ms: 0, most: 9 });
    let mut schedule = schedule(9, retry, probes);
    for _ in 0..3 {
        assert!(matches!(schedule.next(Duration::ZERO), Step::Start(_)));
    }
    let refused = Sample {
        outcome: Outcome::Refused {
            offender: None,
            after_us: 1,
        },
        ..sample(false, false)
    };
    schedule.ended(0, refused.clone(), Duration::ZERO);
    schedule.ended(1, sample(false, false), Duration::ZERO);
    schedule.ended(2, refused, Duration::ZERO);
    let answered: Vec<u32> = schedule.answers().iter().map(|answer| answer.id).collect();
    assert_eq!(answered, [1]);
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(1));
    assert_eq!(schedule.next(Duration::ZERO), Step::Start(2));
}

#[test]
fn first_tries_keep_their_distance_and_whatever_waits_does_not_hold_them_up() {
    let probes = (0..3).map(|id| probe(id, "10.0.0.1:53", Kind::Udp, 1)).collect();
    let plan = Plan {
        version: 1,
        run: "r".to_owned(),
        concurrency: 10,
        deadline_ms: 60_000,
        gap_ms: 100,
        retry: None,
        probes,
    };
    let mut schedule = Schedule::new(plan, 1000);
    let at = Duration::from_millis;
    assert_eq!(schedule.next(at(0)), Step::Start(0));
    assert_eq!(schedule.next(at(1)), Step::WaitUntil(at(100)));
    assert_eq!(schedule.next(at(130)), Step::Start(1));
    assert_eq!(schedule.next(at(130)), Step::WaitUntil(at(230)));
    schedule.ended(0, sample(false, true), at(150));
    assert_eq!(schedule.next(at(230)), Step::Start(2));
    assert_eq!(schedule.next(at(230)), Step::Wait);
}
