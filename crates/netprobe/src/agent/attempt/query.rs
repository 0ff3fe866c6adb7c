//! One DNS query in a datagram. It is not sent again within a sample: loss that is hidden is not seen.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use netprobe::Outcome;
use nix::errno::Errno;
use socket2::{Protocol, Socket, Type};

use super::{Refusal, Setting, open, refused_at_once};
use crate::agent::dns::{Message, answered, decode};
use crate::agent::failure::{errno_of, local, next_error, outcome, queue_errors};
use crate::agent::peering::escaped;

pub(super) struct Exchange {
    target: IpAddr,
    id: u16,
    whole: bool,
}

pub(super) fn start(
    target: SocketAddr,
    (id, whole): (u16, bool),
    query: &[u8],
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let started = Instant::now();
    let ip = target.ip();
    let socket = open(ip, Type::DGRAM, Protocol::UDP)?;
    // Without it a sample still works, and only says less of who refused it.
    let _ = queue_errors(&socket, ip, true);
    socket
        .connect(&target.into())
        .and_then(|()| socket.send(query))
        .map_err(|error| refused_at_once(&error, started, setting))?;
    let exchange = Exchange {
        target: ip,
        id,
        whole,
    };
    Ok((socket, super::Exchange::Query(exchange)))
}

impl Exchange {
    pub(super) fn ready(
        &self,
        mut socket: &Socket,
        after: Duration,
        setting: &mut Setting,
    ) -> Option<Outcome> {
        // Reading the queue forgets the error of the socket, so that one is read first.
        let pending = socket.take_error().ok().flatten();
        while let Ok(length) = socket.read(&mut setting.scratch) {
            let datagram = &setting.scratch[..length];
            match decode(datagram, self.id) {
                Message::Answer(reply) => {
                    return Some(answered(reply, datagram, self.whole, after));
                }
                // Not ours; ours may still come.
                Message::Another => {}
                Message::Foreign => {
                    return Some(Outcome::WrongPeer {
                        answer: escaped(datagram),
                    });
                }
            }
        }
        while let Some(error) = next_error(socket, self.target) {
            match error.icmp {
                // A router's word about its MTU; the kernel has noted it.
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
}
