//! Changes of objects: patch and replace.

use serde_json::Value;

use crate::create::create_object;
use crate::failure::Failure;
use crate::request::{Answer, Call};
use crate::shared::{Shared, typed};
use crate::store::{Key, Object, Store};

/// Resources whose `status` can only be written through the subresource.
const WITH_STATUS: &[&str] = &["Pod", "Node", "Namespace", "Service", "DaemonSet", "Deployment"];

/// Merge patches (RFC 7396). A strategic merge patch and an apply patch are taken for one: lists are replaced, not
/// merged. An apply patch creates what is absent.
pub(crate) fn patch(shared: &Shared, call: &Call) -> Result<Answer, Failure> {
    let route = &call.route;
    let applies = call.content_type.contains("apply-patch");
    if !applies && !call.content_type.contains("merge-patch") {
        return Err(Failure::new(
            415,
            format!(
                "the body of the request was in an unknown format - accepted media types include: \
                 application/merge-patch+json, application/strategic-merge-patch+json, \
                 application/apply-patch+yaml; not {}",
                call.content_type
            ),
        ));
    }
    let mut change = call.object()?;
    let key = Key::new(&route.resource, call.namespace(), call.name());
    let exists = shared.store().get(&key).is_some();
    if !exists && applies {
        let object = create_object(shared, route, change, call.is_dry_run())?;
        return Ok(Answer::Whole {
            code: 201,
            body: typed(&route.resource, &object),
        });
    }
    let mut store = shared.store();
    let Some(last) = store.get(&key) else {
        return Err(Failure::not_found(route, call.name()));
    };
    check_version(call, &last, &change)?;
    narrow(call, &mut change);
    let mut value = (*last).clone();
    merge(&mut value, change);
    finish(&mut store, call, &key, &last, value)
}

/// Replaces an object.
pub(crate) fn replace(shared: &Shared, call: &Call) -> Result<Answer, Failure> {
    let route = &call.route;
    let mut value = call.object()?;
    let key = Key::new(&route.resource, call.namespace(), call.name());
    let mut store = shared.store();
    let Some(last) = store.get(&key) else {
        return Err(Failure::not_found(route, call.name()));
    };
    check_version(call, &last, &value)?;
    if call.route.subresource.as_deref() == Some("status") {
        let mut whole = (*last).clone();
        whole["status"] = value["status"].take();
        value = whole;
    } else if WITH_STATUS.contains(&route.resource.kind.as_str()) {
        value["status"] = last["status"].clone();
    }
    finish(&mut store, call, &key, &last, value)
}

fn finish(
    store: &mut Store,
    call: &Call,
    key: &Key,
    last: &Object,
    mut value: Value,
) -> Result<Answer, Failure> {
    if let Some(fields) = value.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
    ] {
        match &last["metadata"][field] {
            Value::Null => {
                if let Some(metadata) = value["metadata"].as_object_mut() {
                    metadata.remove(field);
                }
            }
            kept => value["metadata"][field] = kept.clone(),
        }
    }
    let resource = &call.route.resource;
    let moved = value["spec"]["nodeName"] != last["spec"]["nodeName"] && last["spec"]["nodeName"].is_string();
    if resource.kind == "Pod" && (moved || value["spec"]["containers"] != last["spec"]["containers"]) {
        let why = "spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,\
                   `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)";
        return Err(Failure::invalid(&call.route, call.name(), why));
    }
    if call.is_dry_run() {
        return Ok(Answer::Whole {
            code: 200,
            body: typed(resource, &value),
        });
    }
    let object = store.put(key, value);
    let finalizers = object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    let had = last["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if had && !finalizers && object["metadata"]["deletionTimestamp"].is_string() {
        store.remove(key);
    }
    Ok(Answer::Whole {
        code: 200,
        body: typed(resource, &object),
    })
}

fn check_version(call: &Call, last: &Value, value: &Value) -> Result<(), Failure> {
    match value["metadata"]["resourceVersion"].as_str() {
        Some(version) if !version.is_empty() && last["metadata"]["resourceVersion"] != version => {
            let why =
                "the object has been modified; please apply your changes to the latest version and try again";
            Err(Failure::conflict(&call.route, call.name(), why))
        }
        _ => Ok(()),
    }
}

/// Leaves of a patch what its path may change.
fn narrow(call: &Call, change: &mut Value) {
    let Some(fields) = change.as_object_mut() else {
        return;
    };
    if call.route.subresource.as_deref() == Some("status") {
        fields.retain(|field, _| field == "status");
    } else if WITH_STATUS.contains(&call.route.resource.kind.as_str()) {
        fields.remove("status");
    }
}

/// RFC 7396.
fn merge(into: &mut Value, change: Value) {
    let Value::Object(change) = change else {
        *into = change;
        return;
    };
    if !into.is_object() {
        *into = Value::Object(serde_json::Map::new());
    }
    if let Value::Object(fields) = into {
        for (name, value) in change {
            if value.is_null() {
                fields.remove(&name);
            } else {
                merge(fields.entry(name).or_insert(Value::Null), value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_in_a_merge_patch_removes_a_field() {
        let mut value = json!({"a": 1, "b": {"c": 2, "d": [1]}});
        merge(
            &mut value,
            json!({"a": null, "b": {"d": [2, 3], "e": {"f": null}}}),
        );
        assert_eq!(value, json!({"b": {"c": 2, "d": [2, 3], "e": {}}}));
    }
}
