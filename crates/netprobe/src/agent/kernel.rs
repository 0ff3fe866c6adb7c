//! The few things that are asked of the kernel for which nobody offers a safe function.
#![expect(
    unsafe_code,
    reason = "ioctls and a socket option that neither nix nor socket2 wraps"
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

/// `linux/sockios.h`, `linux/ethtool.h`.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const ETHTOOL_GTXCSUM: u32 = 0x16;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// `struct ifreq` as far as `SIOCETHTOOL` uses it. The kernel copies the whole of it, which a union makes larger.
#[repr(C)]
struct DeviceRequest {
    name: [u8; libc::IFNAMSIZ],
    data: *mut EthtoolValue,
    rest: [u8; 24],
}

/// Whether a device fills in checksums of what is sent through it (ethtool(8), tx-checksumming). Needs no rights.
pub(crate) fn sends_checksums(socket: BorrowedFd<'_>, device: &str) -> io::Result<bool> {
    let mut name = [0; libc::IFNAMSIZ];
    // The last byte stays zero, which ends the name.
    if device.len() >= name.len() {
        return Err(Errno::ENODEV.into());
    }
    name[..device.len()].copy_from_slice(device.as_bytes());
    let mut value = EthtoolValue {
        command: ETHTOOL_GTXCSUM,
        data: 0,
    };
    let mut request = DeviceRequest {
        name,
        data: &raw mut value,
        rest: [0; 24],
    };
    // SAFETY: the descriptor is open for as long as it is borrowed; the kernel reads and writes one `ifreq` at the
    // address given, which is as long as one, and one `ethtool_value` where that points.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    Errno::result(result)?;
    Ok(value.data != 0)
}
