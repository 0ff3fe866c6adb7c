//! Standard output that never holds up the event loop.
//!
//! The reader may be slow, at the other end of an exec stream, and the time of a probe must not depend on it. The
//! stream is not made non-blocking, because others may share it; a pipe that is ready takes `PIPE_BUF` bytes at once.

use std::collections::VecDeque;
use std::io::{self, Stdout, stdout};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netprobe::Line;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::Failure;

/// POSIX promises at least 512 and Linux has this.
const PIPE_BUF: usize = 4096;

pub(crate) struct Output {
    stream: Stdout,
    backlog: VecDeque<u8>,
    /// Whether epoll knows the stream; it refuses regular files, which are always ready.
    is_watched: bool,
}

impl Output {
    /// Watches standard output under this token. Epoll reports a closed reader without being asked.
    pub(crate) fn new(epoll: &Epoll, token: u64) -> Self {
        let stream = stdout();
        let is_watched = epoll
            .add(&stream, EpollEvent::new(EpollFlags::empty(), token))
            .is_ok();
        Self {
            stream,
            backlog: VecDeque::new(),
            is_watched,
        }
    }

    pub(crate) fn push(&mut self, line: &Line) -> Result<(), Failure> {
        serde_json::to_writer(&mut self.backlog, line)
            .map_err(|error| Failure::system("cannot write an answer", error))?;
        self.backlog.push_back(b'\n');
        Ok(())
    }

    /// Writes what the reader takes now, and asks epoll for a sign when there is more.
    pub(crate) fn flush(&mut self, epoll: &Epoll, token: u64) -> Result<(), Failure> {
        while self.write_some(Duration::ZERO)? {}
        if self.is_watched {
            let interest = if self.backlog.is_empty() {
                EpollFlags::empty()
            } else {
                EpollFlags::EPOLLOUT
            };
            epoll
                .modify(&self.stream, &mut EpollEvent::new(interest, token))
                .map_err(|error| Failure::system("cannot watch standard output", error))?;
        }
        Ok(())
    }

    /// Writes the rest, however long the reader takes for a part, but no longer than this in all.
    pub(crate) fn finish(&mut self, patience: Duration) -> Result<(), Failure> {
        let until = Instant::now() + patience;
        while !self.backlog.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if !self.write_some(left)? && left.is_zero() {
                return Err(Failure::Failed(
                    "the reader of standard output takes nothing any more".to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Whether something was written.
    fn write_some(&mut self, wait: Duration) -> Result<bool, Failure> {
        if self.backlog.is_empty() {
            return Ok(false);
        }
        let mut streams = [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)];
        let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
        match poll(&mut streams, wait) {
            Ok(0) | Err(Errno::EINTR) => return Ok(false),
            Ok(_) => {}
            Err(error) => return Err(Failure::system("cannot wait for standard output", error)),
        }
        let (part, _) = self.backlog.as_slices();
        let part = &part[..part.len().min(PIPE_BUF)];
        match nix::unistd::write(&self.stream, part) {
            Ok(written) => {
                self.backlog.drain(..written);
                Ok(written > 0)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
            Err(Errno::EPIPE) => Err(Failure::OutputClosed),
            Err(error) => Err(Failure::system(
                "cannot write to standard output",
                io::Error::from(error),
            )),
        }
    }
}
