//! Which entries of a kubeconfig are meant, and what flags change in them.

use std::collections::BTreeMap;

use super::{DEFAULT_SERVER, given};
use crate::args::ConnectionArgs;
use crate::environment::Environment;
use crate::error::ClusterError;
use crate::kubeconfig::{ClusterEntry, ContextEntry, Kubeconfig, UserEntry};

pub(super) fn override_with(entry: &mut Option<String>, flag: Option<&String>) {
    if let Some(value) = given(flag) {
        *entry = Some(value.clone());
    }
}

pub(super) fn find_context(args: &ConnectionArgs, config: &Kubeconfig) -> Result<ContextEntry, ClusterError> {
    if let Some(name) = given(args.context.as_ref()) {
        return config
            .contexts
            .get(name)
            .cloned()
            .ok_or_else(|| ClusterError::Missing {
                what: "context",
                name: name.clone(),
            });
    }
    // A current context that does not exist is reported later: the flags' own mistakes come first.
    Ok(config
        .current_context
        .as_ref()
        .and_then(|name| config.contexts.get(name))
        .cloned()
        .unwrap_or_default())
}

pub(super) fn find_user(
    args: &ConnectionArgs,
    config: &Kubeconfig,
    context: &ContextEntry,
) -> Result<UserEntry, ClusterError> {
    let Some(name) = &context.user else {
        return Ok(UserEntry::default());
    };
    if let Some(user) = config.users.get(name) {
        return Ok(user.clone());
    }
    // kubectl goes on without credentials when the context (not the flag) names a user that does not exist. That
    // surfaces as an unexplained 401 or 403, so it is only followed where a flag supplies other credentials.
    let others = given(args.token.as_ref())
        .or(given(args.client_certificate.as_ref()))
        .or(given(args.username.as_ref()));
    if given(args.user.as_ref()).is_none() && others.is_some() {
        return Ok(UserEntry::default());
    }
    Err(ClusterError::Missing {
        what: "auth info",
        name: name.clone(),
    })
}

pub(super) fn find_cluster(
    args: &ConnectionArgs,
    config: &Kubeconfig,
    context: &ContextEntry,
    environment: &Environment,
) -> Result<ClusterEntry, ClusterError> {
    let Some(name) = &context.cluster else {
        return Ok(ClusterEntry::default());
    };
    let found = config.clusters.get(name).cloned();
    // kubectl asks localhost:8080 when the context (not the flag) names a cluster that does not exist.
    if found.is_none() && (given(args.cluster.as_ref()).is_some() || given(args.server.as_ref()).is_none()) {
        return Err(ClusterError::Missing {
            what: "cluster",
            name: name.clone(),
        });
    }
    let mut cluster = found.unwrap_or_default();
    if cluster.server.is_none() {
        cluster.server = Some(
            environment
                .variable("KUBERNETES_MASTER")
                .unwrap_or(DEFAULT_SERVER)
                .to_owned(),
        );
    }
    Ok(cluster)
}

pub(super) fn override_cluster(cluster: &mut ClusterEntry, args: &ConnectionArgs) {
    let insecure = args.insecure_skip_tls_verify == Some(true);
    let authority = given(args.certificate_authority.as_ref());
    if insecure || authority.is_some() {
        cluster.insecure_skip_tls_verify = insecure;
        cluster.certificate_authority = authority.cloned();
        cluster.certificate_authority_data = None;
    }
    let server_name = given(args.tls_server_name.as_ref());
    // The name that a kubeconfig expects belongs to the server of that kubeconfig.
    if server_name.is_some() || given(args.server.as_ref()).is_some() {
        cluster.tls_server_name = server_name.cloned();
    }
    override_with(&mut cluster.server, args.server.as_ref());
    cluster.disable_compression |= args.disable_compression == Some(true);
}

pub(super) fn override_user(user: &mut UserEntry, args: &ConnectionArgs) -> Result<(), ClusterError> {
    if let Some(token) = given(args.token.as_ref()) {
        user.token = Some(token.clone());
        user.token_file = None;
    }
    if let Some(certificate) = given(args.client_certificate.as_ref()) {
        user.client_certificate = Some(certificate.clone());
        user.client_certificate_data = None;
    }
    if let Some(key) = given(args.client_key.as_ref()) {
        user.client_key = Some(key.clone());
        user.client_key_data = None;
    }
    override_with(&mut user.username, args.username.as_ref());
    override_with(&mut user.password, args.password.as_ref());
    override_with(&mut user.impersonate, args.impersonate.as_ref());
    override_with(&mut user.impersonate_uid, args.impersonate_uid.as_ref());
    if !args.impersonate_groups.is_empty() {
        user.impersonate_groups.clone_from(&args.impersonate_groups);
    }
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in &args.impersonate_extra {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(ClusterError::Value(format!(
                "--as-user-extra {pair:?} must be formatted as key=value"
            )));
        };
        extra.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    user.impersonate_extra.extend(extra);
    Ok(())
}
