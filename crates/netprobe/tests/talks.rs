//! Probes of what is no agent: a port that is taken or not, a DNS server, an HTTP server.
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be started fails the test that needs it"
)]

mod harness;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use harness::{plan, probe, run_locally};
use netprobe::{Kind, Outcome, Probe};

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

fn outcome(target: SocketAddr, kind: Kind) -> Outcome {
    let probe = Probe {
        timeout_ms: 500,
        ..probe(1, target, kind)
    };
    run_locally(&plan(vec![probe])).outcome(1).clone()
}

fn connect(linger_ms: u64) -> Kind {
    Kind::Connect { linger_ms }
}

fn dns(name: &str, tcp: bool) -> Kind {
    Kind::Dns {
        name: name.to_owned(),
        qtype: 1,
        tcp,
        whole: false,
        edns: 0,
    }
}

fn http(path: &str) -> Kind {
    Kind::Http {
        path: path.to_owned(),
        host: "web".to_owned(),
    }
}

/// The query as its own answer: recursion available, one address.
fn answered(query: &[u8]) -> Vec<u8> {
    let mut answer = query.to_vec();
    answer[2..4].copy_from_slice(&[0x81, 0x80]);
    answer[7] = 1;
    answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 9, 8, 7]);
    answer
}

#[test]
fn a_port_is_taken_refused_or_reset() {
    let quiet = listener(|mut stream| {
        let _ = stream.read(&mut [0; 16]);
    });
    for linger in [0, 100] {
        assert!(matches!(
            outcome(quiet, connect(linger)),
            Outcome::Ok { peer: None, .. }
        ));
    }
    let greeter = listener(|mut stream| {
        let _ = stream.write_all(b"220 hello\r\n");
    });
    assert!(matches!(outcome(greeter, connect(200)), Outcome::Ok { .. }));
    let resetter = listener(|stream| {
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    });
    assert!(matches!(
        outcome(resetter, connect(300)),
        Outcome::Reset { bytes: 0 }
    ));
    // Bound, so that nobody else takes it, and not listening.
    let udp = UdpSocket::bind(local(0)).unwrap();
    let closed = local(udp.local_addr().unwrap().port());
    assert!(matches!(
        outcome(closed, connect(100)),
        Outcome::Refused { offender: None, .. }
    ));
}

#[test]
fn how_long_connecting_took_does_not_count_the_wait_for_a_reset() {
    let quiet = listener(|mut stream| {
        let _ = stream.read(&mut [0; 16]);
    });
    let Outcome::Ok { rtt_us, .. } = outcome(quiet, connect(300)) else {
        panic!("not taken")
    };
    assert!(rtt_us < 200_000, "{rtt_us}");
}

#[test]
fn a_dns_server_answers_over_both_transports() {
    let udp = UdpSocket::bind(local(0)).unwrap();
    let over_udp = udp.local_addr().unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut query) {
            // First something that answers another question.
            let mut other = answered(&query[..length]);
            other[0] ^= 0xff;
            let _ = udp.send_to(&other, from);
            let _ = udp.send_to(&answered(&query[..length]), from);
        }
    });
    let over_tcp = listener(|mut stream| {
        let mut query = [0; 512];
        let length = stream.read(&mut query).unwrap_or(0);
        let answer = answered(&query[2..length.max(2)]);
        let frame = [&u16::try_from(answer.len()).unwrap().to_be_bytes()[..], &answer].concat();
        // In pieces, as TCP may deliver it.
        for piece in frame.chunks(7) {
            let _ = stream.write_all(piece);
            thread::sleep(Duration::from_millis(2));
        }
    });
    for (target, tcp) in [(over_udp, false), (over_tcp, true)] {
        let Outcome::Dns {
            rcode,
            addresses,
            truncated,
            ..
        } = outcome(target, dns("web.shop.svc.cluster.local.", tcp))
        else {
            panic!("no answer")
        };
        let expected: Vec<std::net::IpAddr> = vec![[10, 9, 8, 7].into()];
        assert_eq!((rcode, addresses, truncated), (0, expected, false));
    }
}

#[test]
fn a_dns_answer_comes_back_whole_where_that_is_wanted_and_edns_is_asked_with() {
    use base64::Engine as _;
    let udp = UdpSocket::bind(local(0)).unwrap();
    let target = udp.local_addr().unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = udp.recv_from(&mut query) {
            query[2] |= 0x80;
            let _ = udp.send_to(&query[..length], from);
        }
    });
    let kind = |whole, edns| Kind::Dns {
        name: "a.bc".to_owned(),
        qtype: 33,
        tcp: false,
        whole,
        edns,
    };
    let message = |kind| match outcome(target, kind) {
        Outcome::Dns { message, .. } => base64::engine::general_purpose::STANDARD.decode(message).unwrap(),
        other => panic!("{other:?}"),
    };
    assert!(message(kind(false, 1232)).is_empty());
    let plain = message(kind(true, 0));
    assert_eq!(plain[2..], *b"\x81\0\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x21\0\x01");
    let sized = message(kind(true, 1232));
    assert_eq!(sized[plain.len()..], [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn silence_and_chatter_are_no_dns_answers() {
    let silent = UdpSocket::bind(local(0)).unwrap();
    let target = silent.local_addr().unwrap();
    assert!(matches!(
        outcome(target, dns("a", false)),
        Outcome::TimedOut { .. }
    ));
    let mute = listener(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        thread::sleep(Duration::from_secs(2));
    });
    assert!(matches!(outcome(mute, dns("a", true)), Outcome::Stalled { .. }));
    let chatter = listener(|mut stream| {
        let _ = stream.write_all(b"\x00\x0220 smtp");
    });
    assert!(matches!(
        outcome(chatter, dns("a", true)),
        Outcome::WrongPeer { .. }
    ));
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    assert!(matches!(
        outcome(local(9), dns("a..b", false)),
        Outcome::LocalError { .. }
    ));
}

#[test]
fn an_http_server_answers_with_its_status() {
    let unwell = listener(|mut stream| {
        let _ = stream.read(&mut [0; 512]);
        let _ = stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
    });
    assert!(matches!(
        outcome(unwell, http("/healthz")),
        Outcome::Http { status: 503, .. }
    ));
    let other = listener(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n");
    });
    assert!(matches!(outcome(other, http("/")), Outcome::WrongPeer { .. }));
    assert!(
        matches!(
            outcome(other, http("/ HTTP/1.1\r\nX: y")),
            Outcome::LocalError { .. }
        ),
        "a path must not become a second header"
    );
}
