//! A connection, a question and its answer, and for bulk as many bytes as asked in both directions.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netprobe::{Direction, Outcome, Peer};
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use socket2::{Protocol, Socket, Type};

use super::{Refusal, Setting, is_would_block, open, refused_at_once};
use crate::agent::failure::{errno_of, micros, next_error, outcome, queue_errors};
use crate::agent::kernel::unacknowledged;
use crate::agent::peering::{
    Asks, Decoded, LONGEST, Question, Reply, decode_reply, encode_question, escaped,
};

/// What bulk consists of.
static NOTHING: [u8; 32 * 1024] = [0; 32 * 1024];
/// How many bytes of bulk wait in the kernel, at the most; left alone, it takes megabytes.
const BUFFER: usize = 128 * 1024;
/// How much of one connection is handled before another gets its turn.
const TURN: usize = 16;
/// Acknowledgements wake nobody, so they are looked for this often.
const LOOK: Duration = Duration::from_millis(250);
/// The least time without progress that is a stall: three retransmissions, from the usual 0.2 s on, take 3 s.
const LEAST_STALL: Duration = Duration::from_secs(4);
/// How many times the patience a connection may last: data that trickles would else go on until the plan's deadline.
const PATIENCES: u32 = 2;

pub(super) struct Exchange {
    target: IpAddr,
    nonce: u64,
    is_connected: bool,
    question: Vec<u8>,
    /// Bytes in each direction besides question and answer.
    bulk: u64,
    /// Of question and bulk.
    sent: u64,
    acknowledged: u64,
    /// Of answer and bulk.
    received: u64,
    /// What is known of the answer.
    answer: Vec<u8>,
    /// Who answered, and how many bytes the answer took.
    peer: Option<(Peer, u64)>,
    /// How long without progress is a stall.
    patience: Duration,
    progress: Instant,
    /// When it is over, even though data moves.
    end: Instant,
}

/// What a look at the clock found.
pub(super) enum Overdue {
    /// Not even connected.
    Silent,
    Stalled(Outcome),
    Until(Instant),
}

pub(super) fn start(
    target: SocketAddr,
    nonce: u64,
    bulk: Option<u64>,
    timeout: Duration,
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let started = Instant::now();
    let ip = target.ip();
    let socket = open(ip, Type::STREAM, Protocol::TCP)?;
    // Without it a sample still works, and only says less of who refused it.
    let _ = queue_errors(&socket, ip, true);
    // A reset at the end leaves nothing in TIME_WAIT, neither here nor for two minutes in a conntrack table.
    let _ = socket.set_linger(Some(Duration::ZERO));
    let _ = socket.set_tcp_nodelay(true);
    if bulk.is_some() {
        // Unsent bytes of many stalled connections count against the memory of the pod. Where it fails, they do.
        let _ = socket.set_send_buffer_size(BUFFER);
    }
    if let Err(error) = socket.connect(&target.into())
        && errno_of(&error) != Errno::EINPROGRESS
    {
        let icmp = next_error(&socket, ip).and_then(|queued| queued.icmp);
        return Err(match icmp {
            Some(icmp) => {
                let outcome = outcome(errno_of(&error), Some(icmp), &setting.own, started.elapsed());
                Refusal::Ended(outcome)
            }
            None => refused_at_once(&error, started, setting),
        });
    }
    let patience = timeout.max(LEAST_STALL);
    let exchange = Exchange {
        target: ip,
        nonce,
        is_connected: false,
        question: encode_question(&Question {
            nonce,
            asks: bulk.map_or(Asks::Nothing, Asks::Bulk),
            run: setting.run.clone(),
        }),
        bulk: bulk.map_or(0, |bulk| bulk),
        sent: 0,
        acknowledged: 0,
        received: 0,
        answer: Vec::new(),
        peer: None,
        patience,
        progress: started,
        end: started + patience * PATIENCES,
    };
    Ok((socket, super::Exchange::Tcp(exchange)))
}

impl Exchange {
    pub(super) fn interest(&self) -> EpollFlags {
        if !self.is_connected || self.sent < self.to_send() {
            EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT
        } else {
            EpollFlags::EPOLLIN
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    pub(super) fn ready(
        &mut self,
        socket: &Socket,
        flags: EpollFlags,
        now: Instant,
        after: Duration,
        setting: &mut Setting,
    ) -> Option<Outcome> {
        if !self.is_connected {
            // Reading the queue forgets the error of the socket, so that one is read first.
            let error = socket.take_error().ok().flatten().as_ref().map(errno_of);
            let queued = next_error(socket, self.target).filter(|queued| queued.errno != Errno::EMSGSIZE);
            if let Some(errno) = error.or(queued.as_ref().map(|queued| queued.errno)) {
                let icmp = queued.and_then(|queued| queued.icmp);
                return Some(outcome(errno, icmp, &setting.own, after));
            }
            if !flags.contains(EpollFlags::EPOLLOUT) || socket.peer_addr().is_err() {
                return None;
            }
            self.is_connected = true;
            self.progress = now;
            self.end = now + self.patience * PATIENCES;
            // From here on an ICMP error is a hint to the kernel and not the end of the connection.
            let _ = queue_errors(socket, self.target, false);
        }
        // Whoever resets a connection may have said something before.
        if let Some(outcome) = self.receive(socket, now, after, setting, None) {
            return Some(outcome);
        }
        let error = self.send(socket).err()?;
        let ended = self.receive(socket, now, after, setting, Some(&error));
        Some(ended.unwrap_or_else(|| self.broken(socket, &error, now)))
    }

    pub(super) fn overdue(&mut self, socket: &Socket, now: Instant) -> Overdue {
        if !self.is_connected {
            return Overdue::Silent;
        }
        self.look(socket, now);
        if now >= self.over() {
            return Overdue::Stalled(self.stalled(now));
        }
        Overdue::Until(self.next_look(now))
    }

    /// When to look at the clock next, once connected.
    pub(super) fn next_look(&self, now: Instant) -> Instant {
        let over = self.over();
        if self.bulk > 0 { over.min(now + LOOK) } else { over }
    }

    /// When it is a stall, if nothing moves until then.
    fn over(&self) -> Instant {
        (self.progress + self.patience).min(self.end)
    }

    fn to_send(&self) -> u64 {
        self.question.len() as u64 + self.bulk
    }

    fn send(&mut self, socket: &Socket) -> io::Result<()> {
        for _ in 0..TURN {
            let rest = usize::try_from(self.sent)
                .ok()
                .and_then(|sent| self.question.get(sent..));
            let chunk = match rest {
                Some(rest) if !rest.is_empty() => rest,
                _ => {
                    let left = usize::try_from(self.to_send() - self.sent).unwrap_or(usize::MAX);
                    &NOTHING[..left.min(NOTHING.len())]
                }
            };
            if chunk.is_empty() {
                return Ok(());
            }
            match socket.send(chunk) {
                Ok(count) => self.sent += count as u64,
                Err(error) if is_would_block(&error) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what has arrived. Sending may have failed before: the kernel then reports an end where it was reset.
    fn receive(
        &mut self,
        mut socket: &Socket,
        now: Instant,
        after: Duration,
        setting: &mut Setting,
        failed: Option<&io::Error>,
    ) -> Option<Outcome> {
        for _ in 0..TURN {
            let count = match socket.read(&mut setting.scratch) {
                Ok(0) => {
                    return Some(match failed {
                        Some(error) => self.broken(socket, error, now),
                        None => self.closed(),
                    });
                }
                Ok(count) => count,
                Err(error) if is_would_block(&error) => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Some(self.broken(socket, &error, now)),
            };
            self.received += count as u64;
            self.progress = now;
            if self.peer.is_none()
                && let Some(outcome) = self.understand(&setting.scratch[..count])
            {
                return Some(outcome);
            }
            if let Some((peer, length)) = &self.peer
                && self.received - length >= self.bulk
            {
                return Some(Outcome::Ok {
                    rtt_us: micros(after),
                    peer: Some(peer.clone()),
                });
            }
        }
        None
    }

    /// Adds to the answer until it is whole; the outcome when it is none.
    fn understand(&mut self, bytes: &[u8]) -> Option<Outcome> {
        let room = LONGEST.saturating_sub(self.answer.len());
        self.answer.extend_from_slice(&bytes[..bytes.len().min(room)]);
        match decode_reply(&self.answer) {
            Decoded::Partial => None,
            Decoded::Whole(Reply::Peer { nonce, name, saw }, length) if nonce == self.nonce => {
                self.peer = Some((Peer { name, saw }, length as u64));
                self.answer = Vec::new();
                None
            }
            Decoded::Whole(Reply::OtherRun, _) => Some(super::other_run()),
            Decoded::Whole(..) | Decoded::Foreign => Some(Outcome::WrongPeer {
                answer: escaped(&self.answer),
            }),
        }
    }

    /// The far end has said all that it wanted to, and that was too little.
    fn closed(&self) -> Outcome {
        match &self.peer {
            Some(_) => Outcome::Reset {
                bytes: self.acknowledged + self.received,
            },
            None => Outcome::WrongPeer {
                answer: escaped(&self.answer),
            },
        }
    }

    /// An error after the connection was made.
    fn broken(&mut self, socket: &Socket, error: &io::Error, now: Instant) -> Outcome {
        match errno_of(error) {
            // The kernel gave up sending again.
            Errno::ETIMEDOUT | Errno::EHOSTUNREACH | Errno::ENETUNREACH => self.stalled(now),
            _ => {
                self.look(socket, now);
                Outcome::Reset {
                    bytes: self.acknowledged + self.received,
                }
            }
        }
    }

    fn stalled(&self, now: Instant) -> Outcome {
        let after_us = micros(now - self.progress);
        // What trickles may have all been acknowledged, with more to be sent.
        if self.acknowledged < self.to_send() {
            Outcome::Stalled {
                direction: Direction::ToTarget,
                bytes: self.acknowledged,
                after_us,
            }
        } else {
            Outcome::Stalled {
                direction: Direction::FromTarget,
                bytes: self.received,
                after_us,
            }
        }
    }

    /// Notes how much of what was sent has arrived.
    fn look(&mut self, socket: &Socket, now: Instant) {
        // Where the kernel does not say (an emulator), all that it took counts as arrived.
        let waiting = unacknowledged(socket.as_fd()).unwrap_or(0);
        let acknowledged = self.sent.saturating_sub(waiting);
        if acknowledged > self.acknowledged {
            self.acknowledged = acknowledged;
            // That a question has arrived is no progress when no answer comes.
            if self.bulk > 0 {
                self.progress = now;
            }
        }
    }
}
