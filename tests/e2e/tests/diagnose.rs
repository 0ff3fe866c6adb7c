//! `kubectl netcheck diagnose`: what nodes show beside what probes meet, and one cause for both.

use e2e::{Bench, User};
use serde_json::Value;

/// Verdicts of checks by their ids.
fn verdict<'a>(report: &'a Value, id: &str) -> &'a str {
    let checks = report["checks"].as_array().expect("a list of checks");
    let check = checks.iter().find(|check| check["id"] == id);
    check
        .and_then(|check| check["verdict"].as_str())
        .unwrap_or("absent")
}

#[test]
fn a_healthy_cluster_has_no_cause_with_and_without_access_to_nodes() {
    let Some(bench) = Bench::lab() else { return };
    bench.await_green();
    // The namespaces of the runs that found it green.
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    let before = bench.objects();
    let plain = bench.netcheck(&["diagnose", "-o", "json"]);
    assert_eq!(plain.code, Some(0), "{plain}");
    let report = plain.json();
    assert_eq!(report["rootCauses"], Value::Array(Vec::new()), "{plain}");
    // A pod in the node's network, without any right, reads routes and settings, and no rules.
    assert_eq!(verdict(&report, "cni-route"), "pass", "{plain}");
    assert_eq!(verdict(&report, "net-ipfwd"), "pass", "{plain}");
    assert_eq!(verdict(&report, "net-forward"), "skipped", "{plain}");
    assert_eq!(verdict(&report, "net-svc"), "pass", "{plain}");

    let access = bench.netcheck(&["diagnose", "--node-access", "-o", "json"]);
    assert_eq!(access.code, Some(0), "{access}");
    let report = access.json();
    assert_eq!(report["rootCauses"], Value::Array(Vec::new()), "{access}");
    for id in [
        "cni-route",
        "net-forward",
        "cni-conf",
        "cni-encap-port",
        "net-egr-masq",
    ] {
        assert_eq!(verdict(&report, id), "pass", "{id}: {access}");
    }
    assert_eq!(bench.leftovers(), Vec::<String>::new());
    assert_eq!(bench.objects(), before);
}

#[test]
fn a_route_that_is_gone_is_the_cause_and_a_bundle_says_the_same() {
    let Some(bench) = Bench::lab() else { return };
    bench.await_green();
    let cidr = bench.kubectl(&["get", "node", "node2", "-o", "jsonpath={.spec.podCIDR}"]);
    let on_node1 = |script: &str| {
        let output = bench.nodes().node("node1").run(&["sh", "-c", script]).unwrap();
        assert!(output.status.success(), "{script}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let route = on_node1(&format!("ip route show {cidr}"));
    let dir = tempfile::tempdir().unwrap();
    let bundle = dir.path().join("bundle.json");
    let bundle = bundle.to_str().unwrap();
    on_node1(&format!("ip route del {cidr}"));
    let run = bench.netcheck(&["diagnose", "-o", "json", "--save-bundle", bundle]);
    on_node1(&format!("ip route add {route}"));
    assert_eq!(run.code, Some(1), "{run}");
    let report = run.json();
    let cause = &report["rootCauses"][0];
    assert_eq!(cause["id"], "cni-route", "{run}");
    assert_eq!(cause["subject"]["name"], "node1", "{run}");
    assert_eq!(cause["confidence"]["level"], "certain", "{run}");
    assert_eq!(report["rootCauses"].as_array().map(Vec::len), Some(1), "{run}");
    let again = bench.netcheck(&["diagnose", "-o", "json", "--from-bundle", bundle]);
    assert_eq!(
        again.stdout, run.stdout,
        "the same observation gives the same report"
    );
    for format in ["json", "html", "prometheus", "junit"] {
        let file = dir.path().join(format);
        let hidden = ["--redact", "-o", format, "--output-file", file.to_str().unwrap()];
        let run = bench.netcheck(&[&["diagnose", "--from-bundle", bundle][..], &hidden].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run}");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains("cni-route"), "{format}: {text}");
        assert!(
            !text.contains("node1") && text.contains("node-1"),
            "{format}: {text}"
        );
    }
    bench.await_green();
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn one_check_looks_at_no_more_than_it_needs() {
    let Some(bench) = Bench::lab() else { return };
    let run = bench.netcheck(&["diagnose", "--check", "net-ipfwd", "-o", "json"]);
    assert_eq!(run.code, Some(0), "{run}");
    let report = run.json();
    let checks = report["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 1, "{run}");
    assert_eq!(
        report["matrix"],
        Value::Null,
        "no pod of the pod network was started: {run}"
    );
    let node = bench.netcheck(&["node"]);
    assert_eq!(node.code, Some(0), "{node}");
    assert!(
        node.stdout.contains("nothing wrong was seen on 3 nodes"),
        "{node}"
    );
    let mtu = bench.netcheck(&["mtu", "-o", "json"]);
    assert_eq!(mtu.code, Some(0), "{mtu}");
    assert_eq!(verdict(&mtu.json(), "net-mtu"), "pass", "{mtu}");
    let unknown = bench.netcheck(&["diagnose", "--check", "net-nonsense"]);
    assert_eq!(unknown.code, Some(2), "{unknown}");
    assert_eq!(bench.leftovers(), Vec::<String>::new());
}

#[test]
fn who_may_only_read_is_told_what_is_missing() {
    let Some(bench) = Bench::lab() else { return };
    let run = bench.as_user(User::Vera).netcheck(&["diagnose"]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.stdout.contains("cannot create resource"), "{run}");
    assert!(
        !run.stderr.contains("could be removed"),
        "nothing was made: {run}"
    );
}
