//! What becomes of bundles and of files, with no cluster: on runs that were recorded.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;
use serde_json::Value;

/// A run on the lab with a cause, unpacked into a directory.
fn recorded(directory: &Path) -> PathBuf {
    unpacked(directory, "netcheck-fdb")
}

fn unpacked_as(directory: &Path, name: &str) -> String {
    unpacked(directory, name).to_str().expect("UTF-8").to_owned()
}

fn unpacked(directory: &Path, name: &str) -> PathBuf {
    let packed = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/transcripts/{name}.json.gz"));
    let mut text = Vec::new();
    let file = File::open(packed).expect("a recorded run");
    GzDecoder::new(file).read_to_end(&mut text).expect("a whole file");
    let path = directory.join(format!("{name}.json"));
    std::fs::write(&path, text).expect("written");
    path
}

fn diagnose(args: &[&str]) -> Output {
    run("netcheck", &[&["diagnose"], args].concat())
}

fn run(plugin: &str, args: &[&str]) -> Output {
    Command::new(e2e::plugin_dir().join(format!("kubectl-{plugin}")))
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
fn what_is_no_bundle_is_said_to_be_what_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, content, says) in [
        ("empty", &b" \n"[..], "it is empty"),
        (
            "packed",
            &[0x1f, 0x8b, 8, 0],
            "it is compressed\nhint: unpack it on the way: `gunzip -c",
        ),
        ("binary", &[0xff, 0xfe, 1], "invalid utf-8"),
        ("text", b"hello", "hint: a bundle is what --save-bundle writes"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("written");
        let refused = diagnose(&["--from-bundle", path.to_str().expect("UTF-8")]);
        assert_eq!(refused.status.code(), Some(2), "{name}");
        assert!(said(&refused).contains(says), "{name}: {}", said(&refused));
    }
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

#[test]
fn a_bundle_answers_what_it_was_asked_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| unpacked_as(dir.path(), name);
    let (pairs, service) = (path("netcheck-pod-to-pod"), path("epcheck-svc"));
    let (dns, cni) = (path("dnscheck-status"), path("cnicheck-detect"));
    for (plugin, words, bundle, says) in [
        (
            "netcheck",
            "egress",
            &pairs,
            "holds no tries of what lies outside",
        ),
        ("netcheck", "mtu", &pairs, "holds no measured sizes of packets"),
        (
            "netcheck",
            "control-plane",
            &pairs,
            "holds no tries of the control plane",
        ),
        ("dnscheck", "latency", &dns, "holds no lookups"),
        (
            "dnscheck",
            "pod nosuch",
            &dns,
            "is about no pod, not about pod/nosuch",
        ),
        ("cnicheck", "config", &cni, "holds no reading of nodes"),
        (
            "epcheck",
            "svc nosuch",
            &service,
            "was not asked about service/nosuch",
        ),
        (
            "epcheck",
            "svc kube-dns -n faults",
            &service,
            "was not asked about service/kube-dns",
        ),
        (
            "epcheck",
            "scan -n nosuch",
            &service,
            "is about namespace kube-system, not about nosuch",
        ),
        ("epcheck", "rules", &service, "holds no rules of nodes"),
    ] {
        let args: Vec<&str> = words.split(' ').chain(["--from-bundle", bundle]).collect();
        let refused = run(plugin, &args);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{plugin} {words}: {}",
            said(&refused)
        );
        assert!(
            said(&refused).contains(says),
            "{plugin} {words}: {}",
            said(&refused)
        );
        assert!(refused.stdout.is_empty(), "{plugin} {words}");
    }
    for (plugin, words, bundle) in [
        ("netcheck", "pod-to-pod", &pairs),
        ("netcheck", "diagnose", &pairs),
        ("epcheck", "svc kube-dns", &service),
        ("epcheck", "svc svc/kube-dns.kube-system", &service),
        ("epcheck", "scan", &service),
        ("dnscheck", "status", &dns),
        ("cnicheck", "detect", &cni),
    ] {
        let args: Vec<&str> = words.split(' ').chain(["--from-bundle", bundle]).collect();
        let answered = run(plugin, &args);
        assert_eq!(
            answered.status.code(),
            Some(0),
            "{plugin} {words}: {}",
            said(&answered)
        );
    }
}

#[test]
fn flags_of_the_usual_command_are_taken_without_its_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let seen = recorded(dir.path());
    let seen = seen.to_str().expect("UTF-8");
    let named = diagnose(&["--from-bundle", seen, "-o", "json"]);
    let unnamed = run("netcheck", &["--from-bundle", seen, "-o", "json"]);
    assert_eq!(unnamed.status.code(), Some(1), "{}", said(&unnamed));
    assert_eq!(unnamed.stdout, named.stdout);
    let bogus = run("netcheck", &["--bogus"]);
    assert_eq!(bogus.status.code(), Some(2));
    assert!(
        said(&bogus).starts_with("error: unknown flag: --bogus\n"),
        "{}",
        said(&bogus)
    );
}

#[test]
fn redaction_changes_nothing_of_what_is_found_in_recorded_runs() {
    let dir = tempfile::tempdir().expect("a directory");
    let transcripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/transcripts");
    let mut runs = 0;
    for entry in std::fs::read_dir(transcripts).expect("recorded runs") {
        let file = entry.expect("an entry").file_name();
        let name = file.to_string_lossy().replace(".json.gz", "");
        let plugin = name.split('-').next().expect("a plugin");
        let command = if plugin == "epcheck" { "svc" } else { "diagnose" };
        let bundle = unpacked_as(dir.path(), &name);
        let found = |more: &[&str]| {
            let args = [&[command, "--from-bundle", &bundle, "-o", "json"], more].concat();
            let output = run(plugin, &args);
            let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
            let ids = |part: &str| -> Vec<(Value, Value)> {
                let items = report[part].as_array().expect("a list").iter();
                let mut ids: Vec<_> = items
                    .map(|it| (it["id"].clone(), it["severity"].clone()))
                    .collect();
                ids.sort_by_key(|(id, severity)| (id.to_string(), severity.to_string()));
                ids
            };
            (report["verdict"].clone(), ids("rootCauses"), ids("findings"))
        };
        assert_eq!(found(&["--redact"]), found(&[]), "{name}");
        runs += 1;
    }
    assert!(runs > 10, "{runs}");
}
