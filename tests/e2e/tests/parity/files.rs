//! Kubeconfigs, certificates and credential plugins, as files of a directory of their own.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tempfile::TempDir;

use crate::pki::Pki;
use crate::server::Server;

/// The files of all cases, in a directory of their own.
pub(crate) struct Files {
    directory: TempDir,
    pub(crate) https: u16,
    pub(crate) http: u16,
}

impl Files {
    pub(crate) fn write(pki: &Pki, server: &Server) -> Self {
        let files = Self {
            directory: tempfile::tempdir().unwrap(),
            https: server.https,
            http: server.http,
        };
        let (https, http) = (server.https, server.http);
        let data = |pem: String| BASE64.encode(pem);
        let put = |name: &str, text: &str| std::fs::write(files.path().join(name), text).unwrap();
        std::fs::create_dir_all(files.path().join("sub")).unwrap();
        std::fs::create_dir_all(files.path().join("home/.kube")).unwrap();
        put("sub/ca.crt", &pki.authority.pem());
        put("stranger.crt", &pki.stranger.pem());
        put("client.crt", &pki.client.pem());
        put("client.key", &pki.client_key.serialize_pem());
        put("sub/token", "from-file\n");
        put("empty", "");
        put("broken.yaml", "clusters: [");
        let credential = |status: &str| {
            format!(
                r#"{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{status}}}"#
            )
        };
        let plugin = |name: &str, status: String| {
            put(&format!("sub/{name}.json"), &credential(&status));
            put(
                &format!("sub/{name}"),
                &format!("#!/bin/sh\necho to the user >&2\ncat \"$(dirname \"$0\")/{name}.json\"\n"),
            );
            make_executable(&files.path().join(format!("sub/{name}")));
        };
        plugin("login", r#"{"token":"from-plugin"}"#.to_owned());
        plugin("forbidden", r#"{"token":"answer-403"}"#.to_owned());
        let identity = serde_json::json!({
            "clientCertificateData": pki.client.pem(), "clientKeyData": pki.client_key.serialize_pem(),
        });
        plugin("certify", identity.to_string());
        plugin("nothing", "{}".to_owned());
        let exec = |command: &str| {
            format!(
                "{{exec: {{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: {command}}}}}"
            )
        };
        let main = format!(
            "apiVersion: v1\nkind: Config\npreferences: {{}}\ncurrent-context: token\nclusters:\n\
             - {{name: secure, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt}}}}\n\
             - {{name: data, cluster: {{server: 'https://localhost:{https}/', certificate-authority-data: {authority}}}}}\n\
             - {{name: named, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt, tls-server-name: kubernetes.example}}}}\n\
             - {{name: misnamed, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt, tls-server-name: wrong.example}}}}\n\
             - {{name: trusting, cluster: {{server: 'https://127.0.0.1:{https}', insecure-skip-tls-verify: true}}}}\n\
             - {{name: strange, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ../stranger.crt}}}}\n\
             - {{name: contradiction, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt, insecure-skip-tls-verify: true}}}}\n\
             - {{name: no-file, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: nope.crt}}}}\n\
             - {{name: plain, cluster: {{server: 'http://127.0.0.1:{http}'}}}}\n\
             - {{name: refused, cluster: {{server: 'https://127.0.0.1:1', certificate-authority: ca.crt}}}}\n\
             - {{name: uncompressed, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt, disable-compression: true}}}}\n\
             - {{name: bad-proxy, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt, proxy-url: 'ftp://x'}}}}\n\
             - {{name: proxied, cluster: {{server: 'https://127.0.0.1:{https}', certificate-authority: ca.crt, proxy-url: 'http://127.0.0.1:{http}'}}}}\n\
             - {{name: no-server, cluster: {{certificate-authority: ca.crt}}}}\n\
             contexts:\n\
             - {{name: token, context: {{cluster: secure, user: token}}}}\n\
             - {{name: basic, context: {{cluster: secure, user: basic, namespace: shop}}}}\n\
             - {{name: certificate, context: {{cluster: data, user: certificate}}}}\n\
             - {{name: certificate-data, context: {{cluster: data, user: certificate-data}}}}\n\
             - {{name: both, context: {{cluster: secure, user: both}}}}\n\
             - {{name: token-file, context: {{cluster: secure, user: token-file}}}}\n\
             - {{name: token-and-file, context: {{cluster: secure, user: token-and-file}}}}\n\
             - {{name: exec, context: {{cluster: secure, user: exec}}}}\n\
             - {{name: exec-certificate, context: {{cluster: secure, user: exec-certificate}}}}\n\
             - {{name: exec-forbidden, context: {{cluster: secure, user: exec-forbidden}}}}\n\
             - {{name: exec-missing, context: {{cluster: secure, user: exec-missing}}}}\n\
             - {{name: exec-empty, context: {{cluster: secure, user: exec-empty}}}}\n\
             - {{name: exec-incomplete, context: {{cluster: secure, user: exec-incomplete}}}}\n\
             - {{name: as, context: {{cluster: secure, user: as}}}}\n\
             - {{name: two-methods, context: {{cluster: secure, user: two-methods}}}}\n\
             - {{name: keyless, context: {{cluster: secure, user: keyless}}}}\n\
             - {{name: lost-user, context: {{cluster: plain, user: nobody}}}}\n\
             - {{name: lost-cluster, context: {{cluster: nowhere, user: token}}}}\n\
             - {{name: no-server, context: {{cluster: no-server, user: token}}}}\n\
             users:\n\
             - {{name: token, user: {{token: secret}}}}\n\
             - {{name: basic, user: {{username: jane, password: p:w}}}}\n\
             - {{name: certificate, user: {{client-certificate: ../client.crt, client-key: ../client.key}}}}\n\
             - {{name: certificate-data, user: {{client-certificate-data: {client}, client-key-data: {key}}}}}\n\
             - {{name: both, user: {{token: secret, client-certificate: ../client.crt, client-key: ../client.key}}}}\n\
             - {{name: token-file, user: {{tokenFile: token}}}}\n\
             - {{name: token-and-file, user: {{token: inline, tokenFile: token}}}}\n\
             - {{name: exec, user: {exec}}}\n\
             - {{name: exec-certificate, user: {exec_certificate}}}\n\
             - {{name: exec-forbidden, user: {exec_forbidden}}}\n\
             - {{name: exec-missing, user: {exec_missing}}}\n\
             - {{name: exec-empty, user: {exec_empty}}}\n\
             - {{name: exec-incomplete, user: {{exec: {{command: ./login}}}}}}\n\
             - {{name: as, user: {{token: secret, as: bob, as-uid: '7', as-groups: [dev, ops], as-user-extra: {{scopes: [a, b], 'example.com/x': [c]}}}}}}\n\
             - {{name: two-methods, user: {{token: secret, username: jane}}}}\n\
             - {{name: keyless, user: {{client-certificate: ../client.crt}}}}\n",
            authority = data(pki.authority.pem()),
            client = data(pki.client.pem()),
            key = data(pki.client_key.serialize_pem()),
            exec = exec("./login"),
            exec_certificate = exec("./certify"),
            exec_forbidden = exec("./forbidden"),
            exec_missing = exec("no-such-plugin"),
            exec_empty = exec("./nothing"),
        );
        put("sub/main.yaml", &main);
        put(
            "home/.kube/config",
            &format!(
                "current-context: home\nclusters: [{{name: home, cluster: {{server: 'http://127.0.0.1:{http}'}}}}]\n\
             contexts: [{{name: home, context: {{cluster: home, namespace: at-home}}}}]\n"
            ),
        );
        // The same names with other contents, and a name of its own.
        put(
            "second.yaml",
            &format!(
                "current-context: second\nclusters: [{{name: secure, cluster: {{server: 'http://127.0.0.1:1', tls-server-name: wrong}}}}, {{name: more, cluster: {{server: 'http://127.0.0.1:{http}'}}}}]\n\
             contexts: [{{name: second, context: {{cluster: more, namespace: second}}}}, {{name: token, context: {{cluster: more, namespace: wrong}}}}]\n\
             users: [{{name: token, user: {{username: wrong, password: wrong}}}}]\n"
            ),
        );
        put("dangling.yaml", "current-context: gone\n");
        put("pod.yaml", "apiVersion: v1\nkind: Pod\n");
        files
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.path().join(name).to_string_lossy().into_owned()
    }
}

#[cfg(unix)]
fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(not(unix))]
fn make_executable(_path: &Path) {}
