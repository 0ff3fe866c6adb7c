//! One sample of one probe: a socket of its own, and so a source port of its own, and what is expected on it next.

mod icmp;
mod padded;
mod query;
mod size;
mod talk;
mod tcp;
mod train;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use netprobe::{Kind, Outcome, Probe};
use nix::errno::Errno;
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use super::descriptors::is_shortage;
use super::dns::encode_query;
use super::failure::{errno_of, local, micros, outcome};
use super::interfaces::is_shared;
use talk::Talk;

/// What every attempt of a run shares.
pub(crate) struct Setting {
    /// The id of the run, said to every server.
    pub(crate) run: String,
    /// The addresses of this network namespace.
    pub(crate) own: Vec<IpAddr>,
    /// The next hops of the default routes.
    pub(crate) gateways: Vec<IpAddr>,
    /// Where received bytes go that nobody keeps.
    pub(crate) scratch: Vec<u8>,
}

/// A sample that is under way.
pub(crate) struct Attempt {
    socket: Socket,
    started: Instant,
    timeout: Duration,
    /// When nothing that was waited for has happened.
    due: Instant,
    exchange: Exchange,
}

enum Exchange {
    Tcp(tcp::Exchange),
    Udp(udp::Exchange),
    Icmp(icmp::Exchange),
    Talk(talk::Exchange),
    Query(query::Exchange),
    Train(train::Exchange),
    Size(size::Exchange),
}

/// What came of starting.
pub(crate) enum Start {
    UnderWay(Box<Attempt>),
    Ended(Outcome),
    /// There are too many sockets now.
    Shortage,
}

/// What ends a start early.
enum Refusal {
    Ended(Outcome),
    Shortage,
}

impl Attempt {
    /// Opens a socket and sends the first packet. `nonce` is a number that no other attempt has.
    pub(crate) fn start(probe: &Probe, nonce: u64, setting: &Setting) -> Start {
        let target = match target(probe.target, &setting.gateways) {
            Ok(target) => target,
            Err(outcome) => return Start::Ended(outcome),
        };
        let timeout = Duration::from_millis(probe.timeout_ms);
        let started = Instant::now();
        let begun = match &probe.kind {
            Kind::Tcp => tcp::start(target, nonce, None, timeout, setting),
            Kind::Bulk { bytes } => tcp::start(target, nonce, Some(*bytes), timeout, setting),
            Kind::Udp => udp::start(target, nonce, setting),
            Kind::Icmp => icmp::start(target, nonce, setting),
            Kind::Train { count, gap_ms, large } => {
                train::start(target, nonce, (*count, *gap_ms, *large), setting)
            }
            Kind::Size => size::start(target, nonce, setting),
            Kind::Connect { linger_ms } => {
                let nothing = Talk::Nothing(Duration::from_millis(*linger_ms));
                talk::start(target, nothing, timeout, setting)
            }
            Kind::Dns {
                name,
                qtype,
                tcp,
                whole,
                edns,
            } => {
                let [high, low, ..] = nonce.to_le_bytes();
                let id = u16::from_be_bytes([high, low]);
                match (encode_query(id, name, *qtype, *edns), tcp) {
                    (None, _) => Err(Refusal::Ended(local(Errno::EINVAL))),
                    (Some(query), false) => query::start(target, (id, *whole), &query, setting),
                    (Some(query), true) => match talk::framed(&query) {
                        Some(query) => {
                            let whole = *whole;
                            talk::start(target, Talk::Dns { id, query, whole }, timeout, setting)
                        }
                        None => Err(Refusal::Ended(local(Errno::EINVAL))),
                    },
                }
            }
            Kind::Http { path, host } => match talk::http_request(path, host) {
                Some(request) => talk::start(target, Talk::Http { request }, timeout, setting),
                None => Err(Refusal::Ended(local(Errno::EINVAL))),
            },
        };
        match begun {
            Ok((socket, exchange)) => {
                // A train begins at once; all else waits for an answer.
                let is_train = matches!(exchange, Exchange::Train(_));
                let due = if is_train { started } else { started + timeout };
                Start::UnderWay(Box::new(Self {
                    socket,
                    started,
                    timeout,
                    due,
                    exchange,
                }))
            }
            Err(Refusal::Ended(outcome)) => Start::Ended(outcome),
            Err(Refusal::Shortage) => Start::Shortage,
        }
    }

    pub(crate) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// What the event loop shall wait for.
    pub(crate) fn interest(&self) -> EpollFlags {
        match &self.exchange {
            Exchange::Tcp(tcp) => tcp.interest(),
            Exchange::Talk(talk) => talk.interest(),
            Exchange::Udp(_)
            | Exchange::Icmp(_)
            | Exchange::Query(_)
            | Exchange::Train(_)
            | Exchange::Size(_) => EpollFlags::EPOLLIN,
        }
    }

    /// Takes what the socket has; the outcome when that was all.
    pub(crate) fn ready(&mut self, flags: EpollFlags, setting: &mut Setting) -> Option<Outcome> {
        let now = Instant::now();
        let after = now - self.started;
        match &mut self.exchange {
            Exchange::Tcp(tcp) => {
                let was_connected = tcp.is_connected();
                let ended = tcp.ready(&self.socket, flags, now, after, setting);
                if !was_connected && tcp.is_connected() {
                    self.due = tcp.next_look(now);
                }
                ended
            }
            Exchange::Talk(talk) => {
                let was_connected = talk.is_connected();
                let ended = talk.ready(&self.socket, flags, after, setting);
                if !was_connected && talk.is_connected() {
                    self.due = talk.due(now);
                }
                ended
            }
            Exchange::Udp(udp) => udp.ready(&self.socket, after, setting),
            Exchange::Icmp(icmp) => icmp.ready(&self.socket, after, setting),
            Exchange::Query(query) => query.ready(&self.socket, after, setting),
            Exchange::Train(train) => train.ready(&self.socket, setting),
            Exchange::Size(size) => {
                let (ended, moved) = size.ready(&self.socket, setting);
                if moved {
                    self.due = size.due(now, self.timeout);
                }
                ended
            }
        }
    }

    /// Looks at the clock: the outcome when it is over, else [`Self::due`] has moved.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Outcome> {
        if now < self.due {
            return None;
        }
        match &mut self.exchange {
            Exchange::Tcp(tcp) => {
                let due = tcp.overdue(&self.socket, now);
                match due {
                    tcp::Overdue::Silent => {}
                    tcp::Overdue::Stalled(outcome) => return Some(outcome),
                    tcp::Overdue::Until(due) => {
                        self.due = due;
                        return None;
                    }
                }
            }
            Exchange::Talk(talk) => {
                if let Some(outcome) = talk.overdue(now - self.started) {
                    return Some(outcome);
                }
            }
            Exchange::Train(train) => {
                return match train.overdue(&self.socket, now, self.timeout) {
                    train::Next::Ended(outcome) => Some(outcome),
                    train::Next::Until(due) => {
                        self.due = due;
                        None
                    }
                };
            }
            Exchange::Size(size) => {
                let ended = size.overdue(&self.socket, now);
                self.due = size.due(now, self.timeout);
                return ended;
            }
            Exchange::Udp(_) | Exchange::Icmp(_) | Exchange::Query(_) => {}
        }
        Some(Outcome::TimedOut {
            after_us: micros(now - self.started),
        })
    }
}

/// Where a probe goes. The unspecified address stands for the own gateway.
fn target(asked: SocketAddr, gateways: &[IpAddr]) -> Result<SocketAddr, Outcome> {
    let ip = asked.ip().to_canonical();
    if !ip.is_unspecified() {
        // The scope of a link-local target must not be lost.
        let same = ip == asked.ip();
        return Ok(if same {
            asked
        } else {
            SocketAddr::new(ip, asked.port())
        });
    }
    match gateways.iter().find(|gateway| gateway.is_ipv4() == ip.is_ipv4()) {
        Some(gateway) if is_shared(gateway) => Ok(SocketAddr::new(*gateway, asked.port())),
        Some(gateway) => Err(Outcome::NotPermitted {
            what: format!("the gateway {gateway} is link-local: it leads on and answers nobody"),
        }),
        None => Err(Outcome::NetUnreachable {
            offender: None,
            code: None,
            after_us: 0,
        }),
    }
}

/// A socket that does not block, or why there is none.
fn open(target: IpAddr, kind: Type, protocol: Protocol) -> Result<Socket, Refusal> {
    Socket::new(domain(target), kind.nonblocking(), Some(protocol)).map_err(|error| {
        if is_shortage(&error) {
            Refusal::Shortage
        } else {
            Refusal::Ended(local(errno_of(&error)))
        }
    })
}

fn domain(target: IpAddr) -> Domain {
    match target {
        IpAddr::V4(_) => Domain::IPV4,
        IpAddr::V6(_) => Domain::IPV6,
    }
}

/// What the own kernel says at once, when it has no way to send or is not allowed to.
fn refused_at_once(error: &io::Error, started: Instant, setting: &Setting) -> Refusal {
    Refusal::Ended(outcome(errno_of(error), None, &setting.own, started.elapsed()))
}

fn is_would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

fn other_run() -> Outcome {
    Outcome::WrongPeer {
        answer: "a probe agent of another run".to_owned(),
    }
}
