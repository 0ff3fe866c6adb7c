//! What trains and the search for a size have in common: numbered datagrams of any length, and their answers.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use netprobe::{Outcome, TooLong};
use nix::errno::Errno;
use socket2::{Protocol, Socket, Type};

use super::{AsFd, Refusal, Setting, open, other_run, refused_at_once};
use crate::agent::failure::{errno_of, local, next_error, outcome, queue_errors};
use crate::agent::kernel::probe_sizes;
use crate::agent::peering::{
    Asks, Decoded, LONGEST, Question, Reply, decode_reply, encode_question, escaped,
};

/// The header of UDP, with that of IPv4 and of IPv6 without options.
const HEADERS_4: u32 = 28;
const HEADERS_6: u32 = 48;

/// One end of the talk.
pub(super) struct Padded {
    target: IpAddr,
    nonce: u64,
    run: String,
}

/// What an answer says.
pub(super) struct Counted {
    /// Which datagram it answers.
    pub(super) number: u64,
    /// How many had arrived by then.
    pub(super) arrived: u64,
}

/// What came in.
#[derive(Default)]
pub(super) struct Arrivals {
    pub(super) answers: Vec<Counted>,
    /// Who said that a packet is too long.
    pub(super) told: Option<TooLong>,
    /// What ends the attempt where nothing was answered before.
    pub(super) error: Option<Outcome>,
}

impl Padded {
    /// A socket to the target whose datagrams are never fragmented, and refused by the own kernel only where they do
    /// not fit on the own link: what it knows of the way is not believed, since that is what shall be found out.
    pub(super) fn open(target: SocketAddr, nonce: u64, setting: &Setting) -> Result<(Socket, Self), Refusal> {
        let started = Instant::now();
        let ip = target.ip();
        let socket = open(ip, Type::DGRAM, Protocol::UDP)?;
        let _ = queue_errors(&socket, ip, true);
        probe_sizes(socket.as_fd(), ip.is_ipv6()).map_err(|error| Refusal::Ended(local(errno_of(&error))))?;
        socket
            .connect(&target.into())
            .map_err(|error| refused_at_once(&error, started, setting))?;
        let padded = Self {
            target: ip,
            nonce,
            run: setting.run.clone(),
        };
        Ok((socket, padded))
    }

    fn headers(&self) -> u32 {
        if self.target.is_ipv6() {
            HEADERS_6
        } else {
            HEADERS_4
        }
    }

    /// Sends a datagram of this number, as a packet of so many bytes or the least that it takes; that length.
    pub(super) fn send(&self, socket: &Socket, number: u64, bytes: u32) -> io::Result<u32> {
        let mut question = encode_question(&Question {
            nonce: self.nonce,
            asks: Asks::Count(number),
            run: self.run.clone(),
        });
        let room = usize::try_from(bytes.saturating_sub(self.headers())).unwrap_or(usize::MAX);
        question.resize(room.max(question.len()), 0);
        socket.send(&question)?;
        Ok(u32::try_from(question.len()).unwrap_or(u32::MAX) + self.headers())
    }

    /// The longest packet that the own kernel sends on that link, found by sending under the number that a length has;
    /// about half of the tries go out.
    pub(super) fn sends(&self, socket: &Socket, least: u32, number: fn(u32) -> u64) -> u32 {
        let (mut fits, mut too_long) = (least, 65_536);
        while too_long - fits > 1 {
            let middle = fits.midpoint(too_long);
            // An error about an earlier one is returned once, and one of the own link each time. Whatever else goes wrong
            // is no matter of length.
            let is_refused = |_| {
                let sent = self.send(socket, number(middle), middle);
                sent.is_err_and(|error| errno_of(&error) == Errno::EMSGSIZE)
            };
            if (0..3).all(is_refused) {
                too_long = middle;
            } else {
                fits = middle;
            }
        }
        fits
    }

    /// Takes all that the socket has.
    pub(super) fn arrivals(&self, socket: &Socket, started: Instant, setting: &Setting) -> Arrivals {
        let mut arrivals = Arrivals::default();
        let after = started.elapsed();
        let pending = socket.take_error().ok().flatten();
        let mut datagram = [0; LONGEST + 1];
        // Each error of the socket is returned once and stands in the queue too.
        for _ in 0..4096 {
            let mut reader = socket;
            match reader.read(&mut datagram) {
                Ok(length) => match decode_reply(&datagram[..length]) {
                    Decoded::Whole(
                        Reply::Counted {
                            nonce,
                            number,
                            arrived,
                            ..
                        },
                        _,
                    ) => {
                        if nonce == self.nonce {
                            arrivals.answers.push(Counted { number, arrived });
                        }
                    }
                    Decoded::Whole(Reply::OtherRun, _) => arrivals.error = Some(other_run()),
                    Decoded::Whole(..) | Decoded::Partial | Decoded::Foreign => {
                        arrivals.error = Some(Outcome::WrongPeer {
                            answer: escaped(&datagram[..length]),
                        });
                    }
                },
                Err(error) if super::is_would_block(&error) => break,
                Err(_) => {}
            }
        }
        while let Some(error) = next_error(socket, self.target) {
            if error.errno == Errno::EMSGSIZE {
                if error.icmp.is_some() {
                    let by = error.icmp.and_then(|icmp| icmp.offender());
                    arrivals.told = Some(TooLong { by, mtu: error.info });
                }
            } else {
                arrivals.error = Some(match error.icmp {
                    None => local(error.errno),
                    icmp => outcome(error.errno, icmp, &setting.own, after),
                });
            }
        }
        let pending = pending
            .as_ref()
            .map(errno_of)
            .filter(|errno| *errno != Errno::EMSGSIZE);
        if let (Some(errno), None) = (pending, &arrivals.error) {
            arrivals.error = Some(outcome(errno, None, &setting.own, after));
        }
        arrivals
    }
}
