//! The figures that the README names, measured in one run: `cargo run --release -p e2e --example figures`.
//!
//! With `KUBECONFIG` it also measures a run on that cluster. Times are whole processes, from start to end: the median of
//! several runs, with the least and the most.

#![expect(clippy::print_stdout, reason = "figures are its result")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use probe::{Architecture, agent};
use testkit::{Config, FakeApi, cluster_of};

/// Between two runs on a real cluster.
const BETWEEN: Duration = Duration::from_secs(3);

fn main() {
    let plugin = e2e::plugin_dir().join("kubectl-netcheck");
    let size = std::fs::metadata(&plugin)
        .expect("the plugin is built: cargo build --release -p kubectl-netcheck")
        .len();
    println!("size");
    println!(
        "  agent, amd64      {:>9} bytes",
        agent(Architecture::Amd64).len()
    );
    println!(
        "  agent, arm64      {:>9} bytes",
        agent(Architecture::Arm64).len()
    );
    println!("  kubectl-netcheck  {size:>9} bytes");
    println!("--help");
    print_times("kubectl-netcheck", 21, || {
        timed(Command::new(&plugin).arg("--help"))
    });
    print_times("kubectl", 21, || timed(Command::new("kubectl").arg("--help")));
    for nodes in [3, 100] {
        simulated(&plugin, nodes);
    }
    if let Some(kubeconfig) = std::env::var_os("KUBECONFIG") {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::iter::once(e2e::plugin_dir()).chain(std::env::split_paths(&path));
        let path = std::env::join_paths(dirs).expect("PATH");
        for words in [&["pod-to-pod"][..], &["diagnose"], &["diagnose", "--node-access"]] {
            println!(
                "{} on the cluster of KUBECONFIG, through kubectl",
                words.join(" ")
            );
            let mut command = Command::new("kubectl");
            command
                .arg("netcheck")
                .args(words)
                .env("KUBECONFIG", &kubeconfig)
                .env("PATH", &path);
            print_times("run", 7, || {
                // Kubelets still end the pods of the run before.
                std::thread::sleep(BETWEEN);
                timed(&mut command)
            });
            command.args(["-o", "json"]);
            print_cost(&mut command);
        }
    }
}

fn simulated(plugin: &Path, nodes: u32) {
    let api = FakeApi::start(Config::new(cluster_of(nodes)));
    println!("pod-to-pod on {nodes} simulated nodes (kubelets take 300 ms, network all well)");
    let mut command = Command::new(plugin);
    command
        .args(["pod-to-pod", "--kubeconfig"])
        .arg(api.kubeconfig_file());
    print_times("run", 3, || timed(&mut command));
    let before = api.requests().len();
    command.args(["-o", "json"]);
    print_cost(&mut command);
    let calls = u32::try_from(api.requests().len() - before).expect("fewer");
    println!(
        "  requests that the server saw {calls}, per node {:.1}",
        f64::from(calls) / f64::from(nodes)
    );
}

fn print_cost(command: &mut Command) {
    let output = command.stdout(Stdio::piped()).output().expect("starts");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a report");
    println!(
        "  verdict {}, API calls {}",
        report["verdict"], report["stats"]["apiCalls"]
    );
    println!("  phases {}", report["stats"]["phases"]);
}

fn timed(command: &mut Command) -> Duration {
    let begin = Instant::now();
    let status = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("starts");
    assert!(status.success(), "{command:?} ended with {status}");
    begin.elapsed()
}

fn print_times(name: &str, runs: usize, mut measure: impl FnMut() -> Duration) {
    measure();
    let mut times: Vec<Duration> = (0..runs).map(|_| measure()).collect();
    times.sort();
    let (least, median, most) = (times[0], times[runs / 2], times[runs - 1]);
    println!("  {name:<17} median {median:>9.1?}  least {least:>9.1?}  most {most:>9.1?}  of {runs}");
}
