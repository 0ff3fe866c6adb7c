//! The invocations: flags × kubeconfigs × environments.

use crate::files::Files;

/// One invocation of both programs.
pub(crate) struct Case {
    pub(crate) name: String,
    /// The same without ports and directories of the run.
    pub(crate) shown: String,
    pub(crate) ours: Vec<String>,
    pub(crate) theirs: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    /// kubectl is run as `get --raw`, which needs no discovery and takes the most common way through its errors.
    pub(crate) raw: bool,
    pub(crate) expected: Expected,
}

/// What the two have in common.
#[derive(Clone, Copy)]
pub(crate) enum Expected {
    /// Everything.
    Same,
    /// The request, while the texts contain these: the words of a TLS library or of a YAML parser are its own.
    Texts {
        ours: &'static str,
        theirs: &'static str,
        why: &'static str,
    },
    /// Not even the request: we refuse what kubectl does silently, or do what it does not.
    RequestDiffers {
        ours: &'static str,
        theirs: &'static str,
        why: &'static str,
    },
}

/// All of them.
pub(crate) fn cases(files: &Files) -> Vec<Case> {
    let main = files.file("sub/main.yaml");
    let https = format!("https://127.0.0.1:{}", files.https);
    let http_host = format!("127.0.0.1:{}", files.http);
    let authority = files.file("sub/ca.crt");
    let mut all = Vec::new();
    let mut add = |flags: &str, variables: &[(&str, &str)], raw: bool, expected: Expected| {
        let set = variables.iter().map(|(name, value)| format!("{name}={value} "));
        let shown = format!("{}{flags}", set.collect::<String>()).trim().to_owned();
        let flags: Vec<String> = flags
            .split_whitespace()
            .map(|word| {
                word.replace("HTTPS", &https)
                    .replace("HTTP_HOST", &http_host)
                    .replace("CA", &authority)
                    .replace("DIR", &files.file(""))
            })
            .collect();
        let mut environment = vec![
            ("HOME".to_owned(), files.file("nobody")),
            ("KUBECONFIG".to_owned(), main.clone()),
        ];
        environment.extend(variables.iter().map(|(name, value)| {
            let value = value
                .replace("MAIN", &main)
                .replace("DIR/", &files.file(""))
                .replace("HTTP_HOST", &http_host);
            ((*name).to_owned(), value)
        }));
        let command: &[&str] = if raw {
            &["get", "--raw", "/api/v1/namespaces/default/pods"]
        } else {
            &["get", "pods", "-o", "name"]
        };
        let command = command.iter().map(|word| (*word).to_owned());
        all.push(Case {
            name: format!("{} {variables:?}", flags.join(" ")),
            shown,
            theirs: command.chain(flags.iter().cloned()).collect(),
            ours: flags,
            variables: environment,
            raw,
            expected,
        });
    };
    let pods = false;
    let raw = true;

    // Who asks.
    for context in [
        "token",
        "basic",
        "certificate",
        "certificate-data",
        "both",
        "token-file",
        "token-and-file",
        "exec",
        "exec-certificate",
        "as",
    ] {
        add(&format!("--context {context}"), &[], raw, Expected::Same);
    }
    add("", &[], pods, Expected::Same);
    add("--token other", &[], raw, Expected::Same);
    // Up to 1.33 at least the token of the file is sent, whatever the flag says.
    add(
        "--context token-file --token other",
        &[],
        raw,
        Expected::RequestDiffers {
            ours: "",
            theirs: "",
            why: "up to 1.33 at least, kubectl sends the file's token whatever the flag says; here the flag wins, as every flag does",
        },
    );
    add("--context exec --token other", &[], raw, Expected::Same);
    add("--context certificate --token other", &[], raw, Expected::Same);
    add("--context basic --token other", &[], raw, Expected::Same);
    add("--context basic --username joe", &[], raw, Expected::Same);
    add("--user certificate", &[], raw, Expected::Same);
    add("--user basic --cluster data", &[], raw, Expected::Same);
    add(
        "--client-certificate DIRclient.crt --client-key DIRclient.key",
        &[],
        raw,
        Expected::Same,
    );
    // Up to 1.33 at least the flag and the data contradict each other; with us the flag wins, as every flag does.
    add(
        "--context certificate-data --client-certificate DIRclient.crt --client-key DIRclient.key",
        &[],
        raw,
        Expected::RequestDiffers {
            ours: "",
            theirs: "",
            why: "up to 1.33 at least, kubectl finds flag and data in contradiction; here the flag wins, as every flag does",
        },
    );
    add(
        "--client-certificate client.crt --client-key client.key",
        &[],
        raw,
        Expected::Same,
    );
    // Whom requests are sent as.
    add("--as jane", &[], raw, Expected::Same);
    add(
        "--as jane --as-group a --as-group b,c --as-uid 42",
        &[],
        raw,
        Expected::Same,
    );
    add("--context as --as jane", &[], raw, Expected::Same);
    add("--context as --as-group one", &[], raw, Expected::Same);
    add("--as-group one", &[], raw, Expected::Same);
    add("--as-uid 1", &[], raw, Expected::Same);
    // Over plain HTTP nobody is told a secret.
    add("--cluster plain", &[], raw, Expected::Same);
    add(
        "--cluster plain --token secret --as jane",
        &[],
        raw,
        Expected::Same,
    );
    // Where to.
    add("--server HTTPS", &[], raw, Expected::Same);
    add("-s HTTPS --cluster named", &[], raw, Expected::Same);
    add("-s HTTP_HOST", &[], raw, Expected::Same);
    add("--cluster named", &[], raw, Expected::Same);
    add(
        "--cluster misnamed --tls-server-name kubernetes.example",
        &[],
        raw,
        Expected::Same,
    );
    add("--cluster trusting", &[], raw, Expected::Same);
    add(
        "--cluster strange --insecure-skip-tls-verify",
        &[],
        raw,
        Expected::Same,
    );
    add(
        "--cluster strange --insecure-skip-tls-verify=true",
        &[],
        raw,
        Expected::Same,
    );
    add(
        "--cluster trusting --insecure-skip-tls-verify=false",
        &[],
        raw,
        Expected::Same,
    );
    add(
        "--cluster strange --certificate-authority CA",
        &[],
        raw,
        Expected::Same,
    );
    add("--cluster contradiction", &[], raw, Expected::Same);
    add("--cluster uncompressed", &[], raw, Expected::Same);
    add("--disable-compression", &[], raw, Expected::Same);
    // Which namespace, and how flags may be spelled.
    for flags in [
        "-n shop",
        "-nshop",
        "-n=shop",
        "--namespace shop",
        "--namespace=shop",
        "-n a -n shop",
        "--context basic",
        "--context basic -n other",
        "--context=basic",
        "--request_timeout=7s",
        "--request-timeout 7",
        "--request-timeout 90s",
        "--request-timeout 0",
        "--request-timeout 1500ms",
    ] {
        add(flags, &[], pods, Expected::Same);
    }
    // Which files.
    add(
        "",
        &[("KUBECONFIG", "DIR/nope:MAIN::DIR/second.yaml:MAIN")],
        pods,
        Expected::Same,
    );
    add(
        "--context second",
        &[("KUBECONFIG", "MAIN:DIR/second.yaml")],
        pods,
        Expected::Same,
    );
    add(
        "",
        &[("KUBECONFIG", "DIR/second.yaml:MAIN")],
        pods,
        Expected::Same,
    );
    add(
        "--context basic",
        &[("KUBECONFIG", "DIR/empty:MAIN")],
        pods,
        Expected::Same,
    );
    add(
        "--kubeconfig DIRsub/main.yaml",
        &[("KUBECONFIG", "DIR/second.yaml")],
        pods,
        Expected::Same,
    );
    add(
        "--kubeconfig sub/main.yaml",
        &[("KUBECONFIG", "")],
        pods,
        Expected::Same,
    );
    add(
        "",
        &[("KUBECONFIG", ""), ("HOME", "DIR/home")],
        pods,
        Expected::Same,
    );
    add(
        "--context=",
        &[("KUBECONFIG", ""), ("HOME", "DIR/home")],
        pods,
        Expected::Same,
    );
    add("--kubeconfig /nope", &[], raw, Expected::Same);
    add(
        "--kubeconfig DIRbroken.yaml",
        &[],
        raw,
        Expected::Texts {
            ours: "broken.yaml\": yaml: ",
            theirs: "broken.yaml\": yaml: ",
            why: "what follows is the parser's own",
        },
    );
    add(
        "--kubeconfig DIRpod.yaml",
        &[],
        raw,
        Expected::Texts {
            ours: "pod.yaml\": no kind \"Pod\"",
            theirs: "pod.yaml\": no kind \"Pod\"",
            why: "what follows is the registry of types of kubectl",
        },
    );
    add("--kubeconfig DIRsub", &[], raw, Expected::Same);
    // Nothing to go by.
    add("", &[("KUBECONFIG", "")], raw, Expected::Same);
    add("", &[("KUBECONFIG", "/nope")], raw, Expected::Same);
    add(
        "",
        &[("KUBECONFIG", ""), ("KUBERNETES_MASTER", "http://HTTP_HOST")],
        raw,
        Expected::Same,
    );
    // What is missing or contradicts itself.
    add("--context nope", &[], raw, Expected::Same);
    add("--cluster nope", &[], raw, Expected::Same);
    add("--user nope", &[], raw, Expected::Same);
    add("", &[("KUBECONFIG", "DIR/dangling.yaml")], raw, Expected::Same);
    add("--cluster no-file", &[], raw, Expected::Same);
    add("--context keyless", &[], raw, Expected::Same);
    add("--context two-methods", &[], raw, Expected::Same);
    add(
        "--context two-methods --as-group one --cluster no-file",
        &[],
        raw,
        Expected::Same,
    );
    add("--context exec-incomplete", &[], raw, Expected::Same);
    add("--request-timeout never", &[], raw, Expected::Same);
    add(
        "--cluster bad-proxy",
        &[],
        raw,
        Expected::Texts {
            ours: "invalid 'proxy-url' \"ftp://x\" for cluster \"bad-proxy\": unsupported scheme \"ftp\"",
            theirs: "invalid 'proxy-url' \"ftp://x\" for cluster \"bad-proxy\": unsupported scheme \"ftp\"",
            why: "what follows is the parser's own",
        },
    );
    add(
        "--context lost-user",
        &[],
        raw,
        Expected::RequestDiffers {
            ours: "error: auth info \"nobody\" does not exist",
            theirs: "",
            why: "kubectl goes on as nobody; here it is said what is missing",
        },
    );
    add(
        "--context lost-cluster",
        &[],
        raw,
        Expected::RequestDiffers {
            ours: "error: cluster \"nowhere\" does not exist",
            theirs: "The connection to the server localhost:8080 was refused",
            why: "kubectl asks localhost; here it is said what is missing",
        },
    );
    add(
        "--context lost-cluster --server HTTPS --certificate-authority CA",
        &[],
        raw,
        Expected::Same,
    );
    add("--context no-server", &[], raw, Expected::Same);
    // Servers that cannot be reached, or not believed.
    add("--cluster refused", &[], raw, Expected::Same);
    add("--server http://127.0.0.1:1", &[], raw, Expected::Same);
    add("--cluster strange", &[], raw, Expected::Same);
    add(
        "--cluster misnamed",
        &[],
        raw,
        Expected::Texts {
            ours: "Unable to connect to the server: tls: failed to verify certificate: x509: ",
            theirs: "Unable to connect to the server: tls: failed to verify certificate: x509: ",
            why: "what follows is the TLS library's own",
        },
    );
    add(
        "--server https://no-such-host.invalid:6443",
        &[],
        raw,
        Expected::Texts {
            ours: "Unable to connect to the server: dial tcp: lookup no-such-host.invalid: no such host",
            theirs: "Unable to connect to the server: dial tcp: lookup no-such-host.invalid",
            why: "what follows is the resolver's own",
        },
    );
    // Answers.
    for answer in ["404", "bare-404"] {
        add(&format!("--token answer-{answer}"), &[], raw, Expected::Same);
    }
    add(
        "--token answer-bare-401",
        &[],
        pods,
        Expected::Texts {
            ours: "error: You must be logged in to the server (the server has asked for the client to provide credentials)",
            theirs: "error: You must be logged in to the server (the server has asked for the client to provide credentials (get pods))",
            why: "kubectl adds which request it was",
        },
    );
    for answer in ["403", "401", "500", "429-once", "warning"] {
        add(&format!("--token answer-{answer}"), &[], pods, Expected::Same);
    }
    add(
        "--token answer-warning --warnings-as-errors",
        &[],
        pods,
        Expected::Same,
    );
    add(
        "--token answer-warning --warnings-as-errors=false",
        &[],
        pods,
        Expected::Same,
    );
    // Credential plugins.
    add("--context exec-forbidden", &[], raw, Expected::Same);
    add("--context exec-empty", &[], raw, Expected::Same);
    add(
        "--context exec-missing",
        &[],
        raw,
        Expected::Texts {
            ours: "Unable to connect to the server: getting credentials: exec: executable no-such-plugin not found",
            theirs: "Unable to connect to the server: getting credentials: exec: executable no-such-plugin not found",
            why: "what follows is a hint of the kubeconfig",
        },
    );
    // Proxies.
    let proxies: &[(&str, &str, &str)] = &[
        ("https://api.example.invalid:6443", "HTTPS_PROXY", ""),
        ("https://api.example.invalid:6443", "https_proxy", "other.invalid"),
        (
            "https://api.example.invalid:6443",
            "HTTPS_PROXY",
            "api.example.invalid",
        ),
        (
            "https://api.example.invalid:6443",
            "HTTPS_PROXY",
            "example.invalid",
        ),
        (
            "https://api.example.invalid:6443",
            "HTTPS_PROXY",
            ".example.invalid",
        ),
        (
            "https://api.example.invalid:6443",
            "HTTPS_PROXY",
            "*.example.invalid,",
        ),
        ("https://api.example.invalid:6443", "HTTPS_PROXY", "ample.invalid"),
        (
            "https://api.example.invalid:6443",
            "HTTPS_PROXY",
            "api.example.invalid:443",
        ),
        (
            "https://api.example.invalid:6443",
            "HTTPS_PROXY",
            "api.example.invalid:6443",
        ),
        ("https://api.example.invalid:6443", "HTTPS_PROXY", "*"),
        ("https://api.example.invalid:6443", "HTTPS_PROXY", "localhost,"),
        ("https://api.example.invalid:6443", "HTTP_PROXY", ""),
        ("https://192.0.2.1:6443", "HTTPS_PROXY", "192.0.3.0/24"),
        ("https://192.0.2.1:6443", "HTTPS_PROXY", "192.0.2.0/24"),
        ("https://192.0.2.1:6443", "HTTPS_PROXY", "192.0.2.1"),
        ("https://192.0.2.1:6443", "HTTPS_PROXY", "192.0.2.1:443"),
    ];
    for (server, variable, no_proxy) in proxies {
        let variables = [(*variable, "http://HTTP_HOST"), ("NO_PROXY", no_proxy)];
        let flags = format!("--server {server} --request-timeout 1s");
        // What becomes of the connection depends on the network that this runs in.
        add(
            &flags,
            &variables,
            raw,
            Expected::Texts {
                ours: "",
                theirs: "",
                why: "only whether the proxy is asked is compared: what becomes of the rest depends on the network",
            },
        );
    }
    add("", &[("HTTPS_PROXY", "http://127.0.0.1:1")], raw, Expected::Same);
    add(
        "--cluster proxied",
        &[("NO_PROXY", "*")],
        raw,
        Expected::Texts {
            ours: "Unable to connect to the server: ",
            theirs: "Unable to connect to the server: ",
            why: "what follows is the proxy's answer in the library's words",
        },
    );
    all
}
