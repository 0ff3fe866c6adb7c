//! Tries from the network of a pod of the user's, beside those from probe pods.

use cluster::Cluster;
use observation::{DnsAskerFiles, NodePod, Observation, PathPod, Placement, Reach, Source, SourceState};
use plugin::{Failure, Spinner};
use probe::ProbeRun;
use report::{Gap, GapReason, Observed};

use crate::args::NodeReading;
use crate::node_reading::{self, Around, NodesRead};
use crate::open::{NodeChoice, Session};
use crate::tries::Probers;

/// From which pod to try as well.
#[derive(clap::Args, Clone, Debug)]
pub struct FromPod {
    /// Also try from within this pod, as pod/NAME in the namespace of -n: with its addresses, its routes, and the policies that
    /// select it. Takes --node-access.
    #[arg(long = "from", value_name = "pod/NAME")]
    from: Option<String>,
    /// Allow the privileged pod on that node that --from takes. It also reads the node's network.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value = "false", action = clap::ArgAction::Set, hide_default_value = true, hide_possible_values = true)]
    node_access: bool,
}

/// A pod of the user's.
#[derive(Clone, Debug)]
pub struct Own {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it runs.
    pub node: String,
    /// As it was read.
    pub pod: PathPod,
}

/// What came of the work.
#[derive(Debug)]
pub struct Tried<T> {
    /// Where the probe pods were.
    pub placement: Placement,
    /// `None` where nothing could be tried.
    pub value: Option<T>,
    /// Whether the pod's network could be tried from.
    pub is_inside: bool,
    /// What nodes showed, where they were to be read.
    pub read: Option<NodesRead>,
}

impl FromPod {
    /// The pod that is named, if one is. To be asked before anything is created.
    ///
    /// # Errors
    /// When it is not named as a pod, does not exist, runs nowhere, or a privileged pod is not allowed.
    pub async fn find(&self, cluster: &Cluster) -> Result<Option<Own>, Failure> {
        let Some(text) = &self.from else { return Ok(None) };
        let name = ["pod/", "pods/", "po/"]
            .iter()
            .find_map(|kind| text.strip_prefix(kind))
            .filter(|name| !name.is_empty() && !name.contains(['/', ':']))
            .ok_or_else(|| {
                Failure::new(format!(
                    "error: invalid argument {text:?} for \"--from\" flag: expected pod/NAME"
                ))
            })?;
        if !self.node_access {
            return Err(Failure::new(
                "error: --from enters the pod's network, which takes a privileged pod on its node: --node-access allows it",
            ));
        }
        let own = Own::read(cluster, cluster.namespace(), name).await?;
        if own.pod.host_network {
            return Err(Failure::new(format!(
                "error: {text} is in the network of its node {node}, not in one of its own: \
                 `kubectl netcheck path node/{node} DST` begins there",
                node = own.node
            )));
        }
        Ok(Some(own))
    }
}

impl Own {
    /// Reads a pod, and where it runs.
    ///
    /// # Errors
    /// When it cannot be read, does not exist, or runs nowhere.
    pub async fn read(cluster: &Cluster, namespace: &str, name: &str) -> Result<Self, Failure> {
        let pod = pod(cluster, namespace, name).await?;
        let node = pod
            .node
            .clone()
            .ok_or_else(|| Failure::new(format!("error: pod {name:?} is not scheduled on any node")))?;
        Ok(Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            node,
            pod,
        })
    }

    /// The same as those see it who enter its network; `None` when it cannot be read any more.
    async fn found(&self, cluster: &Cluster) -> Option<NodePod> {
        let pods = cluster.node_pods(std::slice::from_ref(&self.node)).await;
        let is_it = |pod: &&NodePod| pod.name == self.name && pod.namespace == self.namespace;
        pods.seen()?.iter().find(is_it).cloned()
    }

    /// That the pod itself was not tried from, though that was asked for.
    fn not_entered(&self) -> SourceState {
        let (pod, namespace) = (&self.name, &self.namespace);
        SourceState {
            source: Source::Inside {
                node: self.node.clone(),
                namespace: namespace.clone(),
                pod: pod.clone(),
            },
            answered: Observed::Unseen(Gap {
                what: format!("the network of pod/{pod} -n {namespace}"),
                why: GapReason::NotStarted,
                message: format!("it could not be entered from {}", self.node),
                hint: Some(format!(
                    "it takes a privileged pod on {}, and a pod that runs: `kubectl get pod {pod} -n {namespace}`",
                    self.node
                )),
            }),
        }
    }
}

/// Reads what the files of a pod show, through a privileged pod on its node.
///
/// # Errors
/// As [`node_reading::around`].
pub async fn files(session: &mut Session<'_>, own: &Own) -> Result<Observed<DnsAskerFiles>, Failure> {
    let nodes = [own.node.clone()];
    let reading = NodeReading {
        node_access: true,
        host_network: false,
    };
    let wanted = Around {
        nodes: NodeChoice {
            names: &nodes,
            selector: None,
        },
        reading: &reading,
        pods: false,
        probes: None,
    };
    let read = async |session: &mut Session<'_>, hosts: Option<&ProbeRun>| {
        Ok(match (hosts, own.found(&session.cluster).await) {
            (Some(hosts), Some(pod)) => Some(hosts.read_pod_files(&own.node, &pod.uid).await),
            _ => None,
        })
    };
    let (nodes, files) = Box::pin(node_reading::around(session, wanted, read)).await?;
    let refused = nodes.reading.gap().cloned();
    Ok(files.unwrap_or_else(|| {
        Observed::Unseen(refused.unwrap_or_else(|| Gap {
            what: format!("the files of pod/{} -n {}", own.name, own.namespace),
            why: GapReason::NotStarted,
            message: format!("it could not be looked into from {}", own.node),
            hint: None,
        }))
    }))
}

/// Reads a pod.
///
/// # Errors
/// When it cannot be read, or does not exist.
pub async fn pod(cluster: &Cluster, namespace: &str, name: &str) -> Result<PathPod, Failure> {
    match cluster.path_pods(namespace, name).await {
        Observed::Unseen(gap) => {
            Err(Failure::new(format!("error: {}: {}", gap.what, gap.message)).with_hint(gap.hint))
        }
        Observed::Seen(pods) => pods
            .into_iter()
            .next()
            .ok_or_else(|| Failure::new(format!("Error from server (NotFound): pods {name:?} not found"))),
    }
}

/// Starts probe pods on the nodes of `choice`, and does the work with them. Where nodes are to be read, it is done between two
/// looks at them, and `own` is a place to try from as well.
///
/// # Errors
/// As [`Session::with_pods`].
pub async fn with_own<T>(
    session: &mut Session<'_>,
    choice: NodeChoice<'_>,
    nodes_read: Option<NodeChoice<'_>>,
    own: Option<&Own>,
    work: impl AsyncFnOnce(Probers<'_>, &Spinner) -> T,
) -> Result<Tried<T>, Failure> {
    let around = async |session: &mut Session<'_>, hosts: Option<&ProbeRun>| {
        let inside = match (hosts, own) {
            (Some(hosts), Some(own)) => own.found(&session.cluster).await.map(|pod| (hosts, pod)),
            _ => None,
        };
        let tried = session.with_pods(choice, async |pods, spinner| {
            let inside = inside.as_ref().map(|(hosts, pod)| (*hosts, pod));
            work(Probers { pods, inside }, spinner).await
        });
        let (placement, value) = Box::pin(tried).await?;
        Ok((placement, value, inside.is_some()))
    };
    let (read, (placement, value, is_inside)) = match nodes_read {
        Some(nodes) => {
            let reading = NodeReading {
                node_access: true,
                host_network: false,
            };
            let wanted = Around {
                nodes,
                reading: &reading,
                pods: true,
                probes: Some(choice),
            };
            let (read, done) = Box::pin(node_reading::around(session, wanted, around)).await?;
            (Some(read), done)
        }
        None => (None, Box::pin(around(session, None)).await?),
    };
    Ok(Tried {
        placement,
        value,
        is_inside,
        read,
    })
}

/// As [`with_own`], for a pod that a flag may name: then its node is read.
///
/// # Errors
/// As [`with_own`].
pub async fn with_from<T>(
    session: &mut Session<'_>,
    choice: NodeChoice<'_>,
    own: Option<&Own>,
    work: impl AsyncFnOnce(Probers<'_>, &Spinner) -> T,
) -> Result<Tried<T>, Failure> {
    let nodes: Vec<String> = own.iter().map(|own| own.node.clone()).collect();
    let nodes_read = own.map(|_| NodeChoice {
        names: &nodes,
        selector: None,
    });
    with_own(session, choice, nodes_read, own, work).await
}

/// Notes in an observation what was read of nodes, and in its tries the pod that was tried from.
pub fn note(
    observation: &mut Observation,
    reach: &mut Reach,
    read: Option<NodesRead>,
    own: Option<&Own>,
    is_inside: bool,
) {
    if let Some(read) = read {
        read.note(observation);
    }
    if let Some(own) = own {
        reach.pods.push(own.pod.clone());
        if !is_inside {
            reach.sources.push(own.not_entered());
        }
    }
}
