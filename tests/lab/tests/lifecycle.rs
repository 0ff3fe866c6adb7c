//! `up` and `down` for real: needs root and a few minutes, so it runs only where `NETCHECK_LAB_LIFECYCLE` is set,
//! as `cargo lab test` does.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use lab::{Lab, LabError, User};

/// Whether the tests may start labs; says so when not.
#[expect(clippy::print_stdout, reason = "a skipped test must say so")]
fn may_run() -> bool {
    let may = std::env::var_os("NETCHECK_LAB_LIFECYCLE").is_some();
    if !may {
        println!("skipped: starts real labs as root; `cargo lab test` runs it (NETCHECK_LAB_LIFECYCLE=1)");
    }
    may
}

/// Ends its lab also when an assertion fails.
struct Ended(&'static str);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = cargo_lab(self.0, &["down"]).output();
    }
}

fn cargo_lab(name: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["--name", name]).args(words).stdin(Stdio::null());
    command
}

fn run(name: &str, words: &[&str]) -> Output {
    let output = cargo_lab(name, words).output().expect("the program starts");
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn node_names(kubeconfig: &Path, kubectl: &Path) -> String {
    let output = Command::new(kubectl)
        .args(["get", "nodes", "--output=name"])
        .env("KUBECONFIG", kubeconfig)
        .output()
        .expect("kubectl starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("names are text")
}

fn assert_nothing_left(name: &str) {
    assert_eq!(
        lab::leftovers(name).expect("leftovers are found"),
        Vec::<String>::new()
    );
    assert!(matches!(Lab::open(name), Err(LabError::NotUp(_))));
}

#[test]
fn two_labs_stand_side_by_side_and_leave_nothing() {
    if !may_run() {
        return;
    }
    let (_one, _two) = (Ended("side-a"), Ended("side-b"));
    run("side-a", &["up", "--nodes", "2"]);
    run("side-b", &["up", "--nodes", "1"]);
    let [a, b] = ["side-a", "side-b"].map(|name| Lab::open(name).expect("it is up"));
    assert_eq!(
        node_names(&a.kubeconfig(User::Admin), &a.kubectl()),
        "node/node1\nnode/node2\n"
    );
    assert_eq!(
        node_names(&b.kubeconfig(User::Vera), &b.kubectl()),
        "node/node1\n"
    );

    // Several terminals at once.
    let children: Vec<Child> = (0..8)
        .map(|number| {
            let node = ["node1", "node2"][number % 2];
            let words = ["node", node, "--", "hostname"];
            cargo_lab("side-a", &words)
                .stdout(Stdio::piped())
                .spawn()
                .expect("the program starts")
        })
        .collect();
    for (number, child) in children.into_iter().enumerate() {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("{}\n", ["node1", "node2"][number % 2])
        );
    }

    let again = run("side-a", &["up", "--nodes", "2"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("is up already"));

    run("side-a", &["down"]);
    assert_eq!(a.leftovers(), Vec::<String>::new());
    assert_nothing_left("side-a");
    assert_eq!(
        node_names(&b.kubeconfig(User::Admin), &b.kubectl()),
        "node/node1\n"
    );
    run("side-b", &["down"]);
    assert_eq!(b.leftovers(), Vec::<String>::new());
    assert_nothing_left("side-b");
}

#[test]
fn an_up_that_is_killed_in_the_middle_leaves_nothing_after_down() {
    if !may_run() {
        return;
    }
    let _ended = Ended("killed");
    for milliseconds in [150, 400, 800, 1500, 3000, 6000] {
        let mut up = cargo_lab("killed", &["up", "--nodes", "2"])
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        sleep(Duration::from_millis(milliseconds));
        // SIGKILL: nothing of it can clean up.
        up.kill().expect("it is ended");
        up.wait().expect("it has ended");
        run("killed", &["down"]);
        assert_nothing_left("killed");
    }
}

#[test]
fn an_up_after_one_that_was_killed_starts_a_working_lab() {
    if !may_run() {
        return;
    }
    let _ended = Ended("again");
    let mut up = cargo_lab("again", &["up", "--nodes", "1"])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    sleep(Duration::from_secs(2));
    up.kill().expect("it is ended");
    up.wait().expect("it has ended");
    run("again", &["up", "--nodes", "1"]);
    run("again", &["status"]);
    run("again", &["down"]);
    assert_nothing_left("again");
}
