//! From what the kernel says of a failed probe to its outcome.
//!
//! The errno alone does not tell a local route that is missing from a router that has none. The error queue of a
//! socket (ip(7), `IP_RECVERR`) does: it holds the ICMP error itself, and who sent it.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::time::Duration;

use netprobe::Outcome;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt,
    sockopt::{Ipv4RecvErr, Ipv6RecvErr},
};
use socket2::Socket;

const ICMP_DEST_UNREACHABLE: u8 = 3;
const ICMPV6_DEST_UNREACHABLE: u8 = 1;
/// The codes by which a router, or the own kernel, says that a neighbour did not resolve.
const ICMP_HOST_UNREACHABLE: u8 = 1;
const ICMPV6_ADDRESS_UNREACHABLE: u8 = 3;

/// One entry of a socket's error queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueuedError {
    /// What the kernel makes of it; `None` for what is no error to a sender.
    pub(crate) errno: Errno,
    /// The ICMP packet behind it; `None` when the own kernel queued it without one.
    pub(crate) icmp: Option<IcmpError>,
    /// What it says besides: of a packet that is too long, what fits.
    pub(crate) info: u32,
    /// What the ICMP error quotes behind the IP header, as far as it was kept.
    pub(crate) quoted: Vec<u8>,
}

/// An ICMP error that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IcmpError {
    is_ipv6: bool,
    kind: u8,
    code: u8,
    offender: Option<IpAddr>,
}

/// Asks the kernel to queue ICMP errors for this socket, or to stop.
pub(crate) fn queue_errors(socket: &Socket, target: IpAddr, on: bool) -> io::Result<()> {
    match target {
        IpAddr::V4(_) => setsockopt(socket, Ipv4RecvErr, &on)?,
        IpAddr::V6(_) => setsockopt(socket, Ipv6RecvErr, &on)?,
    }
    Ok(())
}

/// Takes the next error about a packet to this target off the queue; `None` when the queue is empty.
pub(crate) fn next_error(socket: &Socket, target: IpAddr) -> Option<QueuedError> {
    // The queue is drained by repeated calls, so a foreign entry is skipped and not the end.
    loop {
        let mut quoted = [0_u8; 64];
        let mut control = nix::cmsg_space!(libc::sock_extended_err, libc::sockaddr_in6);
        let mut parts = [IoSliceMut::new(&mut quoted)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let message =
            match recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags) {
                Ok(message) => message,
                Err(Errno::EINTR) => continue,
                Err(_) => return None,
            };
        // The kernel puts the destination of the offending packet where the sender's address usually is.
        let about = message.address.as_ref().and_then(address_of);
        let length = message.bytes;
        let entry = message
            .cmsgs()
            .ok()
            .and_then(|mut all| all.find_map(|one| queued(&one)));
        let Some((errno, icmp, info)) = entry else {
            continue;
        };
        if about.is_none_or(|about| about == target) {
            return Some(QueuedError {
                errno,
                icmp,
                info,
                quoted: quoted[..length.min(64)].to_vec(),
            });
        }
    }
}

fn queued(message: &ControlMessageOwned) -> Option<(Errno, Option<IcmpError>, u32)> {
    let (error, offender, is_ipv6) = match message {
        ControlMessageOwned::Ipv4RecvErr(error, offender) => {
            let offender = offender
                .filter(|address| i32::from(address.sin_family) == libc::AF_INET)
                .map(|address| IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr))));
            (error, offender, false)
        }
        ControlMessageOwned::Ipv6RecvErr(error, offender) => {
            let offender = offender
                .filter(|address| i32::from(address.sin6_family) == libc::AF_INET6)
                .map(|address| IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)).to_canonical());
            (error, offender, true)
        }
        _ => return None,
    };
    let errno = Errno::from_raw(i32::try_from(error.ee_errno).ok().filter(|errno| *errno != 0)?);
    let icmp = match error.ee_origin {
        libc::SO_EE_ORIGIN_ICMP | libc::SO_EE_ORIGIN_ICMP6 => Some(IcmpError {
            is_ipv6,
            kind: error.ee_type,
            code: error.ee_code,
            offender,
        }),
        libc::SO_EE_ORIGIN_LOCAL => None,
        // Time stamps and completed zero-copy sends, which are never asked for.
        _ => return None,
    };
    Some((errno, icmp, error.ee_info))
}

fn address_of(storage: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = storage.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    storage
        .as_sockaddr_in6()
        .map(|v6| IpAddr::V6(v6.ip()).to_canonical())
}

/// The outcome of a probe for which the kernel reported this error before any data came back.
///
/// `own` are the addresses of this network namespace: an unreachable neighbour is reported by the own kernel with a
/// packet from itself to itself, and nobody else has refused anything then.
pub(crate) fn outcome(errno: Errno, icmp: Option<IcmpError>, own: &[IpAddr], after: Duration) -> Outcome {
    let after_us = micros(after);
    let icmp = icmp.filter(|icmp| !(icmp.is_unresolved_neighbour() && icmp.is_from(own)));
    let offender = icmp.and_then(|icmp| icmp.offender);
    let code = icmp.and_then(|icmp| icmp.is_unreachable().then_some(icmp.code));
    match errno {
        Errno::ECONNREFUSED => Outcome::Refused { offender, after_us },
        // Protocol unreachable: the host is there and has nothing that would take the packet.
        Errno::ENOPROTOOPT if icmp.is_some() => Outcome::Refused { offender, after_us },
        // Codes 7 and 8 of IPv4 have numbers of their own, and mean that the host is not there.
        Errno::EHOSTUNREACH | Errno::EHOSTDOWN | Errno::ENONET => Outcome::HostUnreachable {
            offender,
            code,
            after_us,
        },
        // IPv6 reports a prohibition by a router with the number that a prohibiting route of one's own has.
        Errno::EACCES if icmp.is_some() => Outcome::HostUnreachable {
            offender,
            code,
            after_us,
        },
        Errno::ENETUNREACH => Outcome::NetUnreachable {
            offender,
            code,
            after_us,
        },
        Errno::ETIMEDOUT => Outcome::TimedOut { after_us },
        Errno::ECONNRESET => Outcome::Reset { bytes: 0 },
        other => local(other),
    }
}

/// The outcome of a probe that the own kernel would not send.
pub(crate) fn local(errno: Errno) -> Outcome {
    Outcome::LocalError {
        errno: errno as i32,
        name: format!("{errno:?}"),
    }
}

pub(crate) fn errno_of(error: &io::Error) -> Errno {
    // Without a number there was no system call; the standard library invents such errors only for misuse.
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}

pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl IcmpError {
    fn is_unreachable(&self) -> bool {
        self.kind
            == if self.is_ipv6 {
                ICMPV6_DEST_UNREACHABLE
            } else {
                ICMP_DEST_UNREACHABLE
            }
    }

    fn is_unresolved_neighbour(&self) -> bool {
        let code = if self.is_ipv6 {
            ICMPV6_ADDRESS_UNREACHABLE
        } else {
            ICMP_HOST_UNREACHABLE
        };
        self.is_unreachable() && self.code == code
    }

    /// Who sent it, where the kernel said so.
    pub(crate) fn offender(&self) -> Option<IpAddr> {
        self.offender
    }

    fn is_from(&self, own: &[IpAddr]) -> bool {
        self.offender.is_some_and(|offender| own.contains(&offender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_micros(7);

    fn v4(kind: u8, code: u8, offender: &str) -> IcmpError {
        IcmpError {
            is_ipv6: false,
            kind,
            code,
            offender: Some(offender.parse().unwrap()),
        }
    }

    fn judged(errno: Errno, icmp: Option<IcmpError>) -> Outcome {
        outcome(errno, icmp, &["10.0.0.1".parse().unwrap()], AFTER)
    }

    #[test]
    fn a_reset_has_no_offender_and_a_rejection_has() {
        assert_eq!(
            judged(Errno::ECONNREFUSED, None),
            Outcome::Refused {
                offender: None,
                after_us: 7
            }
        );
        let offender = Some("10.0.0.9".parse().unwrap());
        let refused = judged(Errno::ECONNREFUSED, Some(v4(3, 3, "10.0.0.9")));
        assert_eq!(
            refused,
            Outcome::Refused {
                offender,
                after_us: 7
            }
        );
    }

    #[test]
    fn an_own_neighbour_that_does_not_resolve_has_no_offender() {
        let own = judged(Errno::EHOSTUNREACH, Some(v4(3, 1, "10.0.0.1")));
        assert_eq!(
            own,
            Outcome::HostUnreachable {
                offender: None,
                code: None,
                after_us: 7
            }
        );
        let routers = judged(Errno::EHOSTUNREACH, Some(v4(3, 1, "10.0.0.9")));
        let offender = Some("10.0.0.9".parse().unwrap());
        assert_eq!(
            routers,
            Outcome::HostUnreachable {
                offender,
                code: Some(1),
                after_us: 7
            }
        );
    }

    #[test]
    fn an_own_rule_that_prohibits_is_the_offender() {
        let outcome = judged(Errno::EHOSTUNREACH, Some(v4(3, 13, "10.0.0.1")));
        let offender = Some("10.0.0.1".parse().unwrap());
        assert_eq!(
            outcome,
            Outcome::HostUnreachable {
                offender,
                code: Some(13),
                after_us: 7
            }
        );
    }

    #[test]
    fn a_loop_in_the_routes_has_an_offender_and_no_code() {
        let outcome = judged(Errno::EHOSTUNREACH, Some(v4(11, 0, "10.0.0.9")));
        let offender = Some("10.0.0.9".parse().unwrap());
        assert_eq!(
            outcome,
            Outcome::HostUnreachable {
                offender,
                code: None,
                after_us: 7
            }
        );
    }

    #[test]
    fn a_prohibition_of_ipv6_is_local_only_without_a_packet() {
        assert_eq!(
            judged(Errno::EACCES, None),
            Outcome::LocalError {
                errno: libc::EACCES,
                name: "EACCES".to_owned()
            }
        );
        let offender: Option<IpAddr> = Some("fd00::9".parse().unwrap());
        let icmp = IcmpError {
            is_ipv6: true,
            kind: 1,
            code: 1,
            offender,
        };
        let expected = Outcome::HostUnreachable {
            offender,
            code: Some(1),
            after_us: 7,
        };
        assert_eq!(judged(Errno::EACCES, Some(icmp)), expected);
    }
}
