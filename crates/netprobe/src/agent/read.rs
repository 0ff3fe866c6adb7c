//! `netprobe read`: what the node shows of its own network. Reads only.

mod command;
mod connections;
mod files;
mod http;
mod netlink;
mod pods;
mod sockets;
mod offload;
mod tracking;

use std::io::stdin;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use netprobe::{End, Hello, Line, Read, ReadAnswer, ReadOutcome, WIRE_VERSION};
use nix::sys::epoll::{Epoll, EpollCreateFlags};

use super::Failure;
use super::arguments::Identity;
use super::failure::micros;
use super::gateways::gateways;
use super::interfaces::{is_shared, own_addresses};
use super::output::Output;
use super::plan::read_read_plan;

pub(crate) use command::become_under;

/// The token of standard output, which is all that is watched.
const OUTPUT: u64 = 0;
/// How long the reader may take for what is left at the end.
const LAST_WORDS: Duration = Duration::from_secs(10);

pub(crate) fn read(identity: &Identity) -> Result<(), Failure> {
    let plan = read_read_plan(&mut stdin().lock(), &identity.run).map_err(Failure::Refused)?;
    let began = Instant::now();
    let deadline = Duration::from_millis(plan.deadline_ms);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
        .map_err(|error| Failure::system("cannot wait for standard output", error))?;
    let mut output = Output::new(&epoll, OUTPUT);
    output.push(&Line::Hello(Hello {
        version: WIRE_VERSION,
        name: identity.name.clone(),
        addresses: own_addresses().into_iter().filter(is_shared).collect(),
        gateways: gateways(),
    }))?;
    let mut answers = 0;
    let mut cut_short = None;
    for (id, read) in &plan.reads {
        let Some(left) = deadline
            .checked_sub(began.elapsed())
            .filter(|left| !left.is_zero())
        else {
            let unread = plan.reads.len() - usize::try_from(answers).unwrap_or(usize::MAX);
            cut_short = Some(format!("the time was over with {unread} reads left"));
            break;
        };
        let outcome = perform(read, left);
        output.push(&Line::Read(ReadAnswer { id: *id, outcome }))?;
        output.flush(&epoll, OUTPUT)?;
        answers += 1;
    }
    output.push(&Line::End(End {
        answers,
        took_us: micros(began.elapsed()),
        cut_short,
    }))?;
    output.finish(LAST_WORDS)
}

fn perform(read: &Read, left: Duration) -> ReadOutcome {
    match read {
        Read::Files { pattern, most_bytes } => ReadOutcome::Files {
            files: files::texts(pattern, u64::from(*most_bytes)),
        },
        Read::Paths { pattern } => ReadOutcome::Paths {
            paths: files::matching(pattern),
        },
        Read::Command {
            either,
            root,
            most_bytes,
        } => command::run(either, root.as_deref(), u64::from(*most_bytes), left),
        Read::Netlink { table } => netlink::dump(*table),
        Read::Listening => ReadOutcome::Files {
            files: sockets::listening(),
        },
        Read::PodNetworks { reads, most } => pods::read(reads, *most, left),
        Read::Clock => clock(),
        Read::Connections { most } => connections::count(*most, left),
        Read::Tracking => tracking::read(),
        Read::Http { address, path } => http::get(*address, path, left),
        Read::SendChecksums => offload::send_checksums(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what is asked for is what this node's clock says"
)]
fn clock() -> ReadOutcome {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => ReadOutcome::Clock {
            unix_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
        },
        Err(error) => ReadOutcome::Failed {
            message: format!("the clock is before 1970: {error}"),
        },
    }
}
