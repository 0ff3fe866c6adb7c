//! One echo request and its reply.
//!
//! An ICMP socket also receives what belongs to others: every message is compared with the request, and of every error
//! what it quotes.

use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use netprobe::Outcome;
use nix::errno::Errno;
use socket2::{Protocol, Socket, Type};

use super::{Refusal, Setting, open, refused_at_once};
use crate::agent::echo::{Echo, LONGEST, without_ipv4_header};
use crate::agent::failure::{errno_of, local, micros, next_error, outcome, queue_errors};

pub(super) struct Exchange {
    target: IpAddr,
    echo: Echo,
    has_ipv4_header: bool,
}

pub(super) fn start(
    target: SocketAddr,
    nonce: u64,
    setting: &Setting,
) -> Result<(Socket, super::Exchange), Refusal> {
    let started = Instant::now();
    let ip = target.ip();
    let (socket, is_raw) = open_either(ip)?;
    // Without it a sample still works, and an ICMP error is silence.
    let _ = queue_errors(&socket, ip, true);
    let mut target = target;
    // A port means nothing here, and some kernels want it to be zero.
    target.set_port(0);
    socket
        .connect(&target.into())
        .map_err(|error| refused_at_once(&error, started, setting))?;
    // The kernel gives an unprivileged socket an id of its own and writes it into what is sent.
    let id = socket
        .local_addr()
        .ok()
        .and_then(|address| address.as_socket())
        .map(|address| address.port());
    let [high, low, ..] = nonce.to_le_bytes();
    let id = id.filter(|_| !is_raw).unwrap_or(u16::from_be_bytes([high, low]));
    let echo = Echo {
        is_ipv6: ip.is_ipv6(),
        id,
        sequence: 1,
        nonce,
    };
    socket
        .send(&echo.request())
        .map_err(|error| refused_at_once(&error, started, setting))?;
    let has_ipv4_header = is_raw && ip.is_ipv4();
    Ok((
        socket,
        super::Exchange::Icmp(Exchange {
            target: ip,
            echo,
            has_ipv4_header,
        }),
    ))
}

/// An unprivileged socket, or a raw one where that is refused.
fn open_either(ip: IpAddr) -> Result<(Socket, bool), Refusal> {
    let protocol = if ip.is_ipv6() {
        Protocol::ICMPV6
    } else {
        Protocol::ICMPV4
    };
    let unprivileged = match open(ip, Type::DGRAM, protocol) {
        Ok(socket) => return Ok((socket, false)),
        Err(Refusal::Ended(Outcome::LocalError { name, .. })) => name,
        Err(other) => return Err(other),
    };
    match open(ip, Type::RAW, protocol) {
        Ok(socket) => Ok((socket, true)),
        Err(Refusal::Ended(Outcome::LocalError { name, .. })) => {
            let what = format!("unprivileged ICMP socket ({unprivileged}), raw ICMP socket ({name})");
            Err(Refusal::Ended(Outcome::NotPermitted { what }))
        }
        Err(other) => Err(other),
    }
}

impl Exchange {
    pub(super) fn ready(&mut self, socket: &Socket, after: Duration, setting: &Setting) -> Option<Outcome> {
        // May be about somebody else's echo, so that only the queue is believed. Reading it resets the socket.
        let _ = socket.take_error();
        let mut message = [0; LONGEST];
        let mut reader = socket;
        loop {
            match reader.read(&mut message) {
                Ok(length) => {
                    let message = &message[..length];
                    let message = if self.has_ipv4_header {
                        without_ipv4_header(message)
                    } else {
                        message
                    };
                    if self.echo.is_answered_by(message) {
                        return Some(Outcome::Ok {
                            rtt_us: micros(after),
                            peer: None,
                        });
                    }
                }
                Err(error) if errno_of(&error) == Errno::EINTR => {}
                Err(_) => break,
            }
        }
        while let Some(error) = next_error(socket, self.target) {
            match error.icmp {
                Some(_) if error.errno == Errno::EMSGSIZE || !self.echo.is_quoted_by(&error.quoted) => {}
                None => return Some(local(error.errno)),
                icmp => return Some(outcome(error.errno, icmp, &setting.own, after)),
            }
        }
        None
    }
}
