//! A made-up cluster of three nodes whose kube-proxy is well, and ways to break it.

use std::collections::BTreeMap;

use observation::{
    ConfigDocument, HttpAnswer, KubeProxy, LogTail, Observation, ProxyConfig, ProxyDaemonSet, ProxyLook,
    ProxyLooks, ProxyPod, Replacement,
};
use report::{Gap, GapReason, Observed};
use serde_json::{Value, json};

use crate::firewall::fixture::Fixture as Rules;
use crate::node_scene::Scene;

const NODES: [&str; 3] = ["node1", "node2", "node3"];

#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    facts: KubeProxy,
    /// A change to the nodes' own objects.
    kubelet: Option<&'static str>,
    has_no_rules: bool,
}

fn gap() -> Gap {
    Gap {
        what: "a part".into(),
        why: GapReason::Failed,
        message: "it was not read".into(),
        hint: None,
    }
}

fn said(body: &str) -> HttpAnswer {
    HttpAnswer::Answered {
        status: 200,
        body: body.into(),
        took_ms: 1,
    }
}

fn silent() -> HttpAnswer {
    HttpAnswer::Silent {
        after_ms: 1500,
        message: "timed out".into(),
    }
}

impl Fixture {
    /// The clock of every node, in seconds since 1970.
    pub(crate) const NOW_S: u64 = 1_772_355_600;

    pub(crate) fn healthy() -> Self {
        let pod = |node: &str| ProxyPod {
            namespace: "kube-system".into(),
            name: format!("kube-proxy-{node}"),
            node: Some(node.into()),
            phase: "Running".into(),
            ready: true,
            created: Some("2026-02-01T09:00:00Z".into()),
            deleted: None,
            image: "registry.k8s.io/kube-proxy:v1.34.4".into(),
            restarts: 0,
            waiting: None,
            ended: None,
            log: Observed::Seen(LogTail::default()),
        };
        let look = || ProxyLook {
            unix_ms: Observed::Seen(Self::NOW_S * 1000),
            health_address: "127.0.0.1:10256".into(),
            metrics_address: "127.0.0.1:10249".into(),
            health: said("{}"),
            mode: said("iptables"),
            metrics: Observed::Seen(BTreeMap::from([
                (
                    "kubeproxy_sync_proxy_rules_last_timestamp_seconds".into(),
                    (Self::NOW_S - 12).to_string(),
                ),
                (
                    "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds".into(),
                    (Self::NOW_S - 13).to_string(),
                ),
                (
                    "kubeproxy_sync_proxy_rules_iptables_total{table=\"nat\"}".into(),
                    "120".into(),
                ),
            ])),
            config: Observed::Seen(json!({})),
            has_ipvs: Observed::Seen(false),
        };
        let looks = || ProxyLooks {
            first: look(),
            second: Some(look()),
        };
        Self {
            facts: KubeProxy {
                read_at: "2026-03-01T09:00:00Z".into(),
                only: None,
                daemon_sets: Observed::Seen(vec![ProxyDaemonSet {
                    namespace: "kube-system".into(),
                    name: "kube-proxy".into(),
                    desired: 3,
                    ready: 3,
                    ..ProxyDaemonSet::default()
                }]),
                pods: Observed::Seen(NODES.map(pod).into()),
                config: Observed::Seen(None),
                replacements: Observed::Seen(Vec::new()),
                nodes: NODES
                    .map(|node| (node.to_owned(), Observed::Seen(looks())))
                    .into(),
            },
            kubelet: None,
            has_no_rules: false,
        }
        .config(json!({"mode": "iptables", "clusterCIDR": "10.244.0.0/16"}))
    }

    pub(crate) fn nftables() -> Self {
        let mut fixture = Self::healthy().config(json!({"mode": "nftables", "clusterCIDR": "10.244.0.0/16"}));
        for node in NODES {
            fixture = fixture.mode(node, "nftables").looks(node, |look| {
                if let Observed::Seen(series) = &mut look.metrics {
                    series.retain(|name, _| !name.contains("iptables"));
                }
            });
        }
        fixture
    }

    pub(crate) fn observe(&self) -> Observation {
        let mut scene = Scene::healthy(3);
        if let Some(version) = self.kubelet {
            for node in NODES {
                scene = scene.change_object(node, |node| version.clone_into(&mut node.kubelet_version));
            }
        }
        let mut observation = scene.observation();
        if self.has_no_rules {
            let read = Rules::healthy().without_services().observe();
            observation.node_evidence = read.node_evidence;
        } else {
            observation.node_evidence = BTreeMap::new();
            observation.node_reading = None;
        }
        observation.kube_proxy = Some(Box::new(self.facts.clone()));
        observation
    }

    pub(crate) fn pod(mut self, node: &str, change: impl Fn(&mut ProxyPod)) -> Self {
        if let Observed::Seen(pods) = &mut self.facts.pods {
            pods.iter_mut()
                .filter(|pod| pod.node.as_deref() == Some(node))
                .for_each(change);
        }
        self
    }

    pub(crate) fn without_pod(mut self, node: &str) -> Self {
        if let Observed::Seen(pods) = &mut self.facts.pods {
            pods.retain(|pod| pod.node.as_deref() != Some(node));
        }
        self.silent_or_refused(node)
    }

    fn silent_or_refused(self, node: &str) -> Self {
        self.looks(node, |look| {
            look.health = HttpAnswer::Refused;
            look.mode = HttpAnswer::Refused;
            look.metrics = Observed::Unseen(gap());
        })
    }

    pub(crate) fn without_pods(mut self) -> Self {
        self.facts.pods = Observed::Seen(Vec::new());
        self.facts.daemon_sets = Observed::Seen(Vec::new());
        self
    }

    pub(crate) fn pods_unseen(mut self) -> Self {
        self.facts.pods = Observed::Unseen(gap());
        self
    }

    pub(crate) fn silent_everywhere(self) -> Self {
        NODES.iter().fold(self, |all, node| all.silent_or_refused(node))
    }

    /// Something else does the work.
    pub(crate) fn replaced(self, name: &str) -> Self {
        let mut fixture = self.without_pods().silent_everywhere();
        fixture.facts.replacements = Observed::Seen(vec![Replacement {
            name: name.into(),
            sign: "its configuration says so".into(),
            command: "kubectl get configmap".into(),
            is_whole: true,
        }]);
        fixture
    }

    /// The nodes are those of k3s.
    pub(crate) fn in_process(self) -> Self {
        let mut fixture = self.without_pods().silent_everywhere();
        fixture.kubelet = Some("v1.34.4+k3s1");
        fixture
    }

    /// Rules of nodes were read, and none is for a Service.
    pub(crate) fn without_rules(mut self) -> Self {
        self.has_no_rules = true;
        self
    }

    pub(crate) fn log(self, node: &str, lines: &[&str]) -> Self {
        let log = LogTail {
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
            more: false,
        };
        self.pod(node, |pod| pod.log = Observed::Seen(log.clone()))
    }

    pub(crate) fn log_unseen(self, node: &str) -> Self {
        self.pod(node, |pod| pod.log = Observed::Unseen(gap()))
    }

    pub(crate) fn config(mut self, value: Value) -> Self {
        self.facts.config = Observed::Seen(Some(ProxyConfig {
            config_map: "kube-proxy".into(),
            key: "config.conf".into(),
            document: ConfigDocument::Read { value },
        }));
        self
    }

    pub(crate) fn broken_config(mut self, message: &str) -> Self {
        self.facts.config = Observed::Seen(Some(ProxyConfig {
            config_map: "kube-proxy".into(),
            key: "config.conf".into(),
            document: ConfigDocument::Broken {
                message: message.into(),
            },
        }));
        self
    }

    pub(crate) fn without_config(mut self) -> Self {
        self.facts.config = Observed::Seen(None);
        self
    }

    pub(crate) fn config_unseen(mut self) -> Self {
        self.facts.config = Observed::Unseen(gap());
        self
    }

    fn looks(mut self, node: &str, change: impl Fn(&mut ProxyLook)) -> Self {
        if let Some(Observed::Seen(looks)) = self.facts.nodes.get_mut(node) {
            change(&mut looks.first);
            looks.second.iter_mut().for_each(change);
        }
        self
    }

    /// kube-proxy of a node hangs.
    pub(crate) fn silent(self, node: &str) -> Self {
        self.looks(node, |look| {
            look.health = silent();
            look.mode = silent();
            look.metrics = Observed::Unseen(gap());
            look.config = Observed::Unseen(gap());
        })
    }

    /// Nodes were left alone.
    pub(crate) fn nobody_asked(mut self) -> Self {
        self.facts.nodes.clear();
        self
    }

    /// A node without a pod that could ask.
    pub(crate) fn unasked(mut self, node: &str) -> Self {
        self.facts.nodes.insert(node.to_owned(), Observed::Unseen(gap()));
        self
    }

    pub(crate) fn mode(self, node: &str, mode: &str) -> Self {
        self.looks(node, |look| look.mode = said(mode))
    }

    pub(crate) fn without_mode(self, node: &str) -> Self {
        self.looks(node, |look| look.mode = HttpAnswer::Refused)
    }

    pub(crate) fn health(self, node: &str, status: u16) -> Self {
        self.looks(node, |look| {
            look.health = HttpAnswer::Answered {
                status,
                body: "{}".into(),
                took_ms: 1,
            };
        })
    }

    pub(crate) fn without_metrics(self, node: &str) -> Self {
        self.looks(node, |look| look.metrics = Observed::Unseen(gap()))
    }

    pub(crate) fn metric(self, node: &str, name: &str, value: &str) -> Self {
        self.looks(node, |look| {
            if let Observed::Seen(series) = &mut look.metrics {
                series.insert(name.to_owned(), value.to_owned());
            }
        })
    }

    pub(crate) fn metric_later(mut self, node: &str, name: &str, value: &str) -> Self {
        if let Some(Observed::Seen(looks)) = self.facts.nodes.get_mut(node)
            && let Some(second) = &mut looks.second
            && let Observed::Seen(series) = &mut second.metrics
        {
            series.insert(name.to_owned(), value.to_owned());
        }
        self
    }

    pub(crate) fn has_ipvs(self) -> Self {
        NODES.iter().fold(self, |all, node| {
            all.looks(node, |look| look.has_ipvs = Observed::Seen(true))
        })
    }
}
