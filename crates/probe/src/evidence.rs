//! What a node shows of its own network, through a probe pod in its network namespace.

mod netlink;
mod pods;
mod proc;
mod rules;

use std::collections::BTreeMap;

use jiff::Timestamp;
use netprobe::{FileText, NetlinkTable, Read, ReadAnswer, ReadOutcome, ReadPlan, WIRE_VERSION};
use observation::NodeReads;
use report::{Gap, GapReason, Observed};

use crate::options::{HOST_ROOT, Tier};
use crate::run::ProbeRun;

/// How long one node may take for all of it.
const DEADLINE_MS: u64 = 8_000;
const MOST_OF_A_FILE: u32 = 256 * 1024;
const MOST_OF_RULES: u32 = 24 * 1024 * 1024;

/// The kernel's settings that matter to a network, below `/proc/sys`.
const SYSCTLS: &[&str] = &[
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
const COUNTERS: &[&str] = &["/proc/net/snmp", "/proc/net/netstat", "/proc/net/snmp6"];
const CONNTRACK: &str = "/proc/net/stat/nf_conntrack";
/// Files of the node whose text matters.
const FILES: &[&str] = &["/etc/resolv.conf", "/etc/cni/net.d/*", "/run/flannel/subnet.env"];
/// Directories of the node of which the names matter.
const DIRECTORIES: &[&str] = &["/etc/cni/net.d", "/opt/cni/bin", "/var/lib/cni/networks/*"];

impl ProbeRun {
    /// Reads one node as far as the pods of this tier may. The node's clock is compared with ours.
    ///
    /// A node without a pod, and an exec that failed, are unseen as a whole; what was not read of a node is unseen in
    /// the part that it belongs to.
    pub async fn read_node(&self, node: &str, tier: Tier) -> Observed<NodeReads> {
        let asked = Timestamp::now();
        let executed = self.read(node, &plan(&self.placement().run, tier)).await;
        let answered = Timestamp::now();
        if executed.reads.is_empty()
            && let Observed::Unseen(gap) = executed.seen
        {
            return Observed::Unseen(gap);
        }
        let answers = Answers {
            node,
            tier,
            by_id: executed.reads.iter().map(|answer| (answer.id, answer)).collect(),
            cut_off: executed.seen.gap().cloned(),
        };
        let middle = asked.as_millisecond() + (answered.as_millisecond() - asked.as_millisecond()) / 2;
        Observed::Seen(reads(&answers, middle))
    }
}

/// The ids of the plan.
mod id {
    pub(super) const LINKS: u32 = 1;
    pub(super) const ADDRESSES: u32 = 2;
    pub(super) const ROUTES: u32 = 3;
    pub(super) const RULES: u32 = 4;
    pub(super) const NEIGHBOURS: u32 = 5;
    pub(super) const FORWARDING: u32 = 6;
    pub(super) const CLOCK: u32 = 7;
    pub(super) const CONNTRACK: u32 = 8;
    pub(super) const SYSCTLS: u32 = 100;
    pub(super) const COUNTERS: u32 = 200;
    pub(super) const SOCKETS: u32 = 300;
    pub(super) const FILES: u32 = 400;
    pub(super) const DIRECTORIES: u32 = 500;
    /// The programs of the node, and behind each those of the image.
    pub(super) const IPTABLES: u32 = 600;
    pub(super) const IPTABLES_LEGACY: u32 = 602;
    pub(super) const IP6TABLES: u32 = 604;
    pub(super) const NFT: u32 = 606;
}

fn plan(run: &str, tier: Tier) -> ReadPlan {
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
    let mut files = |id, pattern| {
        let read = Read::Files {
            pattern,
            most_bytes: MOST_OF_A_FILE,
        };
        reads.insert(id, read);
    };
    files(id::CONNTRACK, CONNTRACK.to_owned());
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

fn host_root(tier: Tier) -> Option<&'static str> {
    (tier == Tier::Privileged).then_some(HOST_ROOT)
}

/// What one agent read.
struct Answers<'a> {
    node: &'a str,
    tier: Tier,
    by_id: BTreeMap<u32, &'a ReadAnswer>,
    /// Why some answers are missing, if they are.
    cut_off: Option<Gap>,
}

impl Answers<'_> {
    fn outcome(&self, id: u32, what: &str) -> Observed<&ReadOutcome> {
        match self.by_id.get(&id) {
            Some(answer) => match &answer.outcome {
                ReadOutcome::Failed { message } => Observed::Unseen(self.gap(what, message)),
                outcome => Observed::Seen(outcome),
            },
            None => Observed::Unseen(match &self.cut_off {
                Some(gap) => gap.clone(),
                None => self.not_allowed(what),
            }),
        }
    }

    fn gap(&self, what: &str, message: &str) -> Gap {
        Gap {
            what: format!("{what} of {}", self.node),
            why: GapReason::Failed,
            message: message.to_owned(),
            hint: None,
        }
    }

    /// Nothing of a lower tier can read it.
    fn not_allowed(&self, what: &str) -> Gap {
        Gap {
            what: format!("{what} of {}", self.node),
            why: GapReason::TierNotAllowed,
            message: "it takes a privileged pod on the node to read them".to_owned(),
            hint: Some("--node-access allows it".to_owned()),
        }
    }

    /// The texts of files, of all the patterns from this id on. A file that could not be read is unseen as such.
    fn texts(&self, first: u32, patterns: usize, what: &str) -> Observed<BTreeMap<String, Observed<String>>> {
        let mut texts = BTreeMap::new();
        for id in (first..).take(patterns) {
            match self.outcome(id, what) {
                Observed::Seen(ReadOutcome::Files { files }) => {
                    texts.extend(
                        files
                            .iter()
                            .map(|(path, text)| (path.clone(), self.text(path, text))),
                    );
                }
                Observed::Seen(_) => return Observed::Unseen(self.gap(what, "another answer than files")),
                Observed::Unseen(gap) => return Observed::Unseen(gap),
            }
        }
        Observed::Seen(texts)
    }

    fn text(&self, path: &str, text: &FileText) -> Observed<String> {
        match text {
            FileText::Text {
                text,
                truncated: false,
            } => Observed::Seen(text.clone()),
            FileText::Text { truncated: true, .. } => Observed::Unseen(Gap {
                why: GapReason::Truncated,
                ..self.gap(path, "it is too long to be read whole")
            }),
            FileText::Failed { message } => Observed::Unseen(self.gap(path, message)),
        }
    }
}

fn reads(answers: &Answers<'_>, our_clock_ms: i64) -> NodeReads {
    let root = host_root(answers.tier).unwrap_or_default();
    let own = |path: &str| path.strip_prefix(root).unwrap_or(path).to_owned();
    let names = netlink::Names::read(answers);
    let files = answers.texts(id::FILES, if root.is_empty() { 1 } else { FILES.len() }, "files");
    NodeReads {
        links: netlink::links(answers),
        routes: netlink::routes(answers, &names),
        rules: netlink::rules(answers),
        neighbours: netlink::neighbours(answers, &names),
        forwarding: netlink::forwarding(answers, &names),
        sysctls: proc::sysctls(answers),
        counters: proc::counters(answers),
        conntrack: proc::conntrack(answers),
        listeners: proc::listeners(answers),
        iptables: rules::text(answers, id::IPTABLES, "iptables rules"),
        iptables_legacy: rules::text(answers, id::IPTABLES_LEGACY, "legacy iptables rules"),
        ip6tables: rules::text(answers, id::IP6TABLES, "ip6tables rules"),
        nft: rules::text(answers, id::NFT, "nftables rules"),
        files: match files {
            Observed::Seen(files) => files.into_iter().map(|(path, text)| (own(&path), text)).collect(),
            Observed::Unseen(gap) => FILES
                .iter()
                .map(|path| ((*path).to_owned(), Observed::Unseen(gap.clone())))
                .collect(),
        },
        directories: directories(answers, root),
        clock_ahead_ms: clock(answers, our_clock_ms),
    }
}

fn clock(answers: &Answers<'_>, ours: i64) -> Observed<i64> {
    match answers.outcome(id::CLOCK, "clock") {
        Observed::Seen(ReadOutcome::Clock { unix_ms }) => {
            Observed::Seen(i64::try_from(*unix_ms).unwrap_or(i64::MAX).saturating_sub(ours))
        }
        Observed::Seen(_) => Observed::Unseen(answers.gap("clock", "another answer than a time")),
        Observed::Unseen(gap) => Observed::Unseen(gap),
    }
}

/// The names in directories. A directory that is absent or empty has no entry in what was read, and is an empty list
/// where its path was asked for without a pattern.
fn directories(answers: &Answers<'_>, root: &str) -> BTreeMap<String, Observed<Vec<String>>> {
    let mut directories: BTreeMap<String, Observed<Vec<String>>> = BTreeMap::new();
    for (id, pattern) in (id::DIRECTORIES..).zip(DIRECTORIES) {
        match answers.outcome(id, pattern) {
            Observed::Seen(ReadOutcome::Paths { paths }) => {
                if !pattern.contains('*') {
                    directories.insert((*pattern).to_owned(), Observed::Seen(Vec::new()));
                }
                for path in paths {
                    let path = path.strip_prefix(root).unwrap_or(path);
                    let Some((directory, name)) = path.rsplit_once('/') else {
                        continue;
                    };
                    let names = directories
                        .entry(directory.to_owned())
                        .or_insert_with(|| Observed::Seen(Vec::new()));
                    if let Observed::Seen(names) = names {
                        names.push(name.to_owned());
                    }
                }
            }
            Observed::Seen(_) => {
                let gap = answers.gap(pattern, "another answer than paths");
                directories.insert((*pattern).to_owned(), Observed::Unseen(gap));
            }
            Observed::Unseen(gap) => {
                directories.insert((*pattern).to_owned(), Observed::Unseen(gap));
            }
        }
    }
    directories
}

#[cfg(test)]
mod tests;
