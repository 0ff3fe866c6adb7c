//! One kubeconfig file: what it says, as values.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

/// The parts of a kubeconfig that a client needs, by name, from one file or merged from several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kubeconfig {
    pub(crate) current_context: Option<String>,
    pub(crate) clusters: BTreeMap<String, ClusterEntry>,
    pub(crate) contexts: BTreeMap<String, ContextEntry>,
    pub(crate) users: BTreeMap<String, UserEntry>,
}

/// `clusters[].cluster`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct ClusterEntry {
    #[serde(deserialize_with = "set")]
    pub(crate) server: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) tls_server_name: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) insecure_skip_tls_verify: bool,
    #[serde(deserialize_with = "set")]
    pub(crate) certificate_authority: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) certificate_authority_data: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) proxy_url: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) disable_compression: bool,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) extensions: Vec<Extension>,
}

/// `contexts[].context`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct ContextEntry {
    #[serde(deserialize_with = "set")]
    pub(crate) cluster: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) user: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) namespace: Option<String>,
}

/// `users[].user`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(crate) struct UserEntry {
    #[serde(deserialize_with = "set")]
    pub(crate) client_certificate: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) client_certificate_data: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) client_key: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) client_key_data: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) token: Option<String>,
    #[serde(rename = "tokenFile", deserialize_with = "set")]
    pub(crate) token_file: Option<String>,
    #[serde(rename = "as", deserialize_with = "set")]
    pub(crate) impersonate: Option<String>,
    #[serde(rename = "as-uid", deserialize_with = "set")]
    pub(crate) impersonate_uid: Option<String>,
    #[serde(rename = "as-groups", deserialize_with = "null_is_default")]
    pub(crate) impersonate_groups: Vec<String>,
    #[serde(rename = "as-user-extra", deserialize_with = "null_is_default")]
    pub(crate) impersonate_extra: BTreeMap<String, Vec<String>>,
    #[serde(deserialize_with = "set")]
    pub(crate) username: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) password: Option<String>,
    pub(crate) auth_provider: Option<AuthProvider>,
    pub(crate) exec: Option<ExecEntry>,
}

/// `users[].user.auth-provider`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct AuthProvider {
    pub(crate) name: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) config: BTreeMap<String, String>,
}

/// `users[].user.exec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ExecEntry {
    #[serde(deserialize_with = "set")]
    pub(crate) api_version: Option<String>,
    #[serde(deserialize_with = "set")]
    pub(crate) command: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) args: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) env: Vec<ExecVariable>,
    #[serde(deserialize_with = "set")]
    pub(crate) install_hint: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) provide_cluster_info: bool,
    #[serde(deserialize_with = "set")]
    pub(crate) interactive_mode: Option<String>,
}

/// One of `users[].user.exec.env`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct ExecVariable {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) name: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) value: String,
}

/// One of `clusters[].cluster.extensions`: what a credential plugin may be told about the cluster is among them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Extension {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) extension: serde_json::Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Document {
    #[serde(deserialize_with = "set")]
    kind: Option<String>,
    #[serde(rename = "apiVersion", deserialize_with = "set")]
    api_version: Option<String>,
    #[serde(deserialize_with = "set")]
    current_context: Option<String>,
    #[serde(deserialize_with = "null_is_default")]
    clusters: Vec<NamedCluster>,
    #[serde(deserialize_with = "null_is_default")]
    contexts: Vec<NamedContext>,
    #[serde(deserialize_with = "null_is_default")]
    users: Vec<NamedUser>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedCluster {
    #[serde(deserialize_with = "null_is_default")]
    name: String,
    #[serde(deserialize_with = "null_is_default")]
    cluster: ClusterEntry,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedContext {
    #[serde(deserialize_with = "null_is_default")]
    name: String,
    #[serde(deserialize_with = "null_is_default")]
    context: ContextEntry,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct NamedUser {
    #[serde(deserialize_with = "null_is_default")]
    name: String,
    #[serde(deserialize_with = "null_is_default")]
    user: UserEntry,
}

/// A string that is set: null and the empty string both mean "not set", as they do for kubectl.
fn set<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// A list, map or flag that may be written as null.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Kubeconfig {
    /// Reads the text of a file; relative paths in it are resolved against `directory`.
    ///
    /// # Errors
    /// A clause that says what is wrong with the text.
    pub(crate) fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        let document: Document = if is_blank(text) {
            Document::default()
        } else {
            serde_saphyr::from_str(text)
                .map_err(|error| format!("yaml: {}", first_line(&error.to_string())))?
        };
        let kind = document.kind.as_deref().unwrap_or("Config");
        let version = document.api_version.as_deref().unwrap_or("v1");
        if (kind, version) != ("Config", "v1") {
            return Err(format!(
                "no kind {kind:?} is registered for version {version:?}: want \"Config\" of \"v1\""
            ));
        }
        let mut config = Self {
            current_context: document.current_context,
            ..Self::default()
        };
        for NamedCluster { name, mut cluster } in document.clusters {
            resolve(&mut cluster.certificate_authority, directory);
            insert(&mut config.clusters, "clusters", name, cluster)?;
        }
        for NamedContext { name, context } in document.contexts {
            insert(&mut config.contexts, "contexts", name, context)?;
        }
        for NamedUser { name, mut user } in document.users {
            resolve(&mut user.client_certificate, directory);
            resolve(&mut user.client_key, directory);
            resolve(&mut user.token_file, directory);
            if let Some(exec) = &mut user.exec
                && exec
                    .command
                    .as_deref()
                    .is_some_and(|command| command.contains(std::path::MAIN_SEPARATOR))
            {
                resolve(&mut exec.command, directory);
            }
            insert(&mut config.users, "users", name, user)?;
        }
        Ok(config)
    }

    /// Adds what `later` has and this one has not: of two entries with the same name, and of two current contexts,
    /// the earlier wins as a whole.
    pub(crate) fn merge(&mut self, later: Self) {
        self.current_context = self.current_context.take().or(later.current_context);
        add_missing(&mut self.clusters, later.clusters);
        add_missing(&mut self.contexts, later.contexts);
        add_missing(&mut self.users, later.users);
    }
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    })
}

/// Errors of the parser show the place in several lines; the first names it.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}

fn insert<T>(entries: &mut BTreeMap<String, T>, list: &str, name: String, entry: T) -> Result<(), String> {
    if entries.contains_key(&name) {
        return Err(format!("duplicate name {name:?} in the list {list:?}"));
    }
    entries.insert(name, entry);
    Ok(())
}

fn add_missing<T>(entries: &mut BTreeMap<String, T>, later: BTreeMap<String, T>) {
    for (name, entry) in later {
        entries.entry(name).or_insert(entry);
    }
}

fn resolve(path: &mut Option<String>, directory: &Path) {
    if let Some(text) = path
        && Path::new(text.as_str()).is_relative()
    {
        let resolved: PathBuf = directory.join(text.as_str());
        // Without the `.` that writers of kubeconfigs like to begin with: error messages show this path.
        let clean: PathBuf = resolved.components().collect();
        *text = clean.to_string_lossy().into_owned();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: &str = "
apiVersion: v1
kind: Config
current-context: c
clusters:
- name: k
  cluster: {server: 'https://a:6443', certificate-authority: pki/ca.crt}
contexts:
- name: c
  context: {cluster: k, user: u, namespace: ''}
users:
- name: u
  user:
    client-certificate: ./u.crt
    client-key: /abs/u.key
    exec: {apiVersion: client.authentication.k8s.io/v1, command: bin/login, args: null}
";

    fn parse(text: &str) -> Result<Kubeconfig, String> {
        Kubeconfig::parse(text, Path::new("/home/me/.kube"))
    }

    #[test]
    fn relative_paths_belong_to_the_directory_of_the_file() {
        let config = parse(SMALL).unwrap();
        assert_eq!(
            config.clusters["k"].certificate_authority.as_deref(),
            Some("/home/me/.kube/pki/ca.crt")
        );
        let user = &config.users["u"];
        assert_eq!(user.client_certificate.as_deref(), Some("/home/me/.kube/u.crt"));
        assert_eq!(user.client_key.as_deref(), Some("/abs/u.key"));
        assert_eq!(
            user.exec.as_ref().unwrap().command.as_deref(),
            Some("/home/me/.kube/bin/login")
        );
    }

    #[test]
    fn a_command_without_a_slash_is_looked_up_in_the_path() {
        let config = parse("users: [{name: u, user: {exec: {command: aws}}}]").unwrap();
        assert_eq!(
            config.users["u"].exec.as_ref().unwrap().command.as_deref(),
            Some("aws")
        );
    }

    #[test]
    fn empty_and_null_mean_not_set() {
        let config = parse(SMALL).unwrap();
        assert_eq!(config.contexts["c"].namespace, None);
        assert_eq!(parse("").unwrap(), Kubeconfig::default());
        assert_eq!(parse("# nothing\n---\n").unwrap(), Kubeconfig::default());
        assert_eq!(
            parse("clusters: null\nusers: ~\ncontexts:\n").unwrap(),
            Kubeconfig::default()
        );
    }

    #[test]
    fn json_is_read_as_well() {
        let config =
            parse(r#"{"kind":"Config","apiVersion":"v1","current-context":"x","preferences":{}}"#).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("x"));
    }

    #[test]
    fn another_kind_and_a_repeated_name_are_refused() {
        assert!(
            parse("kind: Pod\napiVersion: v1")
                .unwrap_err()
                .contains("no kind \"Pod\"")
        );
        assert!(
            parse("users: [{name: a}, {name: a}]")
                .unwrap_err()
                .contains("duplicate name \"a\"")
        );
    }

    #[test]
    fn of_two_files_the_first_wins_entry_by_entry() {
        let mut first = parse("current-context: a\nusers: [{name: u, user: {token: one}}]").unwrap();
        let second = parse(
            "current-context: b\nusers: [{name: u, user: {username: x}}, {name: w, user: {token: two}}]",
        )
        .unwrap();
        first.merge(second);
        assert_eq!(first.current_context.as_deref(), Some("a"));
        assert_eq!(first.users["u"].token.as_deref(), Some("one"));
        assert_eq!(first.users["u"].username, None);
        assert_eq!(first.users["w"].token.as_deref(), Some("two"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text);
        }

        #[test]
        fn no_mixture_of_kubeconfig_words_makes_the_parser_panic(
            words in proptest::collection::vec(
                prop_oneof![
                    Just("clusters:"), Just("users:"), Just("- name: a"), Just("  user:"), Just("    exec:"), Just("  cluster:"),
                    Just("    env: [{name: x, value: y}]"), Just("    as-user-extra: {a: [b]}"), Just("    tokenFile: ./t"), Just("&a"), Just("*a"),
                    Just("null"), Just("[]"), Just("{}"), Just("\t"), Just("? "), Just("!!binary x"), Just("kind: Config"), Just("<<: *a"),
                ],
                0..24,
            )
        ) {
            let _ = parse(&words.join("\n"));
        }
    }
}
