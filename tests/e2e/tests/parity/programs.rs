//! The two programs that are compared: kubectl, in every version at hand, and ours.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What one run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Our example, built if need be.
pub(crate) fn list_pods() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args([
            "build",
            "-p",
            "cluster",
            "--example",
            "list-pods",
            "--message-format=json",
        ])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the example does not build");
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .expect("cargo names the executable")
}

/// Runs a program with these variables and no others, in this directory, without anything to read.
pub(crate) fn run(
    program: &Path,
    args: &[String],
    variables: &[(String, String)],
    directory: &Path,
) -> Outcome {
    let child = Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .envs(variables.iter().cloned())
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    let (done, waiting) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        if waiting.recv_timeout(Duration::from_mins(1)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").arg(id.to_string()).status();
        }
    });
    let output = child.wait_with_output().unwrap();
    let _ = done.send(());
    Outcome {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: readable(&String::from_utf8_lossy(&output.stderr)),
    }
}

/// What is left of stderr for people: without the lines of kubectl's log, and with one spelling of the prefix, which
/// differs between builds of kubectl.
fn readable(stderr: &str) -> String {
    let is_log = |line: &str| {
        let mut characters = line.chars();
        characters.next().is_some_and(|level| "IWEF".contains(level))
            && characters.take(4).filter(char::is_ascii_digit).count() == 4
    };
    let kept: Vec<String> = stderr
        .lines()
        .filter(|line| !is_log(line))
        .map(|line| match line.strip_prefix("Error: ") {
            Some(rest) => format!("error: {rest}"),
            None => line.trim_end().to_owned(),
        })
        .collect();
    kept.join("\n").trim().to_owned()
}
