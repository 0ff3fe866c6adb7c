//! A manifest of many Services, to see what a run costs on a cluster that has them: `cargo run -p lab --example many_services -- 300`.
//!
//! Three pods stand behind all of them. Of every ten Services one is of each kind that makes kube-proxy write other rules: a NodePort,
//! an external address, the policies `Local`, session affinity, and one without endpoints.

#![expect(clippy::print_stdout, reason = "the manifest is its result")]

use std::process::ExitCode;

use serde_json::{Value, json};

/// The namespace of all of it: deleting it leaves nothing.
const NAMESPACE: &str = "many";

fn main() -> ExitCode {
    let count = std::env::args()
        .nth(1)
        .map_or(Ok(300), |text| text.parse::<u32>());
    let Ok(count) = count else {
        println!("how many Services? as in: many_services 300");
        return ExitCode::from(2);
    };
    let mut items = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        deployment(),
    ];
    items.extend((0..count).map(service));
    println!("{}", json!({"apiVersion": "v1", "kind": "List", "items": items}));
    ExitCode::SUCCESS
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "many", "namespace": NAMESPACE},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "many"}},
            "template": {
                "metadata": {"labels": {"app": "many"}},
                "spec": {
                    "terminationGracePeriodSeconds": 0,
                    "containers": [{
                        "name": "httpd",
                        "image": "registry.lab/toolbox:1",
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["httpd", "-f", "-p", "8080"],
                    }],
                },
            },
        },
    })
}

fn service(index: u32) -> Value {
    let mut spec = json!({
        "selector": {"app": "many"},
        "ports": [
            {"name": "http", "port": 80, "targetPort": 8080},
            {"name": "again", "port": 8080, "targetPort": 8080},
        ],
    });
    match index % 10 {
        1 => spec["type"] = json!("NodePort"),
        2 => spec["externalIPs"] = json!([format!("198.51.100.{}", 100 + index / 10 % 100)]),
        3 => {
            spec["type"] = json!("NodePort");
            spec["externalTrafficPolicy"] = json!("Local");
        }
        4 => spec["internalTrafficPolicy"] = json!("Local"),
        5 => spec["sessionAffinity"] = json!("ClientIP"),
        6 => spec["selector"] = json!({"app": "nobody"}),
        _ => {}
    }
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": format!("many-{index}"), "namespace": NAMESPACE},
        "spec": spec,
    })
}
