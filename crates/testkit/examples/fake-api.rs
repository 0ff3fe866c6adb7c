//! Serves a simulated cluster until it is killed: `fake-api --nodes 100 [--bulk-pods 100000] [--port 0]`. Prints the
//! path of a kubeconfig.

use std::net::SocketAddr;

use testkit::{Config, FakeApi, cluster_of};

#[expect(clippy::print_stdout, reason = "the path is what this program is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut nodes = 3;
    let mut bulk_pods = 0;
    let mut port = 0;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--nodes" => nodes = value.parse()?,
            "--bulk-pods" => bulk_pods = value.parse()?,
            "--port" => port = value.parse()?,
            _ => return Err(format!("unknown flag {word}; known are --nodes, --bulk-pods, --port").into()),
        }
    }
    let mut cluster = cluster_of(nodes);
    if bulk_pods > 0 {
        cluster = cluster.with_bulk_pods(bulk_pods);
    }
    let api = FakeApi::start_on(Config::new(cluster), SocketAddr::from(([127, 0, 0, 1], port)));
    println!("{}", api.kubeconfig_file().display());
    loop {
        std::thread::park();
    }
}
