//! Tries from this machine, by ordinary connections: the kernel says less here than it tells the agent in a pod.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use checks::{Effort, ReachPlace, ReachPlan, SourceAnswers};
use futures::StreamExt as _;
use netprobe::{Answer, Kind, Outcome, Probe, Sample};
use observation::{Attempt, Source, SourceState};
use report::Observed;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// This machine, as a place to try from.
pub(crate) fn here() -> ReachPlace {
    ReachPlace {
        source: Source::Outside,
        addresses: Vec::new(),
        effort: Effort::Full,
    }
}

/// Runs what the plan has for this machine.
pub(crate) async fn try_from_here(plan: &ReachPlan) -> (Vec<SourceState>, Vec<Attempt>) {
    let Some(tries) = plan.sources.get(&Source::Outside) else {
        return (Vec::new(), Vec::new());
    };
    let began = Instant::now();
    let most = usize::try_from(tries.plan.concurrency).unwrap_or(1).max(1);
    let answers = futures::stream::iter(&tries.plan.probes)
        .map(|probe| series(probe, began))
        .buffer_unordered(most)
        .collect()
        .await;
    let given = SourceAnswers {
        answers,
        complete: Observed::Seen(()),
    };
    checks::fold_reach(plan, &BTreeMap::from([(Source::Outside, given)]))
}

/// As an agent does it: the first failure ends the series, and is tried once more.
async fn series(probe: &Probe, began: Instant) -> Answer {
    let mut samples = Vec::new();
    for retry in [false, true] {
        for _ in 0..probe.count.max(1) {
            let at_us = micros(began.elapsed());
            let outcome = attempt(probe).await;
            let is_ok = outcome.is_ok();
            samples.push(Sample {
                at_us,
                retry,
                outcome,
            });
            if !is_ok || retry {
                break;
            }
        }
        if samples.last().is_none_or(|sample| sample.outcome.is_ok()) {
            break;
        }
    }
    Answer {
        id: probe.id,
        samples,
    }
}

async fn attempt(probe: &Probe) -> Outcome {
    let linger = match &probe.kind {
        Kind::Connect { linger_ms } => Duration::from_millis(*linger_ms),
        other => {
            return Outcome::NotPermitted {
                what: format!("this machine only opens connections, and makes no {other:?}"),
            };
        }
    };
    connect(probe.target, Duration::from_millis(probe.timeout_ms), linger).await
}

async fn connect(target: SocketAddr, timeout: Duration, linger: Duration) -> Outcome {
    let started = Instant::now();
    let connected = tokio::time::timeout(timeout, TcpStream::connect(target)).await;
    let after_us = micros(started.elapsed());
    let mut stream = match connected {
        Err(_elapsed) => return Outcome::TimedOut { after_us },
        Ok(Err(error)) => return failure(&error, after_us),
        Ok(Ok(stream)) => stream,
    };
    // A proxy that has nobody behind it accepts first and resets then.
    let mut first = [0; 1];
    match tokio::time::timeout(linger, stream.read(&mut first)).await {
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => Outcome::Reset { bytes: 0 },
        _ => Outcome::Ok {
            rtt_us: after_us,
            peer: None,
        },
    }
}

/// What a connection that was not made says. Who sent an ICMP error the kernel does not tell here.
fn failure(error: &io::Error, after_us: u64) -> Outcome {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Outcome::Refused {
            offender: None,
            after_us,
        },
        io::ErrorKind::ConnectionReset => Outcome::Reset { bytes: 0 },
        io::ErrorKind::HostUnreachable => Outcome::HostUnreachable {
            offender: None,
            code: None,
            after_us,
        },
        io::ErrorKind::NetworkUnreachable => Outcome::NetUnreachable {
            offender: None,
            code: None,
            after_us,
        },
        io::ErrorKind::TimedOut => Outcome::TimedOut { after_us },
        kind => Outcome::LocalError {
            errno: error.raw_os_error().unwrap_or_default(),
            name: kind.to_string(),
        },
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_listener_answers_and_a_closed_port_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        assert!(connect(open, Duration::from_secs(4), SOON).await.is_ok());
        drop(listener);
        let closed = connect(open, Duration::from_secs(4), SOON).await;
        assert!(
            matches!(closed, Outcome::Refused { offender: None, .. }),
            "{closed:?}"
        );
    }

    #[tokio::test]
    async fn a_connection_that_is_reset_after_it_was_made_is_no_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            // With nothing to linger for, closing resets.
            socket2::SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .unwrap();
        };
        let (outcome, ()) = tokio::join!(
            connect(address, Duration::from_secs(4), Duration::from_secs(2)),
            server
        );
        assert_eq!(outcome, Outcome::Reset { bytes: 0 });
    }

    #[tokio::test]
    async fn a_failure_is_tried_once_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let probe = Probe {
            id: 7,
            target,
            kind: Kind::Connect { linger_ms: 0 },
            count: 3,
            timeout_ms: 4000,
        };
        assert_eq!(series(&probe, Instant::now()).await.samples.len(), 3);
        drop(listener);
        let samples = series(&probe, Instant::now()).await.samples;
        assert_eq!(
            samples.iter().map(|it| it.retry).collect::<Vec<_>>(),
            [false, true]
        );
    }
}
