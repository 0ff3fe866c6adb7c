//! The client library, set up with as little of its own behaviour as possible: connections and TLS.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderName, HeaderValue};
use kube::config::AuthProviderConfig;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use secrecy::SecretString;

use crate::cluster::Identity;
use crate::connection::{Authentication, ClientIdentity, Connection, Impersonation, Trust};
use crate::error::ClusterError;

/// How long a TCP and TLS connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the client library is told: where to connect and whom to trust, and nothing that it would do in its own way.
pub(crate) fn kube_config(connection: &Connection) -> Result<kube::Config, ClusterError> {
    let mut config = kube::Config::new(connection.server.clone());
    config.default_namespace.clone_from(&connection.namespace);
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.default_retry = false;
    config.disable_compression = connection.disable_compression;
    config.proxy_url.clone_from(&connection.proxy);
    config.tls_server_name.clone_from(&connection.tls_server_name);
    match &connection.trust {
        Trust::System => {}
        // With no roots at all the library would ask the system for some, and fail where there are none.
        Trust::Anybody => {
            config.accept_invalid_certs = true;
            config.root_cert = Some(Vec::new());
        }
        Trust::These(pem) => config.root_cert = Some(certificates(pem)?),
    }
    if let Authentication::Provider(provider) = &connection.authentication {
        config.auth_info.auth_provider = Some(AuthProviderConfig {
            name: provider.name.clone(),
            config: provider.config.clone().into_iter().collect(),
            ..AuthProviderConfig::default()
        });
    }
    Ok(config)
}

/// The certificates of a PEM bundle. No PEM at all is no certificates: a plain connection needs none.
fn certificates(bundle: &[u8]) -> Result<Vec<Vec<u8>>, ClusterError> {
    if bundle.is_empty() {
        return Ok(Vec::new());
    }
    let tls = |reason: &str| ClusterError::Tls {
        reason: format!("unable to load root certificates: {reason}"),
        hint: Some("see `certificate-authority` of the cluster in the kubeconfig".to_owned()),
    };
    let found: Vec<Vec<u8>> = CertificateDer::pem_slice_iter(bundle)
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(|error| tls(&error.to_string()))?;
    if found.is_empty() {
        Err(tls("unable to parse bytes as PEM block"))
    } else {
        Ok(found)
    }
}

/// A client that shows this certificate, or none.
pub(crate) fn connections(
    base: &kube::Config,
    identity: Option<&ClientIdentity>,
) -> Result<kube::Client, ClusterError> {
    let mut config = base.clone();
    if let Some(identity) = identity {
        config.auth_info.client_certificate_data = Some(BASE64.encode(&identity.certificate));
        config.auth_info.client_key_data = Some(SecretString::from(BASE64.encode(&identity.key)));
    }
    client(config)
}

fn client(config: kube::Config) -> Result<kube::Client, ClusterError> {
    // Chosen here, because a process in which several providers are linked has no default of its own. That one is
    // set already is fine: any of them will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let system_roots = config.root_cert.is_none();
    kube::Client::try_from(config).map_err(|error| {
        let text = error.to_string();
        let text = text.strip_prefix("rustls tls error: ").unwrap_or(&text).to_owned();
        if system_roots && text.contains("certificate") {
            return ClusterError::Tls {
                reason: format!("the kubeconfig names no certificate authority and this system has none: {text}"),
                hint: Some("name the cluster's with --certificate-authority, or install the system's (ca-certificates)".to_owned()),
            };
        }
        ClusterError::Tls { reason: text, hint: None }
    })
}

/// Characters that stay in the name of an `Impersonate-Extra-` header; the API server decodes the others.
const HEADER_KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The headers of every request: the user agent, and whom to act as.
pub(crate) fn headers(identity: &Identity, impersonation: &Impersonation) -> Result<HeaderMap, ClusterError> {
    let mut headers = HeaderMap::new();
    let value = |text: &str| {
        HeaderValue::from_str(text)
            .map_err(|_| ClusterError::Value(format!("{text:?} holds characters that no header may hold")))
    };
    headers.insert(USER_AGENT, value(&identity.user_agent())?);
    if let Some(user) = &impersonation.user {
        headers.insert("impersonate-user", value(user)?);
    }
    if let Some(uid) = &impersonation.uid {
        headers.insert("impersonate-uid", value(uid)?);
    }
    for group in &impersonation.groups {
        headers.append("impersonate-group", value(group)?);
    }
    for (key, values) in &impersonation.extra {
        let name = format!("impersonate-extra-{}", utf8_percent_encode(key, HEADER_KEY));
        let name = HeaderName::try_from(name).map_err(|error| ClusterError::Value(error.to_string()))?;
        for text in values {
            headers.append(name.clone(), value(text)?);
        }
    }
    Ok(headers)
}
