//! Contradictions in a cluster or user entry, found before anything is sent, in kubectl's words and order.

use std::fs::File;

use crate::kubeconfig::{ClusterEntry, ExecEntry, UserEntry};
use crate::loading::go_io;
use crate::proxy;

/// What is wrong with the cluster, one clause each.
pub(crate) fn validate_cluster(name: &str, cluster: &ClusterEntry) -> Vec<String> {
    let mut reasons = Vec::new();
    if cluster.server.is_none() {
        reasons.push(if name.is_empty() {
            "default cluster has no server defined".to_owned()
        } else {
            format!("no server found for cluster {name:?}")
        });
    }
    if let Some(url) = &cluster.proxy_url
        && let Err(reason) = proxy::parse_strict(url)
    {
        reasons.push(format!(
            "invalid 'proxy-url' {url:?} for cluster {name:?}: {reason}"
        ));
    }
    if cluster.certificate_authority.is_some() && cluster.certificate_authority_data.is_some() {
        reasons.push(format!(
            "certificate-authority-data and certificate-authority are both specified for {name}. \
             certificate-authority-data will override."
        ));
    }
    reasons.extend(unreadable(
        "certificate-authority",
        cluster.certificate_authority.as_ref(),
        name,
    ));
    reasons
}

/// What is wrong with the user, one clause each.
pub(crate) fn validate_user(name: &str, user: &UserEntry) -> Vec<String> {
    let mut reasons = Vec::new();
    if user.client_certificate.is_some() || user.client_certificate_data.is_some() {
        if user.client_certificate.is_some() && user.client_certificate_data.is_some() {
            reasons.push(format!(
                "client-cert-data and client-cert are both specified for {name}. client-cert-data will override."
            ));
        }
        if user.client_key.is_some() && user.client_key_data.is_some() {
            reasons.push(format!(
                "client-key-data and client-key are both specified for {name}; client-key-data will override"
            ));
        }
        if user.client_key.is_none() && user.client_key_data.is_none() {
            reasons.push(format!(
                "client-key-data or client-key must be specified for {name} to use the clientCert authentication method."
            ));
        }
        reasons.extend(unreadable("client-cert", user.client_certificate.as_ref(), name));
        reasons.extend(unreadable("client-key", user.client_key.as_ref(), name));
    }
    if let Some(exec) = &user.exec {
        if user.auth_provider.is_some() {
            reasons.push(format!(
                "authProvider cannot be provided in combination with an exec plugin for {name}"
            ));
        }
        reasons.extend(validate_exec(name, exec));
    }
    if user.token.is_some() && (user.username.is_some() || user.password.is_some()) {
        reasons.push(format!(
            "more than one authentication method found for {name}; found [token basicAuth], only one is allowed"
        ));
    }
    let attributes = user.impersonate_uid.is_some()
        || !user.impersonate_groups.is_empty()
        || !user.impersonate_extra.is_empty();
    if attributes && user.impersonate.is_none() {
        reasons.push(format!(
            "requesting uid, groups or user-extra for {name} without impersonating a user"
        ));
    }
    reasons
}

fn validate_exec(name: &str, exec: &ExecEntry) -> Vec<String> {
    let mut reasons = Vec::new();
    if exec.command.is_none() {
        reasons.push(format!(
            "command must be specified for {name} to use exec authentication plugin"
        ));
    }
    if exec.api_version.is_none() {
        reasons.push(format!(
            "apiVersion must be specified for {name} to use exec authentication plugin"
        ));
    }
    if exec.env.iter().any(|variable| variable.name.is_empty()) {
        reasons.push(format!(
            "env variable name must be specified for {name} to use exec authentication plugin"
        ));
    }
    match exec.interactive_mode.as_deref() {
        Some("Never" | "IfAvailable" | "Always") => {}
        Some(other) => reasons.push(format!("invalid interactiveMode for {name}: {other:?}")),
        None if exec.api_version.as_deref() == Some("client.authentication.k8s.io/v1beta1") => {}
        None => {
            reasons.push(format!(
                "interactiveMode must be specified for {name} to use exec authentication plugin"
            ));
        }
    }
    reasons
}

fn unreadable(what: &str, path: Option<&String>, name: &str) -> Option<String> {
    let path = path?;
    let error = File::open(path).err()?;
    Some(format!(
        "unable to read {what} {path} for {name} due to {}",
        go_io("open", path, &error)
    ))
}
