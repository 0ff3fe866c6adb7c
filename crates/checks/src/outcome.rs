//! From the samples of a probe to what came of it.

use netprobe::{Direction, Outcome, Peer, Sample};
use report::{CellState, Failure, FailureClass};

/// What the samples of one cell come to. `expected` says whether a peer of this name is the target.
pub(crate) fn cell_state(samples: &[Sample], expected: impl Fn(&Peer) -> bool) -> CellState {
    let mut round_trips: Vec<u64> = Vec::new();
    let mut failures: Vec<Failure> = Vec::new();
    let mut not_permitted: Option<&str> = None;
    for sample in samples {
        match &sample.outcome {
            Outcome::Ok { peer: Some(peer), .. } if !expected(peer) => failures.push(Failure {
                class: FailureClass::WrongPeer,
                detail: format!("the probe pod of {} answered instead", peer.name),
            }),
            Outcome::NotPermitted { what } => not_permitted = Some(what),
            other => match other.rtt_us() {
                Some(round_trip) => round_trips.push(round_trip),
                None => failures.extend(failure(other)),
            },
        }
    }
    round_trips.sort_unstable();
    let figures = round_trips.get(round_trips.len() / 2).zip(round_trips.last());
    match (figures, failures.first()) {
        (Some((median, worst)), None) => CellState::Ok {
            median_us: *median,
            worst_us: *worst,
        },
        (Some((median, worst)), Some(failure)) => CellState::Flaky {
            answered: count(round_trips.len()),
            samples: count(round_trips.len() + failures.len()),
            median_us: *median,
            worst_us: *worst,
            failure: failure.clone(),
        },
        (None, Some(first)) => {
            // Kernels limit the rate of ICMP errors, so that silence beside a refusal is a refusal that was not sent.
            let telling = failures
                .iter()
                .rev()
                .find(|failure| failure.class != FailureClass::Timeout);
            CellState::Failed {
                failure: telling.unwrap_or(first).clone(),
            }
        }
        (None, None) => CellState::Unknown {
            why: match not_permitted {
                Some(what) => format!("not permitted in the probe pod: {what}"),
                None => "no answer arrived from the probe pod".to_owned(),
            },
        },
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// How a probe failed, or `None` when it did not or was not tried.
fn failure(outcome: &Outcome) -> Option<Failure> {
    let by = |offender: &Option<std::net::IpAddr>, nobody: &str| match offender {
        Some(offender) => format!("says {offender}"),
        None => nobody.to_owned(),
    };
    let (class, detail) = match outcome {
        Outcome::Ok { .. }
        | Outcome::Dns { .. }
        | Outcome::Http { .. }
        | Outcome::Train { .. }
        | Outcome::Size { .. }
        | Outcome::NotPermitted { .. } => {
            return None;
        }
        Outcome::TimedOut { after_us } => (
            FailureClass::Timeout,
            format!("no answer in {}", seconds(*after_us)),
        ),
        Outcome::Refused {
            offender: None,
            after_us,
        } => (
            FailureClass::Refused,
            format!("connection refused after {}", seconds(*after_us)),
        ),
        Outcome::Refused {
            offender: Some(offender),
            after_us,
        } => (
            FailureClass::Refused,
            format!(
                "refused by an ICMP error from {offender} after {}",
                seconds(*after_us)
            ),
        ),
        Outcome::HostUnreachable {
            offender,
            code,
            after_us,
        } => {
            let code = code.map(|code| format!(", ICMP code {code}")).unwrap_or_default();
            let by = by(offender, "says the source's own kernel");
            (
                FailureClass::HostUnreachable,
                format!("no route to host, {by} after {}{code}", seconds(*after_us)),
            )
        }
        Outcome::NetUnreachable {
            offender,
            code,
            after_us,
        } => {
            let code = code.map(|code| format!(", ICMP code {code}")).unwrap_or_default();
            let by = by(offender, "says the source's own kernel");
            (
                FailureClass::NetUnreachable,
                format!("network is unreachable, {by} after {}{code}", seconds(*after_us)),
            )
        }
        Outcome::LocalError { errno, name } => (
            FailureClass::LocalError,
            format!("the source's own kernel refused to send: {name} ({errno})"),
        ),
        Outcome::Stalled {
            direction,
            bytes,
            after_us,
        } => {
            let way = match direction {
                Direction::ToTarget => "to the target",
                Direction::FromTarget => "from the target",
            };
            (
                FailureClass::Stalled,
                format!(
                    "connected, then nothing moved {way} for {} after {bytes} bytes",
                    seconds(*after_us)
                ),
            )
        }
        Outcome::Reset { bytes } => (
            FailureClass::Reset,
            format!("connected, then reset after {bytes} bytes"),
        ),
        Outcome::WrongPeer { answer } => (
            FailureClass::WrongPeer,
            format!("something that is no probe pod answered: {answer}"),
        ),
    };
    Some(Failure { class, detail })
}

/// Microseconds as `4.0s`, `12ms` or `0.3ms`.
fn seconds(microseconds: u64) -> String {
    match microseconds {
        1_000_000.. => format!(
            "{}.{}s",
            microseconds / 1_000_000,
            microseconds % 1_000_000 / 100_000
        ),
        10_000.. => format!("{}ms", microseconds / 1000),
        _ => format!("{}.{}ms", microseconds / 1000, microseconds % 1000 / 100),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(outcome: Outcome) -> Sample {
        Sample {
            at_us: 0,
            retry: false,
            outcome,
        }
    }

    fn ok(rtt_us: u64, name: &str) -> Sample {
        let peer = Peer {
            name: name.into(),
            saw: [10, 0, 0, 1].into(),
        };
        sample(Outcome::Ok {
            rtt_us,
            peer: Some(peer),
        })
    }

    fn timed_out() -> Sample {
        sample(Outcome::TimedOut { after_us: 4_000_000 })
    }

    fn refused() -> Sample {
        sample(Outcome::Refused {
            offender: None,
            after_us: 100,
        })
    }

    fn state(samples: &[Sample]) -> CellState {
        cell_state(samples, |peer| peer.name == "b")
    }

    #[test]
    fn no_sample_is_unknown_and_never_a_zero() {
        assert!(matches!(state(&[]), CellState::Unknown { .. }));
    }

    #[test]
    fn a_recovered_probe_is_flaky_and_counts() {
        let CellState::Flaky {
            answered, samples, ..
        } = state(&[ok(5, "b"), timed_out(), ok(9, "b")])
        else {
            panic!("not flaky");
        };
        assert_eq!((answered, samples), (2, 3));
    }

    #[test]
    fn silence_beside_a_refusal_is_a_refusal() {
        let failed = state(&[refused(), timed_out()]);
        assert_eq!(
            failed.failure().map(|failure| failure.class),
            Some(FailureClass::Refused)
        );
    }

    #[test]
    fn an_answer_from_another_node_is_not_an_answer() {
        assert_eq!(
            state(&[ok(5, "c")]).failure().map(|failure| failure.class),
            Some(FailureClass::WrongPeer)
        );
    }

    #[test]
    fn what_was_not_permitted_was_not_tried() {
        let what = "ping socket: EACCES".to_owned();
        assert!(matches!(
            state(&[sample(Outcome::NotPermitted { what })]),
            CellState::Unknown { .. }
        ));
    }

    #[test]
    fn median_and_worst_are_of_what_was_measured() {
        let CellState::Ok { median_us, worst_us } = state(&[ok(9, "b"), ok(1, "b"), ok(5, "b")]) else {
            panic!("not ok");
        };
        assert_eq!((median_us, worst_us), (5, 9));
    }
}
