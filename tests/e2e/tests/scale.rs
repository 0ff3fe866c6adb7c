//! Large clusters, simulated: what a run asks of the API server.

use std::process::{Command, Output};

use serde_json::Value;
use testkit::{Config, FakeApi, cluster_of};

fn pod_to_pod(api: &FakeApi, args: &[&str]) -> (Output, Value) {
    let mut command = Command::new(e2e::plugin_dir().join("kubectl-netcheck"));
    command
        .args(["pod-to-pod", "-o", "json", "--kubeconfig"])
        .arg(api.kubeconfig_file())
        .args(args);
    let output = command.output().expect("the plugin is built");
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output, report)
}

#[test]
fn a_hundred_nodes_cost_at_most_eight_calls_each() {
    let api = FakeApi::start(Config::new(cluster_of(100)).quick());
    let (output, report) = pod_to_pod(&api, &[]);
    assert_eq!(output.status.code(), Some(0), "{report:#}");
    assert!(api.requests().len() <= 800, "{} requests", api.requests().len());
    assert_eq!(
        report["stats"]["apiCalls"],
        api.requests().len(),
        "the run counts its own calls right"
    );
    assert!(
        api.labelled("app.kubernetes.io/managed-by", "kubectl-netcheck")
            .is_empty()
    );
}

#[test]
fn a_broken_node_among_a_hundred_is_found_in_the_ring() {
    let config = Config::new(cluster_of(100)).quick().connectivity(|path| {
        let concerned = path.source == "node-042" || path.target == Some("node-042");
        if concerned && Some(path.source) != path.target {
            path.timed_out()
        } else {
            path.ok()
        }
    });
    let api = FakeApi::start(config);
    let (output, report) = pod_to_pod(&api, &[]);
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let places = report["localisation"].as_array().expect("a list");
    assert_eq!(places.len(), 1, "{places:#?}");
    assert_eq!(
        places[0]["scope"],
        serde_json::json!({"type": "node", "node": "node-042"})
    );
}
