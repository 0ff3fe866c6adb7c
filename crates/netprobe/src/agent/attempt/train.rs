//! Many datagrams in a row, and how many of them got there and back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use netprobe::Outcome;
use socket2::Socket;

use super::padded::Padded;
use super::{Refusal, Setting};
use crate::agent::failure::micros;
use crate::agent::peering::UNCOUNTED;

/// How often the far end is asked for its count at the end, and how long is waited for each answer.
const FAREWELLS: u32 = 12;
const FAREWELL: Duration = Duration::from_millis(150);

pub(super) struct Exchange {
    padded: Padded,
    count: u32,
    gap: Duration,
    bytes: u32,
    /// When each was sent, by its number.
    sent: Vec<Instant>,
    answered: Vec<bool>,
    round_trips: Vec<u64>,
    farewells: u32,
    arrived: Option<u64>,
    error: Option<Outcome>,
    started: Instant,
}

/// What is to be done about a train now.
pub(super) enum Next {
    Until(Instant),
    Ended(Outcome),
}

pub(super) fn start(
    target: SocketAddr,
    nonce: u64,
    (count, gap_ms, large): (u32, u32, bool),
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let (socket, padded) = Padded::open(target, nonce, setting)?;
    let bytes = if large {
        let least = padded.send(&socket, UNCOUNTED, 0);
        least.map_or(0, |least| padded.sends(&socket, least, |_| UNCOUNTED))
    } else {
        0
    };
    let exchange = Exchange {
        padded,
        count: count.max(1),
        gap: Duration::from_millis(u64::from(gap_ms)),
        bytes,
        sent: Vec::new(),
        answered: Vec::new(),
        round_trips: Vec::new(),
        farewells: 0,
        arrived: None,
        error: None,
        started: Instant::now(),
    };
    Ok((socket, super::Exchange::Train(exchange)))
}

impl Exchange {
    /// Takes answers; never the end, which comes with the clock.
    pub(super) fn ready(&mut self, socket: &Socket, setting: &Setting) -> Option<Outcome> {
        let arrivals = self.padded.arrivals(socket, self.started, setting);
        for answer in arrivals.answers {
            if answer.number == UNCOUNTED {
                if self.farewells > 0 {
                    self.arrived = Some(answer.arrived);
                }
                continue;
            }
            let Ok(number) = usize::try_from(answer.number) else {
                continue;
            };
            if let (Some(seen), Some(sent)) = (self.answered.get_mut(number), self.sent.get(number))
                && !*seen
            {
                *seen = true;
                self.round_trips.push(micros(sent.elapsed()));
            }
        }
        self.error = arrivals.error.or(self.error.take());
        self.arrived.is_some().then(|| self.outcome())
    }

    /// Sends what is due.
    pub(super) fn overdue(&mut self, socket: &Socket, now: Instant, timeout: Duration) -> Next {
        if self.sent.len() < usize::try_from(self.count).unwrap_or(usize::MAX) {
            let number = self.sent.len() as u64;
            // One that the own kernel refuses was lost there.
            if let Ok(bytes) = self.padded.send(socket, number, self.bytes) {
                self.bytes = bytes;
            }
            self.sent.push(now);
            self.answered.push(false);
            return Next::Until(now + self.gap);
        }
        if self.farewells >= FAREWELLS {
            return Next::Ended(self.outcome());
        }
        if self.farewells == 0 && !self.is_settled(now, timeout) {
            return Next::Until(now + self.gap.max(Duration::from_millis(20)));
        }
        self.farewells += 1;
        let _ = self.padded.send(socket, UNCOUNTED, 0);
        Next::Until(now + FAREWELL)
    }

    /// Whether nothing is to be expected any more: all were answered, or the last had many times the usual time.
    fn is_settled(&self, now: Instant, timeout: Duration) -> bool {
        let Some(last) = self.sent.last() else { return true };
        let usual = self.round_trips.iter().max().copied().map(Duration::from_micros);
        let patience = usual.map_or(timeout, |usual| {
            (usual * 4).clamp(Duration::from_millis(300), timeout)
        });
        self.answered.iter().all(|answered| *answered) || now.saturating_duration_since(*last) > patience
    }

    fn outcome(&mut self) -> Outcome {
        self.round_trips.sort_unstable();
        let Some(rtt_us) = self.round_trips.get(self.round_trips.len() / 2).copied() else {
            return self.error.take().unwrap_or(Outcome::TimedOut {
                after_us: micros(self.started.elapsed()),
            });
        };
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (sent, answered) = (count(self.sent.len()), count(self.round_trips.len()));
        // What the network doubled is not more than was sent; what was answered has arrived.
        let arrived = self.arrived.map(|arrived| {
            let arrived = u32::try_from(arrived).unwrap_or(u32::MAX);
            arrived.clamp(answered, sent)
        });
        Outcome::Train {
            rtt_us,
            sent,
            arrived,
            answered,
            bytes: self.bytes,
        }
    }
}
