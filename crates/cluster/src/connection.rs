//! What flags, kubeconfig and surroundings come to: one server, one identity, one namespace.
//!
//! The rules are those of `client-go`'s `clientcmd`: what wins over what, what contradicts what, and in which order
//! the contradictions are found. Where they would silently do something else than was asked (a context that names a
//! missing cluster or user), this says so instead.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::Uri;

use crate::args::ConnectionArgs;
use crate::duration::parse_timeout;
use crate::environment::Environment;
use crate::error::ClusterError;
use crate::kubeconfig::{AuthProvider, ClusterEntry, ContextEntry, ExecEntry, Kubeconfig, UserEntry};
use crate::loading::go_io;
use crate::proxy;
use crate::validation::{validate_cluster, validate_user};

mod entries;
#[cfg(test)]
mod tests;

use entries::{find_cluster, find_context, find_user, override_cluster, override_user, override_with};

/// Everything that is needed to connect. Files were read; nothing was sent.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) context_name: Option<String>,
    pub(crate) namespace: String,
    pub(crate) namespace_is_explicit: bool,
    pub(crate) server: Uri,
    pub(crate) trust: Trust,
    pub(crate) tls_server_name: Option<String>,
    pub(crate) proxy: Option<Uri>,
    pub(crate) disable_compression: bool,
    pub(crate) authentication: Authentication,
    pub(crate) client_identity: Option<ClientIdentity>,
    pub(crate) impersonation: Impersonation,
    /// `--request-timeout`: `None` when it was not given, zero when there is to be no limit.
    pub(crate) request_timeout: Option<Duration>,
    /// What a credential plugin may be told about the cluster.
    pub(crate) cluster: ClusterEntry,
}

/// A client certificate.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientIdentity {
    /// PEM, with the certificates between it and the authority.
    pub(crate) certificate: Vec<u8>,
    /// PEM.
    pub(crate) key: Vec<u8>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientIdentity(…)")
    }
}

/// Whose signature on the server's certificate is believed.
#[derive(Clone, Debug)]
pub(crate) enum Trust {
    /// The machine's own list.
    System,
    /// These certificates, PEM.
    These(Vec<u8>),
    /// Nobody is asked.
    Anybody,
}

/// How requests show who sends them, besides a client certificate.
#[derive(Clone, Debug)]
pub(crate) enum Authentication {
    Nothing,
    Token(String),
    /// Read again about once a minute; the text is what was read first.
    TokenFile(String, String),
    Basic(String, String),
    Exec(Box<ExecEntry>),
    Provider(AuthProvider),
}

/// Whom requests are sent as.
#[derive(Clone, Debug, Default)]
pub(crate) struct Impersonation {
    pub(crate) user: Option<String>,
    pub(crate) uid: Option<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) extra: BTreeMap<String, Vec<String>>,
}

/// The server when nothing names one.
const DEFAULT_SERVER: &str = "http://localhost:8080";

/// The value of a flag, where it was given and is not empty.
pub(crate) fn given(flag: Option<&String>) -> Option<&String> {
    flag.filter(|text| !text.is_empty())
}

impl Connection {
    /// Combines flags, kubeconfig and surroundings.
    pub(crate) fn resolve(
        args: &ConnectionArgs,
        config: &Kubeconfig,
        environment: &Environment,
    ) -> Result<Self, ClusterError> {
        let context_name = given(args.context.as_ref()).or(config.current_context.as_ref());
        let mut context = find_context(args, config)?;
        override_with(&mut context.cluster, args.cluster.as_ref());
        override_with(&mut context.user, args.user.as_ref());
        let mut user = find_user(args, config, &context)?;
        override_user(&mut user, args)?;
        let mut cluster = find_cluster(args, config, &context, environment)?;
        let configured = cluster.server.is_some() || context.cluster.is_some();
        override_cluster(&mut cluster, args);
        if let Some(name) = context_name
            && !config.contexts.contains_key(name)
        {
            return Err(ClusterError::CurrentContext { name: name.clone() });
        }
        let in_pod = environment.is_pod();
        let pod_supplies_cluster = !configured && cluster.server.is_none() && in_pod;
        if pod_supplies_cluster {
            cluster = pod_cluster(cluster, environment);
        }
        let mut reasons = validate_user(context.user.as_deref().unwrap_or_default(), &user);
        if cluster.server.is_none() && !configured {
            let master = environment.variable("KUBERNETES_MASTER");
            cluster.server = Some(master.unwrap_or(DEFAULT_SERVER).to_owned());
        }
        reasons.extend(validate_cluster(
            context.cluster.as_deref().unwrap_or_default(),
            &cluster,
        ));
        if !reasons.is_empty() {
            return Err(ClusterError::Invalid { reasons });
        }
        let request_timeout = request_timeout(args)?;
        let server = server_url(cluster.server.as_deref().unwrap_or(DEFAULT_SERVER))?;
        let secure = server.scheme_str() == Some("https");
        let proxy = match &cluster.proxy_url {
            Some(url) => Some(proxy::parse_strict(url).map_err(ClusterError::Value)?),
            None => proxy::from_environment(&server, environment)?,
        };
        let impersonation = Impersonation {
            user: user.impersonate.clone(),
            uid: user.impersonate_uid.clone(),
            groups: user.impersonate_groups.clone(),
            extra: user.impersonate_extra.clone(),
        };
        // Credentials never leave over a connection that anybody can read; kubectl drops them silently as well.
        let (authentication, client_identity) = if secure {
            let pod_token = pod_supplies_cluster && has_no_credentials(&user);
            if pod_token {
                user.token_file = Some(
                    environment
                        .service_account_file("token")
                        .to_string_lossy()
                        .into_owned(),
                );
            }
            (authentication(&user)?, client_identity(&user)?)
        } else {
            (Authentication::Nothing, None)
        };
        let namespace = namespace(args, &context, environment);
        Ok(Self {
            context_name: context_name.cloned(),
            namespace_is_explicit: given(args.namespace.as_ref()).is_some(),
            namespace,
            trust: if secure {
                trust(&cluster)?
            } else {
                Trust::These(Vec::new())
            },
            server,
            tls_server_name: cluster.tls_server_name.clone(),
            proxy,
            disable_compression: cluster.disable_compression,
            authentication,
            client_identity,
            impersonation,
            request_timeout,
            cluster,
        })
    }
}

/// The cluster of the pod that this runs in; what flags said of the certificates stays.
fn pod_cluster(flags: ClusterEntry, environment: &Environment) -> ClusterEntry {
    let host = environment
        .variable("KUBERNETES_SERVICE_HOST")
        .unwrap_or_default();
    let port = environment
        .variable("KUBERNETES_SERVICE_PORT")
        .unwrap_or_default();
    let server = if host.contains(':') {
        format!("https://[{host}]:{port}")
    } else {
        format!("https://{host}:{port}")
    };
    let authority = environment.service_account_file("ca.crt");
    let own_trust = flags.insecure_skip_tls_verify || flags.certificate_authority.is_some();
    ClusterEntry {
        server: Some(server),
        certificate_authority: if own_trust || !authority.is_file() {
            flags.certificate_authority.clone()
        } else {
            Some(authority.to_string_lossy().into_owned())
        },
        ..flags
    }
}

fn has_no_credentials(user: &UserEntry) -> bool {
    user.token.is_none()
        && user.token_file.is_none()
        && user.username.is_none()
        && user.client_certificate.is_none()
        && user.client_certificate_data.is_none()
        && user.exec.is_none()
        && user.auth_provider.is_none()
}

fn request_timeout(args: &ConnectionArgs) -> Result<Option<Duration>, ClusterError> {
    given(args.request_timeout.as_ref())
        .map(|text| {
            parse_timeout(text).ok_or_else(|| {
                ClusterError::Value(
                    "Invalid timeout value. Timeout must be a single integer in seconds, or an integer followed by a \
                     corresponding time unit (e.g. 1s | 2m | 3h)"
                        .to_owned(),
                )
            })
        })
        .transpose()
}

/// `host:port` means plain HTTP, as it does for kubectl when nothing else is known.
fn server_url(text: &str) -> Result<Uri, ClusterError> {
    let bad = || ClusterError::Value(format!("host must be a URL or a host:port pair: {text:?}"));
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let uri: Uri = with_scheme.parse().map_err(|_| bad())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(bad());
    };
    if !matches!(scheme, "http" | "https") || (!text.contains("://") && uri.path() != "/") {
        return Err(bad());
    }
    // A query or a fragment of the configured URL is not part of the address.
    format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/'))
        .parse()
        .map_err(|_| bad())
}

fn namespace(args: &ConnectionArgs, context: &ContextEntry, environment: &Environment) -> String {
    given(args.namespace.as_ref())
        .cloned()
        .or_else(|| context.namespace.clone())
        .or_else(|| {
            if environment.is_pod() {
                environment.pod_namespace()
            } else {
                None
            }
        })
        .unwrap_or_else(|| "default".to_owned())
}

/// Which credentials are used when there are several; a client certificate is sent besides any of them.
fn authentication(user: &UserEntry) -> Result<Authentication, ClusterError> {
    if let Some(path) = &user.token_file {
        return match (std::fs::read_to_string(path), &user.token) {
            (Ok(text), _) => Ok(Authentication::TokenFile(path.clone(), text.trim().to_owned())),
            (Err(_), Some(token)) => Ok(Authentication::TokenFile(path.clone(), token.clone())),
            (Err(error), None) => Err(ClusterError::Value(go_io("open", path, &error))),
        };
    }
    if let Some(token) = &user.token {
        return Ok(Authentication::Token(token.clone()));
    }
    if user.username.is_some() || user.password.is_some() {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        return Ok(Authentication::Basic(text(&user.username), text(&user.password)));
    }
    if let Some(provider) = &user.auth_provider {
        if provider.name != "oidc" {
            return Err(ClusterError::Value(format!(
                "no Auth Provider found for name {:?}",
                provider.name
            )));
        }
        return Ok(Authentication::Provider(provider.clone()));
    }
    let has_certificate = user.client_certificate.is_some() || user.client_certificate_data.is_some();
    match &user.exec {
        Some(exec) if !has_certificate => Ok(Authentication::Exec(Box::new(exec.clone()))),
        _ => Ok(Authentication::Nothing),
    }
}

fn client_identity(user: &UserEntry) -> Result<Option<ClientIdentity>, ClusterError> {
    let certificate = data_or_file(
        user.client_certificate_data.as_ref(),
        user.client_certificate.as_ref(),
    )?;
    let key = data_or_file(user.client_key_data.as_ref(), user.client_key.as_ref())?;
    // A key without a certificate is no identity; kubectl ignores it as well.
    Ok(certificate
        .zip(key)
        .map(|(certificate, key)| ClientIdentity { certificate, key }))
}

fn trust(cluster: &ClusterEntry) -> Result<Trust, ClusterError> {
    let authority = data_or_file(
        cluster.certificate_authority_data.as_ref(),
        cluster.certificate_authority.as_ref(),
    )?;
    match (authority, cluster.insecure_skip_tls_verify) {
        (Some(_), true) => Err(ClusterError::Value(
            "specifying a root certificates file with the insecure flag is not allowed".to_owned(),
        )),
        (Some(pem), false) => Ok(Trust::These(pem)),
        (None, true) => Ok(Trust::Anybody),
        (None, false) => Ok(Trust::System),
    }
}

/// Data in the kubeconfig wins over a file that it names.
fn data_or_file(data: Option<&String>, file: Option<&String>) -> Result<Option<Vec<u8>>, ClusterError> {
    if let Some(text) = data {
        let packed: String = text.split_whitespace().collect();
        let bytes = BASE64.decode(packed).map_err(|error| {
            ClusterError::Value(format!("illegal base64 data in the kubeconfig: {error}"))
        })?;
        return Ok(Some(bytes));
    }
    file.map(|path| std::fs::read(path).map_err(|error| ClusterError::Value(go_io("open", path, &error))))
        .transpose()
}
