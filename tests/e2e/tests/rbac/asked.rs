//! Rights, as they are granted and as they are asked for.

use std::collections::BTreeSet;
use std::fmt;
use std::io::Write as _;
use std::process::{Output, Stdio};

use e2e::Bench;
use serde_json::Value;

/// As RBAC has it. `*` is every resource of the group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    verb: String,
    /// With its subresource: `pods/exec`.
    resource: String,
    /// Empty for the core.
    group: String,
}

/// As `list nodes`, `get leases.coordination.k8s.io`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.group.is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.group)
        }
    }
}

/// What a log of level 6 says was asked for, with the status of the answer.
pub(crate) fn requests(log: &str) -> Vec<(Right, u16)> {
    log.lines().filter_map(request).collect()
}

fn request(line: &str) -> Option<(Right, u16)> {
    let (_, said) = line.split_once("transport.rs] ")?;
    let mut words = said.split(' ');
    let (method, url, status) = (words.next()?, words.next()?, words.next()?);
    let path = url.splitn(4, '/').nth(3)?;
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.split('/').collect();
    let (group, rest) = match parts.as_slice() {
        ["api", "v1", rest @ ..] => ("", rest),
        ["apis", group, _, rest @ ..] => (*group, rest),
        _ => return None,
    };
    // A namespace in front of the rest, unless namespaces are what is asked for.
    let rest = match rest {
        ["namespaces", _, inner @ ..] if !inner.is_empty() => inner,
        rest => rest,
    };
    let (resource, name) = match rest {
        [resource] => ((*resource).to_owned(), None),
        [resource, name] => ((*resource).to_owned(), Some(name)),
        [resource, name, sub, ..] => (format!("{resource}/{sub}"), Some(name)),
        [] => return None,
    };
    let verb = match (method, name) {
        ("GET", _) if query.split('&').any(|it| it == "watch=true") => "watch",
        ("GET", None) => "list",
        ("GET", Some(_)) => "get",
        ("POST", _) => "create",
        ("PATCH", _) => "patch",
        ("PUT", _) => "update",
        ("DELETE", Some(_)) => "delete",
        ("DELETE", None) => "deletecollection",
        _ => return None,
    };
    let right = Right {
        verb: verb.to_owned(),
        resource,
        group: group.to_owned(),
    };
    Some((right, status.parse().ok()?))
}

/// The rights that a manifest grants.
pub(crate) fn granted(bench: &Bench, manifest: &str) -> BTreeSet<Right> {
    let words = |rule: &Value, key: &str| -> Vec<String> {
        let all = rule[key].as_array().into_iter().flatten();
        all.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rights = BTreeSet::new();
    for rule in objects(bench, manifest).iter().flat_map(|role| {
        let rules = role["rules"].as_array().cloned();
        rules.unwrap_or_default()
    }) {
        for group in words(&rule, "apiGroups") {
            for resource in words(&rule, "resources") {
                for verb in words(&rule, "verbs") {
                    rights.insert(Right {
                        verb,
                        resource: resource.clone(),
                        group: group.clone(),
                    });
                }
            }
        }
    }
    rights
}

/// Kind, name and namespace of each role of a manifest.
pub(crate) fn roles(bench: &Bench, manifest: &str) -> Vec<(String, String, Option<String>)> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    objects(bench, manifest)
        .iter()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Role")))
        .map(|role| {
            let metadata = &role["metadata"];
            let namespace = if role["kind"] == "Role" {
                text(&metadata["namespace"])
            } else {
                None
            };
            (
                text(&role["kind"]).expect("a kind"),
                text(&metadata["name"]).expect("a name"),
                namespace,
            )
        })
        .collect()
}

/// The objects of a manifest, as kubectl reads it.
fn objects(bench: &Bench, manifest: &str) -> Vec<Value> {
    let output = fed(
        bench,
        &["create", "--dry-run=client", "-o", "json", "-f", "-"],
        manifest,
    );
    assert!(output.status.success(), "{output:?}");
    let documents = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    documents
        .map(|document| document.expect("JSON"))
        .flat_map(|document| match document["items"].as_array() {
            Some(items) => items.clone(),
            None => vec![document],
        })
        .collect()
}

/// Deletes the objects of a manifest, as far as they are there.
pub(crate) fn delete(bench: &Bench, manifest: &str) {
    fed(bench, &["delete", "--ignore-not-found", "-f", "-"], manifest);
}

fn fed(bench: &Bench, args: &[&str], manifest: &str) -> Output {
    let mut command = bench.command(args);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(manifest.as_bytes()).expect("written");
    drop(stdin);
    child.wait_with_output().expect("kubectl ends")
}
