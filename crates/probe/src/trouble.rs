//! How a request to the API server failed.

use std::error::Error;
use std::time::Duration;

use kube::core::Status;
use report::{Gap, GapReason};
use tokio_util::sync::CancellationToken;

/// How a request to the API server failed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// The server answered, and said no.
    Refused(Box<Status>),
    /// No answer came in time. What was asked for may have happened all the same.
    TimedOut(Duration),
    /// The request or its answer was lost on the way. What was asked for may have happened all the same.
    Lost(String),
}

/// How long a plain request may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How much longer it may take once the user has had enough.
const LAST_PATIENCE: Duration = Duration::from_secs(2);

/// Waits for a request, but not for ever. It is not given up at once when the run is cancelled: what it made must be
/// known to be removed.
pub(crate) async fn patiently<T>(
    cancel: &CancellationToken,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Trouble> {
    let cancelled = async {
        cancel.cancelled().await;
        tokio::time::sleep(LAST_PATIENCE).await;
    };
    tokio::select! {
        biased;
        result = within(PATIENCE, request) => result,
        () = cancelled => Err(Trouble::TimedOut(LAST_PATIENCE)),
    }
}

/// Waits for a request for so long.
pub(crate) async fn within<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, request).await {
        Ok(result) => result.map_err(|error| Trouble::from(&error)),
        Err(_elapsed) => Err(Trouble::TimedOut(limit)),
    }
}

impl From<&kube::Error> for Trouble {
    fn from(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused(status.clone()),
            other => Self::Lost(chain(other)),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(status) if status.message.is_empty() => {
                write!(f, "the API server answered {} {}", status.code, status.reason)
            }
            Self::Refused(status) => f.write_str(status.message.trim()),
            Self::TimedOut(after) => write!(f, "the API server did not answer for {} s", after.as_secs()),
            Self::Lost(words) => f.write_str(words),
        }
    }
}

impl Trouble {
    /// The status code of the answer, where there was one.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(status) => Some(status.code),
            Self::TimedOut(_) | Self::Lost(_) => None,
        }
    }

    pub(crate) fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Refused(status) => status.code == 429 || status.code >= 500,
            Self::TimedOut(_) | Self::Lost(_) => true,
        }
    }

    /// The gap that this leaves. `verb` and `resource` are what was asked for, as RBAC writes it; `what` is what was
    /// looked for, as a noun phrase.
    pub(crate) fn gap(
        &self,
        what: impl Into<String>,
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Gap {
        let mut hint = None;
        let why = match self {
            Self::Refused(status) if status.code == 403 => {
                let place = match namespace {
                    Some(namespace) => format!(" -n {namespace}"),
                    None if matches!(resource, "nodes" | "namespaces") => String::new(),
                    None => " -A".to_owned(),
                };
                hint = Some(format!("kubectl auth can-i {verb} {resource}{place}"));
                GapReason::Forbidden {
                    verb: verb.to_owned(),
                    resource: resource.to_owned(),
                    namespace: namespace.map(str::to_owned),
                }
            }
            Self::TimedOut(after) => GapReason::TimedOut {
                after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            },
            Self::Refused(_) | Self::Lost(_) => GapReason::Failed,
        };
        Gap {
            message: self.to_string(),
            what: what.into(),
            why,
            hint,
        }
    }
}

/// An error with all of its causes: the outermost of a failed connection says only that there was one.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !words.contains(&next) {
            words.push_str(": ");
            words.push_str(&next);
        }
        cause = error.source();
    }
    words
}
