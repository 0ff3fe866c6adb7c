//! Nodes of a made-up cluster with VXLAN and bridges, as a healthy one shows them, and ways to break them.

mod changes;
mod dual_stack;

use std::collections::BTreeMap;
use std::net::IpAddr;

use observation::{
    Connections, Conntrack, ForwardingEntry, InterfaceAddress, KernelReads, Link, LinkCounters, Neighbour,
    Node, NodeEvidence, NodeReads, NodeTier, Observation, PolicyRule, Route, RuleText, ServerVersion, Vxlan,
};
use report::{Gap, GapReason, Observed};

pub(crate) use changes::*;

/// The cluster.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    nodes: Vec<Node>,
    evidence: BTreeMap<String, Observed<NodeEvidence>>,
}

impl Scene {
    /// So many nodes, named `node1` and so on, read without their files.
    pub(crate) fn healthy(count: u8) -> Self {
        Self::of(count, NodeTier::HostNetwork)
    }

    /// The same, read with all rights.
    pub(crate) fn privileged(count: u8) -> Self {
        Self::of(count, NodeTier::Privileged)
    }

    fn of(count: u8, tier: NodeTier) -> Self {
        let evidence = (1..=count).map(|node| {
            let reads = reads(node, count, tier);
            let evidence = NodeEvidence {
                tier,
                before: reads.clone(),
                after: Some(reads),
                pods: None,
            };
            (format!("node{node}"), Observed::Seen(evidence))
        });
        Self {
            nodes: (1..=count).map(node).collect(),
            evidence: evidence.collect(),
        }
    }

    /// Changes what a node showed, before the probes and after.
    #[must_use]
    pub(crate) fn change(mut self, node: &str, change: impl Fn(&mut NodeReads)) -> Self {
        if let Some(Observed::Seen(evidence)) = self.evidence.get_mut(node) {
            change(&mut evidence.before);
            evidence.after.iter_mut().for_each(change);
        }
        self
    }

    /// Changes what a node showed after the probes only.
    #[must_use]
    pub(crate) fn change_after(mut self, node: &str, change: impl Fn(&mut NodeReads)) -> Self {
        if let Some(Observed::Seen(evidence)) = self.evidence.get_mut(node) {
            evidence.after.iter_mut().for_each(change);
        }
        self
    }

    /// A node that was not read again after the probes.
    #[must_use]
    pub(crate) fn read_once(mut self, node: &str) -> Self {
        if let Some(Observed::Seen(evidence)) = self.evidence.get_mut(node) {
            evidence.after = None;
        }
        self
    }

    /// Changes the object of a node.
    #[must_use]
    pub(crate) fn change_object(mut self, name: &str, change: impl Fn(&mut Node)) -> Self {
        self.nodes
            .iter_mut()
            .filter(|node| node.name == name)
            .for_each(change);
        self
    }

    /// A node that could not be read.
    #[must_use]
    pub(crate) fn unread(mut self, node: &str) -> Self {
        let gap = Gap {
            what: format!("answers from {node}"),
            why: GapReason::Failed,
            message: "it did not answer".to_owned(),
            hint: None,
        };
        self.evidence.insert(node.to_owned(), Observed::Unseen(gap));
        self
    }

    pub(crate) fn observation(&self) -> Observation {
        let server = ServerVersion {
            git_version: "v1.34.4".to_owned(),
            platform: "linux/amd64".to_owned(),
        };
        let mut observation = Observation::new(
            "test",
            "2026-03-01T09:00:00Z",
            Observed::Seen(server),
            Observed::Seen(self.nodes.clone()),
        );
        observation.node_reading = Some(Observed::Seen(()));
        observation.node_evidence.clone_from(&self.evidence);
        observation
    }
}

fn node(number: u8) -> Node {
    let annotations = [
        ("public-ip", format!("172.30.0.1{number}")),
        (
            "backend-data",
            format!(r#"{{"VNI":1,"VtepMAC":"02:00:00:00:00:0{number}"}}"#),
        ),
    ];
    Node {
        name: format!("node{number}"),
        ready: None,
        taints: Vec::new(),
        architecture: "amd64".to_owned(),
        operating_system: "linux".to_owned(),
        kubelet_version: "v1.34.4".to_owned(),
        container_runtime_version: "containerd://1.7".to_owned(),
        kernel_version: "6.1".to_owned(),
        internal_ips: vec![IpAddr::from([172, 30, 0, 10 + number])],
        external_ips: Vec::new(),
        pod_cidrs: vec![format!("10.244.{number}.0/24")],
        zone: None,
        annotations: annotations
            .into_iter()
            .map(|(name, value)| (format!("flannel.alpha.coreos.com/{name}"), value))
            .collect(),
    }
}

fn device(name: &str, index: u32, kind: Option<&str>, mtu: u32, addresses: &[(&str, u8)]) -> Link {
    Link {
        name: name.to_owned(),
        index,
        kind: kind.map(str::to_owned),
        up: true,
        carrier: true,
        operstate: "up".to_owned(),
        mtu,
        mac: Some(format!("0a:00:00:00:00:{index:02x}")),
        master: None,
        lower: None,
        addresses: addresses
            .iter()
            .map(|(address, prefix)| InterfaceAddress {
                address: address.parse().unwrap(),
                prefix: *prefix,
            })
            .collect(),
        vxlan: None,
        hairpin: None,
        counters: LinkCounters {
            rx_missed: Some(0),
            rx_bytes: Some(0),
            tx_bytes: Some(0),
            ..LinkCounters::default()
        },
    }
}

fn route(destination: &str, gateway: Option<&str>, device: &str) -> Route {
    Route {
        table: 254,
        destination: destination.to_owned(),
        kind: "unicast".to_owned(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        device: Some(device.to_owned()),
        source: None,
        metric: 0,
        protocol: "boot".to_owned(),
        on_link: device == "flannel.1",
    }
}

fn reads(number: u8, count: u8, tier: NodeTier) -> NodeReads {
    let mut tunnel = device(
        "flannel.1",
        3,
        Some("vxlan"),
        1450,
        &[(&format!("10.244.{number}.0"), 32)],
    );
    tunnel.operstate = "unknown".to_owned();
    tunnel.mac = Some(format!("02:00:00:00:00:0{number}"));
    tunnel.vxlan = Some(Vxlan {
        vni: 1,
        port: 8472,
        local: Some(IpAddr::from([172, 30, 0, 10 + number])),
        device: Some("eth0".to_owned()),
        learning: false,
    });
    let mut pod = device("veth0", 5, Some("veth"), 1450, &[]);
    pod.master = Some("cni0".to_owned());
    pod.hairpin = Some(true);
    let own = format!("10.244.{number}.0/24");
    let mut routes = vec![
        route("0.0.0.0/0", Some("172.30.0.1"), "eth0"),
        route("172.30.0.0/24", None, "eth0"),
        route(&own, None, "cni0"),
    ];
    let peers = (1..=count).filter(|peer| *peer != number);
    let mut neighbours = Vec::new();
    let mut forwarding = Vec::new();
    for peer in peers {
        let gateway = format!("10.244.{peer}.0");
        routes.push(route(&format!("{gateway}/24"), Some(&gateway), "flannel.1"));
        neighbours.push(Neighbour {
            address: gateway.parse().unwrap(),
            device: "flannel.1".to_owned(),
            mac: Some(format!("02:00:00:00:00:0{peer}")),
            state: "permanent".to_owned(),
        });
        forwarding.push(ForwardingEntry {
            mac: format!("02:00:00:00:00:0{peer}"),
            device: "flannel.1".to_owned(),
            destination: Some(IpAddr::from([172, 30, 0, 10 + peer])),
            state: "permanent".to_owned(),
        });
    }
    let sysctls = [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.flannel/1.rp_filter", "0"),
        ("net.ipv4.conf.flannel/1.forwarding", "1"),
        ("net.ipv4.conf.cni0.forwarding", "1"),
        ("net.ipv4.conf.eth0.forwarding", "1"),
        ("net.bridge.bridge-nf-call-iptables", "1"),
    ];
    let all = tier == NodeTier::Privileged;
    let rules = |command: &str, text: &str| {
        if all {
            Observed::Seen(RuleText {
                command: command.to_owned(),
                text: text.to_owned(),
            })
        } else {
            Observed::Unseen(not_allowed("rules"))
        }
    };
    let directories = [
        ("/etc/cni/net.d", &["10-flannel.conflist"][..]),
        ("/opt/cni/bin", &["bridge", "flannel", "host-local", "portmap"]),
        ("/var/lib/cni/networks/cbr0", &["10.244.1.2", "lock"]),
    ];
    NodeReads {
        links: Observed::Seen(vec![
            device("lo", 1, None, 65536, &[("127.0.0.1", 8)]),
            device("eth0", 2, None, 1500, &[(&format!("172.30.0.1{number}"), 24)]),
            tunnel,
            device(
                "cni0",
                4,
                Some("bridge"),
                1450,
                &[(&format!("10.244.{number}.1"), 24)],
            ),
            pod,
        ]),
        routes: Observed::Seen(routes),
        rules: Observed::Seen(vec![PolicyRule {
            priority: 32766,
            selector: "from all".to_owned(),
            action: "lookup 254".to_owned(),
            ipv6: false,
        }]),
        neighbours: Observed::Seen(neighbours),
        forwarding: Observed::Seen(forwarding),
        sysctls: Observed::Seen(
            sysctls
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ),
        counters: Observed::Seen(zeros(&[
            "TcpExtIPReversePathFilter",
            "UdpInCsumErrors",
            "TcpOutRsts",
        ])),
        conntrack: Observed::Seen(Conntrack {
            count: 100,
            max: 10_000,
            buckets: Some(10_000),
            counters: zeros(&[
                "drop",
                "early_drop",
                "insert_failed",
                "invalid",
                "search_restart",
                "chainlength",
                "clashres",
            ]),
        }),
        listeners: Observed::Seen(Vec::new()),
        iptables: rules("iptables-save -c", ""),
        iptables_legacy: rules("iptables-legacy-save -c", ""),
        ip6tables: rules("ip6tables-save -c", ""),
        ip6tables_legacy: rules("ip6tables-legacy-save -c", ""),
        nft: rules("nft -j list ruleset", r#"{"nftables": []}"#),
        files: if all {
            let text = r#"{"name":"cbr0","plugins":[{"type":"flannel","delegate":{"hairpinMode":true}},{"type":"portmap"}]}"#;
            BTreeMap::from([(
                "/etc/cni/net.d/10-flannel.conflist".to_owned(),
                Observed::Seen(text.to_owned()),
            )])
        } else {
            BTreeMap::new()
        },
        directories: directories
            .into_iter()
            .map(|(path, names)| {
                let names = if all {
                    Observed::Seen(names.iter().map(|&name| name.to_owned()).collect())
                } else {
                    Observed::Unseen(not_allowed(path))
                };
                (path.to_owned(), names)
            })
            .collect(),
        kernel: kernel(all),
        clock_ahead_ms: Observed::Seen(3),
    }
}

fn zeros(names: &[&str]) -> BTreeMap<String, u64> {
    names.iter().map(|&name| (name.to_owned(), 0)).collect()
}

fn kernel(all: bool) -> KernelReads {
    KernelReads {
        release: Observed::Seen("6.1.0-18-amd64".to_owned()),
        modules: Observed::Seen(None),
        connections: if all {
            Observed::Seen(Connections {
                by_state: BTreeMap::from([("tcp ESTABLISHED".to_owned(), 60), ("udp".to_owned(), 40)]),
                more: false,
            })
        } else {
            Observed::Unseen(not_allowed("tracked connections"))
        },
        send_checksums: Observed::Seen(
            ["eth0", "flannel.1", "cni0"]
                .map(|device| (device.to_owned(), true))
                .into(),
        ),
        speeds: Observed::Seen(BTreeMap::from([("eth0".to_owned(), 10_000)])),
        ipvs: Observed::Seen(None),
        answers: BTreeMap::new(),
    }
}

fn not_allowed(what: &str) -> Gap {
    Gap {
        what: what.to_owned(),
        why: GapReason::TierNotAllowed,
        message: "it takes a privileged pod on the node to read them".to_owned(),
        hint: Some("--node-access allows it".to_owned()),
    }
}
