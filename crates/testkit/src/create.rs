//! Creation of objects: names, defaults, and what admission has to say.

use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::request::{Answer, Call};
use crate::resource::{Resource, Route};
use crate::shared::{Shared, now, typed};
use crate::store::{Key, Object, Store};

/// The most that a ConfigMap or Secret may hold.
const MOST_DATA: usize = 1024 * 1024;

pub(crate) fn create(shared: &Shared, call: &Call) -> Result<Answer, Failure> {
    let value = call.object()?;
    let object = create_object(shared, &call.route, value, call.is_dry_run())?;
    Ok(Answer::Whole {
        code: 201,
        body: typed(&call.route.resource, &object),
    })
}

pub(crate) fn create_object(
    shared: &Shared,
    route: &Route,
    mut value: Value,
    dry_run: bool,
) -> Result<Object, Failure> {
    let resource = &route.resource;
    check_type(resource, &value)?;
    let namespace = namespace_of(route, &value)?;
    if resource.kind == "Pod"
        && let Some(fields) = value.as_object_mut()
    {
        fields.remove("status");
    }
    let mut store = shared.store();
    let name = match (
        value["metadata"]["name"].as_str(),
        value["metadata"]["generateName"].as_str(),
    ) {
        (Some(name), _) if !name.is_empty() => name.to_owned(),
        (_, Some(base)) if !base.is_empty() => format!("{base}{}", suffix(store.serial())),
        _ => {
            return Err(Failure::invalid(
                route,
                "",
                "metadata.name: Required value: name or generateName is required",
            ));
        }
    };
    value["metadata"]["name"] = json!(name);
    check_namespace(&store, route, &namespace, &name)?;
    check_content(route, &name, &value)?;
    refuse(shared, route, &namespace, &name, dry_run)?;
    if resource.kind == "Pod" {
        check_service_account(&store, route, &namespace, &name, &value)?;
    }
    let key = Key::new(resource, &namespace, &name);
    if store.get(&key).is_some() {
        return Err(Failure::already_exists(route, &name));
    }
    let value = prepare(&mut store, resource, &namespace, value);
    Ok(if dry_run {
        value.into()
    } else {
        store.put(&key, value)
    })
}

/// Admission plugins, in the order in which tests added them.
fn refuse(shared: &Shared, route: &Route, namespace: &str, name: &str, dry_run: bool) -> Result<(), Failure> {
    for rule in &mut shared.rules().admissions {
        // A dry run is refused as the real thing is, but uses nothing up.
        let mut trial = rule.clone();
        let rule = if dry_run { &mut trial } else { rule };
        if rule.refuses(&route.resource.plural, namespace) {
            return Err(Failure::not_admitted(route, name, &rule.message));
        }
    }
    Ok(())
}

/// Fills in what the API server does: metadata and the defaults of the kinds that matter here.
pub(crate) fn prepare(store: &mut Store, resource: &Resource, namespace: &str, mut value: Value) -> Value {
    let serial = store.serial();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    let metadata = &mut value["metadata"];
    metadata["uid"] = json!(format!("{serial:08x}-7e57-4000-8000-{:012x}", serial * 7919));
    if metadata["creationTimestamp"].is_null() {
        metadata["creationTimestamp"] = json!(now());
    }
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    match resource.kind.as_str() {
        "Pod" => default_pod(&mut value),
        "Service" => default_service(&mut value, serial),
        "Namespace" => {
            let name = value["metadata"]["name"].clone();
            value["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            value["spec"] = json!({"finalizers": ["kubernetes"]});
            value["status"] = json!({"phase": "Active"});
        }
        _ => {}
    }
    value
}

/// A ClusterIP, where none was asked for.
fn default_service(service: &mut Value, serial: u64) {
    let Some(spec) = service["spec"].as_object_mut() else {
        return;
    };
    let is_external = spec.get("type").is_some_and(|kind| kind == "ExternalName");
    if !is_external && spec.get("clusterIP").is_none_or(Value::is_null) {
        let address = format!("10.96.{}.{}", 128 + serial / 250 % 100, 1 + serial % 250);
        spec.insert("clusterIP".to_owned(), json!(address));
        spec.insert("clusterIPs".to_owned(), json!([address]));
    }
}

fn default_pod(pod: &mut Value) {
    let now = now();
    let Some(spec) = pod["spec"].as_object_mut() else {
        return;
    };
    let mut default = |field: &str, value: Value| {
        spec.entry(field).or_insert(value);
    };
    default("restartPolicy", json!("Always"));
    default("terminationGracePeriodSeconds", json!(30));
    default("dnsPolicy", json!("ClusterFirst"));
    default("serviceAccountName", json!("default"));
    default("schedulerName", json!("default-scheduler"));
    default("enableServiceLinks", json!(true));
    default("securityContext", Value::Object(Map::new()));
    if pod["status"].is_null() {
        pod["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
        if pod["spec"]["nodeName"].is_string() {
            pod["status"]["conditions"] =
                json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": now}]);
        }
    }
}

fn check_type(resource: &Resource, value: &Value) -> Result<(), Failure> {
    let says = |field: &str, want: &str| value[field].as_str().is_none_or(|is| is.is_empty() || is == want);
    if says("kind", &resource.kind) && says("apiVersion", &resource.api_version()) {
        return Ok(());
    }
    Err(Failure::new(
        400,
        format!(
            "the object provided is unrecognized: it is {} {}, and this is the path of {} {}",
            value["apiVersion"],
            value["kind"],
            resource.api_version(),
            resource.kind
        ),
    ))
}

fn namespace_of(route: &Route, value: &Value) -> Result<String, Failure> {
    let own = value["metadata"]["namespace"].as_str().unwrap_or("");
    if !route.resource.namespaced {
        return Ok(String::new());
    }
    match &route.namespace {
        Some(namespace) if own.is_empty() || own == namespace => Ok(namespace.clone()),
        Some(_) => Err(Failure::new(
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
        None => Err(Failure::new(
            405,
            "the server does not allow this method on the requested resource",
        )),
    }
}

fn check_namespace(store: &Store, route: &Route, namespace: &str, name: &str) -> Result<(), Failure> {
    if namespace.is_empty() {
        return Ok(());
    }
    let Some(found) = store.get(&Key::core("namespaces", "", namespace)) else {
        let mut failure = Failure::new(404, format!("namespaces \"{namespace}\" not found"));
        failure.details = Some(json!({"name": namespace, "kind": "namespaces"}));
        return Err(failure);
    };
    if found["status"]["phase"] == "Terminating" {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut failure = Failure::not_admitted(route, name, &why);
        if let Some(details) = &mut failure.details {
            details["causes"] = json!([{
                "reason": "NamespaceTerminating", "field": "metadata.namespace",
                "message": format!("namespace {namespace} is being terminated"),
            }]);
        }
        return Err(failure);
    }
    Ok(())
}

fn check_content(route: &Route, name: &str, value: &Value) -> Result<(), Failure> {
    match route.resource.kind.as_str() {
        "Pod" if value["spec"]["containers"].as_array().is_none_or(Vec::is_empty) => {
            Err(Failure::invalid(route, name, "spec.containers: Required value"))
        }
        "ConfigMap" | "Secret" => {
            let texts = [&value["data"], &value["binaryData"]]
                .into_iter()
                .filter_map(Value::as_object)
                .flatten();
            // Base64 takes four bytes for three; close enough for a limit.
            let size: usize = texts
                .map(|(_, text)| text.as_str().map_or(0, str::len))
                .sum::<usize>();
            let size = if value["binaryData"].is_object() {
                size / 4 * 3
            } else {
                size
            };
            if size > MOST_DATA {
                let why = format!("[]: Too long: may not be more than {MOST_DATA} bytes");
                return Err(Failure::invalid(route, name, &why));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_service_account(
    store: &Store,
    route: &Route,
    namespace: &str,
    name: &str,
    pod: &Value,
) -> Result<(), Failure> {
    let account = pod["spec"]["serviceAccountName"].as_str().unwrap_or("default");
    if store
        .get(&Key::core("serviceaccounts", namespace, account))
        .is_some()
    {
        return Ok(());
    }
    let why = format!(
        "error looking up service account {namespace}/{account}: serviceaccount \"{account}\" not found"
    );
    Err(Failure::not_admitted(route, name, &why))
}

/// Five characters in the alphabet of generated names, different for each number below 27⁵.
fn suffix(serial: u64) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    // Multiplied by a number without common factors, so that neighbours look nothing alike.
    let mut number = serial * 7_368_787 % 27_u64.pow(5);
    let digits = (0..5).map(|_| {
        let digit = usize::try_from(number % 27).unwrap_or(0);
        number /= 27;
        char::from(ALPHABET[digit])
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn generated_names_differ() {
        let all: BTreeSet<String> = (0..10_000).map(suffix).collect();
        assert_eq!(all.len(), 10_000);
    }
}
