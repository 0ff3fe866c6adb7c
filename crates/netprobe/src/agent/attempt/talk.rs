//! A connection to whatever listens: to see whether it is taken, or to ask one question of a known protocol.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use netprobe::{Direction, Outcome};
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use socket2::{Protocol, Socket, Type};

use super::{Refusal, Setting, is_would_block, open, refused_at_once};
use crate::agent::dns::{Message, answered, decode};
use crate::agent::failure::{errno_of, micros, next_error, outcome, queue_errors};
use crate::agent::peering::escaped;

/// So much of an answer is kept; the beginning is what counts.
const MOST: usize = 4096;

/// What is said once connected, and what is expected then.
pub(super) enum Talk {
    /// Nothing is said; a reset within this time is expected not to come.
    Nothing(Duration),
    /// A DNS query with this id, in its frame.
    Dns { id: u16, query: Vec<u8>, whole: bool },
    /// An HTTP request.
    Http { request: Vec<u8> },
}

pub(super) struct Exchange {
    target: IpAddr,
    talk: Talk,
    sent: usize,
    received: Vec<u8>,
    /// How long connecting took, once connected.
    connected: Option<Duration>,
    timeout: Duration,
}

/// A DNS query as TCP carries it.
pub(super) fn framed(query: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(query.len()).ok()?;
    Some([&length.to_be_bytes()[..], query].concat())
}

/// A request that asks the server to close when it has answered. `None` when host or path would break its lines.
pub(super) fn http_request(path: &str, host: &str) -> Option<Vec<u8>> {
    let breaks = |text: &str| {
        text.chars()
            .any(|character| character.is_control() || character == ' ')
    };
    if breaks(path) || breaks(host) {
        return None;
    }
    let text =
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: netprobe\r\nConnection: close\r\n\r\n");
    Some(text.into_bytes())
}

pub(super) fn start(
    target: SocketAddr,
    talk: Talk,
    timeout: Duration,
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let started = Instant::now();
    let ip = target.ip();
    let socket = open(ip, Type::STREAM, Protocol::TCP)?;
    // Without it a sample still works, and only says less of who refused it.
    let _ = queue_errors(&socket, ip, true);
    let _ = socket.set_tcp_nodelay(true);
    if let Err(error) = socket.connect(&target.into())
        && errno_of(&error) != Errno::EINPROGRESS
    {
        let icmp = next_error(&socket, ip).and_then(|queued| queued.icmp);
        return Err(match icmp {
            Some(icmp) => Refusal::Ended(outcome(
                errno_of(&error),
                Some(icmp),
                &setting.own,
                started.elapsed(),
            )),
            None => refused_at_once(&error, started, setting),
        });
    }
    let exchange = Exchange {
        target: ip,
        talk,
        sent: 0,
        received: Vec::new(),
        connected: None,
        timeout,
    };
    Ok((socket, super::Exchange::Talk(exchange)))
}

impl Exchange {
    pub(super) fn interest(&self) -> EpollFlags {
        if self.connected.is_none() || self.sent < self.request().len() {
            EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT
        } else {
            EpollFlags::EPOLLIN
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.is_some()
    }

    /// When it is over once connected.
    pub(super) fn due(&self, now: Instant) -> Instant {
        now + match &self.talk {
            Talk::Nothing(linger) => *linger,
            Talk::Dns { .. } | Talk::Http { .. } => self.timeout,
        }
    }

    pub(super) fn ready(
        &mut self,
        socket: &Socket,
        flags: EpollFlags,
        after: Duration,
        setting: &mut Setting,
    ) -> Option<Outcome> {
        if self.connected.is_none() {
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
            self.connected = Some(after);
            // From here on an ICMP error is a hint to the kernel and not the end of the connection.
            let _ = queue_errors(socket, self.target, false);
            if let Talk::Nothing(linger) = &self.talk
                && linger.is_zero()
            {
                return Some(self.taken(after));
            }
        }
        if let Some(outcome) = self.receive(socket, after, setting) {
            return Some(outcome);
        }
        let error = self.send(socket).err()?;
        Some(
            self.receive(socket, after, setting)
                .unwrap_or_else(|| self.broken(&error, after)),
        )
    }

    /// What it comes to when the time is over.
    pub(super) fn overdue(&self, after: Duration) -> Option<Outcome> {
        let connected = self.connected?;
        Some(match &self.talk {
            Talk::Nothing(_) => self.taken(connected),
            Talk::Dns { .. } | Talk::Http { .. } => self.stalled(after),
        })
    }

    fn request(&self) -> &[u8] {
        match &self.talk {
            Talk::Nothing(_) => &[],
            Talk::Dns { query: request, .. } | Talk::Http { request } => request,
        }
    }

    fn taken(&self, after: Duration) -> Outcome {
        Outcome::Ok {
            rtt_us: micros(self.connected.unwrap_or(after)),
            peer: None,
        }
    }

    fn send(&mut self, socket: &Socket) -> io::Result<()> {
        while self.sent < self.request().len() {
            match socket.send(&self.request()[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if is_would_block(&error) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn receive(&mut self, mut socket: &Socket, after: Duration, setting: &mut Setting) -> Option<Outcome> {
        loop {
            match socket.read(&mut setting.scratch) {
                Ok(0) => return Some(self.closed(after)),
                Ok(count) => {
                    let room = MOST.saturating_sub(self.received.len());
                    self.received
                        .extend_from_slice(&setting.scratch[..count.min(room)]);
                    if let Some(outcome) = self.understand(after) {
                        return Some(outcome);
                    }
                }
                Err(error) if is_would_block(&error) => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(self.broken(&error, after)),
            }
        }
    }

    fn understand(&self, after: Duration) -> Option<Outcome> {
        match &self.talk {
            // Whoever greets has not reset.
            Talk::Nothing(_) => Some(self.taken(after)),
            Talk::Dns { id, whole, .. } => {
                let (length, rest) = self.received.split_first_chunk::<2>()?;
                let length = usize::from(u16::from_be_bytes(*length)).min(MOST - 2);
                let message = rest.get(..length)?;
                Some(match decode(message, *id) {
                    Message::Answer(reply) => answered(reply, message, *whole, after),
                    Message::Another | Message::Foreign => self.foreign(),
                })
            }
            Talk::Http { .. } => {
                let head = self.received.get(..12)?;
                let status = head
                    .starts_with(b"HTTP/1.")
                    .then(|| str::from_utf8(&head[9..12]).ok()?.parse().ok())
                    .flatten();
                Some(match status {
                    Some(status) => Outcome::Http {
                        rtt_us: micros(after),
                        status,
                        head: escaped(&self.received),
                    },
                    None => self.foreign(),
                })
            }
        }
    }

    fn foreign(&self) -> Outcome {
        Outcome::WrongPeer {
            answer: escaped(&self.received),
        }
    }

    /// The far end has closed the connection in an orderly way.
    fn closed(&self, after: Duration) -> Outcome {
        match &self.talk {
            Talk::Nothing(_) => self.taken(after),
            Talk::Dns { .. } | Talk::Http { .. } => self.foreign(),
        }
    }

    /// An error after the connection was made.
    fn broken(&self, error: &io::Error, after: Duration) -> Outcome {
        match errno_of(error) {
            // The kernel gave up sending again.
            Errno::ETIMEDOUT | Errno::EHOSTUNREACH | Errno::ENETUNREACH => self.stalled(after),
            _ => Outcome::Reset {
                bytes: self.received.len() as u64,
            },
        }
    }

    fn stalled(&self, after: Duration) -> Outcome {
        Outcome::Stalled {
            direction: Direction::FromTarget,
            bytes: self.received.len() as u64,
            after_us: micros(after.saturating_sub(self.connected.unwrap_or_default())),
        }
    }
}
