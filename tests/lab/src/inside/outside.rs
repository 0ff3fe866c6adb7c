//! The world outside of the cluster: a DNS server, and a machine with an HTTP and an echo server.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::await_mark;
use super::supervisor::{self, Service};
use crate::cgroups;
use crate::command::ip_batch;
use crate::plan::{
    GATEWAY_V4, GATEWAY_V6, NODES_V4, NODES_V6, OUTSIDE_DNS_V4, OUTSIDE_DNS_V6, OUTSIDE_WEB_V4,
    OUTSIDE_WEB_V6,
};
use crate::state::StateDir;

/// The mark that the outside world's link into the lab is there.
pub(crate) const ATTACHED: &str = "outside.attached";

const HTTP: u16 = 80;
const ECHO: u16 = 7;
/// A client that says nothing for this long is sent away.
const PATIENCE: Duration = Duration::from_mins(1);

/// Never returns while the lab stands.
pub(crate) fn run(state: &StateDir) -> Result<()> {
    let settings = state.settings()?.context("the lab has no settings")?;
    cgroups::join(state, cgroups::OUTSIDE)?;
    nix::unistd::sethostname("outside")?;
    await_mark(state, ATTACHED)?;
    // Back to the nodes and to this machine, but not to the pods: their addresses mean nothing here, so a
    // packet that left the cluster without masquerade is never answered.
    ip_batch(&format!(
        "link set lo up\n\
         link set eth0 up\n\
         addr add {OUTSIDE_DNS_V4}/24 dev eth0\n\
         addr add {OUTSIDE_WEB_V4}/24 dev eth0\n\
         addr add {OUTSIDE_DNS_V6}/64 dev eth0 nodad\n\
         addr add {OUTSIDE_WEB_V6}/64 dev eth0 nodad\n\
         route add {NODES_V4} via {GATEWAY_V4}\n\
         route add {} via {GATEWAY_V4}\n\
         route add {NODES_V6} via {GATEWAY_V6}\n",
        settings.leg()?.network()
    ))?;
    for address in [OUTSIDE_WEB_V4.to_owned(), format!("[{OUTSIDE_WEB_V6}]")] {
        serve(&format!("{address}:{HTTP}"), answer_http)?;
        serve(&format!("{address}:{ECHO}"), echo)?;
        echo_datagrams(&format!("{address}:{ECHO}"))?;
    }
    let directory = state.path().join("outside");
    fs::write(
        directory.join("Corefile"),
        corefile(&directory.join("example.zone").display().to_string()),
    )?;
    fs::write(directory.join("example.zone"), zone())?;
    let coredns = state.program("coredns").display().to_string();
    let corefile = directory.join("Corefile").display().to_string();
    supervisor::run(
        state,
        vec![Service::new("outside-dns", &[&coredns, "-conf", &corefile])],
    )
}

/// Names under `example.com` come from a zone; every other name does not exist. (CoreDNS's `hosts` alone would
/// answer SERVFAIL.)
fn corefile(zone: &str) -> String {
    format!(
        "(listen) {{
    bind {OUTSIDE_DNS_V4} {OUTSIDE_DNS_V6}
    errors
    log
}}
example.com {{
    import listen
    file {zone}
}}
. {{
    import listen
    template ANY ANY {{
        rcode NXDOMAIN
        authority \". 60 IN SOA ns.example.com. hostmaster.example.com. 1 60 60 60 60\"
    }}
}}
"
    )
}

fn zone() -> String {
    format!(
        "$ORIGIN example.com.
$TTL 60
@    IN SOA ns hostmaster 1 60 60 60 60
@    IN NS  ns
ns   IN A    {OUTSIDE_DNS_V4}
ns   IN AAAA {OUTSIDE_DNS_V6}
www  IN A    {OUTSIDE_WEB_V4}
www  IN AAAA {OUTSIDE_WEB_V6}
api  IN A    {OUTSIDE_WEB_V4}
"
    )
}

/// Accepts connections in a thread and hands each one to `answer` in a thread of its own.
fn serve(address: &str, answer: fn(TcpStream) -> io::Result<()>) -> Result<()> {
    let listener = TcpListener::bind(address).with_context(|| format!("listen on {address}"))?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is its own business.
            thread::spawn(move || {
                stream
                    .set_read_timeout(Some(PATIENCE))
                    .and_then(|()| answer(stream))
            });
        }
    });
    Ok(())
}

/// Answers each request with the address that it came from, and keeps the connection.
fn answer_http(stream: TcpStream) -> io::Result<()> {
    let client = stream.peer_addr()?;
    let mut requests = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") && !head.ends_with("\n\n") {
            if requests.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        stream.write_all(http_answer(&client.ip().to_string()).as_bytes())?;
    }
}

fn http_answer(client: &str) -> String {
    let body = format!("outside saw {client}\n");
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn echo(stream: TcpStream) -> io::Result<()> {
    let mut back = stream.try_clone()?;
    let mut stream = stream;
    io::copy(&mut stream, &mut back).map(drop)
}

fn echo_datagrams(address: &str) -> Result<()> {
    let socket = UdpSocket::bind(address).with_context(|| format!("listen on {address}"))?;
    thread::spawn(move || {
        let mut buffer = vec![0; usize::from(u16::MAX)];
        loop {
            // An ICMP answer to an earlier datagram shows up as an error here; the next one may be fine.
            if let Ok((length, client)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(&buffer[..length], client);
            }
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn an_unknown_name_does_not_exist() {
        let text = corefile("/x/example.zone");
        assert!(text.contains("rcode NXDOMAIN"));
        assert!(text.contains("file /x/example.zone"));
        assert!(zone().contains("www  IN A    198.51.100.80"));
    }

    #[test]
    fn an_http_answer_says_how_long_it_is() {
        let answer = http_answer("172.30.0.11");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "outside saw 172.30.0.11\n");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())));
    }

    #[test]
    fn what_is_sent_to_the_echo_server_comes_back() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || echo(listener.accept().unwrap().0));
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "hello");
        server.join().unwrap().unwrap();
    }
}
