//! What a caller may choose about a run, and what it must know of each node.

use std::str::FromStr;
use std::time::Duration;

use observation::{Node, Taint};

/// How probe pods are made and how long is waited for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeOptions {
    /// The plugin's name, as `netcheck`: it begins the names of all objects and is the `managed-by` label's end.
    pub tool: String,
    /// An existing namespace for the probe pods; `None` makes one for the run where that is allowed.
    pub probe_namespace: Option<String>,
    /// An image to pull where it is absent; `None` takes one that is already on each node, and never pulls.
    pub image: Option<String>,
    /// A Secret in the probe namespace for pulling `image`.
    pub image_pull_secret: Option<String>,
    /// What a probe pod asks for.
    pub requests: Resources,
    /// What a probe pod may use.
    pub limits: Resources,
    /// Taints that probe pods may ignore. Nodes with others are left out.
    pub tolerations: Vec<Toleration>,
    /// Leave everything in place afterwards, and say how to remove it.
    pub keep: bool,
    /// How long a probe pod may take from the creation of the first one until it is Ready.
    pub start_timeout: Duration,
    /// How long the run may last: pods get it as `activeDeadlineSeconds`, and leftovers older than that are dead.
    pub max_run: Duration,
    /// Where the agents listen. Pods have addresses of their own, so that two runs may use the same ports.
    pub tcp_port: u16,
    /// As `tcp_port`, for UDP.
    pub udp_port: u16,
    /// Start a second pod on each node, the target of the node's pair with itself.
    pub twins: bool,
    /// Whose network the pods see, and with which rights.
    pub tier: Tier,
}

/// Whose network probe pods see, and with which rights: least privilege first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// A network of their own, as any pod has it, under PodSecurity `restricted`.
    Pod,
    /// Their node's network, with nothing else that `restricted` forbids: no capability, no root, no file of the node.
    HostNetwork,
    /// Their node's network, privileged, with the node's files read-only at [`HOST_ROOT`].
    Privileged,
}

/// Where privileged probe pods see the root directory of their node.
pub const HOST_ROOT: &str = "/host";

impl ProbeOptions {
    /// The defaults, for a plugin of this name.
    pub fn new(tool: impl Into<String>) -> Self {
        Self {
            tool: tool.into(),
            probe_namespace: None,
            image: None,
            image_pull_secret: None,
            requests: Resources::new("25m", "16Mi"),
            limits: Resources::limits(),
            tolerations: Vec::new(),
            keep: false,
            start_timeout: Duration::from_secs(20),
            max_run: Duration::from_mins(10),
            tcp_port: 7410,
            udp_port: 7410,
            twins: true,
            tier: Tier::Pod,
        }
    }

    /// The same choices for pods in the network of their node. All runs share the ports of a node, so that each takes
    /// one of its own, below the range of NodePorts and that of outgoing connections; and no pod can have a twin.
    ///
    /// A privileged pod runs programs that list the rules of its node: it may take more than one that only probes, where the user has
    /// not said how much.
    #[must_use]
    pub fn on_host(self, tier: Tier) -> Self {
        let port = 17_410 + u16::try_from(rand_below(1000)).unwrap_or_default();
        let limits = if tier == Tier::Privileged && self.limits == Resources::limits() {
            Resources::listing()
        } else {
            self.limits.clone()
        };
        Self {
            limits,
            tcp_port: port,
            udp_port: port,
            twins: false,
            tier,
            ..self
        }
    }

    /// The value of `app.kubernetes.io/managed-by` on every object: `kubectl-netcheck`.
    pub fn manager(&self) -> String {
        format!("kubectl-{}", self.tool)
    }
}

/// A number that two runs hardly share.
fn rand_below(bound: u128) -> u128 {
    uuid::Uuid::new_v4().as_u128() % bound
}

/// An amount of CPU and memory.
///
/// The defaults (requests of 25m and 16Mi, limits of 250m and 64Mi) are chosen for quotas and LimitRanges: three nodes with
/// twins ask for 150m and 96Mi in all; the ratio of limit to request is 10 and 4; and the kubelet of a nearly full node,
/// which checks a pinned pod's requests itself, still has room. The agent uses under 16 MiB at 5,000 probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// As Kubernetes writes it: `25m`.
    pub cpu: String,
    /// As Kubernetes writes it: `16Mi`.
    pub memory: String,
}

impl Resources {
    /// The limits of a pod that only probes.
    fn limits() -> Self {
        Self::new("250m", "64Mi")
    }

    /// The limits of a pod that lists rules. `nft` holds all of them in memory, and prints them from there: with 300 Services of two
    /// ports and three endpoints each 64 MiB, and it is ended where it may not have them.
    fn listing() -> Self {
        Self::new("1", "512Mi")
    }

    /// Quantities as Kubernetes writes them; the API server judges them.
    pub fn new(cpu: impl Into<String>, memory: impl Into<String>) -> Self {
        Self {
            cpu: cpu.into(),
            memory: memory.into(),
        }
    }
}

/// Taints that probe pods may ignore. An absent part matches any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toleration {
    /// The taint's key; `None` for all taints.
    pub key: Option<String>,
    /// The taint's value.
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: Option<String>,
}

/// A toleration that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a taint: expected KEY, KEY=VALUE, KEY:EFFECT, KEY=VALUE:EFFECT or *, with the effect NoSchedule, PreferNoSchedule or NoExecute"
)]
pub struct ParseTolerationError {
    text: String,
}

impl FromStr for Toleration {
    type Err = ParseTolerationError;

    /// Reads a taint as `kubectl taint` writes it, or `*` for all taints.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseTolerationError {
            text: text.to_owned(),
        };
        if text == "*" {
            return Ok(Self {
                key: None,
                value: None,
                effect: None,
            });
        }
        let (taint, effect) = match text.split_once(':') {
            Some((taint, effect)) => (taint, Some(effect)),
            None => (text, None),
        };
        if effect.is_some_and(|effect| !["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect)) {
            return Err(wrong());
        }
        let (key, value) = match taint.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (taint, None),
        };
        if key.is_empty() || key == "*" || key.contains(char::is_whitespace) {
            return Err(wrong());
        }
        Ok(Self {
            key: Some(key.to_owned()),
            value: value.map(str::to_owned),
            effect: effect.map(str::to_owned),
        })
    }
}

impl Toleration {
    /// Whether a pod with this toleration may be on a node with this taint, by the rules of the scheduler.
    pub fn tolerates(&self, taint: &Taint) -> bool {
        let matches =
            |wanted: &Option<String>, is: &String| wanted.as_ref().is_none_or(|wanted| wanted == is);
        matches(&self.key, &taint.key)
            && matches(&self.value, &taint.value)
            && matches(&self.effect, &taint.effect)
    }
}

/// A node on which a probe pod is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeTarget {
    /// `metadata.name`.
    pub name: String,
    /// `status.nodeInfo.architecture`, as `amd64`.
    pub architecture: String,
    /// `status.nodeInfo.operatingSystem`, as `linux`.
    pub operating_system: String,
    /// `status.images`.
    pub images: Vec<NodeImage>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// Why the node's condition `Ready` is not `True`, in the cluster's words; `None` when it is.
    pub not_ready: Option<String>,
}

impl NodeTarget {
    /// A target from what was observed of the node, and its `status.images`.
    pub fn new(node: &Node, images: Vec<NodeImage>) -> Self {
        let not_ready = match &node.ready {
            Some(ready) if ready.status == "True" => None,
            Some(ready) => Some(format!("{}: {}", ready.reason, ready.message)),
            None => Some("it has no condition Ready: its kubelet never reported".to_owned()),
        };
        Self {
            name: node.name.clone(),
            architecture: node.architecture.clone(),
            operating_system: node.operating_system.clone(),
            images,
            taints: node.taints.clone(),
            not_ready,
        }
    }
}

/// An image in `status.images` of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeImage {
    /// All names of the image: tags and digests.
    pub names: Vec<String>,
    /// As the kubelet reports it; `None` where it does not.
    pub size_bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(text: &str) -> Taint {
        let (rest, effect) = text.rsplit_once(':').unwrap();
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        Taint {
            key: key.to_owned(),
            value: value.to_owned(),
            effect: effect.to_owned(),
        }
    }

    #[test]
    fn what_lists_rules_may_take_more_unless_the_user_says_how_much() {
        let limits = |options: ProbeOptions, tier| options.on_host(tier).limits;
        let usual = ProbeOptions::new("netcheck");
        assert_eq!(limits(usual.clone(), Tier::Privileged).memory, "512Mi");
        assert_eq!(limits(usual.clone(), Tier::HostNetwork), usual.limits);
        let own = ProbeOptions {
            limits: Resources::new("250m", "128Mi"),
            ..usual
        };
        assert_eq!(limits(own.clone(), Tier::Privileged), own.limits);
    }

    #[test]
    fn a_toleration_ignores_what_it_names_and_nothing_else() {
        for (toleration, taints, expected) in [
            ("*", "a=b:NoExecute", true),
            ("a", "a=b:NoSchedule", true),
            ("a", "a:NoSchedule", true),
            ("a", "b:NoSchedule", false),
            ("a=b", "a=b:NoSchedule", true),
            ("a=b", "a=c:NoSchedule", false),
            ("a=", "a:NoSchedule", true),
            ("a=", "a=b:NoSchedule", false),
            ("a:NoSchedule", "a:NoExecute", false),
            ("a=b:NoExecute", "a=b:NoExecute", true),
        ] {
            let parsed: Toleration = toleration.parse().unwrap();
            assert_eq!(
                parsed.tolerates(&taint(taints)),
                expected,
                "{toleration} {taints}"
            );
        }
    }

    #[test]
    fn what_is_no_taint_is_refused() {
        for text in ["", "=b", "a:Never", "a b", "*:NoSchedule"] {
            assert!(text.parse::<Toleration>().is_err(), "{text}");
        }
    }
}
