//! NetworkPolicies in files.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use observation::PolicyObject;
use plugin::Failure;
use serde_json::Value;

/// Reads the documents of files, YAML or JSON; `-` is standard input.
///
/// # Errors
/// A file cannot be read, or holds neither.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Value>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let named =
            |error: &dyn std::fmt::Display| Failure::new(format!("error: {}: {error}", path.display()));
        let mut text = String::new();
        if path == Path::new("-") {
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| named(&error))?;
        } else {
            text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        }
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).map_err(|error| named(&error))?;
        all.extend(documents.into_iter().flat_map(items));
    }
    Ok(all)
}

/// A List as its items.
fn items(document: Value) -> Vec<Value> {
    match document {
        Value::Object(mut list)
            if list
                .get("kind")
                .is_some_and(|kind| kind == "List" || kind == "NetworkPolicyList") =>
        {
            match list.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        Value::Null => Vec::new(),
        other => vec![other],
    }
}

/// The NetworkPolicies among the documents; those without a namespace are in this one. Of the others stderr says that they were
/// passed over.
pub(super) fn policies(documents: Vec<Value>, namespace: &str) -> Vec<PolicyObject> {
    let text = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let mut policies = Vec::new();
    for mut document in documents {
        let kind = text(&document, "/kind").unwrap_or_default();
        let version = text(&document, "/apiVersion").unwrap_or_default();
        let name = text(&document, "/metadata/name").unwrap_or_else(|| "(without a name)".to_owned());
        if kind != "NetworkPolicy" || version != "networking.k8s.io/v1" {
            let said = format!(
                "note: {name} of kind {kind:?}, version {version:?}, is passed over: not a networking.k8s.io/v1 NetworkPolicy"
            );
            // Nothing can be done about a closed stderr.
            let _ = writeln!(std::io::stderr(), "{}", cluster::sanitize(&said));
            continue;
        }
        policies.push(PolicyObject {
            namespace: text(&document, "/metadata/namespace").unwrap_or_else(|| namespace.to_owned()),
            name,
            created: None,
            spec: document.get_mut("spec").map_or(Value::Null, Value::take),
        });
    }
    policies
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<PolicyObject> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        policies(read(&[file.path().to_owned()]).unwrap(), "shop")
    }

    #[test]
    fn policies_are_read_from_documents_and_lists() {
        let policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}}\n";
        let other = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n";
        let found = of(&format!(
            "{policy}---\n{other}---\n{}",
            policy.replace("deny", "more")
        ));
        let names: Vec<(&str, &str)> = found
            .iter()
            .map(|it| (it.namespace.as_str(), it.name.as_str()))
            .collect();
        assert_eq!(names, [("shop", "deny"), ("shop", "more")]);
        let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
            {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": "deny", "namespace": "ops"}, "spec": {"podSelector": {}}}]});
        assert_eq!(of(&list.to_string())[0].namespace, "ops");
    }

    #[test]
    fn what_is_no_yaml_is_an_error_that_names_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "a: [").unwrap();
        let error = read(&[file.path().to_owned()]).unwrap_err().text();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
        assert!(read(&["/nowhere/at/all".into()]).is_err());
    }
}
