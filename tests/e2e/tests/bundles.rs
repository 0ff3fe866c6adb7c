//! What becomes of bundles and of files, with no cluster: on runs that were recorded.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use serde_json::Value;

/// A run on the lab with a cause, unpacked into a directory.
fn recorded(directory: &Path) -> PathBuf {
    let packed = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/transcripts/netcheck-fdb.json.gz"
    );
    let mut text = Vec::new();
    let file = File::open(packed).expect("a recorded run");
    GzDecoder::new(file).read_to_end(&mut text).expect("a whole file");
    let path = directory.join("seen.json");
    std::fs::write(&path, text).expect("written");
    path
}

fn diagnose(args: &[&str]) -> Output {
    Command::new(e2e::plugin_dir().join("kubectl-netcheck"))
        .arg("diagnose")
        .args(args)
        .output()
        .expect("the plugins are built")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The checks that its causes are of.
fn causes(output: &Output) -> Vec<String> {
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    let causes = report["rootCauses"].as_array().expect("a list").iter();
    causes
        .map(|cause| cause["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn an_old_bundle_is_made_one_that_can_be_shown() {
    let dir = tempfile::tempdir().expect("a directory");
    let (seen, shown) = (recorded(dir.path()), dir.path().join("shown.json"));
    let [seen, shown] = [&seen, &shown].map(|path| path.to_str().expect("UTF-8"));
    let made = diagnose(&[
        "--from-bundle",
        seen,
        "--redact",
        "--save-bundle",
        shown,
        "-o",
        "json",
    ]);
    assert_eq!(made.status.code(), Some(1), "{}", said(&made));
    let text = std::fs::read_to_string(shown).expect("it was written");
    for name in ["node1", "172.30.0.1", "10.244."] {
        assert!(std::fs::read_to_string(seen).expect("it stays").contains(name));
        assert!(!text.contains(name), "{name} is still in it");
    }
    let again = diagnose(&["--from-bundle", shown, "-o", "json"]);
    let original = diagnose(&["--from-bundle", seen, "-o", "json"]);
    assert_eq!(causes(&again), causes(&original));
    assert!(!causes(&again).is_empty());
}

#[test]
fn a_bundle_is_not_copied() {
    let dir = tempfile::tempdir().expect("a directory");
    let (seen, copy) = (recorded(dir.path()), dir.path().join("copy.json"));
    let [from, to] = [&seen, &copy].map(|path| path.to_str().expect("UTF-8"));
    let refused = diagnose(&["--from-bundle", from, "--save-bundle", to]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("would be a copy"), "{}", said(&refused));
    assert!(said(&refused).contains("--redact"), "{}", said(&refused));
    assert!(!copy.exists());
}

#[test]
fn a_file_that_cannot_be_written_is_named_as_it_was_given() {
    let dir = tempfile::tempdir().expect("a directory");
    let seen = recorded(dir.path());
    let (from, to) = (seen.to_str().expect("UTF-8"), dir.path().join("none/page.html"));
    let to = to.to_str().expect("UTF-8");
    let refused = diagnose(&["--from-bundle", from, "-o", "html", "--output-file", to]);
    let reason = if cfg!(unix) {
        "No such file or directory (os error 2)\n"
    } else {
        ""
    };
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(said(&refused), format!("error: could not write {to}: {reason}"));
}
