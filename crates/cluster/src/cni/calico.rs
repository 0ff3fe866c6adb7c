//! What the API has of Calico.

mod objects;

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use observation::{BirdProtocols, Calico, CalicoManifest, CniAgent, IpamBlock};
use report::{Gap, GapReason, Observed};

use self::objects::{Affinity, Bgp, Block, Felix, Filter, Installation, Ipam, NodeState, Peer, Pool, Tigera};
use super::parts::{Anything, Object, Placed, Served};
use crate::cluster::Cluster;
use crate::list::ListQuery;

const AGENTS: &str = "k8s-app in (calico-node,canal,calico-kube-controllers,calico-typha)";
/// Agents asked at once, and at most.
const ASKING: usize = 8;
const MOST: usize = 100;
const LIMIT: Duration = Duration::from_secs(10);
const SHOW: [&str; 5] = ["birdcl", "-s", "/var/run/calico/bird.ctl", "show", "protocols"];

impl Cluster {
    /// Calico, where the API server has an API of it or a pod of it is there.
    pub(super) async fn read_calico(&self, groups: &[String]) -> Option<Calico> {
        let has = |name: &str| groups.iter().any(|group| group == name);
        let agents = self.cni_agents("pods of Calico", &[AGENTS]).await;
        // The second is where releases without API server keep what others keep in the first.
        let api = ["crd.projectcalico.org", "projectcalico.org"]
            .into_iter()
            .find_map(|group| {
                let version = if group.starts_with("crd") { "v1" } else { "v3" };
                has(group).then_some((group, version))
            });
        if api.is_none() && agents.seen().is_some_and(Vec::is_empty) {
            return None;
        }
        let served = Served {
            api,
            otherwise: "the API server has no objects of Calico, which then keeps them in an etcd of its own",
        };
        let operator = Served {
            api: has("operator.tigera.io").then_some(("operator.tigera.io", "v1")),
            otherwise: "there is no operator",
        };
        let (configured, (pools, ipam), manifest) = tokio::join!(
            self.calico_configured(&served, &operator),
            self.calico_addresses(&served),
            self.calico_manifest(),
        );
        Some(Calico {
            api: served.name(),
            agents,
            manifest,
            pools,
            blocks: ipam.blocks,
            affinities: ipam.affinities,
            handles: ipam.handles,
            ipam: ipam.config,
            ..configured
        })
    }

    /// Everything that is there once or a few times. What [`Cluster::read_calico`] reads apart is left unseen.
    async fn calico_configured(&self, served: &Served, operator: &Served) -> Calico {
        let (felix, bgp, peers, filters, statuses, local, global) = tokio::join!(
            self.custom::<Felix>(served, "felixconfigurations"),
            self.custom::<Bgp>(served, "bgpconfigurations"),
            self.custom::<Peer>(served, "bgppeers"),
            self.custom_or_none::<Filter>(served, "bgpfilters"),
            self.custom_or_none::<NodeState>(served, "caliconodestatuses"),
            self.custom::<Placed>(served, "networkpolicies"),
            self.custom::<Anything>(served, "globalnetworkpolicies"),
        );
        let operated = async {
            if operator.api.is_none() {
                return (None, None);
            }
            let (installations, statuses) = tokio::join!(
                self.custom_or_none::<Installation>(operator, "installations"),
                self.custom_or_none::<Tigera>(operator, "tigerastatuses"),
            );
            (Some(installations), Some(statuses))
        };
        let (node_labels, (installations, tigera)) = tokio::join!(self.node_labels(), operated);
        Calico {
            api: None,
            agents: Observed::Seen(Vec::new()),
            installations: installations.map(|seen| seen.map(objects::installations)),
            statuses: tigera.map(|seen| seen.map(objects::tigera_statuses)),
            manifest: Observed::Seen(None),
            felix: felix.map(objects::felix),
            bgp: bgp.map(objects::bgp),
            peers: peers.map(objects::peers),
            filters: filters.map(objects::filters),
            pools: Observed::Seen(Vec::new()),
            blocks: Observed::Seen(Vec::new()),
            affinities: Observed::Seen(Vec::new()),
            handles: Observed::Seen(0),
            ipam: Observed::Seen(None),
            policies: local.map(|all| {
                let mut counts = BTreeMap::new();
                for one in all {
                    *counts.entry(one.metadata.namespace).or_insert(0) += 1;
                }
                counts
            }),
            global_policies: global.map(|all| u32::try_from(all.len()).unwrap_or(u32::MAX)),
            node_statuses: statuses.map(objects::node_statuses),
            node_labels,
            birds: BTreeMap::new(),
        }
    }

    async fn calico_addresses(&self, served: &Served) -> (Observed<Vec<observation::IpPool>>, Addresses) {
        let (pools, blocks, affinities, handles, config) = tokio::join!(
            self.custom::<Pool>(served, "ippools"),
            self.custom::<Block>(served, "ipamblocks"),
            self.custom::<Affinity>(served, "blockaffinities"),
            self.count_custom(served, "ipamhandles"),
            self.custom_or_none::<Ipam>(served, "ipamconfigs"),
        );
        let addresses = Addresses {
            blocks: blocks.map(objects::blocks),
            affinities: affinities.map(objects::affinities),
            handles,
            config: config.map(objects::ipam_config),
        };
        (pools.map(objects::pools), addresses)
    }

    async fn calico_manifest(&self) -> Observed<Option<CalicoManifest>> {
        let map = self.config_map("kube-system", "calico-config").await;
        map.map(|map| {
            let mut map = map?;
            let network = map.remove("cni_network_config").unwrap_or_default();
            Some(CalicoManifest {
                backend: map.remove("calico_backend"),
                ipam: objects::ipam_of(&network),
                veth_mtu: map.remove("veth_mtu"),
            })
        })
    }

    async fn node_labels(&self) -> Observed<BTreeMap<String, BTreeMap<String, String>>> {
        let query = ListQuery::new("", "v1", "nodes").from_cache();
        let listed = self.list::<Object<serde::de::IgnoredAny>>("nodes", &query).await;
        listed.map(|items| {
            let labels = items
                .into_iter()
                .map(|item| (item.metadata.name, item.metadata.labels));
            labels.collect()
        })
    }

    /// Asks BIRD of each node for its sessions, by a command in its `calico-node`, which only looks.
    pub(super) async fn ask_birds(&self, calico: &mut Calico) {
        let nodes: Vec<&CniAgent> = calico
            .agents
            .seen()
            .into_iter()
            .flatten()
            .filter(|agent| agent.component == "calico-node" && agent.phase == "Running")
            .collect();
        let asked = nodes.iter().enumerate().filter_map(|(index, agent)| {
            let node = agent.node.clone()?;
            Some(async move { (node, self.ask_bird(agent, index).await) })
        });
        let said: Vec<_> = stream::iter(asked).buffered(ASKING).collect().await;
        calico.birds = said.into_iter().collect();
    }

    async fn ask_bird(&self, agent: &CniAgent, index: usize) -> Observed<BirdProtocols> {
        let node = agent.node.as_deref().unwrap_or_default();
        let what = format!("the BGP sessions of {node}");
        if index >= MOST {
            return Observed::Unseen(Gap {
                what,
                why: GapReason::Truncated,
                message: format!("{MOST} nodes are asked, this is one more"),
                hint: None,
            });
        }
        match self.run_in(agent, &SHOW, LIMIT).await {
            Err(gap) => Observed::Unseen(gap),
            Ok(output) => match super::bird::protocols(&output.stdout) {
                Some(protocols) => Observed::Seen(protocols),
                None => Observed::Unseen(Gap {
                    what,
                    why: GapReason::Failed,
                    message: if output.message.is_empty() {
                        "birdcl printed no table of protocols".to_owned()
                    } else {
                        output.message
                    },
                    hint: None,
                }),
            },
        }
    }
}

/// What is said of addresses.
struct Addresses {
    blocks: Observed<Vec<IpamBlock>>,
    affinities: Observed<Vec<observation::BlockAffinity>>,
    handles: Observed<u64>,
    config: Observed<Option<observation::IpamConfig>>,
}
