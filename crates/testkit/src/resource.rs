//! Which resources the server serves, and what a request path names.

/// One resource type, as discovery shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// The API group; empty for the core group.
    pub group: String,
    /// As `v1`.
    pub version: String,
    /// As `pods`.
    pub plural: String,
    /// As `Pod`.
    pub kind: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// As `po`; may be empty.
    pub short: String,
}

impl Resource {
    /// A custom resource, as a CustomResourceDefinition would bring it.
    pub fn custom(group: &str, version: &str, plural: &str, kind: &str, namespaced: bool) -> Self {
        Self::from_row(&(group, version, plural, kind, namespaced, ""))
    }

    fn from_row(row: &Row<'_>) -> Self {
        Self {
            group: row.0.to_owned(),
            version: row.1.to_owned(),
            plural: row.2.to_owned(),
            kind: row.3.to_owned(),
            namespaced: row.4,
            short: row.5.to_owned(),
        }
    }

    /// As `apiVersion` says it: `v1`, `apps/v1`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// As error messages of the API machinery name it: `pods`, `daemonsets.apps`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }
}

/// Group, version, plural, kind, whether it is namespaced, short name.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str, bool, &'a str);

const BUILT_IN: &[Row<'static>] = &[
    ("", "v1", "configmaps", "ConfigMap", true, "cm"),
    ("", "v1", "endpoints", "Endpoints", true, "ep"),
    ("", "v1", "events", "Event", true, "ev"),
    ("", "v1", "limitranges", "LimitRange", true, "limits"),
    ("", "v1", "namespaces", "Namespace", false, "ns"),
    ("", "v1", "nodes", "Node", false, "no"),
    (
        "",
        "v1",
        "persistentvolumeclaims",
        "PersistentVolumeClaim",
        true,
        "pvc",
    ),
    ("", "v1", "pods", "Pod", true, "po"),
    ("", "v1", "resourcequotas", "ResourceQuota", true, "quota"),
    ("", "v1", "secrets", "Secret", true, ""),
    ("", "v1", "serviceaccounts", "ServiceAccount", true, "sa"),
    ("", "v1", "services", "Service", true, "svc"),
    ("apps", "v1", "daemonsets", "DaemonSet", true, "ds"),
    ("apps", "v1", "deployments", "Deployment", true, "deploy"),
    ("apps", "v1", "replicasets", "ReplicaSet", true, "rs"),
    ("apps", "v1", "statefulsets", "StatefulSet", true, "sts"),
    ("batch", "v1", "jobs", "Job", true, ""),
    ("coordination.k8s.io", "v1", "leases", "Lease", true, ""),
    (
        "discovery.k8s.io",
        "v1",
        "endpointslices",
        "EndpointSlice",
        true,
        "",
    ),
    ("networking.k8s.io", "v1", "ingresses", "Ingress", true, "ing"),
    (
        "networking.k8s.io",
        "v1",
        "networkpolicies",
        "NetworkPolicy",
        true,
        "netpol",
    ),
    (
        "policy",
        "v1",
        "poddisruptionbudgets",
        "PodDisruptionBudget",
        true,
        "pdb",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterrolebindings",
        "ClusterRoleBinding",
        false,
        "",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "clusterroles",
        "ClusterRole",
        false,
        "",
    ),
    (
        "rbac.authorization.k8s.io",
        "v1",
        "rolebindings",
        "RoleBinding",
        true,
        "",
    ),
    ("rbac.authorization.k8s.io", "v1", "roles", "Role", true, ""),
    (
        "admissionregistration.k8s.io",
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        false,
        "",
    ),
    (
        "admissionregistration.k8s.io",
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
        "",
    ),
    (
        "apiextensions.k8s.io",
        "v1",
        "customresourcedefinitions",
        "CustomResourceDefinition",
        false,
        "crd",
    ),
    (
        "scheduling.k8s.io",
        "v1",
        "priorityclasses",
        "PriorityClass",
        false,
        "pc",
    ),
];

/// What every cluster serves.
pub(crate) fn built_in() -> Vec<Resource> {
    BUILT_IN.iter().map(Resource::from_row).collect()
}

/// What the path of a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) resource: Resource,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// What stands behind it: of `nodes/node1/proxy/configz` the last part.
    pub(crate) below: String,
}

impl Route {
    /// Reads a path below `/api` or `/apis`; `None` when nothing like it is served.
    pub(crate) fn parse(path: &str, served: &[Resource]) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.as_slice() {
            // What belongs to the namespace object itself, and not to something inside it.
            ["namespaces"] | ["namespaces", _] | ["namespaces", _, "status" | "finalize"]
                if group.is_empty() =>
            {
                (None, rest.as_slice())
            }
            ["namespaces", namespace, inside @ ..] => (Some((*namespace).to_owned()), inside),
            all => (None, all),
        };
        let (plural, rest) = rest.split_first()?;
        let resource = served.iter().find(|resource| {
            resource.group == group && resource.version == version && resource.plural == *plural
        })?;
        if namespace.is_some() && !resource.namespaced {
            return None;
        }
        Some(Self {
            resource: resource.clone(),
            namespace,
            name: rest.first().map(|name| (*name).to_owned()),
            subresource: rest.get(1).map(|sub| (*sub).to_owned()),
            below: rest.get(2..).unwrap_or_default().join("/"),
        })
    }

    /// As RBAC writes it: `pods`, `pods/exec`.
    pub(crate) fn rbac_resource(&self) -> String {
        match &self.subresource {
            Some(sub) => format!("{}/{sub}", self.resource.plural),
            None => self.resource.plural.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Option<Route> {
        Route::parse(path, &built_in())
    }

    #[test]
    fn a_namespaced_subresource_is_read() {
        let route = parse("/api/v1/namespaces/shop/pods/web-0/exec").unwrap();
        assert_eq!(route.namespace.as_deref(), Some("shop"));
        assert_eq!(route.name.as_deref(), Some("web-0"));
        assert_eq!(route.rbac_resource(), "pods/exec");
    }

    #[test]
    fn a_namespace_itself_is_an_object_without_a_namespace() {
        let route = parse("/api/v1/namespaces/shop").unwrap();
        assert_eq!(route.resource.kind, "Namespace");
        assert_eq!((route.namespace, route.name.as_deref()), (None, Some("shop")));
    }

    #[test]
    fn what_is_not_served_has_no_route() {
        assert_eq!(parse("/apis/metallb.io/v1beta1/ipaddresspools"), None);
        assert_eq!(parse("/api/v1/pods-not"), None);
        assert_eq!(parse("/healthz"), None);
    }
}
