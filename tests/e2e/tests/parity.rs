//! What reaches the server and what the user reads, with kubectl and with our client, given the same flags, files and
//! environment. Where the two differ on purpose, the case says in which way.

#![expect(clippy::unwrap_used, reason = "a comparison that cannot be set up fails")]

#[path = "parity/cases.rs"]
mod cases;
#[path = "parity/files.rs"]
mod files;
#[path = "parity/pki.rs"]
mod pki;
#[path = "parity/programs.rs"]
mod programs;
#[path = "parity/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::path::Path;

use cases::{Case, Expected, cases};
use e2e::kubectls;
use files::Files;
use pki::Pki;
use programs::{Outcome, list_pods, run};
use server::{Seen, Server};

/// What is compared of a request.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    line: String,
    headers: BTreeMap<String, Vec<String>>,
    client_certificate: bool,
    server_name: Option<String>,
}

/// The one request that was for pods (or a proxy), of those that were sent: with retries, the last.
fn asked(seen: &[Seen], raw: bool) -> Option<Request> {
    let last = seen
        .iter()
        .rev()
        .find(|one| one.line.contains("/pods") || one.line.starts_with("CONNECT "))?;
    let compared = |name: &str| {
        matches!(name, "authorization" | "host" | "accept-encoding") || name.starts_with("impersonate-")
    };
    // `kubectl get --raw` has the path as it is given, so it is no part of the comparison.
    let line = if raw && !last.line.starts_with("CONNECT ") {
        String::new()
    } else {
        last.line.clone()
    };
    let headers = last
        .headers
        .iter()
        .filter(|(name, _)| compared(name))
        .map(|(name, values)| (name.clone(), values.clone()));
    Some(Request {
        line,
        headers: headers.collect(),
        client_certificate: last.client_certificate,
        server_name: last.server_name.clone(),
    })
}

fn difference(case: &Case, ours: &(Outcome, Vec<Seen>), theirs: &(Outcome, Vec<Seen>)) -> Option<String> {
    let report = |what: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
        Some(format!(
            "{}: {what}\n    ours   {ours:?}\n    theirs {theirs:?}",
            case.name
        ))
    };
    if !matches!(case.expected, Expected::RequestDiffers { .. }) {
        let (our_request, their_request) = (asked(&ours.1, case.raw), asked(&theirs.1, case.raw));
        if our_request != their_request {
            return report("another request", &our_request, &their_request);
        }
    }
    match case.expected {
        Expected::Same => {
            if ours.0.success != theirs.0.success || ours.0.stderr != theirs.0.stderr {
                return report("another end", &ours.0, &theirs.0);
            }
            // With --raw kubectl prints the answer itself.
            if !case.raw && ours.0.stdout != theirs.0.stdout {
                return report("another output", &ours.0.stdout, &theirs.0.stdout);
            }
        }
        Expected::Texts {
            ours: our_text,
            theirs: their_text,
            ..
        }
        | Expected::RequestDiffers {
            ours: our_text,
            theirs: their_text,
            ..
        } => {
            if !ours.0.stderr.contains(our_text) || !theirs.0.stderr.contains(their_text) {
                return report("not the differing texts", &ours.0.stderr, &theirs.0.stderr);
            }
        }
    }
    None
}

/// What a comparison of all cases came to.
struct Compared {
    count: usize,
    differences: Vec<String>,
    /// The rows of the table.
    rows: String,
}

/// A row of the table: of what is the same our text stands for both.
fn row(case: &Case, ours: &Outcome, files: &Files) -> String {
    let neutral = |text: &str| {
        text.replace(&files.file(""), "DIR/")
            .replace(&files.https.to_string(), "PORT")
            .replace(&files.http.to_string(), "PORT")
            .replace('|', "\\|")
            .replace('`', "'")
    };
    let cell = |text: &str| {
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() {
            "as asked".to_owned()
        } else {
            format!("`{}`", neutral(line))
        }
    };
    let flags = if case.shown.is_empty() {
        "no flags".to_owned()
    } else {
        format!("`{}`", case.shown)
    };
    match case.expected {
        Expected::Same => {
            let said = if ours.stderr.is_empty() {
                &ours.stdout
            } else {
                &ours.stderr
            };
            format!("| {flags} | {0} | {0} | same |\n", cell(said))
        }
        Expected::Texts { ours, theirs, why } | Expected::RequestDiffers { ours, theirs, why } => {
            format!(
                "| {flags} | {} | {} | on purpose: {why} |\n",
                cell(theirs),
                cell(ours)
            )
        }
    }
}

/// Runs all cases with one kubectl.
fn compare(ours: &Path, kubectl: &Path, pki: &Pki) -> Compared {
    let server = Server::start(pki);
    let files = Files::write(pki, &server);
    let cases = cases(&files);
    let version = kubectl.file_name().unwrap_or_default().to_string_lossy();
    let mut differences = Vec::new();
    let mut rows = String::from("| flags and variables | kubectl | the plugins | |\n|---|---|---|---|\n");
    for case in &cases {
        let mine = (
            run(ours, &case.ours, &case.variables, files.path()),
            server.take(),
        );
        let theirs = (
            run(kubectl, &case.theirs, &case.variables, files.path()),
            server.take(),
        );
        differences.extend(difference(case, &mine, &theirs).map(|text| format!("{version}: {text}")));
        rows.push_str(&row(case, &mine.0, &files));
    }
    Compared {
        count: cases.len(),
        differences,
        rows,
    }
}

#[test]
fn the_server_and_the_user_see_what_they_see_with_kubectl() {
    let kubectls = kubectls();
    if kubectls.is_empty() {
        println!("skipped: no kubectl to compare with");
        return;
    }
    let ours = list_pods();
    let pki = Pki::new();
    // Each version has a server of its own, which then sees nothing of the others.
    let results: Vec<Compared> = std::thread::scope(|scope| {
        let running: Vec<_> = kubectls
            .iter()
            .map(|kubectl| scope.spawn(|| compare(&ours, kubectl, &pki)))
            .collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let differences: Vec<String> = results
        .iter()
        .flat_map(|compared| compared.differences.clone())
        .collect();
    for (kubectl, compared) in kubectls.iter().zip(&results) {
        println!("{} cases with {}", compared.count, kubectl.display());
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    e2e::assert_generated("parity.md", "connection", &results[0].rows);
}

/// A few invocations against the real cluster that `KUBECONFIG` names, when `NETCHECK_LAB` says that it is the lab.
#[test]
fn on_the_lab_the_same_pods_are_listed() {
    let (Ok(kubeconfig), Ok(_)) = (std::env::var("KUBECONFIG"), std::env::var("NETCHECK_LAB")) else {
        println!("skipped: KUBECONFIG and NETCHECK_LAB do not name a lab");
        return;
    };
    let kubectls = kubectls();
    if kubectls.is_empty() {
        println!("skipped: no kubectl to compare with");
        return;
    }
    let ours = list_pods();
    let home = tempfile::tempdir().unwrap();
    let variables = [
        ("KUBECONFIG", kubeconfig.as_str()),
        ("HOME", home.path().to_str().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    for flags in [
        "-n kube-system",
        "-n default --as jane",
        "-n kube-system --as jane --as-group system:masters",
        "-n no-such-namespace",
        "--token wrong --client-certificate=",
        "--context nope -n default",
        "-n kube-system --request-timeout 5s",
    ] {
        let flags: Vec<String> = flags.split(' ').map(str::to_owned).collect();
        let mine = run(&ours, &flags, &variables, home.path());
        for kubectl in &kubectls {
            let command = ["get", "pods", "-o", "name"].map(str::to_owned);
            let theirs = run(
                kubectl,
                &[command.as_slice(), &flags].concat(),
                &variables,
                home.path(),
            );
            // An empty list is silent with `-o name`.
            assert_eq!(mine.stdout, theirs.stdout, "{flags:?}");
            assert_eq!(
                mine.success, theirs.success,
                "{flags:?}: {} / {}",
                mine.stderr, theirs.stderr
            );
            if !flags.contains(&"nope".to_owned()) {
                assert_eq!(mine.stderr, theirs.stderr, "{flags:?}");
            }
        }
    }
}
