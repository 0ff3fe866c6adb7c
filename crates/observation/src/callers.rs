//! What sends requests to Services and says so in the API: Ingresses, and routes of the Gateway API.

use report::Subject;
use serde::{Deserialize, Serialize};

/// Something that sends requests to a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCaller {
    /// In lower case and singular: `ingress`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The namespace of the Service.
    pub service_namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port, by number or name; `None` where it names none.
    pub port: Option<String>,
}

impl ServiceCaller {
    /// As kubectl prints it: `ingress/front -n shop`.
    pub fn subject(&self) -> Subject {
        object(&self.kind, &self.namespace, &self.name)
    }
}

/// An Ingress or a route by whose name Services were asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedCaller {
    /// In lower case and singular: `httproute`.
    pub kind: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The Services that it names, each port of one once.
    pub calls: Vec<ServiceCaller>,
    /// What it sends to that is no Service, as `bucket/images`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// What it hangs on, as `gateway/outer -n gates`; nothing of an Ingress.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    /// What its controllers say of it; nothing of an Ingress.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<RouteCondition>,
}

impl AskedCaller {
    /// As kubectl prints it: `httproute/front -n shop`.
    pub fn subject(&self) -> Subject {
        object(&self.kind, &self.namespace, &self.name)
    }
}

/// What a controller says of a route at one of its parents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteCondition {
    /// As `gateway/outer -n gates`.
    pub parent: String,
    /// As `ResolvedRefs`.
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// As `BackendNotFound`.
    pub reason: String,
    /// In words.
    pub message: String,
}

/// What a namespace lets others refer to: a ReferenceGrant, one for each pair of what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceGrant {
    /// `metadata.namespace`: that of what may be referred to.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The kind of who may, in lower case: `httproute`.
    pub from_kind: String,
    /// The namespace of who may.
    pub from_namespace: String,
    /// The only Service that may be referred to; `None` for all of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

impl ReferenceGrant {
    /// Whether it allows this caller to send to its Service.
    pub fn allows(&self, caller: &ServiceCaller) -> bool {
        self.namespace == caller.service_namespace
            && self.from_kind == caller.kind
            && self.from_namespace == caller.namespace
            && self.service.as_ref().is_none_or(|name| *name == caller.service)
    }
}

fn object(kind: &str, namespace: &str, name: &str) -> Subject {
    Subject::Object {
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_for_one_kind_of_one_namespace_and_for_one_service_where_it_names_one() {
        let caller = |kind: &str, namespace: &str, service: &str| ServiceCaller {
            kind: kind.into(),
            namespace: namespace.into(),
            name: "front".into(),
            service_namespace: "shop".into(),
            service: service.into(),
            port: None,
        };
        let mut grant = ReferenceGrant {
            namespace: "shop".into(),
            name: "from-gates".into(),
            from_kind: "httproute".into(),
            from_namespace: "gates".into(),
            service: None,
        };
        assert!(grant.allows(&caller("httproute", "gates", "web")));
        assert!(!grant.allows(&caller("grpcroute", "gates", "web")));
        assert!(!grant.allows(&caller("httproute", "other", "web")));
        grant.service = Some("api".into());
        assert!(!grant.allows(&caller("httproute", "gates", "web")));
        assert!(grant.allows(&caller("httproute", "gates", "api")));
    }
}
