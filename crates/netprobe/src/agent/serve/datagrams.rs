//! The UDP side: one answer for each question.

mod tally;

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
};
use socket2::Socket;

use crate::agent::arguments::Identity;
use crate::agent::peering::{Asks, Decoded, LONGEST, Question, Reply, decode_question, encode_reply};
use tally::Tally;

/// How many are answered before connections get their turn.
const TURN: usize = 256;
/// Room for a burst of probes; the kernel takes less where its limit is lower.
const BUFFER: usize = 1024 * 1024;

pub(super) struct Datagrams {
    socket: Socket,
    identity: Identity,
    tally: Tally,
}

/// The address that a question was sent to, from which the answer must come: the kernel would choose by the route.
enum SentTo {
    V4(libc::in_pktinfo),
    V6(libc::in6_pktinfo),
}

impl Datagrams {
    pub(super) fn new(socket: Socket, identity: &Identity) -> Self {
        // Without these, answers of a node with several addresses may come from the wrong one, or a burst be lost:
        // either shows in the probes.
        let _ = setsockopt(&socket, Ipv6RecvPacketInfo, &true)
            .or_else(|_| setsockopt(&socket, Ipv4PacketInfo, &true));
        let _ = socket.set_recv_buffer_size(BUFFER);
        Self {
            socket,
            identity: identity.clone(),
            tally: Tally::default(),
        }
    }

    pub(super) fn answer(&mut self) {
        for _ in 0..TURN {
            match self.answer_one() {
                Ok(()) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    /// The error is that of receiving; an answer that cannot be sent is lost like any datagram.
    fn answer_one(&mut self) -> Result<(), Errno> {
        let mut datagram = [0; LONGEST + 1];
        let mut control = nix::cmsg_space!(libc::in6_pktinfo);
        let mut parts = [IoSliceMut::new(&mut datagram)];
        let message = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::MSG_DONTWAIT,
        )?;
        let length = message.bytes;
        let sent_to = message
            .cmsgs()
            .ok()
            .and_then(|mut all| all.find_map(|one| sent_to(&one)));
        let Some(from) = message.address else {
            return Ok(());
        };
        let Some(saw) = address_of(&from) else {
            return Ok(());
        };
        let Decoded::Whole(question, used) = decode_question(&datagram[..length]) else {
            return Ok(());
        };
        // What is counted may be padded to any length, and is cut here: the kernel has checked the whole.
        let is_padded = matches!(question.asks, Asks::Count(_));
        if (used != length && !is_padded) || matches!(question.asks, Asks::Bulk(_)) {
            return Ok(());
        }
        let reply = self.reply(&question, saw);
        let reply = encode_reply(&reply);
        let control = match &sent_to {
            Some(SentTo::V4(info)) => Some(ControlMessage::Ipv4PacketInfo(info)),
            Some(SentTo::V6(info)) => Some(ControlMessage::Ipv6PacketInfo(info)),
            None => None,
        };
        let _ = sendmsg(
            self.socket.as_raw_fd(),
            &[IoSlice::new(&reply)],
            control.as_slice(),
            MsgFlags::MSG_DONTWAIT,
            Some(&from),
        );
        Ok(())
    }

    fn reply(&mut self, question: &Question, saw: IpAddr) -> Reply {
        if question.run != self.identity.run {
            return Reply::OtherRun;
        }
        let nonce = question.nonce;
        let name = self.identity.name.clone();
        match question.asks {
            Asks::Count(number) => Reply::Counted {
                nonce,
                number,
                arrived: self.tally.arrived(nonce, number),
                name,
            },
            Asks::Nothing | Asks::Bulk(_) => Reply::Peer { nonce, name, saw },
        }
    }
}

fn sent_to(message: &ControlMessageOwned) -> Option<SentTo> {
    match message {
        ControlMessageOwned::Ipv4PacketInfo(info) => {
            // The route back decides on the interface.
            let info = libc::in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: info.ipi_addr,
                ..*info
            };
            Some(SentTo::V4(info))
        }
        ControlMessageOwned::Ipv6PacketInfo(info) => {
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            // A link-local address means nothing without its interface.
            let interface = if address.is_unicast_link_local() {
                info.ipi6_ifindex
            } else {
                0
            };
            Some(SentTo::V6(libc::in6_pktinfo {
                ipi6_addr: info.ipi6_addr,
                ipi6_ifindex: interface,
            }))
        }
        _ => None,
    }
}

fn address_of(storage: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    storage
        .as_sockaddr_in6()
        .map(|v6| IpAddr::V6(v6.ip()).to_canonical())
}
