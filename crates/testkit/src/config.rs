//! What a fake server is started with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use netprobe::Outcome;

use crate::agent::Path;
use crate::cluster::Cluster;
use crate::resource::{Resource, built_in};

/// The answer to "what happens between these two pods", for each sample of each probe.
pub type Connectivity = Arc<dyn Fn(&Path<'_>) -> Outcome + Send + Sync>;

/// The answer to a command that is run in a pod without standard input; `None` for success without output.
pub type Commands = Arc<dyn Fn(&Command<'_>) -> Option<CommandOutput> + Send + Sync>;

/// The answer of a kubelet through the API server's proxy, by the name of its node and a path as `configz`; `None` where it serves none.
pub type Kubelets = Arc<dyn Fn(&str, &str) -> Option<String> + Send + Sync>;

/// A command that somebody runs in a pod.
#[derive(Clone, Copy, Debug)]
pub struct Command<'a> {
    /// The node of the pod.
    pub node: &'a str,
    /// The namespace of the pod.
    pub namespace: &'a str,
    /// The name of the pod.
    pub pod: &'a str,
    /// The program and its arguments.
    pub argv: &'a [String],
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandOutput {
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// The exit code.
    pub code: i32,
}

/// What a fake server is started with. Every field has a default in [`Config::new`].
#[derive(Clone)]
pub struct Config {
    /// What exists at the start.
    pub cluster: Cluster,
    /// Resources beyond those that every cluster serves.
    pub custom_resources: Vec<Resource>,
    /// How nodes behave that do not behave well, by name.
    pub behaviours: BTreeMap<String, NodeBehaviour>,
    /// What happens between pods: all well, unless told otherwise.
    pub connectivity: Connectivity,
    /// What commands without standard input print.
    pub commands: Commands,
    /// What kubelets say of themselves: nothing, unless told otherwise.
    pub kubelets: Kubelets,
    /// Who the server takes the client for, where it does not impersonate somebody.
    pub user: String,
    /// As `/version` says it. From `v1.35` on, exec needs the verb `create` too.
    pub git_version: String,
    /// From the binding of a pod to its being Ready.
    pub kubelet_delay: Duration,
    /// From the graceful deletion of a running pod to its end, when its grace period is not shorter.
    pub stop_delay: Duration,
    /// From the creation of a namespace to its ServiceAccount `default`.
    pub service_account_delay: Duration,
    /// From the deletion of a namespace to its end; 5 s on a real cluster.
    pub namespace_delay: Duration,
    /// From the deletion of an owner, or a namespace, to that of what it owns.
    pub collector_delay: Duration,
    /// From the start of an exec to its first answer.
    pub exec_delay: Duration,
    /// The subprotocols of exec, best first.
    pub exec_protocols: Vec<String>,
}

impl Config {
    /// A server of this cluster on which everything works, with the delays of a real one.
    pub fn new(cluster: Cluster) -> Self {
        Self {
            cluster,
            custom_resources: Vec::new(),
            behaviours: BTreeMap::new(),
            connectivity: Arc::new(healthy),
            commands: Arc::new(|_| None),
            kubelets: Arc::new(|_, _| None),
            user: "tester".to_owned(),
            git_version: "v1.34.4".to_owned(),
            kubelet_delay: Duration::from_millis(300),
            stop_delay: Duration::from_millis(100),
            service_account_delay: Duration::from_millis(20),
            namespace_delay: Duration::from_secs(5),
            collector_delay: Duration::from_millis(50),
            exec_delay: Duration::from_millis(20),
            exec_protocols: vec![V5.to_owned(), V4.to_owned()],
        }
    }

    /// The same without waiting: every delay is a few milliseconds, so that tests are quick.
    #[must_use]
    pub fn quick(mut self) -> Self {
        let moment = Duration::from_millis(2);
        self.kubelet_delay = moment;
        self.stop_delay = moment;
        self.service_account_delay = moment;
        self.namespace_delay = Duration::from_millis(20);
        self.collector_delay = moment;
        self.exec_delay = Duration::ZERO;
        self
    }

    /// With one node that does not behave well.
    #[must_use]
    pub fn behaviour(mut self, node: &str, behaviour: NodeBehaviour) -> Self {
        self.behaviours.insert(node.to_owned(), behaviour);
        self
    }

    /// With another answer to what happens between pods.
    #[must_use]
    pub fn connectivity(mut self, judge: impl Fn(&Path<'_>) -> Outcome + Send + Sync + 'static) -> Self {
        self.connectivity = Arc::new(judge);
        self
    }

    /// With output for commands that are run without standard input.
    #[must_use]
    pub fn commands(
        mut self,
        answer: impl Fn(&Command<'_>) -> Option<CommandOutput> + Send + Sync + 'static,
    ) -> Self {
        self.commands = Arc::new(answer);
        self
    }

    /// With answers of kubelets.
    #[must_use]
    pub fn kubelets(mut self, answer: impl Fn(&str, &str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.kubelets = Arc::new(answer);
        self
    }

    pub(crate) fn resources(&self) -> Vec<Resource> {
        let mut all = built_in();
        all.extend(self.custom_resources.iter().cloned());
        all
    }

    /// Whether this version wants `create` on pods/exec for WebSockets as well as `get`.
    pub(crate) fn exec_needs_create(&self) -> bool {
        let minor = self
            .git_version
            .split('.')
            .nth(1)
            .and_then(|minor| minor.parse::<u32>().ok());
        minor.is_some_and(|minor| minor >= 35)
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("user", &self.user)
            .field("git_version", &self.git_version)
            .finish_non_exhaustive()
    }
}

/// A function and not a closure or a path: only it fits every lifetime without a lint.
fn healthy(path: &Path<'_>) -> Outcome {
    path.ok()
}

/// The subprotocol of exec that can close standard input.
pub const V5: &str = "v5.channel.k8s.io";
/// The subprotocol of exec that cannot.
pub const V4: &str = "v4.channel.k8s.io";

/// What becomes of pods on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeBehaviour {
    /// They run and become Ready.
    Healthy,
    /// They run and become Ready this long after they were bound.
    Slow(Duration),
    /// Nothing happens any more, neither starts nor stops. The node object still says what `ready` says: `True` for
    /// the first 40 s of a dead kubelet, `Unknown` later.
    DeadKubelet {
        /// The status of the node's condition Ready.
        ready: String,
    },
    /// The container waits with this reason: `ErrImagePull`, `ImagePullBackOff`, `ErrImageNeverPull`,
    /// `InvalidImageName`, `CreateContainerError`, `CreateContainerConfigError`, …
    Waiting {
        /// As the kubelet writes it.
        reason: String,
        /// As the kubelet writes it.
        message: String,
    },
    /// The pod stays at `ContainerCreating` with an event `FailedCreatePodSandBox`.
    NoSandbox {
        /// The message of the event.
        message: String,
    },
    /// The scheduler has no room there. Pods that were bound by their creator are not affected.
    Unschedulable,
    /// The kubelet rejects the pod for lack of CPU: phase Failed, reason `OutOfcpu`.
    OutOfCpu,
    /// The container starts and ends at once, again and again.
    CrashLoop {
        /// Its exit code.
        code: i32,
        /// The reason of the terminated state, as `Error` or `StartError`.
        reason: String,
        /// The message of the terminated state; may be empty.
        message: String,
    },
    /// The container runs and is never ready.
    NeverReady,
}

impl NodeBehaviour {
    /// A pull that fails as with no route to the registry.
    pub fn image_pull_back_off() -> Self {
        Self::Waiting {
            reason: "ImagePullBackOff".to_owned(),
            message: "Back-off pulling image \"registry.example/probe:1\": ErrImagePull: failed to pull and unpack \
                      image \"registry.example/probe:1\": dial tcp 192.0.2.1:443: i/o timeout"
                .to_owned(),
        }
    }

    /// An image that is not there, for a pod that must not pull.
    pub fn image_never_pull() -> Self {
        Self::Waiting {
            reason: "ErrImageNeverPull".to_owned(),
            message: "Container image \"registry.example/probe:1\" is not present with pull policy of Never"
                .to_owned(),
        }
    }

    /// A runtime that cannot create the container.
    pub fn create_container_error() -> Self {
        Self::Waiting {
            reason: "CreateContainerError".to_owned(),
            message: "failed to create containerd container: no command specified".to_owned(),
        }
    }
}
