//! `netprobe read`: what the node shows of its own network. Reads only.

mod command;
mod connections;
mod files;
mod http;
mod netlink;
mod offload;
mod pods;
mod sockets;
mod tracking;

use std::collections::VecDeque;
use std::io::stdin;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use netprobe::{End, Hello, Line, Read, ReadAnswer, ReadOutcome, ReadPlan, WIRE_VERSION};
use nix::sys::epoll::{Epoll, EpollCreateFlags};

use super::Failure;
use super::arguments::Identity;
use super::failure::micros;
use super::gateways::gateways;
use super::interfaces::{is_shared, own_addresses};
use super::output::Output;
use super::plan::{parse_read_plan, read_read_plan};

pub(crate) use command::become_under;

/// The token of standard output, which is all that is watched.
const OUTPUT: u64 = 0;
/// How long the reader may take for what is left at the end.
const LAST_WORDS: Duration = Duration::from_secs(10);
/// Kubelets keep so much of a container's last words.
const MOST_OF_A_STATUS: usize = 4096;
/// What the last line takes at the most.
const ROOM_FOR_THE_END: usize = 160;

pub(crate) fn read(identity: &Identity) -> Result<(), Failure> {
    let plan = read_read_plan(&mut stdin().lock(), &identity.run).map_err(Failure::Refused)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
        .map_err(|error| Failure::system("cannot wait for standard output", error))?;
    let mut output = Output::new(&epoll, OUTPUT);
    answer(identity, &plan, &mut |line| {
        output.push(line)?;
        output.flush(&epoll, OUTPUT)?;
        Ok(Taken::Whole)
    })?;
    output.finish(LAST_WORDS)
}

/// Reads what is wanted and leaves the answers in a file, instead of sending them to somebody.
///
/// A kubelet puts the file into the status of the pod, by the connection that it has to the API server. So they arrive
/// even where nobody can connect with the node.
pub(crate) fn tell(identity: &Identity, plan: &str, file: &Path) -> Result<(), Failure> {
    let plan = parse_read_plan(plan.as_bytes(), &identity.run).map_err(Failure::Refused)?;
    let mut text = Vec::new();
    answer(identity, &plan, &mut |one| {
        let is_last = matches!(one, Line::End(_));
        // The same kind of buffer as everywhere: each further one would write all answers anew in machine code.
        let mut line = VecDeque::new();
        serde_json::to_writer(&mut line, one)
            .map_err(|error| Failure::system("cannot write an answer", error))?;
        if !is_last && text.len() + line.len() > MOST_OF_A_STATUS - ROOM_FOR_THE_END {
            return Ok(Taken::NoRoom);
        }
        text.extend(line);
        text.push(b'\n');
        Ok(Taken::Whole)
    })?;
    std::fs::write(file, text).map_err(|error| Failure::system(file.display().to_string(), error))
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Whole,
    /// It was left out.
    NoRoom,
}

fn answer(
    identity: &Identity,
    plan: &ReadPlan,
    take: &mut dyn FnMut(&Line) -> Result<Taken, Failure>,
) -> Result<(), Failure> {
    let began = Instant::now();
    let deadline = Duration::from_millis(plan.deadline_ms);
    take(&Line::Hello(Hello {
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
        match take(&Line::Read(ReadAnswer { id: *id, outcome }))? {
            Taken::Whole => answers += 1,
            Taken::NoRoom => cut_short = Some("there was no room for all answers".to_owned()),
        }
    }
    take(&Line::End(End {
        answers,
        took_us: micros(began.elapsed()),
        cut_short,
    }))?;
    Ok(())
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
        Read::Connections { most, words } => connections::count(*most, words, left),
        Read::Tracking => tracking::read(),
        Read::Http {
            address,
            path,
            most_bytes,
        } => http::get(*address, path, *most_bytes, left),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn told(reads: BTreeMap<u32, Read>) -> Vec<Line> {
        let identity = Identity {
            name: "node1".to_owned(),
            run: "r".to_owned(),
        };
        let plan = ReadPlan {
            version: WIRE_VERSION,
            run: "r".to_owned(),
            deadline_ms: 5_000,
            reads,
        };
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log");
        tell(&identity, &serde_json::to_string(&plan).unwrap(), &file).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.len() <= MOST_OF_A_STATUS, "{} bytes", text.len());
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn what_was_read_is_left_in_a_file_that_a_kubelet_takes_along() {
        let lines = told(BTreeMap::from([(7, Read::Clock), (8, Read::Tracking)]));
        let [
            Line::Hello(_),
            Line::Read(clock),
            Line::Read(table),
            Line::End(end),
        ] = &lines[..]
        else {
            panic!("{lines:?}")
        };
        assert_eq!((clock.id, table.id), (7, 8));
        assert_eq!((end.answers, &end.cut_short), (2, &None));
    }

    #[test]
    fn what_has_no_room_is_left_out_and_the_end_says_so() {
        let long = Read::Files {
            pattern: "/proc/self/maps".to_owned(),
            most_bytes: 1 << 20,
        };
        let lines = told(BTreeMap::from([(1, long), (2, Read::Clock)]));
        let [Line::Hello(_), Line::Read(clock), Line::End(end)] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!((clock.id, end.answers), (2, 1));
        assert!(end.cut_short.is_some());
    }
}
