//! What refers to Services, as the API writes it.

use observation::ServiceCaller;
use serde::Deserialize;

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

#[derive(Deserialize)]
struct IngressBackend {
    /// Absent where the backend is another kind of object.
    service: Option<IngressService>,
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

impl IngressItem {
    pub(super) fn callers(self) -> Vec<ServiceCaller> {
        let Self { metadata, spec } = self;
        let paths = spec.rules.into_iter().flat_map(|rule| rule.http.paths);
        let backends = paths.map(|path| path.backend).chain(spec.default_backend);
        backends
            .filter_map(|backend| backend.service)
            .map(|service| ServiceCaller {
                kind: "ingress".to_owned(),
                namespace: metadata.namespace.clone(),
                name: metadata.name.clone(),
                service_namespace: metadata.namespace.clone(),
                service: service.name,
                port: service
                    .port
                    .name
                    .or(service.port.number.map(|number| number.to_string())),
            })
            .collect()
    }
}

/// A route of the Gateway API.
#[derive(Deserialize)]
pub(super) struct RouteItem {
    metadata: Metadata,
    #[serde(default)]
    spec: RouteSpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RouteSpec {
    rules: Vec<RouteRule>,
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

impl RouteItem {
    pub(super) fn callers(self, kind: &str) -> Vec<ServiceCaller> {
        let Self { metadata, spec } = self;
        let references = spec.rules.into_iter().flat_map(|rule| rule.backend_refs);
        references
            // A Service of the core group is what is meant where nothing is said.
            .filter(|it| it.group.is_empty() && it.kind.as_deref().is_none_or(|kind| kind == "Service"))
            .map(|reference| ServiceCaller {
                kind: kind.to_owned(),
                namespace: metadata.namespace.clone(),
                name: metadata.name.clone(),
                service_namespace: reference.namespace.unwrap_or_else(|| metadata.namespace.clone()),
                service: reference.name,
                port: reference.port.map(|port| port.to_string()),
            })
            .collect()
    }
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
                    {"path": "/x", "backend": {"resource": {"kind": "Bucket", "name": "b"}}}]}}]}}"#,
        )
        .unwrap();
        let callers = item.callers();
        let named: Vec<(&str, Option<&str>)> = callers
            .iter()
            .map(|it| (it.service.as_str(), it.port.as_deref()))
            .collect();
        assert_eq!(named, [("web", Some("http")), ("other", Some("81"))]);
    }

    #[test]
    fn a_route_may_name_a_service_of_another_namespace() {
        let item: RouteItem = serde_json::from_str(
            r#"{"metadata": {"name": "front", "namespace": "gates"}, "spec": {"rules": [{"backendRefs": [
                {"name": "web", "namespace": "shop", "port": 80}, {"kind": "Import", "group": "x", "name": "y"}]}]}}"#,
        )
        .unwrap();
        let callers = item.callers("httproute");
        assert_eq!(callers.len(), 1);
        assert_eq!(
            (callers[0].service_namespace.as_str(), callers[0].port.as_deref()),
            ("shop", Some("80"))
        );
    }
}
