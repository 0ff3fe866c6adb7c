//! A server and a run on the same machine.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be started fails the test that needs it"
)]

mod harness;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::{RUN, Running, Server, agent, plan, probe, retrying, run_locally};
use netprobe::{Direction, Kind, Outcome, Peer, Plan, Probe, encode_plan};

const BULK: Kind = Kind::Bulk { bytes: 1_000_000 };

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)
}

/// Listens on loopback and does this with every connection.
fn listener(answer: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(local(0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    address
}

#[test]
fn an_agent_of_the_same_run_answers_every_kind() {
    let server = Server::local("node-1", RUN);
    for ip in ["127.0.0.1", "::1"] {
        let at = |port| SocketAddr::new(ip.parse().unwrap(), port);
        let ran = run_locally(&plan(vec![
            probe(1, at(server.tcp), Kind::Tcp),
            probe(2, at(server.udp), Kind::Udp),
            probe(3, at(server.tcp), BULK),
        ]));
        let peer = Some(Peer {
            name: "node-1".to_owned(),
            saw: ip.parse().unwrap(),
        });
        for id in 1..=3 {
            assert!(
                matches!(ran.outcome(id), Outcome::Ok { peer: seen, .. } if *seen == peer),
                "{ip}: {:?}",
                ran.outcome(id)
            );
        }
        assert_eq!(ran.hello.name, "source");
        assert_eq!(ran.end.cut_short, None);
    }
}

#[test]
fn every_sample_of_a_series_comes_from_a_port_of_its_own() {
    let udp = UdpSocket::bind(local(0)).unwrap();
    udp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let target = udp.local_addr().unwrap();
    let probe = Probe {
        timeout_ms: 50,
        count: 3,
        ..probe(1, target, Kind::Udp)
    };
    let running = Running::start(Command::new(agent()), &retrying(vec![probe], 0));
    let mut sources = Vec::new();
    for _ in 0..2 {
        sources.push(udp.recv_from(&mut [0; 512]).unwrap().1);
    }
    running.finish();
    assert_ne!(sources[0], sources[1]);
}

#[test]
fn a_port_without_a_listener_refuses() {
    // Bound, so that nobody else takes it, and not listening.
    let udp = UdpSocket::bind(local(0)).unwrap();
    let port = udp.local_addr().unwrap().port();
    let ran = run_locally(&plan(vec![probe(1, local(port), Kind::Tcp)]));
    assert!(
        matches!(ran.outcome(1), Outcome::Refused { offender: None, .. }),
        "{:?}",
        ran.outcome(1)
    );

    let tcp = TcpListener::bind(local(0)).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let ran = run_locally(&plan(vec![probe(1, local(port), Kind::Udp)]));
    let offender = Some(Ipv4Addr::LOCALHOST.into());
    assert!(
        matches!(ran.outcome(1), Outcome::Refused { offender: o, .. } if *o == offender),
        "{ran:?}"
    );
}

#[test]
fn an_agent_of_another_run_is_a_wrong_peer() {
    let server = Server::local("node-1", "run-2");
    let ran = run_locally(&plan(vec![
        probe(1, local(server.tcp), Kind::Tcp),
        probe(2, local(server.udp), Kind::Udp),
        probe(3, local(server.tcp), BULK),
    ]));
    for id in 1..=3 {
        let Outcome::WrongPeer { answer } = ran.outcome(id) else {
            panic!("{:?}", ran.outcome(id))
        };
        assert!(answer.contains("another run"), "{answer}");
        assert!(!answer.contains("node-1"), "{answer}");
    }
}

#[test]
fn what_is_no_agent_is_quoted() {
    let talker = listener(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n\x1b[31m");
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let echo = UdpSocket::bind(local(0)).unwrap();
    let echo_address = echo.local_addr().unwrap();
    thread::spawn(move || {
        let mut datagram = [0; 512];
        while let Ok((length, from)) = echo.recv_from(&mut datagram) {
            let _ = echo.send_to(&datagram[..length], from);
        }
    });
    let silent = listener(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.shutdown(Shutdown::Both);
    });
    let ran = run_locally(&plan(vec![
        probe(1, talker, Kind::Tcp),
        probe(2, talker, BULK),
        probe(3, echo_address, Kind::Udp),
        probe(4, silent, Kind::Tcp),
    ]));
    for id in 1..=2 {
        let Outcome::WrongPeer { answer } = ran.outcome(id) else {
            panic!("{:?}", ran.outcome(id))
        };
        assert_eq!(answer, r"HTTP/1.1 400 Bad Request\r\n\r\n\x1b[31m");
    }
    assert!(
        matches!(ran.outcome(3), Outcome::WrongPeer { answer } if answer.starts_with("nPr?")),
        "{ran:?}"
    );
    assert!(
        matches!(ran.outcome(4), Outcome::WrongPeer { answer } if answer.is_empty()),
        "{ran:?}"
    );
}

#[test]
fn a_connection_that_is_reset_says_how_far_it_came() {
    let target = listener(|mut stream| {
        let mut read = 0;
        while read < 300_000 {
            match stream.read(&mut [0; 4096]) {
                Ok(count) if count > 0 => read += count,
                _ => break,
            }
        }
        // A reset overtakes acknowledgements that the kernel delays, and the agent knows only of what was acknowledged.
        std::thread::sleep(Duration::from_millis(200));
        socket2::SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    });
    let ran = run_locally(&plan(vec![probe(1, target, Kind::Bulk { bytes: 100_000_000 })]));
    let Outcome::Reset { bytes } = ran.outcome(1) else {
        panic!("{:?}", ran.outcome(1))
    };
    assert!((300_000..100_000_000).contains(bytes), "{bytes}");
}

#[test]
fn a_connection_in_which_nothing_moves_is_stalled_in_a_direction() {
    // The kernel completes handshakes and acknowledges what fits, and nobody ever reads.
    let deaf = TcpListener::bind(local(0)).unwrap();
    let deaf = (deaf.local_addr().unwrap(), deaf);
    let ran = run_locally(&plan(vec![
        probe(1, deaf.0, Kind::Tcp),
        probe(2, deaf.0, Kind::Bulk { bytes: 100_000_000 }),
    ]));
    let Outcome::Stalled {
        direction: Direction::FromTarget,
        bytes: 0,
        after_us,
    } = *ran.outcome(1)
    else {
        panic!("{:?}", ran.outcome(1))
    };
    assert!((4_000_000..4_600_000).contains(&after_us), "{after_us}");
    let Outcome::Stalled {
        direction: Direction::ToTarget,
        bytes,
        ..
    } = *ran.outcome(2)
    else {
        panic!("{:?}", ran.outcome(2))
    };
    assert!((1..100_000_000).contains(&bytes), "{bytes}");
    assert!((4_000_000..4_600_000).contains(&after_us), "{after_us}");
    assert!(ran.took < Duration::from_secs(6), "{:?}", ran.took);
}

#[test]
fn a_silent_target_times_out_and_is_tried_again() {
    let silent = UdpSocket::bind(local(0)).unwrap();
    let probe = Probe {
        timeout_ms: 300,
        ..probe(1, silent.local_addr().unwrap(), Kind::Udp)
    };
    let ran = run_locally(&retrying(vec![probe], 100));
    let samples = &ran.answer(1).samples;
    assert_eq!(
        samples.iter().map(|sample| sample.retry).collect::<Vec<_>>(),
        [false, true]
    );
    for sample in samples {
        let Outcome::TimedOut { after_us } = sample.outcome else {
            panic!("{sample:?}")
        };
        assert!((300_000..400_000).contains(&after_us), "{after_us}");
    }
    assert!(samples[1].at_us >= samples[0].at_us + 400_000, "{samples:?}");
}

#[test]
fn a_probe_that_recovers_is_sampled_up_to_its_count() {
    let udp = UdpSocket::bind(local(0)).unwrap();
    let target = udp.local_addr().unwrap();
    let server = Server::local("node-1", RUN);
    let relay = local(server.udp);
    thread::spawn(move || {
        // Loses the second question and passes all others on.
        let mut buffer = [0; 512];
        for number in 0.. {
            let Ok((length, from)) = udp.recv_from(&mut buffer) else {
                return;
            };
            if number == 1 {
                continue;
            }
            let onward = UdpSocket::bind(local(0)).unwrap();
            onward.send_to(&buffer[..length], relay).unwrap();
            let length = onward.recv(&mut buffer).unwrap();
            udp.send_to(&buffer[..length], from).unwrap();
        }
    });
    let probe = Probe {
        timeout_ms: 300,
        count: 20,
        ..probe(1, target, Kind::Udp)
    };
    let ran = run_locally(&retrying(vec![probe], 100));
    let samples = &ran.answer(1).samples;
    assert_eq!(samples.len(), 20);
    assert_eq!(samples.iter().filter(|sample| sample.outcome.is_ok()).count(), 19);
    assert_eq!(samples.iter().filter(|sample| !sample.retry).count(), 2);
}

#[test]
fn the_deadline_is_kept_and_said() {
    let silent = UdpSocket::bind(local(0)).unwrap();
    let server = Server::local("node-1", RUN);
    let plan = Plan {
        deadline_ms: 700,
        ..plan(vec![
            probe(1, silent.local_addr().unwrap(), Kind::Udp),
            probe(2, local(server.udp), Kind::Udp),
        ])
    };
    let ran = run_locally(&plan);
    assert_eq!(
        ran.answers.iter().map(|answer| answer.id).collect::<Vec<_>>(),
        [2]
    );
    assert!(ran.end.cut_short.unwrap().contains("700 ms"));
    assert!((700..900).contains(&ran.took.as_millis()), "{:?}", ran.took);
}

#[test]
fn a_plan_that_cannot_be_done_is_refused_in_one_line() {
    let good = encode_plan(&plan(vec![])).unwrap();
    let other = encode_plan(&Plan {
        version: 7,
        ..plan(vec![])
    })
    .unwrap();
    let garbage = [&5_u32.to_be_bytes()[..], b"{nope"].concat();
    for (input, named) in [
        (&other[..], "version 7"),
        (&garbage, "cannot be understood"),
        (&good[..9], "ended after"),
        (&[], "length"),
    ] {
        let mut child = Command::new(agent())
            .args(["run", "--name", "n", "--run", RUN])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(named) && said.lines().count() == 1, "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_run_ends_when_nobody_reads_its_answers() {
    let silent = UdpSocket::bind(local(0)).unwrap();
    let mut running = Running::start(
        Command::new(agent()),
        &plan(vec![probe(1, silent.local_addr().unwrap(), Kind::Udp)]),
    );
    let started = Instant::now();
    drop(running.child.stdout.take());
    assert_eq!(running.child.wait().unwrap().code(), Some(1));
    assert!(
        started.elapsed() < Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn a_slow_reader_gets_every_answer() {
    let server = Server::local("node-1", RUN);
    let probes = (0..2000)
        .map(|id| probe(id, local(server.udp), Kind::Udp))
        .collect();
    let running = Running::start(Command::new(agent()), &plan(probes));
    // More than a pipe holds is waiting by then.
    thread::sleep(Duration::from_millis(1500));
    let ran = running.finish();
    assert_eq!(ran.answers.len(), 2000);
    assert!(
        Duration::from_micros(ran.end.took_us) < Duration::from_millis(1500),
        "{:?}",
        ran.end
    );
}

#[test]
fn fewer_sockets_than_asked_for_lose_no_probe() {
    let server = Server::local("node-1", RUN);
    let probes = (0..500)
        .map(|id| probe(id, local(server.tcp), Kind::Tcp))
        .collect();
    let mut limited = Command::new("prlimit");
    limited.arg("--nofile=60:60").arg(agent());
    let ran = harness::run(
        limited,
        &Plan {
            concurrency: 500,
            ..plan(probes)
        },
    );
    assert_eq!(ran.answers.len(), 500);
    assert!(
        ran.answers.iter().all(|answer| answer.samples[0].outcome.is_ok()),
        "{:?}",
        ran.answers
    );
}

#[test]
fn a_server_ends_at_once_when_it_is_told_to() {
    for signal in ["TERM", "INT", "HUP"] {
        let mut server = Server::local("node-1", RUN);
        // A connection that is open must not hold it up.
        let _open = TcpStream::connect(local(server.tcp)).unwrap();
        let started = Instant::now();
        let id = server.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", signal, &id])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(server.child.wait().unwrap().code(), Some(0), "{signal}");
        assert!(
            started.elapsed() < Duration::from_millis(500),
            "{:?}",
            started.elapsed()
        );
    }
}

#[test]
fn a_server_says_which_port_is_taken() {
    let server = Server::local("node-1", RUN);
    let port = server.tcp.to_string();
    let output = Command::new(agent())
        .args([
            "serve",
            "--name",
            "n",
            "--run",
            RUN,
            "--udp-port",
            "0",
            "--tcp-port",
            &port,
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains(&port),
        "{output:?}"
    );
}

#[test]
fn the_versions_of_agent_and_wire_are_said() {
    let output = Command::new(agent()).arg("version").output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("netprobe {}, wire 1\n", env!("CARGO_PKG_VERSION"))
    );
}
