//! Verdict by verdict against CoreDNS itself: its setup runs on every case, and says whether it would start.
//!
//! Needs Go with CoreDNS' modules in its cache, as building the lab leaves them, and root, for namespaces of its own.
//! Where something is missing the test says `skipped:` and why.

#![expect(
    clippy::unwrap_used,
    reason = "a broken case or reference ends the test, wherever it is read"
)]

mod generator;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use corefile::{Refusal, Sources, Version, check, parse};

/// How many cases are made beside those that are written down.
const GENERATED: u64 = 12_000;
const SEED: u64 = 20_251;

const RESOLV: &str = "nameserver 192.0.2.53\nsearch example.org\n";
const VARIABLES: &[(&str, &str)] = &[
    ("ZONE", "variable.test"),
    ("UPSTREAM", "192.0.2.54"),
    ("PLUGIN", "whoami"),
];
/// Files beside the Corefile that cases import.
const FILES: &[(&str, &str)] = &[
    ("extra.conf", "whoami\nlog\n"),
    ("options.conf", "max_fails 3\npolicy sequential\n"),
    ("blocks.conf", "a.test {\n whoami\n}\nb.test {\n log\n}\n"),
];

#[test]
fn coredns_agrees_about_every_case_but_those_that_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let cases = cases();
    let reference = match reference(root, &cases) {
        Ok(reference) => reference,
        Err(why) => {
            println!("skipped: {why}");
            return;
        }
    };
    let explained = explained();
    let mut disagreements = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, text) in &cases {
        let (accepted, message) = &reference[name];
        let own = own_verdict(root, text);
        if *accepted == own.is_none() {
            continue;
        }
        if explained.contains_key(name.as_str()) {
            seen.insert(name.as_str());
            continue;
        }
        let own = own.map_or_else(|| "accepts".to_owned(), |refusal| refusal.to_string());
        disagreements.push(format!("--- {name}\n{text}\nCoreDNS: {message}\nhere: {own}\n"));
    }
    let accepted = reference.values().filter(|(accepted, _)| *accepted).count();
    println!(
        "{} cases, {accepted} of them accepted by CoreDNS {}: {} agree, {} differ and are explained, {} differ",
        cases.len(),
        Version::COMPARED,
        cases.len() - disagreements.len() - seen.len(),
        seen.len(),
        disagreements.len()
    );
    assert!(
        disagreements.is_empty(),
        "{}",
        disagreements[..disagreements.len().min(12)].join("\n")
    );
    let stale: Vec<_> = explained
        .keys()
        .filter(|name| !seen.contains(name.as_str()))
        .collect();
    assert!(
        stale.is_empty(),
        "explained, and no disagreement any more: {stale:?}"
    );
}

fn cases() -> Vec<(String, String)> {
    let mut cases = Vec::new();
    for case in include_str!("coredns/cases.txt").split("=== ").skip(1) {
        let (name, text) = case.split_once('\n').unwrap();
        cases.push((name.to_owned(), text.to_owned()));
    }
    for index in 0..GENERATED {
        let seed = SEED.wrapping_mul(1_000_003).wrapping_add(index);
        cases.push((format!("generated {index}"), generator::corefile(seed)));
    }
    cases
}

/// Disagreements that are known, with their reasons: lines of `NAME: REASON`.
fn explained() -> BTreeMap<String, String> {
    include_str!("coredns/disagreements.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (name, reason) = line.split_once(": ").unwrap();
            (name.to_owned(), reason.to_owned())
        })
        .collect()
}

fn own_verdict(root: &Path, text: &str) -> Option<Refusal> {
    let mut files: BTreeMap<String, String> = FILES
        .iter()
        .map(|(name, text)| (root.join(name).display().to_string(), (*text).to_owned()))
        .collect();
    files.insert("/etc/resolv.conf".to_owned(), RESOLV.to_owned());
    if let Ok(hosts) = fs::read_to_string("/etc/hosts") {
        files.insert("/etc/hosts".to_owned(), hosts);
    }
    let sources = Sources {
        name: root.join("Corefile").display().to_string(),
        variables: VARIABLES
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        files,
        files_are_complete: true,
        interfaces: Some(BTreeSet::from(["lo".to_owned()])),
    };
    match parse(text, &sources) {
        Err(refusal) => Some(refusal),
        Ok(corefile) => check(&corefile, Version::COMPARED, &sources).into_iter().next(),
    }
}

type Verdicts = BTreeMap<String, (bool, String)>;

/// What CoreDNS says of each case, or why it cannot be asked.
fn reference(root: &Path, cases: &[(String, String)]) -> Result<Verdicts, String> {
    let program = program()?;
    for (name, text) in FILES {
        fs::write(root.join(name), text).map_err(|error| error.to_string())?;
    }
    let mut paths = Vec::new();
    for (index, (_, text)) in cases.iter().enumerate() {
        let path = root.join(format!("{index}.case"));
        fs::write(&path, text).map_err(|error| error.to_string())?;
        paths.push(path);
    }
    let output = Command::new(&program)
        .args(&paths)
        .envs(VARIABLES.iter().copied())
        .env_remove("NOT_THERE")
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(2) && errors.contains("namespaces of its own: fork/exec") {
        return Err(format!("root is needed: {}", errors.trim()));
    }
    assert!(output.status.success(), "the reference failed: {errors}");
    let version = format!("version {}", Version::COMPARED);
    assert!(
        errors.contains(&version),
        "the reference is not {version}: {errors}"
    );
    let mut verdicts = BTreeMap::new();
    for (line, (name, _)) in String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.starts_with("{\"path\""))
        .zip(cases)
    {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        verdicts.insert(
            name.clone(),
            (
                verdict["accepted"].as_bool().unwrap(),
                verdict["message"].as_str().unwrap_or_default().to_owned(),
            ),
        );
    }
    assert_eq!(
        verdicts.len(),
        cases.len(),
        "the reference did not judge every case"
    );
    Ok(verdicts)
}

/// Builds the reference from the lab's Go module, without downloading anything.
fn program() -> Result<PathBuf, String> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab/go/coredns");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("coredns-verdict");
    let output = Command::new("go")
        .args(["build", "-C"])
        .arg(&module)
        .args(["-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"])
        .arg(&program)
        .arg("./verdict")
        .env("CGO_ENABLED", "0")
        .env("GOPROXY", "off")
        .output()
        .map_err(|error| format!("go is needed to build CoreDNS: {error}"))?;
    if output.status.success() {
        return Ok(program);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("module lookup disabled") {
        return Err("CoreDNS' modules are not in Go's cache; `cargo lab up` brings them there".to_owned());
    }
    panic!("the reference does not build: {errors}");
}
