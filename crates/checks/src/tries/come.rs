//! What came of an attempt, and whether that is right.

use std::net::IpAddr;

use netprobe::{Outcome, Sample};
use observation::{Attempt, Expected, Purpose};
use report::{CellState, Failure, FailureClass};

use crate::outcome::cell_state;
use crate::reach::is_datagram;

/// What the samples of an attempt come to. An answer that says something else than what was asked for is a failure.
pub(crate) fn came_of(attempt: &Attempt) -> CellState {
    if attempt.samples.is_empty() {
        return CellState::Unknown {
            why: "no answer arrived from the source".to_owned(),
        };
    }
    // Retries say how a failure ends when it is alone. How often it fails, only the first tries say.
    let (retries, firsts): (Vec<&Sample>, Vec<&Sample>) =
        attempt.samples.iter().partition(|sample| sample.retry);
    let (mut round_trips, mut failures) = split(attempt, &firsts);
    let (again, failures_again) = split(attempt, &retries);
    let failed = failures.len();
    if round_trips.is_empty() {
        round_trips = again;
    }
    failures.extend(failures_again);
    round_trips.sort_unstable();
    // Kernels limit the rate of ICMP errors, so that silence beside a refusal is a refusal that was not sent.
    let mut tellings = failures.iter().rev();
    let telling = tellings
        .find(|failure| failure.class != FailureClass::Timeout)
        .or(failures.first());
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    match (
        round_trips.get(round_trips.len() / 2).zip(round_trips.last()),
        telling,
    ) {
        (Some((median, worst)), Some(failure)) if failed > 0 => CellState::Flaky {
            answered: count(round_trips.len()),
            samples: count(round_trips.len() + failed),
            median_us: *median,
            worst_us: *worst,
            failure: failure.clone(),
        },
        (Some((median, worst)), _) => CellState::Ok {
            median_us: *median,
            worst_us: *worst,
        },
        (None, Some(failure)) => CellState::Failed {
            failure: failure.clone(),
        },
        (None, None) => CellState::Unknown {
            why: "it was not permitted where the source is".to_owned(),
        },
    }
}

/// The round trips of those that were answered well, and how the others failed.
fn split(attempt: &Attempt, samples: &[&Sample]) -> (Vec<u64>, Vec<Failure>) {
    let (mut round_trips, mut failures) = (Vec::new(), Vec::new());
    for sample in samples {
        match verdict_of(attempt, sample) {
            Ok(round_trip) => round_trips.extend(round_trip),
            Err(failure) => failures.push(failure),
        }
    }
    (round_trips, failures)
}

/// The round trip of a sample that was answered well, `None` of one that was not tried.
fn verdict_of(attempt: &Attempt, sample: &Sample) -> Result<Option<u64>, Failure> {
    let bad = |detail: String| Failure {
        class: FailureClass::BadAnswer,
        detail,
    };
    match &sample.outcome {
        Outcome::Dns {
            rtt_us,
            rcode,
            addresses,
            ..
        } => match dns_fault(&attempt.purpose, *rcode, addresses) {
            Some(fault) => Err(bad(fault)),
            None => Ok(Some(*rtt_us)),
        },
        Outcome::Http { rtt_us, status, .. } => match health_fault(&attempt.purpose, *status) {
            Some(fault) => Err(bad(fault)),
            None => Ok(Some(*rtt_us)),
        },
        _ => match cell_state(std::slice::from_ref(sample), |_| true) {
            CellState::Ok { worst_us, .. } => Ok(Some(worst_us)),
            CellState::Failed { failure } | CellState::Flaky { failure, .. } => Err(failure),
            CellState::Unknown { .. } => Ok(None),
        },
    }
}

/// What is wrong with an answer of a DNS server. Whether a name exists outside is not the cluster's business: only a
/// server that fails or refuses is a fault there.
fn dns_fault(purpose: &Purpose, rcode: u8, addresses: &[std::net::IpAddr]) -> Option<String> {
    let named = match rcode {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        other => format!("response code {other}"),
    };
    match purpose {
        Purpose::Name { expected } if rcode == 0 => {
            let family = |is_v4: bool| move |it: &&std::net::IpAddr| it.is_ipv4() == is_v4;
            let is_v4 = addresses.first().is_none_or(std::net::IpAddr::is_ipv4);
            let mut wanted = expected.iter().filter(family(is_v4));
            if addresses.is_empty() {
                return Some("no address".to_owned());
            }
            let fits = addresses.iter().all(|address| expected.contains(address));
            (!fits).then(|| {
                format!(
                    "answers {} instead of {}",
                    list(addresses.iter()),
                    list(wanted.by_ref())
                )
            })
        }
        Purpose::ExternalName if rcode == 0 && addresses.is_empty() => Some("no address".to_owned()),
        Purpose::Name { .. } | Purpose::ExternalName if rcode != 0 => Some(format!("answers {named}")),
        Purpose::NameOutside | Purpose::NameOutsideByPod { .. } if [2, 5].contains(&rcode) => {
            Some(format!("answers {named}"))
        }
        // A DNS server that is asked for something as an example of what it does.
        _ if rcode == 2 => Some(format!("answers {named}")),
        _ => None,
    }
}

fn list<'a>(addresses: impl Iterator<Item = &'a std::net::IpAddr>) -> String {
    let texts: Vec<String> = addresses.map(ToString::to_string).collect();
    texts.join(", ")
}

/// What is wrong with the status of a health check: it has to say whether the node has an endpoint.
fn health_fault(purpose: &Purpose, status: u16) -> Option<String> {
    match purpose {
        Purpose::HealthCheck { has_endpoint, .. } => {
            let right = if *has_endpoint { 200 } else { 503 };
            (status != right).then(|| format!("status {status} instead of {right}"))
        }
        _ => None,
    }
}

/// Whether an attempt came to what is right of it; `None` when nothing is known of it, or nothing in particular is right.
pub fn came_out_right(attempt: &Attempt) -> Option<bool> {
    is_right(attempt, &came_of(attempt))
}

/// Whether that is right; `None` when it is not known, or nothing in particular is right.
pub(crate) fn is_right(attempt: &Attempt, state: &CellState) -> Option<bool> {
    let refused = |state: &CellState| {
        state
            .failure()
            .is_some_and(|failure| failure.class == FailureClass::Refused)
    };
    match (attempt.expected, state) {
        (Expected::Anything, _) | (_, CellState::Unknown { .. }) => None,
        (Expected::Sign, _) => Some(has_sign(attempt)),
        // What answers although it may be silent does no harm.
        (Expected::Answer | Expected::Silence, CellState::Ok { .. })
        | (Expected::Silence, CellState::Flaky { .. }) => Some(true),
        (Expected::Answer, CellState::Flaky { .. }) => Some(lost_one(attempt)),
        (Expected::Answer, CellState::Failed { .. }) => Some(false),
        (Expected::Refusal, state) => Some(refused(state)),
        // kube-proxy drops what may not be answered here. Where something accepts it before that rule (as CNIs do for
        // the range of node ports), the kernel refuses: nobody listens.
        (Expected::Silence, CellState::Failed { failure }) => Some(matches!(
            failure.class,
            FailureClass::Timeout | FailureClass::Refused
        )),
    }
}

/// Whether all that happened is that one datagram got lost, which nobody sends again as TCP does: every network loses some, and of
/// hundreds of tries one meets that. Whoever refuses or is silent does it again.
fn lost_one(attempt: &Attempt) -> bool {
    let (answered, failures) = split(attempt, &attempt.samples.iter().collect::<Vec<_>>());
    let is_silence = |failure: &Failure| failure.class == FailureClass::Timeout;
    is_datagram(&attempt.kind)
        && answered.len() >= 2
        && failures.len() == 1
        && failures.iter().all(is_silence)
}

/// Whether anything came back from the address itself: then there is a way to it and back, whatever it says.
pub(crate) fn has_sign(attempt: &Attempt) -> bool {
    let from_there = |offender: IpAddr| offender.to_canonical() == attempt.address.ip().to_canonical();
    attempt.samples.iter().any(|sample| match &sample.outcome {
        Outcome::Refused { offender, .. } => offender.is_none_or(from_there),
        Outcome::HostUnreachable { offender, .. } | Outcome::NetUnreachable { offender, .. } => {
            offender.is_some_and(from_there)
        }
        Outcome::Stalled { .. } | Outcome::Reset { .. } | Outcome::WrongPeer { .. } => true,
        outcome => outcome.is_ok(),
    })
}

/// The outcome that says most of how it failed: a refusal or an unreachable says more than silence, and what came of the
/// last try, which was made alone, more than what came before.
pub(crate) fn telling(samples: &[Sample]) -> Option<&Outcome> {
    let failed = || {
        samples
            .iter()
            .rev()
            .map(|sample| &sample.outcome)
            .filter(|outcome| !outcome.is_ok())
    };
    failed()
        .find(|outcome| !matches!(outcome, Outcome::TimedOut { .. }))
        .or_else(|| failed().next())
        .or_else(|| samples.last().map(|sample| &sample.outcome))
}

#[cfg(test)]
mod tests {
    use netprobe::Kind;
    use observation::Source;
    use report::Subject;

    use super::*;

    fn attempt(kind: Kind, outcomes: &[Option<[u8; 4]>]) -> Attempt {
        let sample = |outcome: &Option<[u8; 4]>| Sample {
            at_us: 0,
            retry: false,
            outcome: match outcome {
                Some(address) => Outcome::Dns {
                    rtt_us: 300,
                    rcode: 0,
                    addresses: vec![(*address).into()],
                    truncated: false,
                    message: String::new(),
                },
                None => Outcome::TimedOut { after_us: 4_000_000 },
            },
        };
        Attempt {
            source: Source::Pod { node: "node1".into() },
            purpose: Purpose::Name {
                expected: vec![[10, 96, 0, 1].into()],
            },
            subject: Subject::Cluster,
            address: ([10, 96, 0, 10], 53).into(),
            kind,
            expected: Expected::Answer,
            samples: outcomes.iter().map(sample).collect(),
        }
    }

    fn dns(tcp: bool) -> Kind {
        Kind::Dns {
            name: "kubernetes.default.svc.cluster.local.".into(),
            qtype: 1,
            tcp,
            whole: false,
            edns: 0,
        }
    }

    const RIGHT: Option<[u8; 4]> = Some([10, 96, 0, 1]);
    const WRONG: Option<[u8; 4]> = Some([10, 96, 0, 9]);

    #[test]
    fn one_datagram_that_is_lost_among_answers_is_no_failure() {
        assert_eq!(
            came_out_right(&attempt(dns(false), &[RIGHT, None, RIGHT])),
            Some(true)
        );
    }

    #[test]
    fn several_that_are_lost_a_wrong_answer_and_silence_over_tcp_are_failures() {
        assert_eq!(
            came_out_right(&attempt(dns(false), &[None, None, RIGHT])),
            Some(false)
        );
        assert_eq!(came_out_right(&attempt(dns(false), &[RIGHT, None])), Some(false));
        assert_eq!(
            came_out_right(&attempt(dns(false), &[RIGHT, WRONG, RIGHT])),
            Some(false)
        );
        assert_eq!(
            came_out_right(&attempt(dns(false), &[RIGHT, None, WRONG, RIGHT])),
            Some(false)
        );
        assert_eq!(
            came_out_right(&attempt(dns(true), &[RIGHT, None, RIGHT])),
            Some(false)
        );
    }
}
