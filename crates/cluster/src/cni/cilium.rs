//! What the API has of Cilium, and what its agents say when they are asked.

mod objects;
mod said;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use observation::{Cilium, CiliumDrops, CiliumStatus, CniAgent};
use report::{Gap, GapReason, Observed};

use self::objects::{Endpoint, Node};
use super::parts::Served;
use crate::cluster::Cluster;

const AGENTS: [&str; 3] = [
    "k8s-app in (cilium,cilium-envoy)",
    "name=cilium-operator",
    "io.cilium/app=operator",
];
/// The name of the program in the image of the agent, since 1.15 and before.
const PROGRAMS: [&str; 2] = ["cilium-dbg", "cilium"];
const ASKING: usize = 8;
const MOST: usize = 100;
const LIMIT: Duration = Duration::from_secs(15);

/// Keys of `cilium-config` that say how the network is built.
const CONFIG: [&str; 27] = [
    "agent-health-port",
    "auto-direct-node-routes",
    "bpf-lb-mode",
    "cilium-endpoint-gc-interval",
    "cluster-name",
    "cluster-pool-ipv4-cidr",
    "cluster-pool-ipv4-mask-size",
    "cluster-pool-ipv6-cidr",
    "cluster-pool-ipv6-mask-size",
    "cni-chaining-mode",
    "cni-exclusive",
    "disable-endpoint-crd",
    "enable-bpf-masquerade",
    "enable-cilium-endpoint-slice",
    "enable-endpoint-routes",
    "enable-ipsec",
    "enable-ipv4",
    "enable-ipv6",
    "enable-policy",
    "enable-wireguard",
    "identity-allocation-mode",
    "ipam",
    "ipv4-native-routing-cidr",
    "kube-proxy-replacement",
    "routing-mode",
    "tunnel",
    "tunnel-protocol",
];

impl Cluster {
    /// Cilium, where the API server has its API or a pod of it is there.
    pub(super) async fn read_cilium(&self, groups: &[String]) -> Option<Cilium> {
        let agents = self.cni_agents("pods of Cilium", &AGENTS).await;
        let is_served = groups.iter().any(|group| group == "cilium.io");
        if !is_served && agents.seen().is_some_and(Vec::is_empty) {
            return None;
        }
        let served = Served {
            api: is_served.then_some(("cilium.io", "v2")),
            otherwise: "the API server has no objects of Cilium",
        };
        let (nodes, endpoints, config) = tokio::join!(
            self.custom::<Node>(&served, "ciliumnodes"),
            self.custom::<Endpoint>(&served, "ciliumendpoints"),
            self.cilium_config(&agents),
        );
        Some(Cilium {
            agents,
            config,
            nodes: nodes.map(objects::nodes),
            endpoints: endpoints.map(objects::endpoints),
            asked: BTreeMap::new(),
            drops: BTreeMap::new(),
        })
    }

    /// It lies beside the agents, in whatever namespace they are.
    async fn cilium_config(
        &self,
        agents: &Observed<Vec<CniAgent>>,
    ) -> Observed<Option<BTreeMap<String, String>>> {
        let first = agents
            .seen()
            .and_then(|agents| agents.iter().find(|agent| agent.component == "cilium"));
        let namespace = first.map_or("kube-system", |agent| agent.namespace.as_str());
        let map = self.config_map(namespace, "cilium-config").await;
        map.map(|map| {
            let mut map = map?;
            map.retain(|key, _| CONFIG.contains(&key.as_str()));
            Some(map)
        })
    }

    /// Asks the agents of nodes how they are, by a command that only looks.
    pub(super) async fn ask_cilium(&self, cilium: &mut Cilium) {
        let ask = async |node: &str, agent: &CniAgent| self.cilium_status(node, agent).await;
        cilium.asked = of_agents(cilium, "the state of Cilium's agent", ask).await;
    }

    /// Has the agents of nodes say for so many seconds which packets they drop, and why.
    pub(super) async fn ask_cilium_drops(&self, cilium: &mut Cilium, seconds: u32) {
        let ask = async |node: &str, agent: &CniAgent| self.cilium_drops(node, agent, seconds).await;
        cilium.drops = of_agents(cilium, "what Cilium's agent drops", ask).await;
    }

    async fn cilium_status(&self, node: &str, agent: &CniAgent) -> Observed<CiliumStatus> {
        let what = format!("the state of Cilium's agent of {node}");
        let mut last = None;
        for program in PROGRAMS {
            let output = match self
                .run_in(agent, &[program, "status", "-o", "json"], LIMIT)
                .await
            {
                Ok(output) => output,
                Err(gap) if gap.message.contains("executable file not found") => {
                    last = Some(gap);
                    continue;
                }
                Err(gap) => return Observed::Unseen(gap),
            };
            // It ends with a status of its own where something is wrong, and has said what.
            if let Some(mut status) = said::status(&output.stdout) {
                program.clone_into(&mut status.command);
                status.unreachable = self.cilium_health(agent).await;
                return Observed::Seen(status);
            }
            let is_missing = output.is_missing();
            last = Some(Gap {
                what: what.clone(),
                why: GapReason::Failed,
                message: if output.message.is_empty() {
                    format!("`{program} status -o json` printed no status")
                } else {
                    output.message
                },
                hint: None,
            });
            if !is_missing {
                break;
            }
        }
        Observed::Unseen(last.unwrap_or(Gap {
            what,
            why: GapReason::Failed,
            message: "the agent's image has no program to ask it".to_owned(),
            hint: None,
        }))
    }

    /// Health checking between nodes may be off, and images may be without its program: then nobody knows.
    async fn cilium_health(&self, agent: &CniAgent) -> Option<Vec<observation::UnreachableNode>> {
        let command = ["cilium-health", "status", "-o", "json"];
        let output = self.run_in(agent, &command, LIMIT).await.ok()?;
        said::health(&output.stdout)
    }

    async fn cilium_drops(&self, node: &str, agent: &CniAgent, seconds: u32) -> Observed<CiliumDrops> {
        let mut last = None;
        for program in PROGRAMS {
            // The program does not end by itself.
            let duration = seconds.to_string();
            let command = ["timeout", duration.as_str(), program, "monitor", "--type", "drop"];
            let limit = LIMIT + Duration::from_secs(u64::from(seconds));
            match self.run_in(agent, &command, limit).await {
                Err(gap) => return Observed::Unseen(gap),
                Ok(output) if output.is_missing() => last = Some(output.message),
                // 124 is how `timeout` says that it had to end it.
                Ok(output) if matches!(output.code, Some(0 | 124)) => {
                    return Observed::Seen(said::drops(&output.stdout, seconds));
                }
                Ok(output) => {
                    last = Some(output.message);
                    break;
                }
            }
        }
        Observed::Unseen(Gap {
            what: format!("what Cilium's agent of {node} drops"),
            why: GapReason::Failed,
            message: last.unwrap_or_default(),
            hint: None,
        })
    }
}

/// Asks the agents that run, those first that are not ready.
async fn of_agents<T>(
    cilium: &Cilium,
    what: &str,
    ask: impl AsyncFn(&str, &CniAgent) -> Observed<T>,
) -> BTreeMap<String, Observed<T>> {
    let mut agents: Vec<&CniAgent> = cilium
        .agents
        .seen()
        .into_iter()
        .flatten()
        .filter(|agent| agent.component == "cilium" && agent.phase == "Running")
        .collect();
    agents.sort_by_key(|agent| agent.ready);
    let ask = &ask;
    let asked = agents.iter().enumerate().filter_map(|(index, agent)| {
        let node = agent.node.as_deref()?;
        Some(async move {
            let said = if index < MOST {
                ask(node, agent).await
            } else {
                Observed::Unseen(Gap {
                    what: format!("{what} of {node}"),
                    why: GapReason::Truncated,
                    message: format!("{MOST} agents are asked, this is one more"),
                    hint: None,
                })
            };
            (node.to_owned(), said)
        })
    });
    stream::iter(asked).buffered(ASKING).collect().await
}
