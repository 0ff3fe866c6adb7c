//! A cluster that can be asked.

use std::sync::{Arc, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;
use report::Gap;

use crate::args::ConnectionArgs;
use crate::client::{connections, headers, kube_config};
use crate::connection::{Authentication, ClientIdentity, Connection, Trust, given};
use crate::credentials::Credentials;
use crate::environment::Environment;
use crate::error::ClusterError;
use crate::exec::ExecPlugin;
use crate::log::Log;
use crate::transport::{Transport, TransportService};
use crate::usage::{Counters, Usage};
use crate::warning::{StderrWarnings, WarningSink, Warnings};
use crate::{gap, loading};

/// Which program asks: the `User-Agent` is `kubectl-netcheck/v0.1.0 (linux/amd64)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As `kubectl-netcheck`.
    pub program: &'static str,
    /// Without a leading `v`, as `0.1.0`.
    pub version: &'static str,
}

impl Identity {
    /// The identity of a program.
    pub const fn new(program: &'static str, version: &'static str) -> Self {
        Self { program, version }
    }

    /// The `User-Agent` header, with the names that Go has for systems and architectures.
    pub fn user_agent(&self) -> String {
        let system = match std::env::consts::OS {
            "macos" => "darwin",
            other => other,
        };
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        format!("{}/v{} ({system}/{architecture})", self.program, self.version)
    }
}

/// One cluster, seen by one user. Cheap to clone; clones share connections, counters and warnings.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    transport: Arc<Transport>,
    facts: Arc<Facts>,
}

struct Facts {
    namespace: String,
    namespace_is_explicit: bool,
    context_name: Option<String>,
    warnings_are_errors: bool,
}

impl Cluster {
    /// Prepares to ask the cluster that flags, kubeconfig and surroundings name. Nothing is sent to it; a credential
    /// plugin is run once. Warnings of the server go to stderr.
    pub async fn connect(args: &ConnectionArgs, identity: &Identity) -> Result<Self, ClusterError> {
        Self::connect_in(
            args,
            identity,
            &Environment::of_process(),
            Arc::new(StderrWarnings::new()),
        )
        .await
    }

    /// As [`Cluster::connect`], in surroundings of the caller's choice.
    pub async fn connect_in(
        args: &ConnectionArgs,
        identity: &Identity,
        environment: &Environment,
        warnings: Arc<dyn WarningSink>,
    ) -> Result<Self, ClusterError> {
        let config = loading::load(given(args.kubeconfig.as_ref()).map(String::as_str), environment)?;
        let connection = Connection::resolve(args, &config, environment)?;
        let log = Log::new(args.verbosity.unwrap_or(0));
        log.line(
            6,
            format_args!(
                "connecting to {} in namespace {}",
                connection.server, connection.namespace
            ),
        );
        let (credentials, client_identity) = credentials(&connection, environment).await?;
        let base = kube_config(&connection)?;
        let connections = connections(&base, client_identity.as_ref())?;
        let headers = headers(identity, &connection.impersonation)?;
        let transport = Arc::new(Transport {
            connections: RwLock::new(connections),
            config: base,
            credentials,
            headers,
            request_timeout: connection.request_timeout,
            server: connection.server.clone(),
            counters: Arc::new(Counters::default()),
            warnings: Warnings::new(warnings),
            log,
        });
        Ok(Self {
            client: kube::Client::new(TransportService(transport.clone()), connection.namespace.clone()),
            transport,
            facts: Arc::new(Facts {
                namespace: connection.namespace,
                namespace_is_explicit: connection.namespace_is_explicit,
                context_name: connection.context_name,
                warnings_are_errors: args.warnings_as_errors == Some(true),
            }),
        })
    }

    /// A client for what this crate has no function for. Everything that is true of this crate's own requests is true
    /// of its requests: limits of time, retries of reads, credentials, warnings, counting.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The namespace that requests are about: of `--namespace`, else of the context, else of the pod that this runs
    /// in, else `default`.
    pub fn namespace(&self) -> &str {
        &self.facts.namespace
    }

    /// Whether the user named the namespace on the command line.
    pub fn namespace_is_explicit(&self) -> bool {
        self.facts.namespace_is_explicit
    }

    /// The URL of the API server.
    pub fn server_url(&self) -> &Uri {
        &self.transport.server
    }

    /// The context in use; `None` without one: in a pod, or with `--server` alone.
    pub fn context_name(&self) -> Option<&str> {
        self.facts.context_name.as_deref()
    }

    /// What was asked of the API server so far.
    pub fn usage(&self) -> Usage {
        self.transport.counters.usage()
    }

    /// Counts bytes that went over an upgraded connection: those do not pass through here.
    pub fn count_stream(&self, received: u64, sent: u64) {
        self.transport.counters.add_received(received);
        self.transport.counters.add_sent(sent);
    }

    /// What an error of a request means, in kubectl's words: for a run that cannot go on without its answer.
    pub fn error(&self, error: &kube::Error) -> ClusterError {
        ClusterError::of_request(error, &self.host())
    }

    /// What an error of a request means for what was looked for: for a run that goes on without it. `verb` and
    /// `resource` are RBAC's words, as `list` and `nodes`; `resource` has its group, if any: `leases.coordination.k8s.io`.
    pub fn gap(
        &self,
        what: impl Into<String>,
        error: &kube::Error,
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Gap {
        gap::of_request(what.into(), error, &self.host(), verb, resource, namespace)
    }

    /// An error of a request in kubectl's words.
    pub(crate) fn in_words(&self, error: &kube::Error) -> ClusterError {
        ClusterError::of_request(error, &self.host())
    }

    /// To be asked at the end of a run: an error when the server warned and `--warnings-as-errors` was given.
    pub fn check_warnings(&self) -> Result<(), ClusterError> {
        match self.transport.warnings.count() {
            count if count > 0 && self.facts.warnings_are_errors => Err(ClusterError::Warnings { count }),
            _ => Ok(()),
        }
    }

    fn host(&self) -> String {
        self.transport
            .server
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

/// The source of the header that shows who asks, and the client certificate to begin with.
async fn credentials(
    connection: &Connection,
    environment: &Environment,
) -> Result<(Credentials, Option<ClientIdentity>), ClusterError> {
    let Authentication::Exec(entry) = &connection.authentication else {
        let credentials = Credentials::new(&connection.authentication).map_err(ClusterError::Credentials)?;
        return Ok((credentials, connection.client_identity.clone()));
    };
    let authority = match &connection.trust {
        Trust::These(pem) => Some(BASE64.encode(pem)),
        Trust::System | Trust::Anybody => None,
    };
    let plugin = ExecPlugin::new(
        (**entry).clone(),
        &connection.cluster,
        authority,
        environment.clone(),
    );
    let credential = plugin.run().await.map_err(ClusterError::Credentials)?;
    let identity = credential.identity.clone();
    Ok((Credentials::of_plugin(plugin, credential), identity))
}
