//! Tools for what is checked on a real cluster.
//!
//! A test that needs nodes asks for [`Bench::lab`]; one that needs only a cluster asks for [`Bench::cluster`] and runs
//! on anybody's. Without one it says `skipped:` and why; it never passes silently.

mod documents;
mod kubectls;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use documents::assert_generated;
pub use kubectls::kubectls;
use lab::Inside;
pub use lab::{Lab, User};

/// A cluster, and the plugin under test in front of a real kubectl.
#[derive(Debug)]
pub struct Bench {
    kubeconfig: PathBuf,
    lab: Option<Lab>,
}

impl Bench {
    /// The cluster of `KUBECONFIG`, which need not be a lab.
    pub fn cluster() -> Option<Self> {
        let Some(kubeconfig) = std::env::var_os("KUBECONFIG") else {
            return skip("KUBECONFIG names no cluster: run `cargo lab test`");
        };
        let lab = std::env::var("NETCHECK_LAB")
            .ok()
            .map(|name| Lab::open(&name).expect("the lab of NETCHECK_LAB is up"));
        Some(Self {
            kubeconfig: kubeconfig.into(),
            lab,
        })
    }

    /// A lab, for what needs access to nodes.
    pub fn lab() -> Option<Self> {
        let bench = Self::cluster()?;
        if bench.lab.is_none() {
            return skip("needs access to nodes, and NETCHECK_LAB names no lab");
        }
        Some(bench)
    }

    /// The lab's handle.
    pub fn nodes(&self) -> &Lab {
        self.lab.as_ref().expect("Bench::lab was asked for")
    }

    /// The same cluster with the eyes of another user of the lab.
    #[must_use]
    pub fn as_user(&self, user: User) -> Self {
        let name = std::env::var("NETCHECK_LAB").expect("users are the lab's");
        Self {
            kubeconfig: self.nodes().kubeconfig(user),
            lab: Some(Lab::open(&name).expect("the lab is up")),
        }
    }

    /// `kubectl ARGS…` against this cluster, with the plugin on its PATH.
    pub fn command(&self, args: &[&str]) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let dirs = std::iter::once(plugin_dir()).chain(std::env::split_paths(&path));
        let mut command = Command::new("kubectl");
        command
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("PATH", std::env::join_paths(dirs).expect("PATH"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs kubectl and returns what it printed, whatever came of it.
    pub fn run(&self, args: &[&str]) -> Run {
        let begin = Instant::now();
        let output = self.command(args).output().expect("kubectl starts");
        Run::new(args, &output, begin.elapsed())
    }

    /// Runs kubectl, which must succeed.
    pub fn kubectl(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{run}");
        run.stdout
    }

    /// Applies a manifest, which must succeed.
    pub fn apply(&self, manifest: &str) {
        let mut child = self
            .command(&["apply", "-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        std::io::Write::write_all(child.stdin.as_mut().expect("piped"), manifest.as_bytes())
            .expect("written");
        assert!(
            child.wait().expect("kubectl ends").success(),
            "apply:\n{manifest}"
        );
    }

    /// `kubectl netcheck ARGS…`.
    pub fn netcheck(&self, args: &[&str]) -> Run {
        self.run(&[&["netcheck"], args].concat())
    }

    /// `kubectl epcheck ARGS…`.
    pub fn epcheck(&self, args: &[&str]) -> Run {
        self.run(&[&["epcheck"], args].concat())
    }

    /// `kubectl dnscheck ARGS…`.
    pub fn dnscheck(&self, args: &[&str]) -> Run {
        self.run(&[&["dnscheck"], args].concat())
    }

    /// `kubectl netcheck ARGS…`, left running.
    pub fn start_netcheck(&self, args: &[&str]) -> Child {
        let mut command = self.command(&[&["netcheck"], args].concat());
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts")
    }

    /// Every object of the cluster that is not the cluster's own bookkeeping (events, leases), as
    /// `resource namespace/name uid`.
    pub fn objects(&self) -> BTreeSet<String> {
        let kinds = self.kubectl(&["api-resources", "--verbs=list", "-o", "name"]);
        let kinds = kinds.lines().filter(|kind| {
            !matches!(
                *kind,
                "events" | "events.events.k8s.io" | "leases.coordination.k8s.io" | "componentstatuses"
            )
        });
        let kinds = kinds.collect::<Vec<_>>().join(",");
        let columns = "-o=custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name,U:.metadata.uid";
        let listed = self.kubectl(&["get", &kinds, "-A", "--no-headers", "--ignore-not-found", columns]);
        listed
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect()
    }

    /// Everything that a run of ours left: objects that carry the managed-by label. A namespace that is being deleted
    /// is waited for, as long as a healthy namespace controller may take.
    pub fn leftovers(&self) -> Vec<String> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let found = self.labelled();
            let only_dying = found.iter().all(|line| line.contains("Terminating"));
            if found.is_empty() || !only_dying || Instant::now() > deadline {
                return found;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// What of our runs is there at this moment.
    pub fn labelled(&self) -> Vec<String> {
        let kinds = "namespaces,pods,configmaps,serviceaccounts,roles,rolebindings,services,networkpolicies";
        let columns = "-o=custom-columns=K:.kind,NS:.metadata.namespace,N:.metadata.name,P:.status.phase";
        let label = "app.kubernetes.io/managed-by in (kubectl-netcheck,kubectl-epcheck,kubectl-dnscheck,kubectl-cnicheck)";
        let listed = self.kubectl(&[
            "get",
            kinds,
            "-A",
            "-l",
            label,
            "--no-headers",
            "--ignore-not-found",
            columns,
        ]);
        listed.lines().map(str::to_owned).collect()
    }

    /// Waits until a healthy run says so, and fails the test if that takes longer than a minute.
    pub fn await_green(&self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let run = self.netcheck(&["pod-to-pod", "--count", "1"]);
            if run.code == Some(0) {
                return;
            }
            assert!(Instant::now() < deadline, "not green again after a minute: {run}");
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

/// Processes of a place, stopped as long as this lives.
#[derive(Debug)]
pub struct Frozen<'a> {
    place: Inside<'a>,
    /// Prints their ids.
    find: &'static str,
}

impl<'a> Frozen<'a> {
    /// Stops those whose ids the shell command `find` prints.
    ///
    /// # Panics
    /// When it finds none.
    pub fn new(place: Inside<'a>, find: &'static str) -> Self {
        let frozen = Self { place, find };
        assert!(frozen.signal("STOP"), "{find}");
        frozen
    }

    /// Whether there was somebody to get it.
    fn signal(&self, signal: &str) -> bool {
        let script = format!("{} | xargs kill -{signal}", self.find);
        let done = self.place.run(&["sh", "-c", &script]).expect("the place runs it");
        done.status.success()
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        // A second panic would hide the first.
        let done = self.signal("CONT");
        assert!(done || std::thread::panicking(), "{}", self.find);
    }
}

/// What a command came to.
#[derive(Debug)]
pub struct Run {
    args: String,
    /// `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
    /// From the start of kubectl to its end.
    pub took: Duration,
}

impl Run {
    fn new(args: &[&str], output: &Output, took: Duration) -> Self {
        Self {
            args: args.join(" "),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took,
        }
    }

    /// The causes that its report names, as check and subject.
    ///
    /// # Panics
    /// When it printed no report as JSON.
    pub fn causes(&self) -> Vec<(String, String)> {
        let report = self.json();
        let causes = report["rootCauses"].as_array().expect("a list of causes").iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        causes
            .map(|cause| {
                let subject = &cause["subject"];
                (
                    text(&cause["id"]),
                    format!("{}/{}", text(&subject["kind"]), text(&subject["name"])),
                )
            })
            .collect()
    }

    /// Its standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not one JSON document: {error}: {self}"))
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "`kubectl {}` ended with {:?} after {:.1?}",
            self.args, self.code, self.took
        )?;
        writeln!(f, "--- stdout\n{}--- stderr\n{}---", self.stdout, self.stderr)
    }
}

/// Where the plugin under test is: `NETCHECK_PLUGIN_DIR`, which `cargo lab test` sets.
pub fn plugin_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("NETCHECK_PLUGIN_DIR") {
        return dir.into();
    }
    // The test program lies in TARGET/PROFILE/deps, the plugin in TARGET/PROFILE.
    let own = std::env::current_exe().expect("own path");
    own.parent()
        .and_then(Path::parent)
        .expect("target directory")
        .to_owned()
}

/// Says that a test did not run, and why.
#[expect(
    clippy::print_stdout,
    reason = "whoever reads the tests' output must see what did not run"
)]
pub fn skip<T>(why: &str) -> Option<T> {
    println!("skipped: {why}");
    None
}
