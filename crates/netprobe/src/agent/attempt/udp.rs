//! One datagram and its answer. A datagram is not sent again within a sample: loss that is hidden is not seen.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use netprobe::{Outcome, Peer};
use nix::errno::Errno;
use socket2::{Protocol, Socket, Type};

use super::{Refusal, Setting, is_would_block, open, refused_at_once};
use crate::agent::failure::{errno_of, local, micros, next_error, outcome, queue_errors};
use crate::agent::kernel::forbid_fragments;
use crate::agent::peering::{
    Asks, Decoded, LONGEST, Question, Reply, decode_reply, encode_question, escaped,
};

pub(super) struct Exchange {
    target: IpAddr,
    nonce: u64,
}

pub(super) fn start(
    target: SocketAddr,
    nonce: u64,
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let started = Instant::now();
    let ip = target.ip();
    let socket = open(ip, Type::DGRAM, Protocol::UDP)?;
    // Without them a sample still works, and only says less of who refused it.
    let _ = queue_errors(&socket, ip, true);
    let _ = forbid_fragments(super::AsFd::as_fd(&socket), ip.is_ipv6());
    let question = encode_question(&Question {
        nonce,
        asks: Asks::Nothing,
        run: setting.run.clone(),
    });
    socket
        .connect(&target.into())
        .and_then(|()| socket.send(&question))
        .map_err(|error| refused_at_once(&error, started, setting))?;
    Ok((socket, super::Exchange::Udp(Exchange { target: ip, nonce })))
}

impl Exchange {
    pub(super) fn ready(&mut self, socket: &Socket, after: Duration, setting: &Setting) -> Option<Outcome> {
        // Reading the queue forgets the error of the socket, so that one is read first.
        let pending = socket.take_error().ok().flatten();
        let mut datagram = [0; LONGEST + 1];
        loop {
            let mut reader = socket;
            match reader.read(&mut datagram) {
                Ok(length) => {
                    if let Some(outcome) = self.judge(&datagram[..length], after) {
                        return Some(outcome);
                    }
                }
                Err(error) if is_would_block(&error) => break,
                // It is in the queue as well, with more detail.
                Err(_) => break,
            }
        }
        while let Some(error) = next_error(socket, self.target) {
            match error.icmp {
                // A router's word about its MTU; the kernel has noted it, and this datagram is lost.
                Some(_) if error.errno == Errno::EMSGSIZE => {}
                None => return Some(local(error.errno)),
                icmp => return Some(outcome(error.errno, icmp, &setting.own, after)),
            }
        }
        let pending = pending
            .as_ref()
            .map(errno_of)
            .filter(|errno| *errno != Errno::EMSGSIZE)?;
        Some(outcome(pending, None, &setting.own, after))
    }

    fn judge(&self, datagram: &[u8], after: Duration) -> Option<Outcome> {
        match decode_reply(datagram) {
            Decoded::Whole(Reply::Peer { nonce, name, saw }, length) if length == datagram.len() => {
                (nonce == self.nonce).then(|| Outcome::Ok {
                    rtt_us: micros(after),
                    peer: Some(Peer { name, saw }),
                })
            }
            Decoded::Whole(Reply::OtherRun, _) => Some(super::other_run()),
            Decoded::Whole(..) | Decoded::Partial | Decoded::Foreign => Some(Outcome::WrongPeer {
                answer: escaped(datagram),
            }),
        }
    }
}
