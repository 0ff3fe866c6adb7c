//! All connections of the server: bounded in number, and none for ever.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};
use socket2::Socket;

use super::LISTENER;
use super::connection::{Connection, Fate};
use crate::agent::arguments::Identity;

/// More would be somebody's flood, and each costs memory.
const MOST: usize = 8192;
/// How many bytes of an answer wait in the kernel, at the most; left alone, it takes megabytes for each slow reader.
const BUFFER: usize = 128 * 1024;
/// How many are accepted before others get their turn.
const TURN: usize = 64;
/// Who has not moved for this long may have to go when there are too many.
const EXPENDABLE: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(1);

pub(super) struct Connections {
    identity: Identity,
    most: usize,
    slots: Vec<Option<(Connection, EpollFlags)>>,
    free: Vec<usize>,
    scratch: Vec<u8>,
    swept: Instant,
    is_listening: bool,
}

impl Connections {
    pub(super) fn new(identity: &Identity, sockets_allowed: usize) -> Self {
        Self {
            identity: identity.clone(),
            most: sockets_allowed.min(MOST),
            slots: Vec::new(),
            free: Vec::new(),
            scratch: vec![0; 64 * 1024],
            swept: Instant::now(),
            is_listening: true,
        }
    }

    /// Accepts what is waiting, as far as there is room; what is not accepted waits in the kernel.
    pub(super) fn accept(&mut self, listener: &Socket, epoll: &Epoll) {
        for _ in 0..TURN {
            if self.slots.len() - self.free.len() >= self.most && !self.evict() {
                return self.listen(false, listener, epoll);
            }
            match listener.accept() {
                Ok((socket, from)) => {
                    let from = from
                        .as_socket()
                        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |from| from.ip());
                    self.add(socket, from.to_canonical(), epoll);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                // It went away while it waited.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionAborted => {}
                // No descriptors: nothing is gained by asking again at once.
                Err(_) => return self.listen(false, listener, epoll),
            }
        }
    }

    fn add(&mut self, socket: Socket, saw: IpAddr, epoll: &Epoll) {
        if socket.set_nonblocking(true).is_err() {
            return;
        }
        // Cost time and memory only, where they fail.
        let _ = socket.set_tcp_nodelay(true);
        let _ = socket.set_send_buffer_size(BUFFER);
        let connection = Connection::new(socket, saw);
        let interest = connection.interest();
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        if epoll
            .add(connection.socket(), EpollEvent::new(interest, place as u64))
            .is_err()
        {
            self.free.push(place);
            return;
        }
        self.slots[place] = Some((connection, interest));
    }

    pub(super) fn ready(&mut self, token: u64, epoll: &Epoll) {
        // A connection that took the place of one that ended in this round is looked at too early, which is harmless.
        let Ok(place) = usize::try_from(token) else { return };
        let Some(Some((connection, known))) = self.slots.get_mut(place) else {
            return;
        };
        if connection.ready(&self.identity, &mut self.scratch) == Fate::Ends {
            return self.end(place);
        }
        let interest = connection.interest();
        if interest != *known {
            let watched = epoll.modify(connection.socket(), &mut EpollEvent::new(interest, token));
            *known = interest;
            if watched.is_err() {
                self.end(place);
            }
        }
    }

    /// Ends what does not move, once in a while.
    pub(super) fn sweep(&mut self, listener: &Socket, epoll: &Epoll) {
        let now = Instant::now();
        if now.saturating_duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        for place in 0..self.slots.len() {
            if self.slots[place]
                .as_ref()
                .is_some_and(|(connection, _)| connection.is_idle(now))
            {
                self.end(place);
            }
        }
        if !self.is_listening {
            self.listen(true, listener, epoll);
        }
    }

    /// Makes room for a new connection; `false` when all others are busy.
    fn evict(&mut self) -> bool {
        let now = Instant::now();
        let oldest = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(place, slot)| slot.as_ref().map(|(connection, _)| (connection.moved(), place)))
            .min();
        match oldest {
            Some((moved, place)) if now.saturating_duration_since(moved) > EXPENDABLE => {
                self.end(place);
                true
            }
            _ => false,
        }
    }

    fn end(&mut self, place: usize) {
        if self.slots[place].take().is_some() {
            self.free.push(place);
        }
    }

    fn listen(&mut self, on: bool, listener: &Socket, epoll: &Epoll) {
        let interest = if on {
            EpollFlags::EPOLLIN
        } else {
            EpollFlags::empty()
        };
        let watched = epoll.modify(listener.as_fd(), &mut EpollEvent::new(interest, LISTENER));
        self.is_listening = on && watched.is_ok();
    }
}
