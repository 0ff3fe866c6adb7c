//! What refers to Services, as the API writes it.

use std::collections::BTreeSet;

use observation::{AskedCaller, ReferenceGrant, RouteCondition, ServiceCaller};
use serde::Deserialize;

use crate::condition::ConditionObject;

/// The group of the Gateway API.
pub(super) const GATEWAY: &str = "gateway.networking.k8s.io";

#[derive(Deserialize)]
struct Metadata {
    name: String,
    #[serde(default)]
    namespace: String,
}

#[derive(Deserialize)]
pub(super) struct IngressItem {
    metadata: Metadata,
    #[serde(default)]
    spec: IngressSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct IngressSpec {
    default_backend: Option<IngressBackend>,
    rules: Vec<IngressRule>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IngressRule {
    http: HttpRule,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpRule {
    paths: Vec<HttpPath>,
}

#[derive(Deserialize)]
struct HttpPath {
    backend: IngressBackend,
}

/// One of the two.
#[derive(Deserialize)]
struct IngressBackend {
    service: Option<IngressService>,
    resource: Option<IngressResource>,
}

#[derive(Deserialize)]
struct IngressService {
    name: String,
    #[serde(default)]
    port: IngressPort,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct IngressPort {
    name: Option<String>,
    number: Option<u16>,
}

#[derive(Deserialize)]
struct IngressResource {
    kind: String,
    name: String,
}

impl IngressItem {
    pub(super) fn callers(self) -> Vec<ServiceCaller> {
        self.asked().calls
    }

    /// All that it sends to.
    pub(super) fn asked(self) -> AskedCaller {
        let Self { metadata, spec } = self;
        let paths = spec.rules.into_iter().flat_map(|rule| rule.http.paths);
        let backends = paths.map(|path| path.backend).chain(spec.default_backend);
        let mut asked = AskedCaller {
            kind: "ingress".to_owned(),
            namespace: metadata.namespace,
            name: metadata.name,
            ..AskedCaller::default()
        };
        for backend in backends {
            if let Some(service) = backend.service {
                let number = service.port.number.map(|number| number.to_string());
                let port = service.port.name.or(number);
                calls(&mut asked, None, service.name, port);
            } else if let Some(resource) = backend.resource {
                add(
                    &mut asked.others,
                    format!("{}/{}", resource.kind.to_lowercase(), resource.name),
                );
            }
        }
        asked
    }
}

/// A route of the Gateway API. All kinds name Services alike.
#[derive(Deserialize)]
pub(super) struct RouteItem {
    metadata: Metadata,
    #[serde(default)]
    spec: RouteSpec,
    #[serde(default)]
    status: RouteStatus,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteSpec {
    parent_refs: Vec<ParentReference>,
    rules: Vec<RouteRule>,
}

#[derive(Deserialize)]
struct ParentReference {
    kind: Option<String>,
    namespace: Option<String>,
    name: String,
}

impl ParentReference {
    /// As `gateway/outer -n gates`, seen from a route of this namespace.
    fn shown(&self, namespace: &str) -> String {
        let kind = self.kind.as_deref().unwrap_or("Gateway").to_lowercase();
        let namespace = self.namespace.as_deref().unwrap_or(namespace);
        format!("{kind}/{} -n {namespace}", self.name)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RouteRule {
    backend_refs: Vec<BackendReference>,
}

#[derive(Deserialize)]
struct BackendReference {
    #[serde(default)]
    group: String,
    kind: Option<String>,
    name: String,
    namespace: Option<String>,
    port: Option<u16>,
}

impl BackendReference {
    /// A Service of the core group is what is meant where nothing is said.
    fn is_service(&self) -> bool {
        self.group.is_empty() && self.kind.as_deref().is_none_or(|kind| kind == "Service")
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RouteStatus {
    parents: Vec<ParentStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ParentStatus {
    parent_ref: ParentReference,
    #[serde(default)]
    conditions: Vec<ConditionObject>,
}

impl RouteItem {
    pub(super) fn callers(self, kind: &str) -> Vec<ServiceCaller> {
        self.asked(kind).calls
    }

    /// All that it sends to, what it hangs on, and what is said of that. `kind` is in lower case and singular.
    pub(super) fn asked(self, kind: &str) -> AskedCaller {
        let Self {
            metadata,
            spec,
            status,
        } = self;
        let mut asked = AskedCaller {
            kind: kind.to_owned(),
            namespace: metadata.namespace,
            name: metadata.name,
            ..AskedCaller::default()
        };
        for parent in spec.parent_refs {
            let shown = parent.shown(&asked.namespace);
            add(&mut asked.parents, shown);
        }
        for reference in spec.rules.into_iter().flat_map(|rule| rule.backend_refs) {
            if reference.is_service() {
                let port = reference.port.map(|port| port.to_string());
                calls(&mut asked, reference.namespace, reference.name, port);
            } else {
                let kind = reference.kind.as_deref().unwrap_or("Service").to_lowercase();
                add(&mut asked.others, format!("{kind}/{}", reference.name));
            }
        }
        for parent in status.parents {
            let shown = parent.parent_ref.shown(&asked.namespace);
            let conditions = parent.conditions.into_iter().map(|condition| RouteCondition {
                parent: shown.clone(),
                kind: condition.kind,
                status: condition.status,
                reason: condition.reason,
                message: condition.message,
            });
            asked.conditions.extend(conditions);
        }
        asked
    }
}

fn calls(asked: &mut AskedCaller, namespace: Option<String>, service: String, port: Option<String>) {
    let call = ServiceCaller {
        kind: asked.kind.clone(),
        namespace: asked.namespace.clone(),
        name: asked.name.clone(),
        service_namespace: namespace.unwrap_or_else(|| asked.namespace.clone()),
        service,
        port,
    };
    add(&mut asked.calls, call);
}

/// Adds what is not there yet.
fn add<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

#[derive(Deserialize)]
pub(super) struct GrantItem {
    metadata: Metadata,
    #[serde(default)]
    spec: GrantSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GrantSpec {
    from: Vec<GrantFrom>,
    to: Vec<GrantTo>,
}

#[derive(Deserialize)]
struct GrantFrom {
    #[serde(default)]
    group: String,
    kind: String,
    namespace: String,
}

#[derive(Deserialize)]
struct GrantTo {
    #[serde(default)]
    group: String,
    kind: String,
    name: Option<String>,
}

impl GrantItem {
    /// What it allows routes to do with Services.
    pub(super) fn grants(self) -> Vec<ReferenceGrant> {
        let Self { metadata, spec } = self;
        let routes = spec.from.iter().filter(|from| from.group == GATEWAY);
        let allowed = routes.flat_map(|from| {
            let services = spec
                .to
                .iter()
                .filter(|to| to.group.is_empty() && to.kind == "Service");
            services.map(|to| ReferenceGrant {
                namespace: metadata.namespace.clone(),
                name: metadata.name.clone(),
                from_kind: from.kind.to_lowercase(),
                from_namespace: from.namespace.clone(),
                // An empty name is none.
                service: to.name.clone().filter(|name| !name.is_empty()),
            })
        });
        allowed.collect()
    }
}

/// The namespaces of Services that are named from others.
pub(super) fn foreign<'a>(calls: impl Iterator<Item = &'a ServiceCaller>) -> BTreeSet<&'a str> {
    calls
        .filter(|call| call.service_namespace != call.namespace)
        .map(|call| call.service_namespace.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_of_an_ingress_are_its_rules_and_its_default() {
        let item: IngressItem = serde_json::from_str(
            r#"{"metadata": {"name": "front", "namespace": "shop"}, "spec": {
                "defaultBackend": {"service": {"name": "other", "port": {"number": 81}}},
                "rules": [{"host": "a"}, {"http": {"paths": [
                    {"path": "/", "backend": {"service": {"name": "web", "port": {"name": "http"}}}},
                    {"path": "/y", "backend": {"service": {"name": "web", "port": {"name": "http"}}}},
                    {"path": "/x", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}]}}]}}"#,
        )
        .unwrap();
        let asked = item.asked();
        let named: Vec<(&str, Option<&str>)> = asked
            .calls
            .iter()
            .map(|it| (it.service.as_str(), it.port.as_deref()))
            .collect();
        assert_eq!(named, [("web", Some("http")), ("other", Some("81"))]);
        assert_eq!(asked.others, ["bucket/b"]);
    }

    #[test]
    fn a_route_may_name_a_service_of_another_namespace() {
        let item: RouteItem = serde_json::from_str(
            r#"{"metadata": {"name": "front", "namespace": "gates"}, "spec": {
                "parentRefs": [{"name": "outer"}, {"kind": "Service", "group": "", "name": "web", "namespace": "shop"}],
                "rules": [{"backendRefs": [
                {"name": "web", "namespace": "shop", "port": 80}, {"kind": "Import", "group": "x", "name": "y"}]}]},
                "status": {"parents": [{"parentRef": {"name": "outer"}, "controllerName": "c", "conditions": [
                    {"type": "ResolvedRefs", "status": "False", "reason": "RefNotPermitted", "message": "m"}]}]}}"#,
        )
        .unwrap();
        let asked = item.asked("httproute");
        assert_eq!(asked.calls.len(), 1);
        assert_eq!(
            (
                asked.calls[0].service_namespace.as_str(),
                asked.calls[0].port.as_deref()
            ),
            ("shop", Some("80"))
        );
        assert_eq!(asked.others, ["import/y"]);
        assert_eq!(asked.parents, ["gateway/outer -n gates", "service/web -n shop"]);
        assert_eq!(
            (
                asked.conditions[0].parent.as_str(),
                asked.conditions[0].reason.as_str()
            ),
            ("gateway/outer -n gates", "RefNotPermitted")
        );
        assert_eq!(foreign(asked.calls.iter()), BTreeSet::from(["shop"]));
    }

    #[test]
    fn a_grant_allows_every_pair_of_routes_and_services_that_it_names() {
        let item: GrantItem = serde_json::from_str(
            r#"{"metadata": {"name": "g", "namespace": "shop"}, "spec": {
                "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "gates"},
                         {"group": "other.example", "kind": "HTTPRoute", "namespace": "x"}],
                "to": [{"group": "", "kind": "Service"}, {"group": "", "kind": "Service", "name": "web"},
                       {"group": "", "kind": "Secret"}]}}"#,
        )
        .unwrap();
        let grants = item.grants();
        let allowed: Vec<(&str, Option<&str>)> = grants
            .iter()
            .map(|it| (it.from_kind.as_str(), it.service.as_deref()))
            .collect();
        assert_eq!(allowed, [("httproute", None), ("httproute", Some("web"))]);
    }
}
