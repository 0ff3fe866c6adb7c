//! A run that is stopped, at any moment and in any way, leaves nothing: by itself after a signal that it can catch,
//! after `cleanup` otherwise.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may panic, and says what it saw"
)]

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::{Bench, Frozen};

/// Five moments of a run, in milliseconds: as the program starts, and while it creates, starts, probes and cleans up. How
/// long a run takes is measured first.
fn moments(bench: &Bench) -> [u64; 5] {
    let run = bench.netcheck(&["pod-to-pod"]);
    assert_eq!(run.code, Some(0), "{run}");
    let whole = u64::try_from(run.took.as_millis()).expect("a short run");
    [3, 12, 45, 80, 96].map(|percent| whole * percent / 100)
}

fn stopped_by(bench: &Bench, signal: &str, moment_ms: u64) -> Option<i32> {
    let child = bench.start_netcheck(&["pod-to-pod"]);
    std::thread::sleep(Duration::from_millis(moment_ms));
    let _ = Command::new("kill")
        .args([&format!("-{signal}"), &child.id().to_string()])
        .status();
    let output = child.wait_with_output().unwrap();
    println!(
        "{signal} after {moment_ms} ms: {:?} {}",
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    output.status.code()
}

#[test]
fn ctrl_c_leaves_nothing() {
    caught("INT", 130);
}

#[test]
fn a_termination_leaves_nothing() {
    caught("TERM", 143);
}

fn caught(signal: &str, expected: i32) {
    let Some(bench) = Bench::cluster() else { return };
    for moment in moments(&bench) {
        let code = stopped_by(&bench, signal, moment);
        // A run that was already over ends as a healthy run does; a signal before the handler is in place ends the
        // process as the kernel would, and nothing had been created.
        assert!(
            code == Some(expected) || code == Some(0) || (code.is_none() && moment < 300),
            "{moment} ms: {code:?}"
        );
        assert_eq!(
            bench.leftovers(),
            Vec::<String>::new(),
            "{signal} after {moment} ms"
        );
    }
}

#[test]
fn what_a_killed_run_left_is_found_and_removed() {
    let Some(bench) = Bench::cluster() else { return };
    let mut found = 0;
    for moment in moments(&bench) {
        stopped_by(&bench, "KILL", moment);
        let dry = bench.netcheck(&["cleanup", "--dry-run"]);
        assert_eq!(dry.code, Some(0), "{dry}");
        println!("{dry}");
        let swept = bench.netcheck(&["cleanup"]);
        assert_eq!(swept.code, Some(0), "{swept}");
        found += usize::from(swept.stdout.contains("deleted"));
        assert_eq!(
            bench.leftovers(),
            Vec::<String>::new(),
            "KILL after {moment} ms: {swept}"
        );
    }
    assert!(found >= 2, "some of the moments lay between creation and removal");
}

/// The API server, without which nothing can be removed. The pattern does not find itself.
const API_SERVER: &str = "grep -la -e '[-]-etcd-servers=' /proc/[0-9]*/cmdline | cut -d / -f 3";

#[test]
fn a_second_signal_ends_it_at_once_and_says_what_removes_the_rest() {
    let Some(bench) = Bench::lab() else { return };
    let child = bench.start_netcheck(&["pod-to-pod", "--count", "200"]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while bench.labelled().is_empty() {
        assert!(Instant::now() < deadline, "it creates nothing");
    }
    let frozen = Frozen::new(bench.nodes().control_plane(), API_SERVER);
    let interrupt = || {
        let id = child.id().to_string();
        Command::new("kill").args(["-INT", &id]).status().unwrap();
    };
    interrupt();
    std::thread::sleep(Duration::from_secs(1));
    interrupt();
    let begin = Instant::now();
    let output = child.wait_with_output().unwrap();
    let took = begin.elapsed();
    drop(frozen);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.ends_with("remove what is left with: kubectl netcheck cleanup\n"),
        "{said}"
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
    let swept = bench.netcheck(&["cleanup"]);
    assert_eq!(swept.code, Some(0), "{swept}");
    assert!(swept.stdout.contains("deleted"), "{swept}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn cleanup_does_not_touch_a_live_run() {
    let Some(bench) = Bench::cluster() else { return };
    let child = bench.start_netcheck(&["pod-to-pod", "--count", "200"]);
    std::thread::sleep(Duration::from_millis(1100));
    let swept = bench.netcheck(&["cleanup"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(swept.code, Some(0), "{swept}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}
