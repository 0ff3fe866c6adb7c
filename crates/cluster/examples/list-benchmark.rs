//! Measures the list of many pods from a server on loopback: `list-benchmark [PODS] [BYTES-OF-A-POD]`. The figures to
//! keep are in the design: 100,000 pods of 4.9 kB in less than 2 s and 100 MiB.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use cluster::{Cluster, ConnectionArgs, Environment, Identity, ListQuery, StderrWarnings};
use serde::Deserialize;

/// What is kept of a pod: about what a check of Services needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pod {
    metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    namespace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(rename = "podIP")]
    pod_ip: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let pods = numbers.next().transpose()?.unwrap_or(100_000);
    let size = numbers.next().transpose()?.unwrap_or(4_900);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let server = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || serve(&listener, pods, size));
    let args = ConnectionArgs {
        server: Some(server),
        ..ConnectionArgs::default()
    };
    let identity = Identity::new("list-benchmark", env!("CARGO_PKG_VERSION"));
    let sink = Arc::new(StderrWarnings::new());
    let cluster = Cluster::connect_in(&args, &identity, &Environment::empty(), sink).await?;
    let query = ListQuery::new("", "v1", "pods");
    for (name, query) in [
        ("pages of 500", query.clone()),
        ("one answer", query.from_cache()),
    ] {
        let (before, began) = (cluster.usage(), Instant::now());
        let listed: Vec<Pod> = cluster.try_list(&query).await?;
        let took = began.elapsed();
        let kept: usize = listed
            .iter()
            .map(|pod| {
                pod.metadata.name.len()
                    + pod.metadata.namespace.len()
                    + pod.spec.node_name.len()
                    + pod.status.pod_ip.len()
            })
            .sum();
        let usage = cluster.usage();
        writeln!(
            io::stdout(),
            "{name}: {} pods, {} bytes in {} requests, {kept} bytes kept, {took:.2?}, peak {}",
            listed.len(),
            usage.bytes_received - before.bytes_received,
            usage.calls - before.calls,
            peak(),
        )?;
    }
    Ok(())
}

/// The most memory that this process has had, where the system tells.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or("unknown".to_owned(), |line| line.trim().to_owned())
}

fn serve(listener: &TcpListener, pods: usize, size: usize) {
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            // The client closes the connection when it has enough.
            let _ = answer(&stream, pods, size);
        });
    }
}

fn answer(stream: &TcpStream, pods: usize, size: usize) -> io::Result<()> {
    let mut requests = BufReader::new(stream);
    let mut filler = String::new();
    while filler.len() < size.saturating_sub(300) {
        let _ = write!(filler, r#""f:field-{}":{{"f:name":{{}}}},"#, filler.len());
    }
    filler.push_str(r#""f:last":{}"#);
    loop {
        let mut request = String::new();
        if requests.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut header = String::new();
        while requests.read_line(&mut header)? > 2 {
            header.clear();
        }
        let number = |name: &str| {
            let (_, after) = request.split_once(name)?;
            after
                .split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse::<usize>()
                .ok()
        };
        let from = number("continue=").unwrap_or(0);
        let to = number("limit=").map_or(pods, |limit| (from + limit).min(pods));
        let mut out = io::BufWriter::with_capacity(64 * 1024, stream);
        out.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        )?;
        let next = if to < pods { to.to_string() } else { String::new() };
        let head = format!(
            r#"{{"kind":"PodList","apiVersion":"v1","metadata":{{"resourceVersion":"1","continue":"{next}"}},"items":["#
        );
        write!(out, "{:x}\r\n{head}\r\n", head.len())?;
        let mut chunk = String::new();
        for pod in from..to {
            let comma = if pod + 1 < to { "," } else { "" };
            let _ = write!(
                chunk,
                r#"{{"metadata":{{"name":"pod-{pod:06}","namespace":"load","uid":"{pod}","managedFields":[{{{filler}}}]}},"spec":{{"nodeName":"node-{:03}","containers":[{{"name":"c","image":"i"}}]}},"status":{{"phase":"Running","podIP":"10.{}.{}.{}"}}}}{comma}"#,
                pod % 500,
                pod >> 16,
                pod >> 8 & 255,
                pod & 255,
            );
            if chunk.len() > 32 * 1024 || pod + 1 == to {
                write!(out, "{:x}\r\n{chunk}\r\n", chunk.len())?;
                chunk.clear();
            }
        }
        out.write_all(b"2\r\n]}\r\n0\r\n\r\n")?;
        out.flush()?;
    }
}
