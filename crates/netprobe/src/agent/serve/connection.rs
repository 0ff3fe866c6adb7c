//! One connection that somebody made to the server.

use std::io::{self, Read};
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::epoll::EpollFlags;
use socket2::Socket;

use crate::agent::arguments::Identity;
use crate::agent::peering::{Asks, Decoded, LONGEST, Reply, decode_question, encode_reply};

/// What bulk consists of.
static NOTHING: [u8; 32 * 1024] = [0; 32 * 1024];
/// How much of one connection is handled before another gets its turn.
const TURN: usize = 16;
/// How long a question may take from the start of the connection.
const QUESTION: Duration = Duration::from_secs(10);
/// How long nothing may move during bulk: longer than the far end waits, so that it is the one to say so.
const BULK: Duration = Duration::from_mins(1);
/// How long the far end may take to close.
const FAREWELL: Duration = Duration::from_secs(5);

pub(super) struct Connection {
    socket: Socket,
    saw: IpAddr,
    stage: Stage,
    /// When the stage began, or data last moved in bulk.
    moved: Instant,
}

enum Stage {
    /// A question is coming in.
    Asked { question: Vec<u8> },
    /// This many bytes are still to come before the answer.
    Sinking { left: u64, answer: Vec<u8>, bulk: u64 },
    /// The rest of an answer is going out, and then this many bytes.
    Answering { answer: Vec<u8>, sent: usize, bulk: u64 },
    /// Everything was said, and the far end closes. Closing first, with something unread, would reset the connection
    /// and take the answer with it.
    Farewell,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
pub(super) enum Fate {
    Goes,
    Ends,
}

impl Connection {
    pub(super) fn new(socket: Socket, saw: IpAddr) -> Self {
        Self {
            socket,
            saw,
            stage: Stage::Asked { question: Vec::new() },
            moved: Instant::now(),
        }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(super) fn interest(&self) -> EpollFlags {
        match self.stage {
            Stage::Asked { .. } | Stage::Sinking { .. } | Stage::Farewell => EpollFlags::EPOLLIN,
            Stage::Answering { .. } => EpollFlags::EPOLLOUT,
        }
    }

    /// When data last moved.
    pub(super) fn moved(&self) -> Instant {
        self.moved
    }

    pub(super) fn is_idle(&self, now: Instant) -> bool {
        let patience = match self.stage {
            Stage::Asked { .. } => QUESTION,
            Stage::Sinking { .. } | Stage::Answering { .. } => BULK,
            Stage::Farewell => FAREWELL,
        };
        now.saturating_duration_since(self.moved) > patience
    }

    /// Handles what the socket has and takes.
    pub(super) fn ready(&mut self, identity: &Identity, scratch: &mut [u8]) -> Fate {
        for _ in 0..TURN {
            let step = match &self.stage {
                Stage::Answering { .. } => self.send(),
                Stage::Asked { .. } | Stage::Sinking { .. } | Stage::Farewell => {
                    self.receive(identity, scratch)
                }
            };
            match step {
                Ok(Fate::Goes) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Fate::Goes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Fate::Ends) | Err(_) => return Fate::Ends,
            }
        }
        Fate::Goes
    }

    fn receive(&mut self, identity: &Identity, scratch: &mut [u8]) -> io::Result<Fate> {
        let mut socket = &self.socket;
        let count = socket.read(scratch)?;
        if count == 0 {
            return Ok(Fate::Ends);
        }
        match &mut self.stage {
            Stage::Asked { question } => {
                let room = LONGEST - question.len();
                question.extend_from_slice(&scratch[..count.min(room)]);
                match decode_question(question) {
                    Decoded::Partial => {}
                    Decoded::Foreign => return Ok(Fate::Ends),
                    Decoded::Whole(asked, used) => {
                        let beyond = (question.len() - used + count.saturating_sub(room)) as u64;
                        let is_same_run = asked.run == identity.run;
                        let reply = if is_same_run {
                            Reply::Peer {
                                nonce: asked.nonce,
                                name: identity.name.clone(),
                                saw: self.saw,
                            }
                        } else {
                            Reply::OtherRun
                        };
                        let answer = encode_reply(&reply);
                        let bulk = match asked.asks {
                            Asks::Bulk(bytes) if is_same_run => bytes,
                            Asks::Bulk(_) | Asks::Nothing | Asks::Count(_) => 0,
                        };
                        self.enter(Stage::Sinking {
                            left: bulk.saturating_sub(beyond),
                            answer,
                            bulk,
                        });
                    }
                }
            }
            Stage::Sinking { left, .. } => {
                *left = left.saturating_sub(count as u64);
                self.moved = Instant::now();
            }
            Stage::Answering { .. } | Stage::Farewell => {}
        }
        if let Stage::Sinking {
            left: 0,
            answer,
            bulk,
        } = &mut self.stage
        {
            let (answer, bulk) = (std::mem::take(answer), *bulk);
            self.enter(Stage::Answering {
                answer,
                sent: 0,
                bulk,
            });
        }
        Ok(Fate::Goes)
    }

    fn send(&mut self) -> io::Result<Fate> {
        let Stage::Answering { answer, sent, bulk } = &mut self.stage else {
            return Ok(Fate::Goes);
        };
        if *sent < answer.len() {
            *sent += self.socket.send(&answer[*sent..])?;
        } else if *bulk > 0 {
            let chunk = usize::try_from(*bulk).map_or(NOTHING.len(), |bulk| bulk.min(NOTHING.len()));
            *bulk -= self.socket.send(&NOTHING[..chunk])? as u64;
        } else {
            self.socket.shutdown(Shutdown::Write)?;
            self.enter(Stage::Farewell);
            return Ok(Fate::Goes);
        }
        self.moved = Instant::now();
        Ok(Fate::Goes)
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.moved = Instant::now();
    }
}
