//! The agents that travel: small, static, for both architectures, and content with nothing.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be started fails the test that needs it"
)]

mod harness;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::network::{Network, address, forbidden};
use harness::release::{AMD64, ARM64, build};
use harness::{RUN, Running, Server, plan, probe, run, skipped};
use netprobe::{Kind, Outcome, Plan, Probe};

const BULK: Kind = Kind::Bulk { bytes: 1_000_000 };
/// What one agent may take, in KiB.
const MOST_MEMORY: u64 = 16 * 1024;

fn native() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        ARM64
    } else {
        AMD64
    }
}

/// One probe of each kind at a server on loopback, with ids from 0, in both families.
fn every_kind(server: &Server) -> Plan {
    let mut probes = Vec::new();
    for ip in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] {
        for (kind, port) in [
            (Kind::Tcp, server.tcp),
            (Kind::Udp, server.udp),
            (BULK, server.tcp),
            (Kind::Icmp, 0),
        ] {
            let id = u32::try_from(probes.len()).unwrap();
            probes.push(probe(id, SocketAddr::new(ip, port), kind));
        }
    }
    plan(probes)
}

#[test]
fn both_agents_are_small() {
    for target in [AMD64, ARM64] {
        let size = fs::metadata(build(target)).unwrap().len();
        println!("{target}: {size} bytes");
        // A ConfigMap holds 1 MiB; an eighth of it is left.
        assert!(size < 900 * 1024, "{target}: {size}");
    }
}

#[test]
fn an_empty_root_and_an_arbitrary_user_are_enough() {
    let test = "an_empty_root_and_an_arbitrary_user_are_enough";
    if let Some(why) = forbidden() {
        return skipped(test, &why);
    }
    let root = tempfile::tempdir().unwrap();
    // As in the pod: the only file, mounted read-only from a ConfigMap with mode 0555.
    let directory = root.path().join("netprobe");
    fs::create_dir(&directory).unwrap();
    fs::copy(build(native()), directory.join("netprobe")).unwrap();
    for path in [root.path(), &directory, &directory.join("netprobe")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let inside = || {
        let mut command = Command::new("setpriv");
        command.args([
            "--bounding-set=-all,+sys_chroot,+setuid,+setgid",
            "chroot",
            "--userspec=65532:65532",
        ]);
        command.arg(root.path()).arg("/netprobe/netprobe");
        command
    };
    let server = Server::start(inside(), "scratch", RUN);
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let user = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert_eq!(user.split_whitespace().nth(1), Some("65532"), "{status}");
    let ran = run(inside(), &every_kind(&server));
    for id in [0, 1, 2, 4, 5, 6] {
        assert!(ran.outcome(id).is_ok(), "{:?}", ran.outcome(id));
    }
    for id in [3, 7] {
        // Whether a user without capabilities may is up to the machine; in no case is it silence.
        let outcome = ran.outcome(id);
        assert!(
            matches!(outcome, Outcome::Ok { .. } | Outcome::NotPermitted { .. }),
            "{outcome:?}"
        );
    }
}

#[test]
fn the_agent_for_arm64_works_in_an_emulator() {
    let test = "the_agent_for_arm64_works_in_an_emulator";
    let emulator = "qemu-aarch64-static";
    if Command::new(emulator).arg("--version").output().is_err() {
        return skipped(test, "no qemu-aarch64-static");
    }
    let agent = build(ARM64);
    let emulated = || {
        let mut command = Command::new(emulator);
        command.arg(&agent);
        command
    };
    let server = Server::start(emulated(), "arm", RUN);
    let ran = run(emulated(), &every_kind(&server));
    for answer in &ran.answers {
        let outcome = &answer.samples[0].outcome;
        let is_icmp = [3, 7].contains(&answer.id);
        assert!(
            outcome.is_ok() || is_icmp && matches!(outcome, Outcome::NotPermitted { .. }),
            "{answer:?}"
        );
    }
    // What an emulator passes on of the error queue, if nothing else: the error itself.
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let ran = run(
        emulated(),
        &plan(vec![
            probe(1, closed.local_addr().unwrap(), Kind::Tcp),
            probe(2, taken.local_addr().unwrap(), Kind::Udp),
            Probe {
                timeout_ms: 300,
                ..probe(3, closed.local_addr().unwrap(), Kind::Udp)
            },
        ]),
    );
    assert!(matches!(ran.outcome(1), Outcome::Refused { .. }), "{ran:?}");
    let Outcome::Refused { offender, .. } = ran.outcome(2) else {
        panic!("{ran:?}")
    };
    if offender.is_none() {
        skipped(
            test,
            "the emulator does not say who sent an ICMP error (IP_RECVERR), which the agent copes with",
        );
    }
    assert!(matches!(ran.outcome(3), Outcome::TimedOut { .. }), "{ran:?}");
}

/// The most memory that a process had so far, in KiB.
fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Watches a run until it ends; the most memory that it had.
fn watched(running: Running) -> (harness::Ran, u64) {
    let process = running.child.id();
    let watcher = thread::spawn(move || {
        let mut most = 0;
        while let Some(peak) = peak(process) {
            most = peak.max(most);
            thread::sleep(Duration::from_millis(2));
        }
        most
    });
    let ran = running.finish();
    (ran, watcher.join().unwrap())
}

#[test]
fn five_thousand_probes_at_once_fit_into_memory() {
    let agent = build(native());
    let server = Server::start(Command::new(&agent), "node-1", RUN);
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    let many = |target, kind: Kind, count| Plan {
        concurrency: 5000,
        ..plan(
            (0..5000)
                .map(|id| Probe {
                    count,
                    timeout_ms: 4000,
                    ..probe(id, target, kind.clone())
                })
                .collect(),
        )
    };
    let plans = [
        ("tcp, answered", many(at(server.tcp), Kind::Tcp, 1)),
        ("tcp, answered, five samples", many(at(server.tcp), Kind::Tcp, 5)),
        ("udp, silent", many(silent.local_addr().unwrap(), Kind::Udp, 1)),
        (
            "tcp, not answered",
            many(deaf.local_addr().unwrap(), Kind::Tcp, 1),
        ),
    ];
    for (what, plan) in plans {
        let (ran, memory) = watched(Running::start(Command::new(&agent), &plan));
        assert_eq!(ran.answers.len(), 5000);
        println!(
            "{what}: {memory} KiB, {:?}, {} ok",
            ran.took,
            ran.answers
                .iter()
                .filter(|answer| answer.samples[0].outcome.is_ok())
                .count()
        );
        assert!(memory > 0 && memory < MOST_MEMORY, "{what}: {memory} KiB");
    }
    let memory = peak(server.child.id()).unwrap();
    println!("server: {memory} KiB");
    assert!(memory < MOST_MEMORY, "{memory} KiB");
}

#[test]
fn a_flood_of_silent_and_foreign_connections_keeps_nobody_out() {
    let agent = build(native());
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=600:600").arg(&agent);
    let server = Server::start(limited, "node-1", RUN);
    let target = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), server.tcp);
    let mut open = Vec::new();
    for number in 0..1500 {
        // The backlog of the listener is full at some point, until the silent ones have to go.
        let Ok(mut stream) = TcpStream::connect_timeout(&target, Duration::from_secs(5)) else {
            continue;
        };
        let _ = match number % 3 {
            0 => Ok(()),
            1 => stream.write_all(b"\x16\x03\x01 hello, I speak something else"),
            _ => stream.write_all(b"nPr?\x01"),
        };
        open.push(stream);
    }
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for length in 0..600 {
        udp.send_to(
            &vec![b'n'; length],
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), server.udp),
        )
        .unwrap();
    }
    let plan = Plan {
        deadline_ms: 20_000,
        ..plan(vec![
            Probe {
                timeout_ms: 10_000,
                ..probe(1, target, Kind::Tcp)
            },
            probe(2, SocketAddr::new(target.ip(), server.udp), Kind::Udp),
        ])
    };
    let ran = run(Command::new(&agent), &plan);
    assert!(ran.outcome(1).is_ok() && ran.outcome(2).is_ok(), "{ran:?}");
    drop(open);
}

#[test]
fn the_first_process_of_a_container_ends_when_told_to_and_buries_the_dead() {
    let test = "the_first_process_of_a_container_ends_when_told_to_and_buries_the_dead";
    if let Some(why) = forbidden() {
        return skipped(test, &why);
    }
    let mut container = Command::new("unshare");
    container
        .args(["--pid", "--fork", "--kill-child"])
        .arg(build(native()));
    let mut server = Server::start(container, "node-1", RUN);
    let children = |process: u32| {
        let path = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(path).unwrap();
        children
            .split_whitespace()
            .map(|id| id.parse().unwrap())
            .collect::<Vec<u32>>()
    };
    let first = children(server.child.id())[0];
    // Whose parent ends before it belongs to the first process from then on.
    let orphan = Command::new("nsenter")
        .args([
            "--target",
            &first.to_string(),
            "--pid",
            "sh",
            "-c",
            "sleep 0.2 >/dev/null 2>&1 &",
        ])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(orphan.success());
    let until = Instant::now() + Duration::from_secs(3);
    thread::sleep(Duration::from_millis(300));
    while !children(first).is_empty() {
        assert!(Instant::now() < until, "children are left: {:?}", children(first));
        thread::sleep(Duration::from_millis(50));
    }
    let started = Instant::now();
    assert!(
        Command::new("kill")
            .args(["-s", "TERM", &first.to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn thousands_of_connections_over_a_path_are_answered() {
    let test = "thousands_of_connections_over_a_path_are_answered";
    if let Some(why) = forbidden() {
        return skipped(test, &why);
    }
    let network = Network::new();
    let agent = build(native());
    let server = Server::start(network.command("target", &agent), "target", RUN);
    let target = address("10.0.2.2", server.tcp);
    let probes = (0..3000).map(|id| probe(id, target, Kind::Tcp)).collect();
    let plan = Plan {
        concurrency: 3000,
        ..plan(probes)
    };
    let ran = run(network.command("source", Path::new(&agent)), &plan);
    let failed: Vec<_> = ran
        .answers
        .iter()
        .filter(|answer| !answer.samples[0].outcome.is_ok())
        .collect();
    assert!(failed.is_empty(), "{} failed, as {:?}", failed.len(), failed[0]);
}
