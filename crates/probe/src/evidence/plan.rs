//! What is asked of the agent on a node.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use netprobe::{NetlinkTable, Read, ReadPlan, WIRE_VERSION};
use observation::Question;

use crate::options::{HOST_ROOT, Tier};

/// How long one node may take for all of it.
pub(super) const DEADLINE_MS: u64 = 8_000;
pub(super) const MOST_OF_A_FILE: u32 = 256 * 1024;
/// As many as a table has by default on a large node, twice.
pub(super) const MOST_CONNECTIONS: u64 = 1_000_000;
/// Of those that are asked for a line.
const MOST_OF_AN_ANSWER: u32 = 4 * 1024;
const MOST_OF_RULES: u32 = 24 * 1024 * 1024;

/// The kernel's settings that matter to a network, below `/proc/sys`.
pub(super) const SYSCTLS: &[&str] = &[
    "net/ipv4/ip_forward",
    "net/ipv4/conf/*/forwarding",
    "net/ipv4/conf/*/rp_filter",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/ip_no_pmtu_disc",
    "net/ipv4/icmp_ratelimit",
    "net/ipv4/neigh/default/gc_thresh*",
    "net/ipv6/conf/*/forwarding",
    "net/ipv6/conf/all/disable_ipv6",
    "net/bridge/bridge-nf-call-*",
    "net/netfilter/nf_conntrack_*",
];
pub(super) const COUNTERS: &[&str] = &["/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6"];
pub(super) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Files of the node whose text matters.
pub(super) const FILES: &[&str] = &[RESOLV_CONF, "/etc/cni/net.d/*", "/run/flannel/subnet.env"];
/// Directories of the node of which the names matter.
pub(super) const DIRECTORIES: &[&str] = &["/etc/cni/net.d", "/opt/cni/bin", "/var/lib/cni/networks/*"];

const RELEASE: &str = "/proc/sys/kernel/osrelease";
const MODULES: &str = "/proc/modules";
const SPEEDS: &str = "/sys/class/net/*/speed";
const IPVS: &str = "/proc/net/ip_vs";

/// The ids of the plan.
pub(super) mod id {
    pub(in crate::evidence) const LINKS: u32 = 1;
    pub(in crate::evidence) const ADDRESSES: u32 = 2;
    pub(in crate::evidence) const ROUTES: u32 = 3;
    pub(in crate::evidence) const RULES: u32 = 4;
    pub(in crate::evidence) const NEIGHBOURS: u32 = 5;
    pub(in crate::evidence) const FORWARDING: u32 = 6;
    pub(in crate::evidence) const CLOCK: u32 = 7;
    pub(in crate::evidence) const TRACKING: u32 = 8;
    pub(in crate::evidence) const SEND_CHECKSUMS: u32 = 9;
    pub(in crate::evidence) const RELEASE: u32 = 10;
    pub(in crate::evidence) const MODULES: u32 = 11;
    pub(in crate::evidence) const SPEEDS: u32 = 12;
    pub(in crate::evidence) const IPVS: u32 = 13;
    pub(in crate::evidence) const CONNECTIONS: u32 = 14;
    pub(in crate::evidence) const SYSCTLS: u32 = 100;
    pub(in crate::evidence) const COUNTERS: u32 = 200;
    pub(in crate::evidence) const SOCKETS: u32 = 300;
    pub(in crate::evidence) const FILES: u32 = 400;
    pub(in crate::evidence) const DIRECTORIES: u32 = 500;
    /// The programs of the node, and behind each those of the image.
    pub(in crate::evidence) const IPTABLES: u32 = 600;
    pub(in crate::evidence) const IPTABLES_LEGACY: u32 = 602;
    pub(in crate::evidence) const IP6TABLES: u32 = 604;
    pub(in crate::evidence) const NFT: u32 = 606;
    pub(in crate::evidence) const IP6TABLES_LEGACY: u32 = 608;
    /// Those who answer late or never come last.
    pub(in crate::evidence) const QUESTIONS: u32 = 700;
}

/// The resolv.conf of the probe pod itself.
pub(super) fn resolv_conf(run: &str) -> ReadPlan {
    let read = Read::Files {
        pattern: RESOLV_CONF.to_owned(),
        most_bytes: MOST_OF_A_FILE,
    };
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads: BTreeMap::from([(id::FILES, read)]),
    }
}

/// All that a pod of this tier may read.
pub(super) fn whole(run: &str, tier: Tier) -> ReadPlan {
    let mut reads = BTreeMap::new();
    for (id, table) in [
        (id::LINKS, NetlinkTable::Links),
        (id::ADDRESSES, NetlinkTable::Addresses),
        (id::ROUTES, NetlinkTable::Routes),
        (id::RULES, NetlinkTable::Rules),
        (id::NEIGHBOURS, NetlinkTable::Neighbours),
        (id::FORWARDING, NetlinkTable::Forwarding),
    ] {
        reads.insert(id, Read::Netlink { table });
    }
    reads.insert(id::CLOCK, Read::Clock);
    reads.insert(id::SOCKETS, Read::Listening);
    reads.insert(id::TRACKING, Read::Tracking);
    reads.insert(id::SEND_CHECKSUMS, Read::SendChecksums);
    reads.extend(questions());
    let mut files = |id, pattern| {
        let read = Read::Files {
            pattern,
            most_bytes: MOST_OF_A_FILE,
        };
        reads.insert(id, read);
    };
    for (id, path) in [
        (id::RELEASE, RELEASE),
        (id::MODULES, MODULES),
        (id::SPEEDS, SPEEDS),
        (id::IPVS, IPVS),
    ] {
        files(id, path.to_owned());
    }
    for (id, path) in (id::SYSCTLS..).zip(SYSCTLS) {
        files(id, format!("/proc/sys/{path}"));
    }
    for (id, path) in (id::COUNTERS..).zip(COUNTERS) {
        files(id, (*path).to_owned());
    }
    let root = host_root(tier);
    // Without the node's files a pod still has the node's resolv.conf: its DNS policy says so.
    let wanted = if root.is_some() { FILES } else { &FILES[..1] };
    for (id, path) in (id::FILES..).zip(wanted) {
        files(id, format!("{}{path}", root.unwrap_or_default()));
    }
    if let Some(root) = root {
        reads.insert(id::CONNECTIONS, counted());
        for (id, path) in (id::DIRECTORIES..).zip(DIRECTORIES) {
            let pattern = format!("{root}{path}/*");
            reads.insert(id, Read::Paths { pattern });
        }
        for (id, programs) in [
            (
                id::IPTABLES,
                &[&["iptables-nft-save", "-c"][..], &["iptables-save", "-c"]][..],
            ),
            (id::IPTABLES_LEGACY, &[&["iptables-legacy-save", "-c"]]),
            (
                id::IP6TABLES,
                &[&["ip6tables-nft-save", "-c"], &["ip6tables-save", "-c"]],
            ),
            (id::IP6TABLES_LEGACY, &[&["ip6tables-legacy-save", "-c"]]),
            (id::NFT, &[&["nft", "-j", "list", "ruleset"]]),
        ] {
            let either: Vec<Vec<String>> = programs
                .iter()
                .map(|words| words.iter().map(|&word| word.to_owned()).collect())
                .collect();
            for (offset, root) in [(0, Some(root.to_owned())), (1, None)] {
                let read = Read::Command {
                    either: either.clone(),
                    root,
                    most_bytes: MOST_OF_RULES,
                };
                reads.insert(id + offset, read);
            }
        }
    }
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads,
    }
}

pub(super) fn host_root(tier: Tier) -> Option<&'static str> {
    (tier == Tier::Privileged).then_some(HOST_ROOT)
}

/// Tracked connections, counted only.
fn counted() -> Read {
    Read::Connections {
        most: MOST_CONNECTIONS,
        words: Vec::new(),
    }
}

fn questions() -> impl Iterator<Item = (u32, Read)> {
    let read = |question: Question| Read::Http {
        address: SocketAddr::from(([127, 0, 0, 1], question.port())),
        path: question.path().to_owned(),
        most_bytes: MOST_OF_AN_ANSWER,
    };
    (id::QUESTIONS..).zip(Question::ALL.map(read))
}

/// Of all that a privileged pod may read, the packet rules.
pub(super) fn rules(run: &str) -> ReadPlan {
    let mut plan = whole(run, Tier::Privileged);
    plan.reads
        .retain(|id, _| (id::IPTABLES..id::QUESTIONS).contains(id));
    plan
}

/// What of it has room in the status of a pod, and tells most of a node that answers nothing else.
pub(super) fn brief(run: &str, tier: Tier) -> ReadPlan {
    let mut reads: BTreeMap<u32, Read> = questions().collect();
    reads.insert(id::TRACKING, Read::Tracking);
    if host_root(tier).is_some() {
        reads.insert(id::CONNECTIONS, counted());
    }
    ReadPlan {
        version: WIRE_VERSION,
        run: run.to_owned(),
        deadline_ms: DEADLINE_MS,
        reads,
    }
}
