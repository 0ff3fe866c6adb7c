//! A made-up cluster of three nodes whose DNS is as kubeadm makes it, and ways to break it.

use std::collections::BTreeMap;

use observation::{
    CorefileSource, Dns, DnsAskedPod, DnsAsker, DnsAskerFiles, DnsContainer, DnsController, DnsCorefile,
    DnsPod, DnsProbe, DnsRights, DnsRole, DnsUsage, EndpointSlice, KubeletDns, LogTail, Observation,
    RoleRule, Service,
};
use report::{Gap, GapReason, Observed, Subject};
use serde_json::json;

use crate::node_scene::Scene;

const NODES: [&str; 3] = ["node1", "node2", "node3"];
const PATH: &str = "/etc/coredns/Corefile";
const COREFILE: &str = include_str!("../../../corefile/src/lint/kubeadm.Corefile");

#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    dns: Dns,
    nodes: u8,
}

pub(crate) fn gap() -> Gap {
    Gap {
        what: "a part".into(),
        why: GapReason::Failed,
        message: "it was not read".into(),
        hint: None,
    }
}

pub(crate) fn unseen<T>() -> Observed<T> {
    Observed::Unseen(gap())
}

/// A list that was seen, to be changed.
pub(crate) fn list<T>(part: &mut Observed<Vec<T>>) -> &mut Vec<T> {
    match part {
        Observed::Seen(all) => all,
        Observed::Unseen(_) => panic!("it was not seen"),
    }
}

pub(crate) fn each_pod(dns: &mut Dns, change: impl Fn(&mut DnsPod)) {
    list(&mut dns.pods).iter_mut().for_each(change);
}

/// Lines that the first pod logged.
pub(crate) fn logged(dns: &mut Dns, lines: &[&str]) {
    list(&mut dns.pods)[0].log = Observed::Seen(LogTail {
        lines: lines.iter().map(|&line| line.to_owned()).collect(),
        more: false,
    });
}

/// The healthy cluster, asked about a pod with this policy, and with this resolv.conf where it was read.
pub(crate) fn asked_pod(policy: &str, resolv_conf: Option<&str>) -> Fixture {
    Fixture::healthy().with(|dns| {
        let asker = DnsAsker {
            namespace: "shop".into(),
            name: "web-1".into(),
            node: Some("node1".into()),
            policy: policy.into(),
            files: resolv_conf.map(|text| {
                Box::new(DnsAskerFiles {
                    resolv_conf: Observed::Seen(text.to_owned()),
                    loaders: Observed::Seen(Vec::new()),
                })
            }),
            ..DnsAsker::default()
        };
        dns.pod = Some(DnsAskedPod {
            name: "web-1 -n shop".into(),
            asker: Observed::Seen(Some(asker)),
            names: Vec::new(),
        });
    })
}

/// Labels by their text: `a=b,c=d`.
pub(crate) fn labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

pub(crate) fn rule(group: &str, resources: &[&str]) -> RoleRule {
    RoleRule {
        api_groups: vec![group.to_owned()],
        resources: resources.iter().map(|&it| it.to_owned()).collect(),
        verbs: vec!["list".into(), "watch".into()],
        resource_names: Vec::new(),
    }
}

fn service() -> Service {
    serde_json::from_value(json!({
        "name": "kube-dns", "namespace": "kube-system", "type": "ClusterIP", "clusterIps": ["10.96.0.10"],
        "headless": false, "externalName": null, "externalIps": [], "loadBalancer": [],
        "ports": [
            {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": "53", "nodePort": null},
            {"name": "dns-tcp", "protocol": "TCP", "port": 53, "targetPort": "53", "nodePort": null}
        ],
        "selector": {"k8s-app": "kube-dns"}, "internalLocal": false, "externalLocal": false,
        "healthCheckNodePort": null, "isDns": true
    }))
    .expect("a Service")
}

fn slice() -> EndpointSlice {
    let endpoint = |address: &str, node: &str, pod: &str| {
        json!({"addresses": [address], "ready": true, "serving": true, "terminating": false, "node": node, "pod": pod,
            "podUid": pod})
    };
    serde_json::from_value(json!({
        "name": "kube-dns-1", "namespace": "kube-system", "service": "kube-dns", "addressType": "IPv4",
        "ports": [{"name": "dns", "protocol": "UDP", "port": 53}, {"name": "dns-tcp", "protocol": "TCP", "port": 53}],
        "endpoints": [endpoint("10.244.0.2", "node1", "coredns-1"), endpoint("10.244.1.2", "node2", "coredns-2")]
    }))
    .expect("an EndpointSlice")
}

fn controller() -> DnsController {
    let probe = |port: u16, path: &str| DnsProbe {
        port,
        path: path.to_owned(),
        timeout_seconds: 5,
    };
    DnsController {
        role: DnsRole::Cluster,
        kind: "deployment".into(),
        namespace: "kube-system".into(),
        name: "coredns".into(),
        wanted: 2,
        ready: 2,
        template_labels: labels("k8s-app=kube-dns"),
        service_account: "coredns".into(),
        dns_policy: "Default".into(),
        host_network: false,
        spreads: true,
        container: DnsContainer {
            name: "coredns".into(),
            image: "registry.k8s.io/coredns/coredns:v1.12.4".into(),
            liveness: Some(probe(8080, "/health")),
            readiness: Some(probe(8181, "/ready")),
            memory_limit: Some("170Mi".into()),
            cpu_limit: None,
            ports: vec![53, 53, 9153],
        },
    }
}

fn pod(number: u8) -> DnsPod {
    DnsPod {
        role: DnsRole::Cluster,
        namespace: "kube-system".into(),
        name: format!("coredns-{number}"),
        labels: labels("k8s-app=kube-dns,pod-template-hash=5d5c"),
        node: Some(NODES[usize::from(number) - 1].to_owned()),
        addresses: vec![format!("10.244.{}.2", number - 1).parse().expect("an address")],
        phase: "Running".into(),
        ready: true,
        created: Some("2026-02-01T09:00:00Z".into()),
        deleted: None,
        container: "coredns".into(),
        image: "registry.k8s.io/coredns/coredns:v1.12.4".into(),
        restarts: 0,
        waiting: None,
        ended: None,
        log: Observed::Seen(LogTail::default()),
        previous_log: None,
        metrics: None,
        usage: Some(Observed::Seen(DnsUsage {
            memory_bytes: Some(20 << 20),
            periods: None,
            throttled: None,
        })),
    }
}

impl Fixture {
    pub(crate) fn healthy() -> Self {
        let kubelet = || KubeletDns {
            addresses: vec!["10.96.0.10".parse().expect("an address")],
            domain: "cluster.local".into(),
            resolv_conf: "/etc/resolv.conf".into(),
        };
        let controller = controller();
        let subject: Subject = controller.subject();
        let corefile = DnsCorefile {
            role: DnsRole::Cluster,
            controller: subject.clone(),
            path: PATH.into(),
            source: Some(CorefileSource {
                namespace: "kube-system".into(),
                name: "coredns".into(),
                key: "Corefile".into(),
            }),
            text: Observed::Seen(COREFILE.into()),
            files: BTreeMap::from([(PATH.to_owned(), COREFILE.to_owned())]),
            is_complete: true,
            variables: BTreeMap::new(),
        };
        let rights = DnsRights {
            controller: subject,
            service_account: "coredns".into(),
            roles: BTreeMap::from([(
                "system:coredns".to_owned(),
                vec![
                    rule("", &["endpoints", "services", "pods", "namespaces"]),
                    rule("discovery.k8s.io", &["endpointslices"]),
                ],
            )]),
        };
        Self {
            dns: Dns {
                read_at: "2026-03-01T09:00:00Z".into(),
                kubelets: NODES
                    .map(|node| (node.to_owned(), Observed::Seen(kubelet())))
                    .into(),
                kubelets_left_out: 0,
                services: Observed::Seen(vec![service()]),
                slices: Observed::Seen(vec![slice()]),
                controllers: Observed::Seen(vec![controller]),
                pods: Observed::Seen(vec![pod(1), pod(2)]),
                corefiles: Observed::Seen(vec![corefile]),
                rights: Observed::Seen(vec![rights]),
                autoscalers: Observed::Seen(Vec::new()),
                budgets: Observed::Seen(Vec::new()),
                askers: Observed::Seen(Vec::new()),
                pod: None,
                events: Observed::Seen(Vec::new()),
            },
            nodes: 3,
        }
    }

    pub(crate) fn observe(&self) -> Observation {
        let mut observation = Scene::healthy(self.nodes).observation();
        observation.node_evidence = BTreeMap::new();
        observation.node_reading = None;
        observation.dns = Some(Box::new(self.dns.clone()));
        observation
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Dns)) -> Self {
        change(&mut self.dns);
        self
    }

    pub(crate) fn nodes(mut self, count: u8) -> Self {
        self.nodes = count;
        self
    }

    /// Changes a part of the Corefile, which has to be in it.
    pub(crate) fn corefile(self, from: &str, to: &str) -> Self {
        self.with(|dns| {
            let corefile = &mut list(&mut dns.corefiles)[0];
            let text = corefile.text.seen().expect("a text");
            assert!(text.contains(from), "{from:?} is not in {text}");
            let text = text.replace(from, to);
            corefile.files.insert(PATH.to_owned(), text.clone());
            corefile.text = Observed::Seen(text);
        })
    }

    pub(crate) fn corefile_unseen(self) -> Self {
        self.with(|dns| list(&mut dns.corefiles)[0].text = unseen())
    }

    pub(crate) fn corefile_incomplete(self) -> Self {
        self.with(|dns| list(&mut dns.corefiles)[0].is_complete = false)
    }

    pub(crate) fn image(self, image: &str) -> Self {
        self.with(|dns| image.clone_into(&mut list(&mut dns.controllers)[0].container.image))
    }

    pub(crate) fn pods_unseen(self) -> Self {
        self.with(|dns| dns.pods = unseen())
    }
}
