//! Deletion: grace, preconditions, finalizers, propagation.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::request::{Answer, Call};
use crate::resource::Route;
use crate::selector::Selector;
use crate::shared::{Shared, now, typed};
use crate::store::{Key, Object, Store};

/// What a deletion asks for, in its body or its query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    grace: Option<i64>,
    propagation: Option<String>,
    uid: Option<String>,
    version: Option<String>,
    dry_run: bool,
}

impl Options {
    fn of(call: &Call) -> Result<Self, Failure> {
        let body = if call.body.is_empty() {
            json!({})
        } else {
            call.object()?
        };
        Ok(Self::read(&body, call))
    }

    /// Of an eviction, which carries the options of the deletion inside.
    pub(crate) fn of_eviction(call: &Call) -> Result<Self, Failure> {
        Ok(Self::read(&call.object()?["deleteOptions"], call))
    }

    fn read(body: &Value, call: &Call) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let query = |name: &str| call.query.get(name).map(str::to_owned);
        Self {
            grace: body["gracePeriodSeconds"]
                .as_i64()
                .or_else(|| query("gracePeriodSeconds")?.parse().ok()),
            propagation: text(&body["propagationPolicy"]).or_else(|| query("propagationPolicy")),
            uid: text(&body["preconditions"]["uid"]),
            version: text(&body["preconditions"]["resourceVersion"]),
            dry_run: call.is_dry_run() || body["dryRun"] == json!(["All"]),
        }
    }
}

pub(crate) fn delete(shared: &Shared, call: &Call) -> Result<Answer, Failure> {
    let options = Options::of(call)?;
    delete_one(shared, call, &options)
}

pub(crate) fn delete_one(shared: &Shared, call: &Call, options: &Options) -> Result<Answer, Failure> {
    let resource = &call.route.resource;
    let key = Key::new(resource, call.namespace(), call.name());
    let object = delete_object(&mut shared.store(), &call.route, &key, options)?;
    // Kinds whose deletion takes time answer with the object, the others with a status.
    if matches!(
        resource.kind.as_str(),
        "Pod" | "Namespace" | "Service" | "ServiceAccount" | "Node"
    ) {
        return Ok(Answer::Whole {
            code: 200,
            body: typed(resource, &object),
        });
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {
            "name": key.name, "group": key.group, "kind": key.plural, "uid": object["metadata"]["uid"],
        },
    });
    Ok(Answer::json(200, &status))
}

pub(crate) fn delete_collection(shared: &Shared, call: &Call) -> Result<Answer, Failure> {
    let route = &call.route;
    if matches!(route.resource.kind.as_str(), "Namespace" | "Service")
        || (route.resource.namespaced && route.namespace.is_none())
    {
        return Err(Failure::new(
            405,
            "the server does not allow this method on the requested resource",
        ));
    }
    let options = Options::of(call)?;
    let selector = selector(call)?;
    let mut store = shared.store();
    let keys: Vec<Key> = store
        .list(&route.resource, route.namespace.as_deref(), None)
        .filter(|(_, object)| selector.selects(object))
        .map(|(key, _)| key.clone())
        .collect();
    let mut items = Vec::new();
    for key in keys {
        items.push((*delete_object(&mut store, route, &key, &options)?).clone());
    }
    let list = json!({
        "kind": format!("{}List", route.resource.kind), "apiVersion": route.resource.api_version(),
        "metadata": {"resourceVersion": store.version().to_string()}, "items": items,
    });
    Ok(Answer::json(200, &list))
}

/// The selectors in the query of a request.
pub(crate) fn selector(call: &Call) -> Result<Selector, Failure> {
    let labels = call.query.get("labelSelector").unwrap_or("");
    let fields = call.query.get("fieldSelector").unwrap_or("");
    Selector::parse(labels, fields).map_err(|error| Failure::new(400, error))
}

/// Deletes, or begins to; gives the object as it was last seen.
pub(crate) fn delete_object(
    store: &mut Store,
    route: &Route,
    key: &Key,
    options: &Options,
) -> Result<Object, Failure> {
    let Some(object) = store.get(key) else {
        return Err(Failure::not_found(route, &key.name));
    };
    let metadata = &object["metadata"];
    for (what, wanted, field) in [
        ("UID", &options.uid, "uid"),
        ("ResourceVersion", &options.version, "resourceVersion"),
    ] {
        let is = metadata[field].as_str().unwrap_or("");
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != is) {
            let why =
                format!("Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {is}");
            return Err(Failure::conflict(route, &key.name, &why));
        }
    }
    if options.dry_run {
        return Ok(object);
    }
    Ok(begin(store, key, &object, options))
}

/// As the collector and the namespace controller delete: with the object's own grace.
pub(crate) fn collect(store: &mut Store, key: &Key) {
    if let Some(object) = store.get(key) {
        begin(store, key, &object, &Options::default());
    }
}

fn begin(store: &mut Store, key: &Key, object: &Object, options: &Options) -> Object {
    let mut value = (**object).clone();
    let mut stays = false;
    if key.is("namespaces") {
        value["status"]["phase"] = json!("Terminating");
        stays = true;
    }
    if key.is("pods") {
        let grace = grace(object, options);
        let before = object["metadata"]["deletionGracePeriodSeconds"]
            .as_i64()
            .unwrap_or(i64::MAX);
        value["metadata"]["deletionGracePeriodSeconds"] = json!(grace.min(before));
        stays |= grace > 0;
    }
    match options.propagation.as_deref() {
        Some("Foreground") => add_finalizer(&mut value, "foregroundDeletion"),
        Some("Orphan") => add_finalizer(&mut value, "orphan"),
        _ => {}
    }
    stays |= value["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| !list.is_empty());
    if stays {
        if value["metadata"]["deletionTimestamp"].is_null() {
            value["metadata"]["deletionTimestamp"] = json!(now());
        }
        return store.put(key, value);
    }
    store.remove(key).unwrap_or_else(|| object.clone())
}

/// The rules of the API server's strategy for pods.
fn grace(pod: &Value, options: &Options) -> i64 {
    let finished = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if finished || !pod["spec"]["nodeName"].is_string() {
        return 0;
    }
    let grace = options
        .grace
        .or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64());
    match grace.unwrap_or(30) {
        negative if negative < 0 => 1,
        grace => grace,
    }
}

fn add_finalizer(value: &mut Value, name: &str) {
    match value["metadata"]["finalizers"].as_array_mut() {
        Some(list) if list.iter().any(|finalizer| finalizer == name) => {}
        Some(list) => list.push(json!(name)),
        None => value["metadata"]["finalizers"] = json!([name]),
    }
}
