//! The server as tests hold it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use netprobe::Outcome;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::agent::Path;
use crate::config::{Config, NodeBehaviour};
use crate::create::prepare;
use crate::fault::{Admission, Denial, ExecFault, Fault};
use crate::resource::Resource;
use crate::shared::Shared;
use crate::store::Key;
use crate::{controllers, server};

/// One request that the server got.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// As `GET`.
    pub method: String,
    /// As RBAC has it: `list`.
    pub verb: String,
    /// Without the query.
    pub path: String,
    /// As it was sent; empty when there was none.
    pub query: String,
    /// All headers.
    pub headers: HeaderMap,
    /// The body.
    pub body_bytes: Bytes,
}

/// A Kubernetes API server on a port of the loopback address, with a cluster behind it. It runs on a thread of its
/// own, so that tests without a runtime, and tests that block, can use it. It ends when it is dropped.
pub struct FakeApi {
    shared: Arc<Shared>,
    address: SocketAddr,
    kubeconfig: NamedTempFile,
    runtime: Option<Runtime>,
}

impl FakeApi {
    /// Starts a server.
    ///
    /// # Panics
    /// When this machine has no port, thread or temporary file left.
    pub fn start(config: Config) -> Self {
        Self::start_on(config, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a server on this address; a port of zero is any free one.
    ///
    /// # Panics
    /// As [`FakeApi::start`], and when the port is taken.
    pub fn start_on(config: Config, address: SocketAddr) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("fake-api")
            .enable_all()
            .build()
            .expect("a runtime of one thread");
        let shared = Arc::new(Shared::new(config));
        for object in shared.config.cluster.objects.clone() {
            put(&shared, object);
        }
        for (node, behaviour) in shared.config.behaviours.clone() {
            show(&shared, &node, &behaviour);
        }
        let listener = std::net::TcpListener::bind(address).expect("a port on the loopback address");
        listener
            .set_nonblocking(true)
            .expect("a socket that does not block");
        let address = listener.local_addr().expect("a bound socket has an address");
        let inside = runtime.enter();
        let listener = TcpListener::from_std(listener).expect("a socket for the runtime");
        tokio::spawn(server::accept(Arc::clone(&shared), listener));
        tokio::spawn(controllers::run(Arc::clone(&shared)));
        drop(inside);
        let mut file = NamedTempFile::new().expect("a temporary file");
        file.write_all(kubeconfig(address).as_bytes())
            .expect("room for a kubeconfig");
        Self {
            shared,
            address,
            kubeconfig: file,
            runtime: Some(runtime),
        }
    }

    /// As `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The text of a kubeconfig for this server.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(self.address)
    }

    /// A file with that kubeconfig; it is removed with the server.
    pub fn kubeconfig_file(&self) -> &FilePath {
        self.kubeconfig.path()
    }

    /// All requests so far, in the order in which their bodies had arrived.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.recorded().clone()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.shared.recorded().clear();
    }

    /// All objects of a kind (`Pod`) or resource (`pods`) in all namespaces, with `kind` and `apiVersion`.
    ///
    /// # Panics
    /// When the server knows no such kind: a misspelt one must not look like nothing left over.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let resource = self.shared.resource_of_kind(kind);
        let resource = resource.unwrap_or_else(|| panic!("no kind or resource is called {kind}"));
        let store = self.shared.store();
        store
            .list(resource, None, None)
            .map(|(_, object)| with_type(resource, object))
            .collect()
    }

    /// All objects of any kind that have this label, as `kind/name` or `kind/name -n namespace`: what a run that is over
    /// must not leave. Namespaces that are on their way out count too.
    pub fn labelled(&self, label: &str, value: &str) -> Vec<String> {
        let store = self.shared.store();
        let found = store
            .all()
            .filter(|(_, object)| object["metadata"]["labels"][label] == value);
        found
            .map(|(key, _)| match key.namespace.as_str() {
                "" => format!("{}/{}", key.plural, key.name),
                namespace => format!("{}/{} -n {namespace}", key.plural, key.name),
            })
            .collect()
    }

    /// Stores an object as it is, or a new state of it, past admission and rights. Its `kind` must be served.
    ///
    /// # Panics
    /// When its kind is not served or it has no name.
    pub fn put(&self, object: Value) {
        put(&self.shared, object);
    }

    /// Removes an object at once, as if by force; says whether it was there.
    pub fn remove(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let Some(resource) = self.shared.resource_of_kind(kind) else {
            return false;
        };
        self.shared
            .store()
            .remove(&Key::new(resource, namespace, name))
            .is_some()
    }

    /// Adds a fault; see [`Fault`].
    pub fn inject(&self, fault: Fault) {
        self.shared.rules().faults.push(fault);
    }

    /// Adds a fault of execs; see [`ExecFault`].
    pub fn inject_exec(&self, fault: ExecFault) {
        self.shared.rules().exec_faults.push(fault);
    }

    /// Takes a right away everywhere: `deny("create", "namespaces")`, `deny("*", "pods/exec")`.
    pub fn deny(&self, verb: &str, resource: &str) {
        self.deny_in(None, verb, resource);
    }

    /// Takes a right away in one namespace.
    pub fn deny_in(&self, namespace: Option<&str>, verb: &str, resource: &str) {
        self.shared.rules().denials.push(Denial {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            namespace: namespace.map(str::to_owned),
        });
    }

    /// Refuses the creation of objects; see [`Admission`].
    pub fn refuse(&self, admission: Admission) {
        self.shared.rules().admissions.push(admission);
    }

    /// Removes all faults, denials and refusals. Nodes keep their behaviour.
    pub fn heal(&self) {
        let mut rules = self.shared.rules();
        rules.faults.clear();
        rules.exec_faults.clear();
        rules.denials.clear();
        rules.admissions.clear();
    }

    /// Changes what becomes of pods on a node from now on.
    pub fn behave(&self, node: &str, behaviour: NodeBehaviour) {
        show(&self.shared, node, &behaviour);
        self.shared.rules().behaviours.insert(node.to_owned(), behaviour);
    }

    /// Changes what happens between pods.
    pub fn connect(&self, judge: impl Fn(&Path<'_>) -> Outcome + Send + Sync + 'static) {
        self.shared.rules().connectivity = Arc::new(judge);
    }

    /// Ends all open watches with 410.
    pub fn expire_watches(&self) {
        self.shared.expire.send_modify(|count| *count += 1);
    }

    /// Forgets what happened so far: watches that begin at an older version get 410.
    pub fn compact(&self) {
        self.shared.store().compact();
    }
}

impl Drop for FakeApi {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for the tasks would block, which a test with a runtime must not.
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for FakeApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FakeApi")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: fake\n\
         clusters:\n- name: fake\n  cluster:\n    server: http://{address}\n\
         users:\n- name: tester\n  user:\n    token: fake-token\n\
         contexts:\n- name: fake\n  context:\n    cluster: fake\n    user: tester\n    namespace: default\n"
    )
}

fn with_type(resource: &Resource, object: &Value) -> Value {
    let mut object = object.clone();
    object["kind"] = json!(resource.kind);
    object["apiVersion"] = json!(resource.api_version());
    object
}

fn put(shared: &Shared, mut object: Value) {
    let kind = object["kind"].as_str().unwrap_or("").to_owned();
    let resource = shared
        .resource_of(&object)
        .unwrap_or_else(|| panic!("no kind is called \"{kind}\""));
    let name = object["metadata"]["name"]
        .as_str()
        .expect("an object has a name")
        .to_owned();
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("").to_owned();
    let key = Key::new(resource, &namespace, &name);
    let mut store = shared.store();
    if let Some(last) = store.get(&key) {
        // A new state of the same object.
        object["metadata"]["uid"] = last["metadata"]["uid"].clone();
        object["metadata"]["creationTimestamp"] = last["metadata"]["creationTimestamp"].clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("kind");
            fields.remove("apiVersion");
        }
        store.put(&key, object);
    } else {
        let object = prepare(&mut store, resource, &namespace, object);
        store.put(&key, object);
    }
}

/// Makes a node object say what its kubelet's behaviour lets it say.
fn show(shared: &Shared, node: &str, behaviour: &NodeBehaviour) {
    let (status, reason, message) = match behaviour {
        NodeBehaviour::DeadKubelet { ready } if ready != "True" => (
            ready.as_str(),
            "NodeStatusUnknown",
            "Kubelet stopped posting node status.",
        ),
        _ => ("True", "KubeletReady", "kubelet is posting ready status"),
    };
    let key = Key::core("nodes", "", node);
    let object = shared
        .store()
        .get(&key)
        .unwrap_or_else(|| panic!("the cluster has no node {node}"));
    shared.update(&key, &object["metadata"]["uid"], |object| {
        for condition in object["status"]["conditions"]
            .as_array_mut()
            .into_iter()
            .flatten()
        {
            if condition["type"] == "Ready" {
                condition["status"] = json!(status);
                condition["reason"] = json!(reason);
                condition["message"] = json!(message);
            }
        }
    });
}
