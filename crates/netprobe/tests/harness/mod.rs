//! Starts real agents and reads what they write.
//!
//! Every test binary uses a part of it.
#![expect(
    dead_code,
    reason = "each test binary includes this module and uses a part of it"
)]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be started fails the test that needs it"
)]

pub(crate) mod network;
pub(crate) mod release;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use netprobe::{Answer, End, Hello, Kind, Line, Outcome, Plan, Probe, Retry, WIRE_VERSION, encode_plan};

/// What needs no listener to be refused.
pub(crate) const ALL: [Kind; 3] = [Kind::Tcp, Kind::Udp, Kind::Icmp];
/// In microseconds: how soon a rule or a route of one's own refuses.
pub(crate) const FAST: std::ops::Range<u64> = 0..500_000;
/// In microseconds: when a kernel gives up on a neighbour.
pub(crate) const SLOW: std::ops::Range<u64> = 2_000_000..4_000_000;

pub(crate) const RUN: &str = "run-1";

/// The agent as cargo built it for this test.
pub(crate) fn agent() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_netprobe"))
}

/// Says on the real standard error, which the test runner does not capture, that a test looked at nothing.
pub(crate) fn skipped(test: &str, why: &str) {
    let mut terminal = std::io::stderr();
    writeln!(terminal, "skipped: {test}: {why}").unwrap();
}

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) tcp: u16,
    pub(crate) udp: u16,
}

impl Server {
    /// Starts `netprobe serve` on free ports, behind what `prefix` puts before it.
    pub(crate) fn start(mut prefix: Command, name: &str, run: &str) -> Self {
        let arguments = [
            "serve",
            "--name",
            name,
            "--run",
            run,
            "--tcp-port",
            "0",
            "--udp-port",
            "0",
        ];
        let mut child = prefix
            .args(arguments)
            .stdout(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let mut ports = line
            .rsplit("listening on tcp ")
            .next()
            .unwrap()
            .trim()
            .split(", udp ");
        let mut port = || {
            let address = ports.next().unwrap_or_else(|| panic!("no ports in {line:?}"));
            address
                .parse::<SocketAddr>()
                .unwrap_or_else(|_| panic!("no address in {line:?}"))
                .port()
        };
        let (tcp, udp) = (port(), port());
        Self { child, tcp, udp }
    }

    pub(crate) fn local(name: &str, run: &str) -> Self {
        Self::start(Command::new(agent()), name, run)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a run wrote.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) hello: Hello,
    pub(crate) answers: Vec<Answer>,
    pub(crate) end: End,
    pub(crate) took: Duration,
}

impl Ran {
    pub(crate) fn answer(&self, id: u32) -> &Answer {
        self.answers
            .iter()
            .find(|answer| answer.id == id)
            .unwrap_or_else(|| panic!("no answer {id} in {self:?}"))
    }

    /// The outcome of a probe of one sample.
    pub(crate) fn outcome(&self, id: u32) -> &Outcome {
        let answer = self.answer(id);
        assert_eq!(answer.samples.len(), 1, "{answer:?}");
        &answer.samples[0].outcome
    }
}

pub(crate) fn probe(id: u32, target: SocketAddr, kind: Kind) -> Probe {
    Probe {
        id,
        target,
        kind,
        count: 1,
        timeout_ms: 4000,
    }
}

pub(crate) fn plan(probes: Vec<Probe>) -> Plan {
    Plan {
        version: WIRE_VERSION,
        run: RUN.to_owned(),
        concurrency: 64,
        deadline_ms: 30_000,
        gap_ms: 0,
        retry: None,
        probes,
    }
}

pub(crate) fn retrying(probes: Vec<Probe>, gap_ms: u64) -> Plan {
    Plan {
        retry: Some(Retry { gap_ms, most: 10 }),
        ..plan(probes)
    }
}

/// A run whose answers were not read yet.
pub(crate) struct Running {
    pub(crate) child: Child,
    /// Kept open: the agent must not wait for its end.
    pub(crate) stdin: ChildStdin,
    started: Instant,
}

impl Running {
    pub(crate) fn start(mut prefix: Command, plan: &Plan) -> Self {
        let started = Instant::now();
        let mut child = prefix
            .args(["run", "--name", "source", "--run", RUN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&encode_plan(plan).unwrap()).unwrap();
        Self {
            child,
            stdin,
            started,
        }
    }

    pub(crate) fn finish(mut self) -> Ran {
        let mut text = String::new();
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert!(self.child.wait().unwrap().success(), "{text}");
        let mut lines: Vec<Line> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let Some(Line::End(end)) = lines.pop() else {
            panic!("no end in {text}")
        };
        let mut lines = lines.into_iter();
        let Some(Line::Hello(hello)) = lines.next() else {
            panic!("no hello in {text}")
        };
        let answers: Vec<Answer> = lines
            .map(|line| match line {
                Line::Answer(answer) => answer,
                other => panic!("{other:?} among the answers"),
            })
            .collect();
        assert_eq!(usize::try_from(end.answers).unwrap(), answers.len());
        Ran {
            hello,
            answers,
            end,
            took: self.started.elapsed(),
        }
    }
}

pub(crate) fn run(prefix: Command, plan: &Plan) -> Ran {
    Running::start(prefix, plan).finish()
}

pub(crate) fn run_locally(plan: &Plan) -> Ran {
    run(Command::new(agent()), plan)
}

/// One probe of each of these kinds to a target where nothing needs to listen, with ids from 0.
pub(crate) fn each(kinds: &[Kind], target: &str) -> Plan {
    let probes = kinds
        .iter()
        .zip(0..)
        .map(|(kind, id)| probe(id, network::address(target, 7), kind.clone()));
    plan(probes.collect())
}

/// Insists on such an outcome of every sample.
pub(crate) fn assert_each(ran: &Ran, what: &str, is_expected: impl Fn(&Outcome) -> bool) {
    for answer in &ran.answers {
        for sample in &answer.samples {
            assert!(
                is_expected(&sample.outcome),
                "{what}: probe {}: {:?}",
                answer.id,
                sample.outcome
            );
        }
    }
    assert!(ran.end.cut_short.is_none());
}
