//! Errors of requests as gaps: the one place that turns the first into the second.

use std::time::Duration;

use report::{Gap, GapReason};

use crate::error::ClusterError;
use crate::transport_error::{timed_out, was_cut_off};

/// What was asked for and did not come in time.
pub(crate) fn late(what: String, after: Duration) -> Gap {
    Gap {
        what,
        why: GapReason::TimedOut {
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
        },
        message: format!("nothing came back within {} s", after.as_secs()),
        hint: None,
    }
}

/// What could not be seen because a request failed. `resource` is as RBAC writes it, with its group:
/// `leases.coordination.k8s.io`.
pub(crate) fn of_request(
    what: String,
    error: &kube::Error,
    host: &str,
    verb: &str,
    resource: &str,
    namespace: Option<&str>,
) -> Gap {
    let (why, hint) = match error {
        kube::Error::Api(status) if status.code == 403 => (
            GapReason::Forbidden {
                verb: verb.to_owned(),
                resource: resource.to_owned(),
                namespace: namespace.map(str::to_owned),
            },
            Some(format!(
                "check with `{}`",
                can_i_command(verb, resource, namespace)
            )),
        ),
        // A missing object has a reason and details; a missing resource is a bare 404 of the router.
        kube::Error::Api(status) if status.code == 404 && is_unknown_path(status) => {
            (GapReason::NotServed, None)
        }
        kube::Error::Api(status) if status.code == 504 || status.reason == "Timeout" => {
            let seconds = status
                .details
                .as_ref()
                .map_or(0, |details| u64::from(details.retry_after_seconds));
            (
                GapReason::TimedOut {
                    after_ms: seconds * 1000,
                },
                None,
            )
        }
        kube::Error::SerdeError(error) if error.is_eof() => (GapReason::Truncated, None),
        other if was_cut_off(other) => (GapReason::Truncated, None),
        other => match timed_out(other) {
            Some(after) => (
                GapReason::TimedOut {
                    after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
                },
                Some("allow more time with --request-timeout".to_owned()),
            ),
            None => (GapReason::Failed, ClusterError::of_request(other, host).hint()),
        },
    };
    Gap {
        what,
        why,
        message: message(error, host),
        hint,
    }
}

/// The server's own words where there are any, else what became of the connection.
fn message(error: &kube::Error, host: &str) -> String {
    let text = match ClusterError::of_request(error, host) {
        ClusterError::Server { message, .. } => message,
        other => {
            let text = other.to_string();
            text.strip_prefix("error: ").map(str::to_owned).unwrap_or(text)
        }
    };
    crate::sanitize(&text).into_owned()
}

/// Whether the server has no such path at all, rather than no such object.
pub(crate) fn is_unknown_path(status: &kube::core::Status) -> bool {
    status
        .details
        .as_ref()
        .is_none_or(|details| details.name.is_empty())
}

/// The command that shows whether the user may do this: `kubectl auth can-i create pods/exec -n shop`.
fn can_i_command(verb: &str, resource: &str, namespace: Option<&str>) -> String {
    // can-i wants the subresource apart from the resource.
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, format!(" --subresource={subresource}")),
        None => (resource, String::new()),
    };
    let namespace = namespace
        .map(|namespace| format!(" -n {namespace}"))
        .unwrap_or_default();
    format!("kubectl auth can-i {verb} {resource}{subresource}{namespace}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(json: &str, verb: &str, resource: &str, namespace: Option<&str>) -> Gap {
        let status: kube::core::Status = serde_json::from_str(json).unwrap();
        of_request(
            "nodes".into(),
            &kube::Error::Api(Box::new(status)),
            "h:1",
            verb,
            resource,
            namespace,
        )
    }

    #[test]
    fn a_refusal_names_the_right_that_is_missing_and_how_to_check_it() {
        let json =
            r#"{"code":403,"reason":"Forbidden","message":"nodes is forbidden: User \"jane\" cannot list"}"#;
        let gap = gap(json, "list", "nodes", None);
        assert_eq!(
            gap.why,
            GapReason::Forbidden {
                verb: "list".into(),
                resource: "nodes".into(),
                namespace: None
            }
        );
        assert_eq!(
            gap.hint.as_deref(),
            Some("check with `kubectl auth can-i list nodes`")
        );
        assert_eq!(gap.message, "nodes is forbidden: User \"jane\" cannot list");
    }

    #[test]
    fn a_subresource_is_asked_for_as_can_i_wants_it() {
        assert_eq!(
            can_i_command("create", "pods/exec", Some("shop")),
            "kubectl auth can-i create pods --subresource=exec -n shop"
        );
    }

    #[test]
    fn a_resource_that_is_not_served_is_told_from_an_object_that_is_not_there() {
        let bare = r#"{"code":404,"reason":"Failed to parse error data","message":"404 page not found"}"#;
        assert_eq!(
            gap(bare, "list", "widgets.example.com", None).why,
            GapReason::NotServed
        );
        let object = r#"{"code":404,"reason":"NotFound","message":"pods \"x\" not found","details":{"name":"x","kind":"pods"}}"#;
        assert_eq!(gap(object, "get", "pods", Some("a")).why, GapReason::Failed);
    }
}
