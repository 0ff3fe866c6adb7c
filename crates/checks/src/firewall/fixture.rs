//! A cluster of three nodes whose rules are those of real ones, and ways to change them.

use std::collections::BTreeMap;

use observation::{
    Condition, InterfaceAddress, KernelReads, Link, LinkCounters, Node, NodeEvidence, NodeReads, NodeTier,
    Observation, Route, RuleText, ServerVersion, Vxlan,
};
use report::{Gap, GapReason, Observed};

const IPTABLES: &str = include_str!("../../../netmodel/src/rules/fixtures/flannel-iptables.save");
const NFTABLES: &str = include_str!("../../../netmodel/src/rules/fixtures/flannel-nftables.save");
/// Written from kube-proxy's source, because the kernel of the recorded clusters has no IPVS.
const IPVS: &str = include_str!("../../../netmodel/src/rules/fixtures/ipvs.save");
const NFTABLES_NFT: &str = include_str!("../../../netmodel/src/rules/fixtures/flannel-nftables.nft.json");

pub(crate) struct Fixture {
    observation: Observation,
}

fn gap(what: &str) -> Gap {
    Gap {
        what: what.to_owned(),
        why: GapReason::Failed,
        message: format!("{what} could not be listed"),
        hint: None,
    }
}

fn text(command: &str, text: &str) -> Observed<RuleText> {
    Observed::Seen(RuleText {
        command: command.to_owned(),
        text: text.to_owned(),
    })
}

impl Fixture {
    /// Flannel with VXLAN, kube-proxy with iptables, kube-router for policies; node1 and its rules as they were read.
    pub(crate) fn healthy() -> Self {
        Self::of(IPTABLES, r#"{"nftables":[{"metainfo":{}}]}"#, "10.244.0.0")
    }

    /// The same with kube-proxy in nftables mode.
    pub(crate) fn nftables() -> Self {
        Self::of(NFTABLES, NFTABLES_NFT, "10.244.2.0")
    }

    /// kube-proxy in mode ipvs; its virtual servers were not read.
    pub(crate) fn ipvs() -> Self {
        Self::of(IPVS, r#"{"nftables":[{"metainfo":{}}]}"#, "10.244.0.0")
    }

    /// An observation in which no node was to be read.
    pub(crate) fn unasked() -> Observation {
        let mut observation = Self::healthy().observation;
        observation.node_evidence.clear();
        observation.node_reading = None;
        observation
    }

    /// `own` is the range of the node on which the rules were recorded; on the others it is exchanged with theirs.
    fn of(save: &str, nft: &str, own: &str) -> Self {
        let nodes: Vec<Node> = (0..3).map(node).collect();
        let server = ServerVersion {
            git_version: "v1.34.4".into(),
            platform: "linux/amd64".into(),
        };
        let mut observation = Observation::new(
            "test",
            "2026-01-01T00:00:00Z",
            Observed::Seen(server),
            Observed::Seen(nodes),
        );
        for index in 0..3 {
            // The range of the node itself and that of the cluster, which begins alike, have different lengths.
            let (recorded, mine) = (format!("{own}/24"), format!("10.244.{index}.0/24"));
            let save = save
                .replace(&recorded, "MINE")
                .replace(&mine, &recorded)
                .replace("MINE", &mine);
            observation.node_evidence.insert(
                format!("node{}", index + 1),
                Observed::Seen(evidence(index, &save, nft)),
            );
        }
        observation.node_reading = Some(Observed::Seen(()));
        Self { observation }
    }

    fn reads(&mut self, node: &str) -> &mut NodeReads {
        match self.observation.node_evidence.get_mut(node) {
            Some(Observed::Seen(evidence)) => &mut evidence.before,
            _ => panic!("{node} was not read"),
        }
    }

    fn change(mut self, node: &str, change: impl FnOnce(&str) -> String) -> Self {
        let Observed::Seen(text) = &mut self.reads(node).iptables else {
            panic!("{node} has no iptables")
        };
        let changed = change(&text.text);
        assert_ne!(changed, text.text, "the change changes something");
        text.text = changed;
        self
    }

    /// Puts a rule before the others of its chain.
    pub(crate) fn rule(self, node: &str, table: &str, rule: &str) -> Self {
        let chain = rule.split(' ').nth(1).expect("-A CHAIN");
        self.change(node, |text| {
            let Some((before, after)) = text.split_once(&format!("*{table}\n")) else {
                return format!(
                    "{text}*{table}\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n{rule}\nCOMMIT\n"
                );
            };
            let end = after.find("COMMIT").expect("the end of the table");
            let first = after[..end].find(&format!("-A {chain} ")).unwrap_or(end);
            let at = after[..first].rfind('\n').map_or(0, |at| at + 1);
            format!("{before}*{table}\n{}{rule}\n{}", &after[..at], &after[at..])
        })
    }

    /// Sets the policy of a chain of the table filter.
    pub(crate) fn policy(self, node: &str, chain: &str, policy: &str) -> Self {
        self.change(node, |text| {
            let (before, after) = text.split_once("*filter\n").expect("the table");
            format!(
                "{before}*filter\n{}",
                after.replacen(&format!(":{chain} ACCEPT"), &format!(":{chain} {policy}"), 1)
            )
        })
    }

    /// Takes all that kube-proxy wrote away from every node.
    pub(crate) fn without_services(self) -> Self {
        let own = |text: &str| {
            let lines = text.split_inclusive('\n');
            lines.filter(|line| !line.contains("KUBE-")).collect::<String>()
        };
        ["node1", "node2", "node3"]
            .iter()
            .fold(self, |all, node| all.change(node, own))
    }

    /// Puts one text for another, wherever it stands.
    pub(crate) fn exchange(self, node: &str, old: &str, new: &str) -> Self {
        self.change(node, |text| text.replace(old, new))
    }

    /// Takes away all rules in which this stands.
    pub(crate) fn without(self, node: &str, part: &str) -> Self {
        self.change(node, |text| {
            let kept = text.lines().filter(|line| !line.contains(part));
            kept.flat_map(|line| [line, "\n"]).collect()
        })
    }

    /// Gives a node these lines in the table filter of the legacy back end.
    pub(crate) fn legacy(self, node: &str, lines: &str) -> Self {
        self.legacy_table(node, "filter", lines)
    }

    /// Gives a node these lines in a table of the legacy back end.
    pub(crate) fn legacy_table(mut self, node: &str, table: &str, lines: &str) -> Self {
        let saved = format!("# Generated by iptables-save v1.8.9 (legacy)\n*{table}\n{lines}\nCOMMIT\n");
        self.reads(node).iptables_legacy = text("iptables-legacy-save -c", &saved);
        self
    }

    /// Takes away the objects of nft in which this stands.
    pub(crate) fn without_nft(mut self, node: &str, part: &str) -> Self {
        let Observed::Seen(text) = &mut self.reads(node).nft else {
            panic!("{node} has no nft")
        };
        let mut document: serde_json::Value = serde_json::from_str(&text.text).expect("JSON");
        let objects = document["nftables"].as_array_mut().expect("a list");
        let before = objects.len();
        objects.retain(|object| !object.to_string().contains(part));
        assert_ne!(objects.len(), before, "the change changes something");
        text.text = document.to_string();
        self
    }

    /// Gives a node these objects of nft beside its own.
    pub(crate) fn nft(mut self, node: &str, objects: &str) -> Self {
        let Observed::Seen(text) = &mut self.reads(node).nft else {
            panic!("{node} has no nft")
        };
        let end = text.text.rfind(']').expect("the end of the list");
        text.text.insert_str(end, &format!(",{objects}"));
        self
    }

    /// A node that could not be read at all.
    pub(crate) fn unread(mut self, node: &str) -> Self {
        let unseen = Observed::Unseen(gap(node));
        self.observation.node_evidence.insert(node.to_owned(), unseen);
        self
    }

    /// A node whose legacy rules could not be listed.
    pub(crate) fn unread_legacy(mut self, node: &str) -> Self {
        self.reads(node).iptables_legacy = Observed::Unseen(gap("legacy iptables rules"));
        self
    }

    /// Changes the links of a node.
    pub(crate) fn links(mut self, node: &str, change: impl FnOnce(&mut Vec<Link>)) -> Self {
        if let Observed::Seen(links) = &mut self.reads(node).links {
            change(links);
        }
        self
    }

    /// A node whose links could not be read.
    pub(crate) fn unread_links(mut self, node: &str) -> Self {
        self.reads(node).links = Observed::Unseen(gap("links"));
        self
    }

    pub(crate) fn observe(self) -> Observation {
        self.observation
    }
}

fn node(index: u8) -> Node {
    Node {
        name: format!("node{}", index + 1),
        ready: Some(Condition {
            status: "True".into(),
            reason: "KubeletReady".into(),
            message: "ready".into(),
            since: None,
        }),
        taints: Vec::new(),
        architecture: "amd64".into(),
        operating_system: "linux".into(),
        kubelet_version: "v1.34.4".into(),
        container_runtime_version: "containerd://2.0.0".into(),
        kernel_version: "6.1.0".into(),
        internal_ips: vec![[172, 30, 0, 11 + index].into()],
        external_ips: Vec::new(),
        pod_cidrs: vec![format!("10.244.{index}.0/24")],
        zone: None,
        annotations: std::collections::BTreeMap::new(),
    }
}

fn link(name: &str, kind: Option<&str>, mtu: u32, address: [u8; 4], prefix: u8) -> Link {
    Link {
        name: name.to_owned(),
        index: 1,
        kind: kind.map(str::to_owned),
        up: true,
        carrier: true,
        operstate: "up".into(),
        mtu,
        mac: None,
        master: None,
        lower: None,
        addresses: vec![InterfaceAddress {
            address: address.into(),
            prefix,
        }],
        vxlan: None,
        hairpin: None,
        counters: LinkCounters::default(),
    }
}

fn route(destination: &str, device: &str) -> Route {
    Route {
        table: 254,
        destination: destination.to_owned(),
        kind: "unicast".into(),
        gateway: None,
        device: Some(device.to_owned()),
        source: None,
        metric: 0,
        protocol: "boot".into(),
        on_link: false,
    }
}

fn evidence(index: u8, save: &str, nft: &str) -> NodeEvidence {
    let mut tunnel = link("flannel.1", Some("vxlan"), 1450, [10, 244, index, 0], 32);
    tunnel.vxlan = Some(Vxlan {
        vni: 1,
        port: 8472,
        local: Some([172, 30, 0, 11 + index].into()),
        device: Some("eth0".into()),
        learning: false,
    });
    let links = vec![
        link("eth0", None, 1500, [172, 30, 0, 11 + index], 24),
        link("cni0", Some("bridge"), 1450, [10, 244, index, 1], 24),
        tunnel,
    ];
    let mut routes = vec![route("0.0.0.0/0", "eth0")];
    for other in 0..3 {
        let device = if other == index { "cni0" } else { "flannel.1" };
        routes.push(route(&format!("10.244.{other}.0/24"), device));
    }
    let empty = |command: &str| text(command, "");
    NodeEvidence {
        tier: NodeTier::Privileged,
        before: NodeReads {
            links: Observed::Seen(links),
            routes: Observed::Seen(routes),
            rules: Observed::Seen(Vec::new()),
            neighbours: Observed::Seen(Vec::new()),
            forwarding: Observed::Seen(Vec::new()),
            sysctls: Observed::Seen(BTreeMap::new()),
            counters: Observed::Seen(BTreeMap::new()),
            conntrack: Observed::Unseen(gap("conntrack")),
            listeners: Observed::Seen(Vec::new()),
            iptables: text("iptables-nft-save -c", save),
            iptables_legacy: empty("iptables-legacy-save -c"),
            ip6tables: empty("ip6tables-nft-save -c"),
            ip6tables_legacy: empty("ip6tables-legacy-save -c"),
            nft: text("nft -j list ruleset", nft),
            files: BTreeMap::new(),
            directories: BTreeMap::new(),
            kernel: KernelReads::default(),
            clock_ahead_ms: Observed::Unseen(gap("the clock")),
        },
        after: None,
        pods: None,
    }
}
