//! How many sockets this process may have.

use std::io;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Kept for what is not a probe or a connection: standard streams, epoll, listeners, netlink.
const RESERVED: u64 = 32;

/// Raises the limit on open files as far as it goes without privilege, and says how many sockets that leaves, at
/// least one.
pub(crate) fn sockets_allowed() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(256, |(soft, hard)| {
        match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => hard,
            Err(_) => soft,
        }
    });
    usize::try_from(limit.saturating_sub(RESERVED).max(1)).unwrap_or(usize::MAX)
}

/// Whether a socket was refused because there are too many of them now, so that a later try may succeed.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let shortage = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    error
        .raw_os_error()
        .is_some_and(|raw| shortage.contains(&Errno::from_raw(raw)))
}
