//! What GitHub runs, held against what GitHub understands. `cargo lab test` builds the linter and names its directory in
//! `NETCHECK_RELEASE_TOOLS`.

#![expect(clippy::unwrap_used, reason = "what cannot be read or started fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn workflows() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/workflows");
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn the_linter_finds_nothing_in_the_workflows() {
    let Some(tools) = std::env::var_os("NETCHECK_RELEASE_TOOLS") else {
        println!(
            "skipped: NETCHECK_RELEASE_TOOLS does not name the directory of actionlint: run `cargo lab test`"
        );
        return;
    };
    let output = Command::new(Path::new(&tools).join("actionlint"))
        .args(workflows())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A tag can be moved to other code by whoever owns an action; a commit cannot.
#[test]
fn every_action_is_named_by_a_commit() {
    let mut actions = 0;
    for path in workflows() {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in text.lines() {
            let Some((_, action)) = line.split_once("uses: ") else {
                continue;
            };
            actions += 1;
            let commit = action
                .split_once('@')
                .map(|(_, rest)| rest.split(' ').next().unwrap());
            let is_commit =
                |commit: &str| commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(commit.is_some_and(is_commit), "{}: {action}", path.display());
        }
    }
    assert!(actions > 0, "no workflow uses any action");
}
