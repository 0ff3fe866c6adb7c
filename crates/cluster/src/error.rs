//! What can go wrong between the command line and the API server, in kubectl's words.

use std::error::Error as StdError;

use thiserror::Error;

use crate::transport_error;

/// Why the cluster could not be asked.
///
/// `Display` is the whole text that kubectl prints on stderr in the same situation, its prefix (`error: `,
/// `Error from server (Reason): ` …) included: print it as it is, without another prefix. It may have several lines.
/// For the plugins each of these is exit status 2.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// Kubeconfig files that could not be read or understood.
    #[error("error: {}", joined(reasons))]
    Kubeconfig {
        /// One clause for each file.
        reasons: Vec<String>,
    },
    /// A context, cluster or user that is in none of the kubeconfig files.
    #[error("error: {what} {name:?} does not exist")]
    Missing {
        /// kubectl's word for it: `context`, `cluster`, `auth info`.
        what: &'static str,
        /// The name that was asked for.
        name: String,
    },
    /// The kubeconfig's own `current-context` is in none of the files.
    #[error("Error in configuration: context was not found for specified context: {name}")]
    CurrentContext {
        /// What `current-context` says.
        name: String,
    },
    /// Entries that were found and contradict themselves, or name files that cannot be read.
    #[error("{}", invalid(reasons))]
    Invalid {
        /// One clause for each contradiction, at least one.
        reasons: Vec<String>,
    },
    /// A flag or an entry of the kubeconfig whose value makes no sense.
    #[error("error: {0}")]
    Value(String),
    /// TLS could not be set up: a certificate or key that cannot be used, or nothing to trust.
    #[error("error: {reason}")]
    Tls {
        /// What is wrong.
        reason: String,
        /// What to do about it, if that is known.
        hint: Option<String>,
    },
    /// The credentials could not be had: a token file, a credential plugin.
    #[error("Unable to connect to the server: getting credentials: {0}")]
    Credentials(String),
    /// Nothing listens at the address of the server.
    #[error("The connection to the server {host} was refused - did you specify the right host or port?")]
    Refused {
        /// As in the URL: `10.0.0.1:6443`.
        host: String,
    },
    /// The connection could not be made or broke.
    #[error("Unable to connect to the server: {cause}")]
    Unreachable {
        /// The innermost cause.
        cause: String,
    },
    /// The server does not accept the credentials (401).
    #[error("error: You must be logged in to the server ({message})")]
    Unauthorized {
        /// The server's words.
        message: String,
    },
    /// The server answered with an error.
    #[error("Error from server{}: {message}", reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Server {
        /// As `Forbidden`, where the server gave one.
        reason: Option<String>,
        /// The server's words.
        message: String,
    },
    /// `--warnings-as-errors`, and there were some.
    #[error("error: {count} warning{} received", if *count == 1 { "" } else { "s" })]
    Warnings {
        /// How many.
        count: usize,
    },
}

impl ClusterError {
    /// What the user can do next, or `None` where any advice would be a guess.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { what: "context", .. } | Self::CurrentContext { .. } => {
                Some("list the contexts with `kubectl config get-contexts`".into())
            }
            Self::Missing { what: "cluster", .. } => {
                Some("list the clusters with `kubectl config get-clusters`".into())
            }
            Self::Missing { .. } => Some("list the users with `kubectl config get-users`".into()),
            Self::Refused { host } if host == "localhost:8080" => Some(
                "this is the address without any kubeconfig: name one with --kubeconfig or $KUBECONFIG"
                    .into(),
            ),
            Self::Refused { .. } | Self::Unreachable { .. } => {
                Some("see where the context points with `kubectl config view --minify`".into())
            }
            Self::Unauthorized { .. } => Some("see who you are with `kubectl auth whoami`".into()),
            Self::Tls { hint, .. } => hint.clone(),
            Self::Kubeconfig { .. }
            | Self::Invalid { .. }
            | Self::Value(_)
            | Self::Credentials(_)
            | Self::Server { .. }
            | Self::Warnings { .. } => None,
        }
    }

    /// What an error of a request means, in kubectl's words. `host` is the server's, as in its URL.
    pub(crate) fn of_request(error: &kube::Error, host: &str) -> Self {
        match error {
            kube::Error::Api(status) => Self::of_status(status),
            kube::Error::SerdeError(error) => Self::Server {
                reason: None,
                message: format!("the answer could not be understood: {error}"),
            },
            other => transport_error::classify(other as &(dyn StdError + 'static), host),
        }
    }

    fn of_status(status: &kube::core::Status) -> Self {
        // What is not a Status object (a proxy's page, a bare path) has no reason; kubectl then goes by the code.
        let bare = status.reason.is_empty() || status.reason == "Failed to parse error data";
        if status.reason == "Unauthorized" || (bare && status.code == 401) {
            let message = if bare {
                "the server has asked for the client to provide credentials".to_owned()
            } else {
                status.message.clone()
            };
            return Self::Unauthorized { message };
        }
        if !bare {
            return Self::Server {
                reason: Some(status.reason.clone()),
                message: status.message.clone(),
            };
        }
        let (reason, message) = match status.code {
            404 => (Some("NotFound"), "the server could not find the requested resource".to_owned()),
            403 => (Some("Forbidden"), non_empty(&status.message, "the server does not allow access to the requested resource")),
            429 => (Some("TooManyRequests"), "the server has received too many requests and has asked us to try again later".to_owned()),
            503 => (Some("ServiceUnavailable"), "the server is currently unable to handle the request".to_owned()),
            504 => (Some("Timeout"), "the server was unable to return a response in the time allotted, but may still be processing the request".to_owned()),
            code if code >= 500 => (
                Some("InternalError"),
                format!("an error on the server ({:?}) has prevented the request from succeeding", status.message),
            ),
            code => (None, non_empty(&status.message, &format!("the server answered with status {code}"))),
        };
        Self::Server {
            reason: reason.map(str::to_owned),
            message,
        }
    }
}

fn non_empty(text: &str, otherwise: &str) -> String {
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text.to_owned()
    }
}

/// Several reasons in one line, as kubectl's aggregated errors read.
fn joined(reasons: &[String]) -> String {
    match reasons {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn invalid(reasons: &[String]) -> String {
    match reasons {
        [one] => format!("error: {one}"),
        several => format!("Error in configuration: \n* {}", several.join("\n* ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> String {
        let status: kube::core::Status = serde_json::from_str(json).unwrap();
        ClusterError::of_request(&kube::Error::Api(Box::new(status)), "h:1").to_string()
    }

    #[test]
    fn answers_of_the_server_read_as_kubectl_prints_them() {
        assert_eq!(
            of(r#"{"code":403,"reason":"Forbidden","message":"pods is forbidden: no"}"#),
            "Error from server (Forbidden): pods is forbidden: no"
        );
        assert_eq!(
            of(r#"{"code":401,"reason":"Unauthorized","message":"Unauthorized"}"#),
            "error: You must be logged in to the server (Unauthorized)"
        );
        assert_eq!(
            of(r#"{"code":404,"reason":"NotFound","message":"pods \"x\" not found"}"#),
            "Error from server (NotFound): pods \"x\" not found"
        );
        assert_eq!(
            of(r#"{"code":404,"reason":"Failed to parse error data","message":"404 page not found"}"#),
            "Error from server (NotFound): the server could not find the requested resource"
        );
    }

    #[test]
    fn one_contradiction_is_a_line_and_several_are_a_list() {
        let one = ClusterError::Invalid {
            reasons: vec!["a".into()],
        };
        assert_eq!(one.to_string(), "error: a");
        let two = ClusterError::Invalid {
            reasons: vec!["a".into(), "b".into()],
        };
        assert_eq!(two.to_string(), "Error in configuration: \n* a\n* b");
    }
}
