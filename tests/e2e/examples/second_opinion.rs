//! How long DNS answers take, by `kubectl dnscheck latency` and by an independent client, one right after the other on the same lab:
//! `cargo lab up`, then `cargo run -p e2e --example second_opinion [LAB]`.
//!
//! The client is that of github.com/miekg/dns, built from the lab's Go module. It runs in the network of a pod of the first node and asks
//! for the same name, of the same servers, at the same rate. What both say is of a moment: on a busy machine they differ by what else runs.

#![expect(clippy::print_stdout, reason = "what was measured is its result")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use e2e::{Lab, User};
use serde_json::Value;

const NAME: &str = "kubernetes.default.svc.cluster.local.";
const COUNT: &str = "300";
const RATE: &str = "50";

fn main() {
    let lab = std::env::args().nth(1).unwrap_or_else(|| "lab".to_owned());
    let lab = Lab::open(&lab).expect("a lab that is up: `cargo lab up`");
    let node = lab.nodes().first().cloned().expect("a lab has nodes");
    let client = client();
    println!(
        "{:<32} {:<8} {:>7} {:>5} {:>8} {:>8} {:>8} {:>8}",
        "server", "by", "lookups", "lost", "p50", "p95", "p99", "slowest"
    );
    let own = dnscheck(&lab, &node);
    for (server, row) in &own {
        print_row(server, "dnscheck", row);
    }
    for (server, address) in servers(&lab) {
        let said = second(&lab, &node, &client, &address);
        let milliseconds = |of: &str| {
            said[of]
                .as_f64()
                .map_or("-".to_owned(), |time| format!("{:.1}ms", time / 1000.0))
        };
        let number = |of: &str| said[of].to_string();
        let times = ["p50", "p95", "p99", "slowest"].map(milliseconds);
        let all = [number("asked"), number("lost")].into_iter().chain(times);
        print_row(&server, "miekg", &all.collect::<Vec<_>>());
    }
}

fn print_row(server: &str, by: &str, row: &[String]) {
    let mut line = format!("{server:<32} {by:<8}");
    for (value, width) in row.iter().zip([7, 5, 8, 8, 8, 8]) {
        let _ = write!(line, " {value:>width$}");
    }
    println!("{line}");
}

fn text(output: &Output, what: &str) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{what} printed nothing: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The rows of `kubectl dnscheck latency` about names of the API over UDP, and about the prober itself.
fn dnscheck(lab: &Lab, node: &str) -> Vec<(String, Vec<String>)> {
    let plugin = e2e::plugin_dir().join("kubectl-dnscheck");
    let output = Command::new(plugin)
        .args([
            "latency",
            "--rate",
            "500",
            "--duration",
            "12s",
            "-o",
            "json",
            "--node",
            node,
            "--kubeconfig",
        ])
        .arg(lab.kubeconfig(User::Admin))
        .output()
        .expect("the plugin is built: cargo build -p kubectl-dnscheck");
    let report: Value = serde_json::from_str(&text(&output, "dnscheck")).expect("a report");
    let tables = report["tables"].as_array().expect("tables");
    let table = tables
        .iter()
        .find(|table| table["title"] == "latency")
        .expect("a table of latency");
    let rows = table["rows"].as_array().expect("rows").iter();
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let rows = rows.map(|row| {
        row.as_array()
            .expect("cells")
            .iter()
            .map(word)
            .collect::<Vec<_>>()
    });
    rows.filter(|row| row[1] == "UDP" && (row[2] == "API" || row[2] == "-"))
        .map(|row| (row[0].clone(), row[3..9].to_vec()))
        .collect()
}

/// The DNS Service and the DNS pods, with their addresses.
fn servers(lab: &Lab) -> Vec<(String, String)> {
    let get = |what: &[&str]| -> Value {
        let output = Command::new(lab.kubectl())
            .args(["-n", "kube-system", "get", "-o", "json", "--kubeconfig"])
            .arg(lab.kubeconfig(User::Admin))
            .args(what)
            .output()
            .expect("kubectl starts");
        serde_json::from_str(&text(&output, "kubectl")).expect("JSON")
    };
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let service = get(&["service", "kube-dns"]);
    let pods = get(&["pods", "-l", "k8s-app=kube-dns"]);
    let mut all = vec![("Service".to_owned(), word(&service["spec"]["clusterIP"]))];
    for pod in pods["items"].as_array().into_iter().flatten() {
        all.push((
            format!("pod/{}", word(&pod["metadata"]["name"])),
            word(&pod["status"]["podIP"]),
        ));
    }
    all
}

/// What the other client says of a server, asked from the network of some pod of the node.
fn second(lab: &Lab, node: &str, client: &Path, address: &str) -> Value {
    let client = client.to_str().expect("a path in UTF-8");
    let script = "exec nsenter --net=\"$(ls -d /run/netns/* | head -n 1)\" -- \"$0\" \"$@\"";
    let words = ["sh", "-c", script, client, address, NAME, COUNT, RATE];
    let output = lab.node(node).run(&words).expect("the node is there");
    serde_json::from_str(&text(&output, "the client")).expect("JSON")
}

fn client() -> PathBuf {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/go/coredns");
    let program = e2e::plugin_dir().join("dns-second-opinion");
    let status = Command::new("go")
        .args(["build", "-C"])
        .arg(&module)
        .args(["-trimpath", "-buildvcs=false", "-o"])
        .arg(&program)
        .arg("./lookups")
        .env("CGO_ENABLED", "0")
        .status()
        .expect("go starts");
    assert!(status.success(), "the client does not build: {status}");
    program
}
