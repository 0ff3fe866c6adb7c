//! One question to a web server on the node, without TLS: what health checks of the node's components take.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use netprobe::ReadOutcome;

/// Everything asked is on this node, where an answer takes a millisecond; a frozen process never answers.
const PATIENCE: Duration = Duration::from_millis(1_500);

pub(super) fn get(address: SocketAddr, path: &str, most_bytes: u32, left: Duration) -> ReadOutcome {
    let began = Instant::now();
    let until = began + left.min(PATIENCE);
    let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    match ask(address, path, most, until) {
        Ok(text) => match parse(&text) {
            Some((status, body)) => ReadOutcome::Http {
                status,
                body: body.trim().to_owned(),
                took_ms: millis(began.elapsed()),
            },
            None => ReadOutcome::NoAnswer {
                refused: false,
                after_ms: millis(began.elapsed()),
                message: "what came back is no HTTP".to_owned(),
            },
        },
        Err(error) => ReadOutcome::NoAnswer {
            refused: error.kind() == ErrorKind::ConnectionRefused,
            after_ms: millis(began.elapsed()),
            message: error.to_string(),
        },
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn ask(address: SocketAddr, path: &str, most: usize, until: Instant) -> std::io::Result<String> {
    let left = || {
        until
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
            .ok_or_else(|| std::io::Error::from(ErrorKind::TimedOut))
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    // HTTP/1.0: the server ends the connection behind its answer.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while answer.len() < most {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The name of the error differs between systems; it says the same.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    answer.truncate(most);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The status, and what is behind the empty line.
fn parse(answer: &str) -> Option<(u16, &str)> {
    let status = answer.strip_prefix("HTTP/")?.split_ascii_whitespace().nth(1)?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status.parse().ok()?, body))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    const MOST: u32 = 4 * 1024;

    fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        });
        address
    }

    #[test]
    fn a_status_and_the_body_are_read() {
        let address = server("HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\n{\"sick\": true}\n");
        let ReadOutcome::Http { status, body, .. } = get(address, "/healthz", MOST, PATIENCE) else {
            panic!("it answered")
        };
        assert_eq!((status, body.as_str()), (503, "{\"sick\": true}"));
    }

    #[test]
    fn no_more_is_kept_than_was_wanted() {
        let address = server("HTTP/1.0 200 OK\r\n\r\n0123456789");
        let ReadOutcome::Http { body, .. } = get(address, "/metrics", 22, PATIENCE) else {
            panic!("it answered")
        };
        assert_eq!(body, "012");
    }

    #[test]
    fn nobody_there_is_refused_and_silence_is_not() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = silent.local_addr().unwrap();
        let outcome = get(address, "/", MOST, Duration::from_millis(50));
        assert!(
            matches!(outcome, ReadOutcome::NoAnswer { refused: false, after_ms, .. } if after_ms >= 50),
            "{outcome:?}"
        );
        drop(silent);
        let outcome = get(address, "/", MOST, PATIENCE);
        assert!(
            matches!(outcome, ReadOutcome::NoAnswer { refused: true, .. }),
            "{outcome:?}"
        );
    }

    #[test]
    fn what_is_no_http_is_no_answer() {
        for answer in ["", "SSH-2.0-x\r\n", "HTTP/1.1", "HTTP/1.1 ok\r\n\r\n"] {
            let outcome = get(server(answer), "/", MOST, PATIENCE);
            assert!(
                matches!(outcome, ReadOutcome::NoAnswer { refused: false, .. }),
                "{answer:?}: {outcome:?}"
            );
        }
    }
}
