//! A healthy cluster: everything passes, nothing is pulled, nothing is left.

use e2e::Bench;

#[test]
fn every_pair_passes_and_nothing_is_left() {
    let Some(bench) = Bench::cluster() else { return };
    assert_eq!(
        bench.leftovers(),
        Vec::<String>::new(),
        "the cluster is clean before"
    );
    let before = bench.objects();
    let run = bench.netcheck(&["pod-to-pod", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run}");
    let report = run.json();
    assert_eq!(report["verdict"], "pass", "{run}");
    assert_eq!(report["rootCauses"], serde_json::json!([]), "{run}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    let after = bench.objects();
    assert_eq!(
        before.symmetric_difference(&after).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn no_image_is_pulled() {
    let Some(bench) = Bench::cluster() else { return };
    let run = bench.netcheck(&["pod-to-pod", "--keep", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run}");
    let label = "app.kubernetes.io/managed-by=kubectl-netcheck";
    let events = bench.kubectl(&["get", "events", "-A", "-o", "json"]);
    let pods = bench.kubectl(&["get", "pods", "-A", "-l", label, "-o", "name"]);
    let cleaned = bench.netcheck(&["cleanup"]);
    let names: Vec<&str> = pods
        .lines()
        .filter_map(|line| line.strip_prefix("pod/"))
        .collect();
    assert!(names.len() > 1, "kept pods are there: {pods:?}");
    let events: serde_json::Value = serde_json::from_str(&events).unwrap();
    let pulled = events["items"].as_array().unwrap().iter().filter(|event| {
        let of_ours = event["involvedObject"]["name"]
            .as_str()
            .is_some_and(|name| names.contains(&name));
        of_ours && event["reason"] == "Pulling"
    });
    assert_eq!(pulled.count(), 0);
    assert_eq!(cleaned.code, Some(0), "{cleaned}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn a_namespace_that_enforces_restricted_admits_the_probe_pods_without_a_warning() {
    let Some(bench) = Bench::cluster() else { return };
    bench.apply(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: netcheck-e2e-restricted\n  labels:\n    \
         pod-security.kubernetes.io/enforce: restricted\n    pod-security.kubernetes.io/warn: restricted\n",
    );
    let run = bench.netcheck(&["pod-to-pod", "--probe-namespace", "netcheck-e2e-restricted"]);
    let left = bench.kubectl(&[
        "get",
        "pods,configmaps",
        "-n",
        "netcheck-e2e-restricted",
        "-o",
        "name",
    ]);
    bench.kubectl(&["delete", "namespace", "netcheck-e2e-restricted"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!run.stderr.contains("Warning"), "{run}");
    assert_eq!(left.trim(), "configmap/kube-root-ca.crt");
}

#[test]
fn two_runs_at_once_do_not_disturb_each_other() {
    let Some(bench) = Bench::cluster() else { return };
    let first = bench.start_netcheck(&["pod-to-pod"]);
    let second = bench.start_netcheck(&["pod-to-pod"]);
    for child in [first, second] {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn a_bundle_gives_the_same_report_without_a_cluster() {
    let Some(bench) = Bench::cluster() else { return };
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let bundle = bundle.to_str().unwrap();
    let live = bench.netcheck(&["pod-to-pod", "-o", "json", "--save-bundle", bundle]);
    assert_eq!(live.code, Some(0), "{live}");
    let mut command = bench.command(&["netcheck", "pod-to-pod", "-o", "json", "--from-bundle", bundle]);
    let replayed = command.env("KUBECONFIG", "/nonexistent").output().unwrap();
    assert_eq!(
        replayed.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&replayed.stderr)
    );
    assert_eq!(live.stdout, String::from_utf8_lossy(&replayed.stdout));
}
