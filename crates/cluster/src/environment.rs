//! What a connection depends on besides flags and files: a value, so that tests can choose it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

/// The surroundings of a process: its environment variables, where a pod finds its service account, and whether
/// somebody could answer a question on stdin.
#[derive(Clone, Debug)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    service_account: PathBuf,
    stdin_is_terminal: bool,
}

/// Where the kubelet mounts a pod's service account.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

impl Environment {
    /// The surroundings of this process.
    pub fn of_process() -> Self {
        Self {
            variables: std::env::vars_os().collect(),
            service_account: PathBuf::from(SERVICE_ACCOUNT),
            stdin_is_terminal: std::io::stdin().is_terminal(),
        }
    }

    /// No variables, no service account, no terminal.
    pub fn empty() -> Self {
        Self {
            variables: BTreeMap::new(),
            service_account: PathBuf::from("/nonexistent"),
            stdin_is_terminal: false,
        }
    }

    /// The same, with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The same, with the service account of a pod in this directory.
    #[must_use]
    pub fn with_service_account(mut self, directory: impl Into<PathBuf>) -> Self {
        self.service_account = directory.into();
        self
    }

    /// A variable that is set and not empty; `None` when it is not valid Unicode.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables
            .get(OsStr::new(name))
            .and_then(|value| value.to_str())
            .filter(|value| !value.is_empty())
    }

    /// A variable as it is, for lists of paths, which need not be Unicode.
    pub(crate) fn raw_variable(&self, name: &str) -> Option<&OsStr> {
        self.variables
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    /// Every variable, to hand on to a child process.
    pub(crate) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.variables
    }

    /// `$HOME`, and on Windows `%USERPROFILE%` after it.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let windows = if cfg!(windows) {
            self.raw_variable("USERPROFILE")
        } else {
            None
        };
        self.raw_variable("HOME").or(windows).map(PathBuf::from)
    }

    /// A file of the pod's service account: `token`, `ca.crt`, `namespace`.
    pub(crate) fn service_account_file(&self, name: &str) -> PathBuf {
        self.service_account.join(name)
    }

    /// Whether this is a pod with a service account: then a missing kubeconfig is no error.
    pub(crate) fn is_pod(&self) -> bool {
        let token = self.service_account_file("token");
        self.variable("KUBERNETES_SERVICE_HOST").is_some()
            && self.variable("KUBERNETES_SERVICE_PORT").is_some()
            && Path::new(&token).is_file()
    }

    /// The namespace of the pod: `$POD_NAMESPACE`, or the one of its service account.
    pub(crate) fn pod_namespace(&self) -> Option<String> {
        if let Some(namespace) = self.variable("POD_NAMESPACE") {
            return Some(namespace.to_owned());
        }
        let text = std::fs::read_to_string(self.service_account_file("namespace")).ok()?;
        let namespace = text.trim();
        (!namespace.is_empty()).then(|| namespace.to_owned())
    }

    /// Whether a credential plugin may ask the user something.
    pub(crate) fn stdin_is_terminal(&self) -> bool {
        self.stdin_is_terminal
    }
}
