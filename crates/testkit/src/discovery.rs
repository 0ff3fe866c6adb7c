//! What the server says of itself, and of what its client may do.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::request::{Answer, Call};
use crate::resource::Resource;
use crate::shared::Shared;

/// Verbs of every resource.
const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// Subresources that are served: of which plural, their name, their kind, their verbs.
const SUBRESOURCES: &[(&str, &str, &str, &[&str])] = &[
    ("namespaces", "status", "Namespace", &["get", "patch", "update"]),
    ("nodes", "status", "Node", &["get", "patch", "update"]),
    ("pods", "eviction", "Eviction", &["create"]),
    ("pods", "exec", "PodExecOptions", &["create", "get"]),
    ("pods", "log", "Pod", &["get"]),
    ("pods", "status", "Pod", &["get", "patch", "update"]),
];

/// Answers paths that name no object; `None` when it is not one of these.
pub(crate) fn answer(shared: &Shared, path: &str) -> Option<Answer> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let value = match parts.as_slice() {
        ["version"] => version(&shared.config.git_version),
        ["readyz" | "livez" | "healthz"] => {
            return Some(Answer::Whole {
                code: 200,
                body: b"ok".to_vec(),
            });
        }
        ["api"] => json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
        }),
        ["apis"] => {
            let named: BTreeSet<&str> = groups(shared).map(|resource| resource.group.as_str()).collect();
            let groups: Vec<Value> = named.into_iter().map(|name| group(shared, name)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        ["apis", name] if groups(shared).any(|resource| resource.group == *name) => {
            let mut value = group(shared, name);
            value["kind"] = json!("APIGroup");
            value["apiVersion"] = json!("v1");
            value
        }
        ["api", version] => resource_list(shared, "", version)?,
        ["apis", name, version] => resource_list(shared, name, version)?,
        _ => return None,
    };
    Some(Answer::json(200, &value))
}

fn version(git_version: &str) -> Value {
    let mut numbers = git_version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next().unwrap_or("1"), "minor": numbers.next().unwrap_or(""),
        "gitVersion": git_version, "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean", "buildDate": "2026-01-01T00:00:00Z", "goVersion": "go1.24.5",
        "compiler": "gc", "platform": "linux/amd64",
    })
}

fn groups(shared: &Shared) -> impl Iterator<Item = &Resource> {
    shared
        .resources
        .iter()
        .filter(|resource| !resource.group.is_empty())
}

fn group(shared: &Shared, name: &str) -> Value {
    let served = groups(shared).filter(|resource| resource.group == name);
    let versions: BTreeSet<&str> = served.map(|resource| resource.version.as_str()).collect();
    let versions: Vec<Value> = versions
        .into_iter()
        .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
        .collect();
    json!({"name": name, "versions": versions, "preferredVersion": versions.first()})
}

fn resource_list(shared: &Shared, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    let mut api_version = None;
    let of_group = |resource: &&Resource| resource.group == group && resource.version == version;
    for resource in shared.resources.iter().filter(of_group) {
        api_version = Some(resource.api_version());
        let mut row = json!({
            "name": resource.plural, "singularName": resource.kind.to_lowercase(), "kind": resource.kind,
            "namespaced": resource.namespaced, "verbs": VERBS,
        });
        if !resource.short.is_empty() {
            row["shortNames"] = json!([resource.short]);
        }
        resources.push(row);
        for (plural, name, kind, verbs) in SUBRESOURCES {
            if group.is_empty() && resource.plural == *plural {
                resources.push(json!({
                    "name": format!("{plural}/{name}"), "singularName": "", "kind": kind,
                    "namespaced": resource.namespaced, "verbs": verbs,
                }));
            }
        }
    }
    Some(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version?, "resources": resources,
    }))
}

/// Answers SelfSubjectAccessReview, SelfSubjectRulesReview and SelfSubjectReview; `None` for other paths.
pub(crate) fn review(
    shared: &Shared,
    path: &str,
    call: impl FnOnce() -> Call,
) -> Option<Result<Answer, Failure>> {
    let status: fn(&Shared, &Value) -> Value = match path {
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews" => access,
        "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews" => rules,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews" => {
            |shared, _| json!({"userInfo": {"username": shared.config.user, "groups": ["system:authenticated"]}})
        }
        _ => return None,
    };
    Some(call().object().map(|mut review| {
        review["status"] = status(shared, &review["spec"]);
        if review["metadata"].is_null() {
            review["metadata"] = json!({});
        }
        Answer::json(201, &review)
    }))
}

fn access(shared: &Shared, spec: &Value) -> Value {
    let asked = &spec["resourceAttributes"];
    let text = |field: &str| asked[field].as_str().unwrap_or("");
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        sub => format!("{}/{sub}", text("resource")),
    };
    let namespace = Some(text("namespace")).filter(|namespace| !namespace.is_empty());
    let allowed = !asked.is_object() || !shared.is_denied(text("verb"), &resource, namespace);
    let mut status = json!({"allowed": allowed});
    if allowed {
        status["reason"] =
            json!("RBAC: allowed by ClusterRoleBinding \"tester\" of ClusterRole \"tester\" to User");
    }
    status
}

fn rules(shared: &Shared, spec: &Value) -> Value {
    let namespace = spec["namespace"].as_str();
    let plain = shared
        .resources
        .iter()
        .map(|resource| (resource.group.clone(), resource.plural.clone(), VERBS));
    let below = SUBRESOURCES
        .iter()
        .map(|(plural, name, _, verbs)| (String::new(), format!("{plural}/{name}"), *verbs));
    let rules: Vec<Value> = plain
        .chain(below)
        .filter_map(|(group, resource, verbs)| {
            let verbs: Vec<&&str> = verbs
                .iter()
                .filter(|verb| !shared.is_denied(verb, &resource, namespace))
                .collect();
            (!verbs.is_empty())
                .then(|| json!({"verbs": verbs, "apiGroups": [group], "resources": [resource]}))
        })
        .collect();
    json!({
        "resourceRules": rules, "incomplete": false,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/version", "/readyz", "/api", "/apis"]}],
    })
}
