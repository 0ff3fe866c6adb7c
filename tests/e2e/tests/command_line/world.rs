//! A simulated cluster, the plugins as they are installed, and every kubectl at hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{Cluster, Config, Effect, FakeApi, Fault, cluster_of};

/// The plugins.
pub(crate) const PLUGINS: [&str; 4] = ["netcheck", "epcheck", "dnscheck", "cnicheck"];

/// What lines of bash may use: `after SIGNAL COMMAND…` starts a command, sends it the signal once it has printed something and had
/// the time to listen for signals, and prints how it ended.
const PRELUDE: &str = r#"
after() {
    local signal=$1 output=$(mktemp -p "$HOME")
    shift
    set -m
    { "$@" >"$output" & } 2>/dev/null
    until [ -s "$output" ]; do sleep 0.1; done
    sleep 0.5
    kill -s "$signal" $!
    wait $! 2>/dev/null
    echo $?
} 2>/dev/null
"#;

/// What one line came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) struct World {
    pub(crate) api: FakeApi,
    directory: TempDir,
}

impl World {
    /// Starts the cluster; `None`, and the reason on stdout, when the plugins are not built.
    pub(crate) fn start() -> Option<Self> {
        let built = e2e::plugin_dir();
        if let Some(missing) = PLUGINS
            .iter()
            .find(|name| !built.join(format!("kubectl-{name}")).is_file())
        {
            println!(
                "skipped: {} has no kubectl-{missing}: build the plugins",
                built.display()
            );
            return None;
        }
        let world = Self {
            api: FakeApi::start(Config::new(shop(cluster_of(2))).quick()),
            directory: tempfile::tempdir().unwrap(),
        };
        world.api.inject(Fault::new(
            "list",
            "/api/v1/namespaces/warned/*",
            Effect::Warning("use something else".into()),
        ));
        for name in ["plugins", "home", "work", "shims"] {
            std::fs::create_dir(world.path(name)).unwrap();
        }
        for name in PLUGINS {
            let file = format!("kubectl-{name}");
            std::os::unix::fs::symlink(built.join(&file), world.path("plugins").join(&file)).unwrap();
        }
        std::fs::write(world.path("kubeconfig"), world.kubeconfig()).unwrap();
        world.write_files();
        Some(world)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn kubeconfig(&self) -> String {
        let url = self.api.url();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: main\n\
             clusters: [{{name: here, cluster: {{server: '{url}'}}}}, {{name: gone, cluster: {{server: 'http://127.0.0.1:1'}}}}]\n\
             contexts: [{{name: main, context: {{cluster: here, user: jane}}}}, {{name: staging, context: {{cluster: here, user: jane}}}}, {{name: shopping, context: {{cluster: here, user: jane, namespace: shop}}}}, {{name: broken, context: {{cluster: gone, user: jane}}}}]\n\
             users: [{{name: jane, user: {{}}}}]\n"
        )
    }

    /// The files that examples name.
    fn write_files(&self) {
        std::fs::write(self.path("prelude"), PRELUDE).unwrap();
        let put = |name: &str, text: &str| std::fs::write(self.path("work").join(name), text).unwrap();
        put(
            "Corefile",
            ".:53 {\n    errors\n    health\n    ready\n    kubernetes cluster.local\n    forward . /etc/resolv.conf\n    cache 30\n    loop\n    reload\n}\n",
        );
        put("app.log", "dial tcp: lookup db on 10.96.0.10:53: i/o timeout\n");
        put(
            "rules.yaml",
            "groups:\n- name: dns\n  rules:\n  - alert: Down\n    expr: up == 0\n",
        );
        put(
            "policy.yaml",
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: shop}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n",
        );
    }

    /// A directory in which this kubectl is called `kubectl`.
    fn called_kubectl(&self, kubectl: &Path) -> PathBuf {
        let directory = self
            .path("kubectls")
            .join(kubectl.to_string_lossy().replace('/', "_"));
        let link = directory.join("kubectl");
        if !link.exists() {
            std::fs::create_dir_all(&directory).unwrap();
            std::os::unix::fs::symlink(kubectl, link).unwrap();
        }
        directory
    }

    /// Runs a line of bash with this kubectl in the PATH, with the plugins and with nothing else of this process' environment.
    pub(crate) fn run(&self, kubectl: &Path, line: &str, limit: Duration) -> Outcome {
        let path = [
            self.called_kubectl(kubectl),
            self.path("plugins"),
            self.path("shims"),
            "/usr/bin".into(),
            "/bin".into(),
        ];
        let seconds = limit.as_secs().to_string();
        let output = Command::new("timeout")
            .args(["--signal=INT", "--kill-after=20", &seconds, "bash", "-c", line])
            .env_clear()
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.path("home"))
            .env("BASH_ENV", self.path("prelude"))
            .env("KUBECONFIG", self.path("kubeconfig"))
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8")
            .current_dir(self.path("work"))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Outcome {
            code: output.status.code(),
            stdout: self.neutral(&String::from_utf8_lossy(&output.stdout)),
            stderr: self.neutral(&String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Without what differs from run to run: the server's port, the temporary directory, the lines of kubectl's log, the prefix
    /// of flag errors, which differs between builds of kubectl; with escapes made visible.
    fn neutral(&self, text: &str) -> String {
        let host = self.api.url().trim_start_matches("http://").to_owned();
        let is_log = |line: &str| {
            let mut characters = line.chars();
            characters.next().is_some_and(|level| "IWEF".contains(level))
                && characters.take(4).filter(char::is_ascii_digit).count() == 4
        };
        let lines = text.lines().filter(|line| !is_log(line)).map(|line| {
            let line = line
                .strip_prefix("Error: ")
                .map_or(line.to_owned(), |rest| format!("error: {rest}"));
            line.replace(&host, "SERVER")
                .replace(&self.directory.path().display().to_string(), "TMP")
                .replace('\u{1b}', "^[")
                .trim_end()
                .to_owned()
        });
        lines.collect::<Vec<_>>().join("\n").trim_matches('\n').to_owned()
    }
}

/// A namespace with a Service in front of two pods, one without, one whose text is hostile, and one that the server warns of.
fn shop(cluster: Cluster) -> Cluster {
    let namespace = |name: &str| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let service = |name: &str, app: &str| {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"type": "ClusterIP", "clusterIP": "10.96.7.1", "clusterIPs": ["10.96.7.1"], "ipFamilies": ["IPv4"],
                "selector": {"app": app}, "ports": [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]}})
    };
    let pods = [0, 1].map(pod);
    let endpoints = [0, 1].map(|index| {
        json!({"addresses": [format!("10.128.{index}.9")], "nodeName": format!("node-00{}", index + 1),
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "targetRef": {"kind": "Pod", "name": format!("web-{index}"), "namespace": "shop"}})
    });
    let slice = json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": "web-abc", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}},
        "endpoints": endpoints, "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]});
    let hostile = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "evil", "namespace": "evil"},
        "spec": {"type": "ExternalName", "externalName": "x\u{1b}[31m.invalid"}});
    let [first, second] = pods;
    let ingress = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "shop", "namespace": "shop"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}});
    cluster
        .edit("Node", "node-001", |node| node["metadata"]["labels"]["pool"] = "web".into())
        .with(ingress)
        .with(namespace("shop"))
        .with(namespace("evil"))
        .with(namespace("warned"))
        .with(service("web", "web"))
        .with(service("db", "db"))
        .with(slice)
        .with(first)
        .with(second)
        .with(hostile)
        .with(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "front", "namespace": "shop"}, "spec": {"selector": {"matchLabels": {"app": "front"}}}}))
}

fn pod(index: u32) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("web-{index}"), "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"nodeName": format!("node-00{}", index + 1), "dnsPolicy": "ClusterFirst",
            "containers": [{"name": "web", "image": "web:1", "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": format!("10.128.{index}.9"), "podIPs": [{"ip": format!("10.128.{index}.9")}],
            "conditions": [{"type": "Ready", "status": "True"}]}})
}
