//! `deploy/in-cluster.yaml`, applied: the static programs of a release look at the cluster from within, with the ServiceAccount of their pod.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Bench, Run};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/");
const MANIFESTS: [&str; 3] = ["rbac/read.yaml", "rbac/probe.yaml", "in-cluster.yaml"];
const PLUGINS: [&str; 4] = [
    "kubectl-netcheck",
    "kubectl-dnscheck",
    "kubectl-epcheck",
    "kubectl-cnicheck",
];
/// What lets no packet of the overlay into a node.
const NO_OVERLAY: &str = "PREROUTING -p udp --dport 8472 -j DROP";

/// The programs of the archives that `NETCHECK_ARCHIVES` names, which `cargo lab test` packs.
fn programs(into: &Path) -> Option<Vec<PathBuf>> {
    let Some(archives) = std::env::var_os("NETCHECK_ARCHIVES") else {
        return e2e::skip("NETCHECK_ARCHIVES names no packed programs: run `cargo lab test`");
    };
    let packed: Vec<PathBuf> = std::fs::read_dir(&archives)
        .expect("the archives")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let unpack = |plugin: &&str| {
        let is_it = |path: &&PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(*plugin) && name.contains("_linux_")
        };
        let archive = packed.iter().find(is_it).expect("an archive of each plugin");
        let unpacked = Command::new("tar")
            .arg("-xzf")
            .arg(archive)
            .arg("-C")
            .arg(into)
            .arg(plugin)
            .status();
        assert!(unpacked.expect("tar starts").success(), "{}", archive.display());
        into.join(plugin)
    };
    Some(PLUGINS.iter().map(unpack).collect())
}

/// What the manifests made, as long as this lives.
struct Deployed<'a>(&'a Bench);

impl<'a> Deployed<'a> {
    fn new(bench: &'a Bench) -> Self {
        let deployed = Self(bench);
        for manifest in MANIFESTS {
            let applied = bench.run(&["apply", "-f", &format!("{DEPLOY}{manifest}")]);
            assert_eq!(
                (applied.code, applied.stderr.as_str()),
                (Some(0), ""),
                "{applied}"
            );
        }
        deployed
    }

    /// Runs the job to its end. Returns the exit status of its container, and what it said.
    fn job(&self, name: &str) -> (String, String) {
        let kubectl = |words: &str| {
            let words = format!("-n network-check {words}");
            self.0.kubectl(&words.split_whitespace().collect::<Vec<_>>())
        };
        kubectl(&format!("create job --from=cronjob/network-check {name}"));
        let ended = "-o=jsonpath={.items[*].status.containerStatuses[*].state.terminated.exitCode}";
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(3);
        let status = loop {
            let status = kubectl(&format!("get pods -l job-name={name} {ended}"));
            if !status.is_empty() {
                break status;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{}",
                kubectl("describe pods")
            );
            std::thread::sleep(std::time::Duration::from_millis(500));
        };
        (status, kubectl(&format!("logs job/{name}")))
    }

    /// One program of the image with the rights of the ServiceAccount, to its end.
    fn once(&self, name: &str, command: &[&str]) -> Run {
        let spec = serde_json::json!({"spec": {
            "serviceAccountName": "network-check",
            "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{
                "name": name,
                "image": "network-check:v0.1.0",
                "command": command,
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
            }],
        }});
        let overrides = format!("--overrides={spec}");
        let image = "--image=network-check:v0.1.0";
        let run = [
            "run",
            name,
            "-n",
            "network-check",
            image,
            "--restart=Never",
            &overrides,
        ];
        self.0.kubectl(&run);
        let pod = format!("pod/{name}");
        let ended = "--for=jsonpath={.status.containerStatuses[0].state.terminated}";
        self.0
            .kubectl(&["wait", "-n", "network-check", &pod, ended, "--timeout=120s"]);
        self.0.run(&["logs", "-n", "network-check", &pod])
    }
}

impl Drop for Deployed<'_> {
    fn drop(&mut self) {
        for manifest in MANIFESTS.iter().rev() {
            self.0.run(&[
                "delete",
                "--ignore-not-found",
                "-f",
                &format!("{DEPLOY}{manifest}"),
            ]);
        }
    }
}

/// Lets packets of the overlay in again when it goes out of scope.
struct CutOff<'a>(&'a Bench);

impl<'a> CutOff<'a> {
    fn new(bench: &'a Bench) -> Self {
        let cut = Self(bench);
        cut.change("-I");
        cut
    }

    fn change(&self, how: &str) {
        let script = format!("iptables -w 5 -t mangle {how} {NO_OVERLAY}");
        let done = self.0.nodes().node("node2").run(&["sh", "-c", &script]);
        assert!(done.expect("the node runs it").status.success(), "{script}");
    }
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        self.change("-D");
    }
}

#[test]
fn a_job_looks_from_within_and_fails_where_something_is_wrong() {
    let Some(bench) = Bench::lab() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let Some(programs) = programs(dir.path()) else {
        return;
    };
    bench
        .nodes()
        .load("network-check:v0.1.0", &programs)
        .expect("nodes take it");
    bench.await_green();
    let deployed = Deployed::new(&bench);

    let (status, said) = deployed.job("healthy");
    assert_eq!(status, "0", "{said}");
    assert!(said.starts_with("✓ pods of 3 nodes reach each other"), "{said}");
    // No part of it was refused to the ServiceAccount.
    assert!(!said.contains("forbidden") && !said.contains("may not"), "{said}");

    let cut = CutOff::new(&bench);
    let (status, said) = deployed.job("broken");
    drop(cut);
    assert_eq!(status, "1", "{said}");
    assert!(said.starts_with('✗') && said.contains("node2"), "{said}");

    for (name, words) in [
        ("dns", ["/kubectl-dnscheck", "diagnose", "-o", "json"]),
        ("cni", ["/kubectl-cnicheck", "status", "-o", "json"]),
    ] {
        let run = deployed.once(name, &words);
        assert_eq!(run.json()["verdict"], "pass", "{run}");
    }
    // Where neither a flag nor a kubeconfig names one, the namespace is that of the pod.
    let scan = deployed.once("scan", &["/kubectl-epcheck", "scan", "-o", "json"]);
    let summary = "there is no Service in namespace network-check";
    assert_eq!(scan.json()["summary"], summary, "{scan}");
    drop(deployed);
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}
