use std::path::Path;

use super::*;

const CONFIG: &str = "
current-context: shop
clusters:
- {name: main, cluster: {server: 'https://main.example:6443/', tls-server-name: inner}}
- {name: plain, cluster: {server: 'http://plain.example'}}
- {name: prefixed, cluster: {server: 'https://rancher.example/k8s/clusters/c-1/?x=y'}}
contexts:
- {name: shop, context: {cluster: main, user: token, namespace: shop}}
- {name: bare, context: {cluster: main, user: token}}
- {name: lost, context: {cluster: main, user: nobody}}
- {name: empty, context: {cluster: main}}
users:
- {name: token, user: {token: secret}}
- {name: exec, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: login}}}
- {name: mixed, user: {token: secret, exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: login}}}
- {name: gcp, user: {auth-provider: {name: gcp}}}
";

fn resolve_in(
    environment: &Environment,
    change: impl FnOnce(&mut ConnectionArgs),
) -> Result<Connection, ClusterError> {
    let mut args = ConnectionArgs::default();
    change(&mut args);
    let config = Kubeconfig::parse(CONFIG, Path::new("/")).unwrap();
    Connection::resolve(&args, &config, environment)
}

fn resolve(change: impl FnOnce(&mut ConnectionArgs)) -> Result<Connection, ClusterError> {
    resolve_in(&Environment::empty(), change)
}

/// A pod's surroundings, in a directory that lasts as long as the guard.
fn pod() -> (tempfile::TempDir, Environment) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), "pod-token\n").unwrap();
    std::fs::write(directory.path().join("namespace"), "pod-namespace\n").unwrap();
    std::fs::write(directory.path().join("ca.crt"), "PEM").unwrap();
    let environment = Environment::empty()
        .with("KUBERNETES_SERVICE_HOST", "10.96.0.1")
        .with("KUBERNETES_SERVICE_PORT", "443")
        .with_service_account(directory.path());
    (directory, environment)
}

fn in_pod(environment: &Environment, change: impl FnOnce(&mut ConnectionArgs)) -> Connection {
    let mut args = ConnectionArgs::default();
    change(&mut args);
    Connection::resolve(&args, &Kubeconfig::default(), environment).unwrap()
}

#[test]
fn the_namespace_comes_from_the_flag_else_the_context_else_is_default() {
    let namespace = |change: fn(&mut ConnectionArgs)| resolve(change).unwrap();
    let plain = namespace(|_| ());
    assert_eq!(
        (plain.namespace.as_str(), plain.namespace_is_explicit),
        ("shop", false)
    );
    let flag = namespace(|args| args.namespace = Some("other".into()));
    assert_eq!(
        (flag.namespace.as_str(), flag.namespace_is_explicit),
        ("other", true)
    );
    assert_eq!(
        namespace(|args| args.context = Some("bare".into())).namespace,
        "default"
    );
    assert_eq!(
        namespace(|args| args.namespace = Some(String::new())).namespace,
        "shop"
    );
}

#[test]
fn a_server_of_the_flags_does_not_inherit_the_name_in_the_certificate() {
    assert_eq!(resolve(|_| ()).unwrap().tls_server_name.as_deref(), Some("inner"));
    let other = resolve(|args| args.server = Some("https://other.example".into())).unwrap();
    assert_eq!(
        (other.tls_server_name, other.server.host()),
        (None, Some("other.example"))
    );
}

#[test]
fn addresses_are_read_as_kubectl_reads_them() {
    let server = |text: &str| {
        let text = text.to_owned();
        resolve(|args| args.server = Some(text)).map(|connection| connection.server.to_string())
    };
    assert_eq!(server("10.0.0.1:6443").unwrap(), "http://10.0.0.1:6443/");
    assert_eq!(server("https://h/prefix/").unwrap(), "https://h/prefix");
    for bad in ["10.0.0.1/path", "ftp://h", "https://", "https://h h"] {
        assert!(server(bad).is_err(), "{bad}");
    }
    let prefixed = resolve(|args| args.cluster = Some("prefixed".into())).unwrap();
    assert_eq!(
        prefixed.server.to_string(),
        "https://rancher.example/k8s/clusters/c-1"
    );
}

#[test]
fn no_secret_goes_over_plain_http() {
    let connection = resolve(|args| args.cluster = Some("plain".into())).unwrap();
    assert!(matches!(connection.authentication, Authentication::Nothing));
}

#[test]
fn a_token_wins_over_a_credential_plugin() {
    let authentication = |user: &str| {
        resolve(|args| args.user = Some(user.into()))
            .unwrap()
            .authentication
    };
    assert!(matches!(authentication("exec"), Authentication::Exec(_)));
    assert!(matches!(authentication("mixed"), Authentication::Token(token) if token == "secret"));
    let with_flag = resolve(|args| {
        args.user = Some("exec".into());
        args.token = Some("flag".into());
    });
    assert!(matches!(with_flag.unwrap().authentication, Authentication::Token(token) if token == "flag"));
}

#[test]
fn a_token_of_the_flags_wins_over_a_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), " from-file\n").unwrap();
    let text = "users: [{name: u, user: {token: inline, tokenFile: token}}]\nclusters: [{name: c, cluster: {server: 'https://h'}}]";
    let config = Kubeconfig::parse(text, directory.path()).unwrap();
    let mut args = ConnectionArgs {
        user: Some("u".into()),
        cluster: Some("c".into()),
        ..ConnectionArgs::default()
    };
    let resolved = Connection::resolve(&args, &config, &Environment::empty()).unwrap();
    assert!(matches!(resolved.authentication, Authentication::TokenFile(_, token) if token == "from-file"));
    args.token = Some("flag".into());
    let resolved = Connection::resolve(&args, &config, &Environment::empty()).unwrap();
    assert!(matches!(resolved.authentication, Authentication::Token(token) if token == "flag"));
}

#[test]
fn files_of_the_flags_win_over_data_of_the_kubeconfig() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, name).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let text = "users: [{name: u, user: {client-certificate-data: b2xk, client-key-data: b2xk}}]\n\
                clusters: [{name: c, cluster: {server: 'https://h', certificate-authority-data: b2xk}}]";
    let config = Kubeconfig::parse(text, directory.path()).unwrap();
    let mut args = ConnectionArgs {
        user: Some("u".into()),
        cluster: Some("c".into()),
        ..ConnectionArgs::default()
    };
    let identity = |args: &ConnectionArgs| {
        let resolved = Connection::resolve(args, &config, &Environment::empty()).unwrap();
        let Trust::These(authority) = resolved.trust else {
            panic!("an authority is named")
        };
        let identity = resolved.client_identity.unwrap();
        [authority, identity.certificate, identity.key].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    assert_eq!(identity(&args), ["old", "old", "old"]);
    args.certificate_authority = Some(file("authority"));
    args.client_certificate = Some(file("certificate"));
    args.client_key = Some(file("key"));
    assert_eq!(identity(&args), ["authority", "certificate", "key"]);
}

#[test]
fn an_auth_provider_that_no_longer_exists_is_named() {
    let error = resolve(|args| args.user = Some("gcp".into())).unwrap_err();
    assert_eq!(
        error.to_string(),
        "error: no Auth Provider found for name \"gcp\""
    );
}

#[test]
fn a_user_that_does_not_exist_is_an_error_unless_flags_say_who_asks() {
    let error = resolve(|args| args.context = Some("lost".into())).unwrap_err();
    assert_eq!(error.to_string(), "error: auth info \"nobody\" does not exist");
    let with_token = resolve(|args| {
        args.context = Some("lost".into());
        args.token = Some("flag".into());
    });
    assert!(with_token.is_ok());
    assert!(resolve(|args| args.context = Some("empty".into())).is_ok());
}

#[test]
fn without_any_kubeconfig_a_pod_asks_its_own_cluster() {
    let (_guard, environment) = pod();
    let connection = in_pod(&environment, |_| ());
    assert_eq!(connection.server.to_string(), "https://10.96.0.1:443/");
    assert_eq!(connection.namespace, "pod-namespace");
    assert!(matches!(connection.authentication, Authentication::TokenFile(_, token) if token == "pod-token"));
    assert!(matches!(connection.trust, Trust::These(pem) if pem == b"PEM"));
    let named = in_pod(&environment.clone().with("POD_NAMESPACE", "named"), |args| {
        args.token = Some("flag".into());
    });
    assert_eq!(named.namespace, "named");
    assert!(matches!(named.authentication, Authentication::Token(token) if token == "flag"));
    let ipv6 = in_pod(&environment.with("KUBERNETES_SERVICE_HOST", "fd00::1"), |_| ());
    assert_eq!(ipv6.server.to_string(), "https://[fd00::1]:443/");
}

#[test]
fn in_a_pod_a_kubeconfig_wins_and_a_broken_one_is_no_reason_to_ask_another_cluster() {
    let (_guard, environment) = pod();
    let connection = resolve_in(&environment, |args| args.context = Some("bare".into())).unwrap();
    assert_eq!(connection.server.host(), Some("main.example"));
    assert_eq!(connection.namespace, "pod-namespace");
    assert!(resolve_in(&environment, |args| args.context = Some("nope".into())).is_err());
    let server = in_pod(&environment, |args| args.server = Some("http://other".into()));
    assert_eq!(server.server.host(), Some("other"));
}

#[test]
fn without_anything_it_is_localhost() {
    let connection = in_pod(&Environment::empty(), |_| ());
    assert_eq!(connection.server.to_string(), "http://localhost:8080/");
    let environment = Environment::empty().with("KUBERNETES_MASTER", "http://master:1");
    assert_eq!(
        in_pod(&environment, |_| ()).server.to_string(),
        "http://master:1/"
    );
}

#[test]
fn extra_attributes_are_pairs() {
    let with = |pairs: &[&str]| {
        let pairs: Vec<String> = pairs.iter().map(|pair| (*pair).to_owned()).collect();
        resolve(|args| {
            args.impersonate = Some("jane".into());
            args.impersonate_extra = pairs;
        })
    };
    let extra = with(&["scopes=a", "scopes=b=c", "x="])
        .unwrap()
        .impersonation
        .extra;
    assert_eq!(extra["scopes"], ["a", "b=c"]);
    assert_eq!(extra["x"], [""]);
    assert!(with(&["scopes"]).is_err());
}
