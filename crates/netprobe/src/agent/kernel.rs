//! The two things that are asked of the kernel for which nobody offers a safe function.
#![expect(
    unsafe_code,
    reason = "an ioctl and a socket option that neither nix nor socket2 wraps"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;

/// How many bytes written to a TCP socket the far end has not acknowledged (tcp(7), `SIOCOUTQ`).
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel writes one int to the address given.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    Errno::result(result)?;
    u64::try_from(count).map_err(io::Error::other)
}

/// Sets "don't fragment", so that a datagram too long for the way is refused by the own kernel instead of cut up.
pub(crate) fn forbid_fragments(socket: BorrowedFd<'_>, is_ipv6: bool) -> io::Result<()> {
    discover(
        socket,
        is_ipv6,
        if is_ipv6 {
            libc::IPV6_PMTUDISC_DO
        } else {
            libc::IP_PMTUDISC_DO
        },
    )
}

/// The same without what the kernel has learnt of the way: only what does not fit on the own link is refused.
pub(crate) fn probe_sizes(socket: BorrowedFd<'_>, is_ipv6: bool) -> io::Result<()> {
    discover(
        socket,
        is_ipv6,
        if is_ipv6 {
            libc::IPV6_PMTUDISC_PROBE
        } else {
            libc::IP_PMTUDISC_PROBE
        },
    )
}

/// Sets how the MTU of the way is found out (ip(7), `IP_MTU_DISCOVER`).
fn discover(socket: BorrowedFd<'_>, is_ipv6: bool, value: libc::c_int) -> io::Result<()> {
    let (level, option) = if is_ipv6 {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER)
    } else {
        (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER)
    };
    let size = libc::socklen_t::try_from(size_of_val(&value)).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open for as long as it is borrowed, and the kernel reads `size` bytes of `value`.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size) };
    Errno::result(result)?;
    Ok(())
}
