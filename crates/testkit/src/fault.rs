//! What goes wrong on the way to the API: faults, refusals by RBAC, refusals by admission.

use std::time::Duration;

use crate::selector::fits;

/// A fault of some requests. The first fault that fits a request and is not used up applies.
#[derive(Clone, Debug)]
pub struct Fault {
    verb: String,
    path: String,
    skip: u32,
    times: Option<u32>,
    effect: Effect,
}

/// What a fault does to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answered with this code and a proper `Status`.
    Status {
        /// The HTTP status.
        code: u16,
        /// `message` of the `Status`.
        message: String,
        /// The header `Retry-After`, in seconds.
        retry_after: Option<u32>,
    },
    /// Answered properly after this long.
    Slow(Duration),
    /// Never answered; the connection stays open.
    Hang,
    /// The connection is reset (RST) instead of an answer.
    Reset,
    /// The server closes its side of the connection (FIN) without an answer and keeps the other open.
    HalfClose,
    /// The answer ends after this many bytes of its body, and the connection with it.
    Truncate(usize),
    /// Answered properly, with a header `Warning: 299`.
    Warning(String),
}

impl Fault {
    /// A fault of all requests whose verb and path fit: verbs as RBAC has them (`get`, `list`, `watch`, `create`,
    /// `update`, `patch`, `delete`, `deletecollection`), `*` in either for anything.
    pub fn new(verb: &str, path: &str, effect: Effect) -> Self {
        Self {
            verb: verb.to_owned(),
            path: path.to_owned(),
            skip: 0,
            times: None,
            effect,
        }
    }

    /// A fault that answers with a status code, in the words of a real server for 401, 410, 429, 500, 503 and 504.
    pub fn status(verb: &str, path: &str, code: u16) -> Self {
        let (message, retry_after) = match code {
            401 => ("Unauthorized", None),
            410 => (
                "The provided continue parameter is too old to display a consistent list result.",
                None,
            ),
            429 => ("too many requests, please try again later", Some(1)),
            500 => ("Internal error occurred: etcdserver: request timed out", None),
            503 => ("the server is currently unable to handle the request", None),
            504 => (
                "Timeout: request did not complete within the allotted timeout",
                None,
            ),
            _ => ("the request was refused by a fault of the test", None),
        };
        let message = message.to_owned();
        Self::new(
            verb,
            path,
            Effect::Status {
                code,
                message,
                retry_after,
            },
        )
    }

    /// Only this many times; then it is healed.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Not for the first requests that fit.
    #[must_use]
    pub fn after(mut self, requests: u32) -> Self {
        self.skip = requests;
        self
    }

    /// The effect on this request, which is counted.
    pub(crate) fn apply(&mut self, verb: &str, path: &str) -> Option<Effect> {
        if !fits(&self.verb, verb) || !fits(&self.path, path) || self.times == Some(0) {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        if let Some(left) = &mut self.times {
            *left -= 1;
        }
        Some(self.effect.clone())
    }
}

/// A right that the client does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// As RBAC writes it; `*` for all.
    pub verb: String,
    /// As RBAC writes it: `pods`, `pods/exec`; `*` for all.
    pub resource: String,
    /// Only in this namespace; `None` for everywhere, cluster-scoped requests included.
    pub namespace: Option<String>,
}

impl Denial {
    pub(crate) fn covers(&self, verb: &str, resource: &str, namespace: Option<&str>) -> bool {
        fits(&self.verb, verb)
            && fits(&self.resource, resource)
            && self
                .namespace
                .as_deref()
                .is_none_or(|only| namespace == Some(only))
    }
}

/// What admission refuses on creation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// As `pods`.
    pub resource: String,
    /// A pattern for the namespace, with `*`.
    pub namespace: String,
    /// What follows `pods "x" is forbidden: `.
    pub message: String,
    /// How many objects are let through first.
    pub after: u32,
}

impl Admission {
    /// Refuses all objects of a resource, everywhere.
    pub fn new(resource: &str, message: impl Into<String>) -> Self {
        Self {
            resource: resource.to_owned(),
            namespace: "*".to_owned(),
            message: message.into(),
            after: 0,
        }
    }

    /// Pods that break a level of PodSecurity, as `restricted`, by these violations.
    pub fn pod_security(level: &str, violations: &[&str]) -> Self {
        Self::new(
            "pods",
            format!(
                "violates PodSecurity \"{level}:latest\": {}",
                violations.join(", ")
            ),
        )
    }

    /// Objects that a quota has no room for: `requested`, `used` and `limited` as `pods=1`.
    pub fn quota(resource: &str, quota: &str, requested: &str, used: &str, limited: &str) -> Self {
        Self::new(
            resource,
            format!("exceeded quota: {quota}, requested: {requested}, used: {used}, limited: {limited}"),
        )
    }

    /// Only in namespaces that fit this pattern.
    #[must_use]
    pub fn within(mut self, namespace: &str) -> Self {
        namespace.clone_into(&mut self.namespace);
        self
    }

    /// Not the first objects.
    #[must_use]
    pub fn after(mut self, objects: u32) -> Self {
        self.after = objects;
        self
    }

    pub(crate) fn refuses(&mut self, resource: &str, namespace: &str) -> bool {
        if self.resource != resource || !fits(&self.namespace, namespace) {
            return false;
        }
        let spare = self.after > 0;
        self.after = self.after.saturating_sub(1);
        !spare
    }
}

/// A fault of some execs. The first that fits and is not used up applies.
#[derive(Clone, Debug)]
pub struct ExecFault {
    node: String,
    times: Option<u32>,
    effect: ExecEffect,
}

/// What a fault does to an exec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecEffect {
    /// The upgrade is refused with this code and message.
    Refuse {
        /// The HTTP status.
        code: u16,
        /// `message` of the `Status`.
        message: String,
    },
    /// After this many answers, and half of the next, the connection breaks.
    BreakAfter(u32),
    /// Everything is sent, and then the socket closes without a status.
    LoseStatus,
    /// The socket opens, and then nothing happens.
    Hang,
    /// The agent writes nothing and ends with this exit code.
    Exit {
        /// The exit code.
        code: i32,
        /// What it writes to standard error.
        stderr: String,
    },
    /// The server speaks only this subprotocol, as `v4.channel.k8s.io`; empty for none at all.
    Protocol(String),
    /// The answers begin this much later.
    Slow(Duration),
}

impl ExecFault {
    /// A fault of execs into pods of nodes that fit this pattern, with `*`.
    pub fn new(node: &str, effect: ExecEffect) -> Self {
        Self {
            node: node.to_owned(),
            times: None,
            effect,
        }
    }

    /// Only this many times; then it is healed.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    pub(crate) fn apply(&mut self, node: &str) -> Option<ExecEffect> {
        if !fits(&self.node, node) || self.times == Some(0) {
            return None;
        }
        if let Some(left) = &mut self.times {
            *left -= 1;
        }
        Some(self.effect.clone())
    }
}
