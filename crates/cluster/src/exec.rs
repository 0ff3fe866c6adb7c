//! Credential plugins: the commands of `users[].user.exec`, run once and again only when what they gave has expired
//! or was refused.

use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::connection::ClientIdentity;
use crate::environment::Environment;
use crate::kubeconfig::{ClusterEntry, ExecEntry};

/// A credential plugin and all that is needed to run it.
#[derive(Clone, Debug)]
pub(crate) struct ExecPlugin {
    entry: ExecEntry,
    cluster: Option<ExecCluster>,
    environment: Environment,
}

/// What a credential plugin gave.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ExecCredential {
    pub(crate) token: Option<String>,
    pub(crate) identity: Option<ClientIdentity>,
    pub(crate) expires: Option<Timestamp>,
}

impl ExecCredential {
    /// Whether it will be refused within seconds, by what the plugin said of it.
    pub(crate) fn is_expiring(&self) -> bool {
        self.expires
            .is_some_and(|expires| Timestamp::now() + SignedDuration::from_secs(10) >= expires)
    }
}

/// `spec.cluster` of an ExecCredential.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct ExecCluster {
    server: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_server_name: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure_skip_tls_verify: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_authority_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_url: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_compression: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    api_version: Option<String>,
    kind: Option<String>,
    status: Option<AnswerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnswerStatus {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

/// The name of the cluster extension whose content a plugin is given.
const CLUSTER_EXTENSION: &str = "client.authentication.k8s.io/exec";

impl ExecPlugin {
    /// `authority` is the PEM that the server is checked against, for plugins that want to know the cluster.
    pub(crate) fn new(
        entry: ExecEntry,
        cluster: &ClusterEntry,
        authority: Option<String>,
        environment: Environment,
    ) -> Self {
        let described = entry.provide_cluster_info.then(|| ExecCluster {
            server: cluster.server.clone().unwrap_or_default(),
            tls_server_name: cluster.tls_server_name.clone(),
            insecure_skip_tls_verify: cluster.insecure_skip_tls_verify,
            certificate_authority_data: authority,
            proxy_url: cluster.proxy_url.clone(),
            disable_compression: cluster.disable_compression,
            config: cluster
                .extensions
                .iter()
                .find(|extension| extension.name == CLUSTER_EXTENSION)
                .map(|extension| extension.extension.clone()),
        });
        Self {
            entry,
            cluster: described,
            environment,
        }
    }

    /// Runs the plugin.
    ///
    /// # Errors
    /// A clause that says what went wrong, in kubectl's words.
    pub(crate) async fn run(&self) -> Result<ExecCredential, String> {
        let name = self.entry.command.as_deref().unwrap_or_default();
        let version = self.entry.api_version.as_deref().unwrap_or_default();
        if !matches!(
            version,
            "client.authentication.k8s.io/v1" | "client.authentication.k8s.io/v1beta1"
        ) {
            return Err(format!("exec plugin: invalid apiVersion {version:?}"));
        }
        let interactive = self.is_interactive()?;
        let mut spec = serde_json::json!({ "interactive": interactive });
        if let Some(cluster) = &self.cluster {
            spec["cluster"] =
                serde_json::to_value(cluster).map_err(|error| format!("exec plugin: {error}"))?;
        }
        let info = serde_json::json!({ "kind": "ExecCredential", "apiVersion": version, "spec": spec });
        let output = Command::new(name)
            .args(&self.entry.args)
            .env_clear()
            .envs(self.environment.variables())
            .envs(
                self.entry
                    .env
                    .iter()
                    .map(|variable| (&variable.name, &variable.value)),
            )
            .env("KUBERNETES_EXEC_INFO", info.to_string())
            .stdin(if interactive {
                Stdio::inherit()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            // What a plugin has to say (log in here, enter this code) is for the user.
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.not_started(name, &error))?
            .wait_with_output()
            .await
            .map_err(|error| format!("exec: {error}"))?;
        if !output.status.success() {
            return Err(match output.status.code() {
                Some(code) => format!("exec: executable {name} failed with exit code {code}"),
                None => format!("exec: executable {name} was killed"),
            });
        }
        parse(&output.stdout, version)
    }

    fn is_interactive(&self) -> Result<bool, String> {
        match self.entry.interactive_mode.as_deref() {
            Some("Never") => Ok(false),
            Some("Always") if !self.environment.stdin_is_terminal() => Err(
                "exec plugin cannot support interactive mode: standard input is not a terminal".to_owned(),
            ),
            _ => Ok(self.environment.stdin_is_terminal()),
        }
    }

    fn not_started(&self, name: &str, error: &std::io::Error) -> String {
        if error.kind() != std::io::ErrorKind::NotFound {
            return format!("exec: {name}: {error}");
        }
        let hint = self
            .entry
            .install_hint
            .as_ref()
            .map(|hint| format!("\n\n{}", crate::sanitize(hint)));
        format!("exec: executable {name} not found{}", hint.unwrap_or_default())
    }
}

fn parse(stdout: &[u8], version: &str) -> Result<ExecCredential, String> {
    let text = std::str::from_utf8(stdout).map_err(|error| format!("decoding stdout: {error}"))?;
    let answer: Answer = serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        format!("decoding stdout: {}", error.lines().next().unwrap_or_default())
    })?;
    let returned = answer.api_version.unwrap_or_default();
    if answer.kind.as_deref() != Some("ExecCredential") || returned != version {
        return Err(format!(
            "exec plugin is configured to use API version {version}, plugin returned version {returned}"
        ));
    }
    let status = answer.status.ok_or("exec plugin didn't return a status field")?;
    let set = |text: Option<String>| text.filter(|text| !text.is_empty());
    let token = set(status.token);
    let identity = match (set(status.client_certificate_data), set(status.client_key_data)) {
        (Some(certificate), Some(key)) => Some(ClientIdentity {
            certificate: certificate.into_bytes(),
            key: key.into_bytes(),
        }),
        (None, None) => None,
        _ => return Err("exec plugin returned only certificate or key, not both".to_owned()),
    };
    if token.is_none() && identity.is_none() {
        return Err("exec plugin didn't return a token or cert/key pair".to_owned());
    }
    let expires = set(status.expiration_timestamp)
        .map(|text| {
            text.parse()
                .map_err(|error| format!("decoding stdout: expirationTimestamp: {error}"))
        })
        .transpose()?;
    Ok(ExecCredential {
        token,
        identity,
        expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn answer(status: &str) -> Result<ExecCredential, String> {
        parse(
            format!(r#"{{"apiVersion":"{V1}","kind":"ExecCredential","status":{status}}}"#).as_bytes(),
            V1,
        )
    }

    #[test]
    fn a_token_with_its_end_is_read() {
        let credential = answer(r#"{"token":"t","expirationTimestamp":"2020-01-01T00:00:00Z"}"#)
            .ok()
            .unwrap();
        assert_eq!(credential.token.as_deref(), Some("t"));
        assert!(credential.is_expiring());
    }

    #[test]
    fn an_answer_without_credentials_is_refused() {
        assert_eq!(
            answer("{}").err().unwrap(),
            "exec plugin didn't return a token or cert/key pair"
        );
        assert_eq!(
            answer("null").err().unwrap(),
            "exec plugin didn't return a status field"
        );
        assert!(
            answer(r#"{"clientKeyData":"k"}"#)
                .err()
                .unwrap()
                .contains("not both")
        );
    }

    #[test]
    fn another_version_than_asked_for_is_refused() {
        let text =
            r#"{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{}}"#;
        assert!(
            parse(text.as_bytes(), V1)
                .err()
                .unwrap()
                .contains("plugin returned version")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_plugin_is_told_about_the_cluster_and_gets_its_own_variables() {
        let script = format!(
            r#"printf '{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{"token":"%s"}}}}' "$(printf %s "$KUBERNETES_EXEC_INFO$EXTRA" | tr -d '"')""#
        );
        let entry = ExecEntry {
            api_version: Some(V1.into()),
            command: Some("sh".into()),
            args: vec!["-c".into(), script],
            env: vec![crate::kubeconfig::ExecVariable {
                name: "EXTRA".into(),
                value: "+more".into(),
            }],
            provide_cluster_info: true,
            interactive_mode: Some("IfAvailable".into()),
            ..ExecEntry::default()
        };
        let cluster = ClusterEntry {
            server: Some("https://h:1".into()),
            ..ClusterEntry::default()
        };
        let environment = Environment::empty().with("PATH", "/usr/bin:/bin");
        let plugin = ExecPlugin::new(entry, &cluster, None, environment);
        let token = plugin.run().await.ok().unwrap().token.unwrap();
        assert!(token.contains("cluster:{server:https://h:1}"), "{token}");
        assert!(token.contains("interactive:false"), "{token}");
        assert!(token.ends_with("+more"), "{token}");
    }

    #[tokio::test]
    async fn a_missing_plugin_and_a_failing_one_are_named() {
        let run = async |command: &str, mode: &str| {
            let entry = ExecEntry {
                api_version: Some(V1.into()),
                command: Some(command.into()),
                interactive_mode: Some(mode.into()),
                ..ExecEntry::default()
            };
            let environment = Environment::empty().with("PATH", "/usr/bin:/bin");
            ExecPlugin::new(entry, &ClusterEntry::default(), None, environment)
                .run()
                .await
                .err()
                .unwrap()
        };
        assert_eq!(
            run("no-such-plugin", "Never").await,
            "exec: executable no-such-plugin not found"
        );
        assert_eq!(
            run("false", "Never").await,
            "exec: executable false failed with exit code 1"
        );
        assert!(
            run("true", "Always")
                .await
                .contains("standard input is not a terminal")
        );
    }
}
