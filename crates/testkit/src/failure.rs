//! How the API server says no: `Status` objects in the words of a real one.

use http::StatusCode;
use serde_json::{Value, json};

use crate::resource::Route;

/// A request that ends in a `Status` of kind failure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) code: u16,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    pub(crate) retry_after: Option<u32>,
}

impl Failure {
    /// The failure that belongs to an HTTP status, with the reason that Kubernetes gives it.
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        let reason = match code {
            400 => "BadRequest",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "NotFound",
            405 => "MethodNotAllowed",
            409 => "Conflict",
            410 => "Expired",
            413 => "RequestEntityTooLarge",
            415 => "UnsupportedMediaType",
            422 => "Invalid",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "",
        };
        Self {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            details: None,
            retry_after: None,
        }
    }

    pub(crate) fn reason(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// With the object that it is about in `details`.
    pub(crate) fn about(mut self, route: &Route, name: &str) -> Self {
        self.details =
            Some(json!({"name": name, "group": route.resource.group, "kind": route.resource.plural}));
        self
    }

    pub(crate) fn not_found(route: &Route, name: &str) -> Self {
        Self::new(
            404,
            format!("{} \"{name}\" not found", route.resource.qualified()),
        )
        .about(route, name)
    }

    pub(crate) fn already_exists(route: &Route, name: &str) -> Self {
        Self::new(
            409,
            format!("{} \"{name}\" already exists", route.resource.qualified()),
        )
        .reason("AlreadyExists")
        .about(route, name)
    }

    pub(crate) fn conflict(route: &Route, name: &str, why: &str) -> Self {
        let what = route.resource.qualified();
        Self::new(
            409,
            format!("Operation cannot be fulfilled on {what} \"{name}\": {why}"),
        )
        .about(route, name)
    }

    pub(crate) fn invalid(route: &Route, name: &str, why: &str) -> Self {
        Self::new(
            422,
            format!("{} \"{name}\" is invalid: {why}", route.resource.kind),
        )
        .about(route, name)
    }

    /// A refusal by an admission plugin.
    pub(crate) fn not_admitted(route: &Route, name: &str, why: &str) -> Self {
        Self::new(
            403,
            format!("{} \"{name}\" is forbidden: {why}", route.resource.qualified()),
        )
        .about(route, name)
    }

    /// A refusal by RBAC.
    pub(crate) fn forbidden(route: &Route, user: &str, verb: &str) -> Self {
        let subject = match &route.name {
            Some(name) => format!("{} \"{name}\"", route.resource.qualified()),
            None => route.resource.qualified(),
        };
        let scope = match &route.namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let message = format!(
            "{subject} is forbidden: User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\" {scope}",
            route.rbac_resource(),
            route.resource.group
        );
        Self::new(403, message).about(route, route.name.as_deref().unwrap_or(""))
    }

    /// A resource version that the server no longer has.
    pub(crate) fn expired(asked: u64, oldest: u64) -> Self {
        Self::new(410, format!("too old resource version: {asked} ({oldest})"))
    }

    /// The `Status` object.
    pub(crate) fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        if let Some(seconds) = self.retry_after {
            status["details"]["retryAfterSeconds"] = json!(seconds);
        }
        status
    }

    pub(crate) fn http_status(&self) -> StatusCode {
        StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::built_in;

    #[test]
    fn a_refusal_by_rbac_reads_as_on_a_real_cluster() {
        let route = Route::parse("/api/v1/nodes", &built_in()).unwrap();
        assert_eq!(
            Failure::forbidden(&route, "jane", "list").message,
            r#"nodes is forbidden: User "jane" cannot list resource "nodes" in API group "" at the cluster scope"#
        );
        let route = Route::parse("/api/v1/namespaces/shop/pods/web/exec", &built_in()).unwrap();
        assert_eq!(
            Failure::forbidden(&route, "jane", "create").message,
            "pods \"web\" is forbidden: User \"jane\" cannot create resource \"pods/exec\" in API group \"\" \
             in the namespace \"shop\""
        );
    }
}
