//! The longest packet that arrives, by trying some sizes at once and then some between the last that did and the first
//! that did not.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use netprobe::{Outcome, TooLong};
use socket2::Socket;

use super::padded::Padded;
use super::{Refusal, Setting, refused_at_once};
use crate::agent::failure::micros;

/// How many sizes are tried at once.
const AT_ONCE: u32 = 8;
/// How often a size is tried before it counts as lost: one lost packet is no limit.
const TRIES: u32 = 4;

pub(super) struct Exchange {
    padded: Padded,
    started: Instant,
    least: u32,
    sends: u32,
    /// The longest that arrived; 0 until the first did.
    passes: u32,
    /// The shortest that is taken for too long.
    fails: u32,
    /// Those that are being tried now, shortest first.
    trying: Vec<u32>,
    tries: u32,
    round_trip: Option<Duration>,
    told: Option<TooLong>,
    error: Option<Outcome>,
}

pub(super) fn start(
    target: SocketAddr,
    nonce: u64,
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let started = Instant::now();
    let (socket, padded) = Padded::open(target, nonce, setting)?;
    let least = padded
        .send(&socket, 0, 0)
        .map_err(|error| refused_at_once(&error, started, setting))?;
    let exchange = Exchange {
        padded,
        started,
        least,
        sends: 0,
        passes: 0,
        fails: 0,
        trying: Vec::new(),
        tries: 0,
        round_trip: None,
        told: None,
        error: None,
    };
    Ok((socket, super::Exchange::Size(exchange)))
}

impl Exchange {
    /// Takes answers. The outcome when all is known; whether anything came that moves the time to look again.
    pub(super) fn ready(&mut self, socket: &Socket, setting: &Setting) -> (Option<Outcome>, bool) {
        let before = self.passes;
        let ended = self.take(socket, setting);
        (ended, self.passes != before)
    }

    fn take(&mut self, socket: &Socket, setting: &Setting) -> Option<Outcome> {
        let arrivals = self.padded.arrivals(socket, self.started, setting);
        self.told = arrivals.told.or(self.told.take());
        self.error = arrivals.error.or(self.error.take());
        for answer in arrivals.answers {
            let bytes = u32::try_from(answer.number).unwrap_or(0).max(self.least);
            self.passes = self.passes.max(bytes);
            if self.round_trip.is_none() {
                self.round_trip = Some(self.started.elapsed());
            }
        }
        if self.passes == 0 {
            // Somebody else, or somebody who said no.
            return self.error.take();
        }
        if self.sends == 0 {
            self.sends = self.padded.sends(socket, self.least, number);
            self.fails = self.sends + 1;
            self.trying = vec![self.sends];
            self.send_all(socket);
            return None;
        }
        let is_answered = self.trying.iter().all(|size| *size <= self.passes);
        if is_answered { self.narrow(socket) } else { None }
    }

    /// When to look again.
    pub(super) fn due(&self, now: Instant, timeout: Duration) -> Instant {
        match self.round_trip {
            None => self.started + timeout,
            Some(usual) => now + (usual * 4).clamp(Duration::from_millis(100), timeout),
        }
    }

    /// Nothing came in time: tries again, or takes the sizes for too long. The outcome when all is known.
    pub(super) fn overdue(&mut self, socket: &Socket, now: Instant) -> Option<Outcome> {
        if self.passes == 0 {
            return Some(self.error.take().unwrap_or(Outcome::TimedOut {
                after_us: micros(now - self.started),
            }));
        }
        if self.tries < TRIES {
            self.send_all(socket);
            return None;
        }
        if let Some(shortest) = self.trying.iter().copied().find(|size| *size > self.passes) {
            self.fails = shortest;
        }
        self.narrow(socket)
    }

    /// Chooses the next sizes between what passes and what does not.
    fn narrow(&mut self, socket: &Socket) -> Option<Outcome> {
        if self.fails <= self.passes + 1 {
            return Some(Outcome::Size {
                rtt_us: self.round_trip.map_or(0, micros),
                passes: self.passes,
                sends: self.sends,
                told: self.told.clone().filter(|_| self.passes < self.sends),
            });
        }
        self.trying = between(self.passes, self.fails);
        self.tries = 0;
        self.send_all(socket);
        None
    }

    fn send_all(&mut self, socket: &Socket) {
        self.tries += 1;
        for size in self.trying.iter().filter(|size| **size > self.passes) {
            // One that is refused here is not answered either.
            let _ = self.padded.send(socket, number(*size), *size);
        }
    }
}

/// The number of a datagram whose answer says how long it was.
fn number(bytes: u32) -> u64 {
    u64::from(bytes)
}

/// Some sizes strictly between two, evenly.
fn between(passes: u32, fails: u32) -> Vec<u32> {
    let step = (fails - passes).div_ceil(AT_ONCE + 1).max(1);
    (1..=AT_ONCE)
        .map(|at| passes + at * step)
        .take_while(|size| *size < fails)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sizes_between_narrow_every_gap(passes in 0_u32..65_000, gap in 2_u32..2_000) {
            let fails = passes + gap;
            let sizes = between(passes, fails);
            prop_assert!(!sizes.is_empty());
            prop_assert!(sizes.iter().all(|size| passes < *size && *size < fails));
            prop_assert!(sizes.is_sorted());
            // Whichever of them is the last to pass, what is left is at most a step.
            let step = gap.div_ceil(AT_ONCE + 1);
            prop_assert!(fails - sizes.last().unwrap() <= step);
        }
    }
}
