//! `netprobe run`: reads a plan, tries what it says, writes answers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::stdin;
use std::time::{Duration, Instant};

use netprobe::{End, Hello, Line, Outcome, Sample, WIRE_VERSION};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::Failure;
use super::arguments::RunOptions;
use super::attempt::{Attempt, Setting, Start};
use super::descriptors::sockets_allowed;
use super::failure::micros;
use super::gateways::gateways;
use super::interfaces::{is_shared, own_addresses};
use super::output::Output;
use super::plan::read_plan;
use super::schedule::{Schedule, Step};

/// The token of standard output; those of attempts are smaller.
const OUTPUT: u64 = u64::MAX;
/// How many attempts start between two looks at the sockets: more, and the time to start them would count as the time
/// that an answer took.
const STARTS: usize = 16;
/// How long a start waits that found no socket although none of ours is open.
const SHORTAGE: Duration = Duration::from_millis(50);
/// How long the reader may take for what is left at the end.
const LAST_WORDS: Duration = Duration::from_secs(5);

pub(crate) fn run(options: &RunOptions) -> Result<(), Failure> {
    let RunOptions { identity, pod } = options;
    // Before anything else: whatever is opened from here on belongs to the pod's network. There is one thread.
    if let Some(uid) = pod {
        super::pod::enter(uid).map_err(Failure::Failed)?;
    }
    let plan = read_plan(&mut stdin().lock(), &identity.run).map_err(Failure::Refused)?;
    let taken = Instant::now();
    let own = own_addresses();
    let gateways = gateways();
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
        .map_err(|error| Failure::system("cannot wait for sockets", error))?;
    let mut output = Output::new(&epoll, OUTPUT);
    output.push(&Line::Hello(Hello {
        version: WIRE_VERSION,
        name: identity.name.clone(),
        addresses: own.iter().copied().filter(is_shared).collect(),
        gateways: gateways.clone(),
    }))?;
    let deadline = Duration::from_millis(plan.deadline_ms);
    let mut runner = Runner {
        taken,
        // A deadline beyond what the clock can say is none.
        deadline: taken
            .checked_add(deadline)
            .unwrap_or(taken + Duration::from_hours(24)),
        setting: Setting {
            run: plan.run.clone(),
            own,
            gateways,
            scratch: vec![0; 64 * 1024],
        },
        schedule: Schedule::new(plan, sockets_allowed()),
        epoll,
        output,
        slots: Vec::new(),
        free: Vec::new(),
        timers: BinaryHeap::new(),
        nonce: RandomState::new().build_hasher().finish(),
        answers: 0,
    };
    runner.run()
}

struct Runner {
    taken: Instant,
    deadline: Instant,
    schedule: Schedule,
    setting: Setting,
    epoll: Epoll,
    output: Output,
    slots: Vec<Slot>,
    free: Vec<usize>,
    /// When to look at which slot; entries of attempts that are over are skipped.
    timers: BinaryHeap<Reverse<(Instant, u64)>>,
    nonce: u64,
    answers: u32,
}

/// Room for one attempt after the other.
struct Slot {
    /// How many attempts were here, so that a late event is not taken for the next one's.
    generation: u32,
    running: Option<Running>,
}

struct Running {
    index: usize,
    retry: bool,
    attempt: Box<Attempt>,
    interest: EpollFlags,
    /// The earliest time that the timers hold for it.
    timer: Instant,
}

impl Runner {
    fn run(&mut self) -> Result<(), Failure> {
        let mut events = vec![EpollEvent::empty(); 256];
        let cut_short = loop {
            let now = Instant::now();
            if now >= self.deadline {
                self.schedule.cut_short();
                let deadline = self.deadline - self.taken;
                break Some(format!("the deadline of {} ms passed", deadline.as_millis()));
            }
            let Some(until) = self.start_some(now)? else {
                break None;
            };
            self.write_answers()?;
            self.output.flush(&self.epoll, OUTPUT)?;
            let ready = self.wait(&mut events, until)?;
            for event in &events[..ready] {
                if event.data() == OUTPUT {
                    if event
                        .events()
                        .intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP)
                    {
                        return Err(Failure::OutputClosed);
                    }
                } else {
                    self.ready(event.data(), event.events())?;
                }
            }
            self.look_at_timers();
        };
        self.write_answers()?;
        self.output.push(&Line::End(End {
            answers: self.answers,
            took_us: micros(self.taken.elapsed()),
            cut_short,
        }))?;
        self.output.finish(LAST_WORDS)
    }

    /// Starts what may start now, and says until when to wait at the most; `None` when all is done.
    fn start_some(&mut self, now: Instant) -> Result<Option<Instant>, Failure> {
        for _ in 0..STARTS {
            match self.schedule.next(now - self.taken) {
                Step::Start(index) => {
                    if !self.start(index)? {
                        let is_idle = self.free.len() == self.slots.len();
                        return Ok(Some(if is_idle { now + SHORTAGE } else { self.deadline }));
                    }
                }
                Step::WaitUntil(at) => return Ok(Some(self.taken + at)),
                Step::Wait => return Ok(Some(self.deadline)),
                Step::Done => return Ok(None),
            }
        }
        Ok(Some(now))
    }

    /// Whether there was a socket for it.
    fn start(&mut self, index: usize) -> Result<bool, Failure> {
        // Any two differ, and so do those of two runs, as the first is random.
        self.nonce = self.nonce.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let retry = self.schedule.is_retrying();
        let started = Instant::now();
        match Attempt::start(self.schedule.probe(index), self.nonce, &self.setting) {
            Start::Shortage => {
                self.schedule.postpone(index);
                return Ok(false);
            }
            Start::Ended(outcome) => self.ended(index, retry, started, outcome),
            Start::UnderWay(attempt) => self.keep(index, retry, attempt)?,
        }
        Ok(true)
    }

    fn keep(&mut self, index: usize, retry: bool, attempt: Box<Attempt>) -> Result<(), Failure> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                running: None,
            });
            self.slots.len() - 1
        });
        let token = token(place, self.slots[place].generation);
        let interest = attempt.interest();
        let timer = attempt.due();
        if let Err(error) = self.epoll.add(attempt.socket(), EpollEvent::new(interest, token)) {
            return Err(Failure::system("cannot watch a socket", error));
        }
        self.timers.push(Reverse((timer, token)));
        self.slots[place].running = Some(Running {
            index,
            retry,
            attempt,
            interest,
            timer,
        });
        Ok(())
    }

    fn ended(&mut self, index: usize, retry: bool, started: Instant, outcome: Outcome) {
        let at_us = micros(started - self.taken);
        self.schedule.ended(
            index,
            Sample {
                at_us,
                retry,
                outcome,
            },
            self.taken.elapsed(),
        );
    }

    fn wait(&self, events: &mut [EpollEvent], until: Instant) -> Result<usize, Failure> {
        let timer = self.timers.peek().map_or(self.deadline, |Reverse((at, _))| *at);
        let wait = until
            .min(timer)
            .min(self.deadline)
            .saturating_duration_since(Instant::now());
        // Rounded up, so as not to spin through the last millisecond.
        let wait = if wait.is_zero() {
            wait
        } else {
            wait + Duration::from_micros(999)
        };
        let wait = EpollTimeout::try_from(wait).unwrap_or(EpollTimeout::MAX);
        match self.epoll.wait(events, wait) {
            Ok(count) => Ok(count),
            Err(Errno::EINTR) => Ok(0),
            Err(error) => Err(Failure::system("cannot wait for sockets", error)),
        }
    }

    fn ready(&mut self, token: u64, flags: EpollFlags) -> Result<(), Failure> {
        let Some(place) = self.place(token) else {
            return Ok(());
        };
        let Some(running) = &mut self.slots[place].running else {
            return Ok(());
        };
        if let Some(outcome) = running.attempt.ready(flags, &mut self.setting) {
            self.release(place, outcome);
            return Ok(());
        }
        let interest = running.attempt.interest();
        if interest != running.interest {
            self.epoll
                .modify(running.attempt.socket(), &mut EpollEvent::new(interest, token))
                .map_err(|error| Failure::system("cannot watch a socket", error))?;
            running.interest = interest;
        }
        let due = running.attempt.due();
        if due < running.timer {
            running.timer = due;
            self.timers.push(Reverse((due, token)));
        }
        Ok(())
    }

    fn look_at_timers(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((at, token))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            let Some(place) = self.place(token) else { continue };
            let Some(running) = &mut self.slots[place].running else {
                continue;
            };
            // An answer that came in time, but was not looked at yet, is no silence.
            if let Some(outcome) = running.attempt.ready(EpollFlags::EPOLLIN, &mut self.setting) {
                self.release(place, outcome);
                continue;
            }
            match running.attempt.overdue(now) {
                Some(outcome) => self.release(place, outcome),
                None if at == running.timer || running.timer <= now => {
                    running.timer = running.attempt.due();
                    self.timers.push(Reverse((running.timer, token)));
                }
                // A later entry is there already.
                None => {}
            }
        }
    }

    /// Where the attempt of this token is, unless it is over.
    fn place(&self, token: u64) -> Option<usize> {
        let place = usize::try_from(token & u64::from(u32::MAX)).ok()?;
        let slot = self.slots.get(place)?;
        (token >> 32 == u64::from(slot.generation) && slot.running.is_some()).then_some(place)
    }

    fn release(&mut self, place: usize, outcome: Outcome) {
        let slot = &mut self.slots[place];
        slot.generation = slot.generation.wrapping_add(1) & 0x7fff_ffff;
        if let Some(running) = slot.running.take() {
            self.free.push(place);
            // Closing the socket takes it out of epoll too.
            let started = running.attempt.started();
            self.ended(running.index, running.retry, started, outcome);
        }
    }

    fn write_answers(&mut self) -> Result<(), Failure> {
        for answer in self.schedule.answers() {
            self.output.push(&Line::Answer(answer))?;
            self.answers += 1;
        }
        Ok(())
    }
}

fn token(place: usize, generation: u32) -> u64 {
    u64::from(generation) << 32 | (place as u64 & u64::from(u32::MAX))
}
