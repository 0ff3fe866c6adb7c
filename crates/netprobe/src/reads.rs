//! What an agent is asked to read of the node whose network namespace it shares, and what it found.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// So many tracked connections are listed at most. A line has 200 bytes.
pub const MOST_LISTED: usize = 20_000;

/// What one agent is to read, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadPlan {
    /// Always [`crate::WIRE_VERSION`].
    pub version: u32,
    /// The run that the agent belongs to.
    pub run: String,
    /// When the agent stops, in milliseconds from the start. What was not read by then is absent from the answers.
    pub deadline_ms: u64,
    /// By ids of the planner's choice.
    pub reads: BTreeMap<u32, Read>,
}

/// One thing to read. Nothing that can be asked for changes anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Read {
    /// The texts of all files whose path matches. A component of the pattern that is `*` matches every name but hidden
    /// ones, and one that ends or begins with it matches by the rest.
    #[serde(rename_all = "camelCase")]
    Files {
        /// As `/proc/sys/net/ipv4/conf/*/rp_filter`.
        pattern: String,
        /// The most of one file, in bytes.
        most_bytes: u32,
    },
    /// The paths that match, as in [`Read::Files`], of files and of directories.
    #[serde(rename_all = "camelCase")]
    Paths {
        /// As `/opt/cni/bin/*`.
        pattern: String,
    },
    /// What a program prints. The first of several that exists is run.
    #[serde(rename_all = "camelCase")]
    Command {
        /// Programs with their arguments, in the order of preference.
        either: Vec<Vec<String>>,
        /// The directory that becomes the program's root, where the node's own programs are wanted.
        root: Option<String>,
        /// The most of its output, in bytes.
        most_bytes: u32,
    },
    /// A dump of the kernel's tables: whole netlink messages, one behind the other.
    #[serde(rename_all = "camelCase")]
    Netlink {
        /// Which table.
        table: NetlinkTable,
    },
    /// The sockets that listen in this network namespace, as [`ReadOutcome::Files`]: the lines of `/proc/net/tcp`, `tcp6`,
    /// `udp` and `udp6` that are about them, each with the line of titles above. A table that the kernel lacks is absent.
    Listening,
    /// The same reads in the network namespace of each pod of the node. It takes a process that sees those of the node
    /// and may enter their namespaces; this one comes back unchanged.
    #[serde(rename_all = "camelCase")]
    PodNetworks {
        /// What is read in each, by ids of the planner's choice.
        reads: BTreeMap<u32, Read>,
        /// The most pods.
        most: u32,
    },
    /// The clock.
    Clock,
    /// How many tracked connections there are of each protocol and state. It takes a process with rights over the
    /// network namespace to see them.
    #[serde(rename_all = "camelCase")]
    Connections {
        /// After so many the count ends. The kernel lists them by their hash, so that the first ones are a fair sample.
        most: u64,
        /// Entries whose line in `/proc/net/nf_conntrack` has one of these are listed as well. None for none.
        words: Vec<String>,
    },
    /// How full the table of tracked connections is, and its counters. Needs no rights.
    Tracking,
    /// What a web server says, asked once without TLS.
    #[serde(rename_all = "camelCase")]
    Http {
        /// Where it listens.
        address: SocketAddr,
        /// As `/healthz`.
        path: String,
        /// The most of the answer, its head included, in bytes.
        most_bytes: u32,
    },
    /// Of each device whether it fills in the checksums of what is sent (`ethtool -k`: tx-checksumming).
    SendChecksums,
}

/// A table of the kernel. Rights to read it are not needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NetlinkTable {
    /// `RTM_GETLINK`, with the details of bridge ports.
    Links,
    /// `RTM_GETADDR`.
    Addresses,
    /// `RTM_GETROUTE`, all tables and families.
    Routes,
    /// `RTM_GETRULE`.
    Rules,
    /// `RTM_GETNEIGH`.
    Neighbours,
    /// `RTM_GETNEIGH` of the family `AF_BRIDGE`: forwarding databases.
    Forwarding,
}

/// What came of one read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadAnswer {
    /// The planner's id.
    pub id: u32,
    /// What was read.
    pub outcome: ReadOutcome,
}

/// What was read, or why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReadOutcome {
    /// Files, by path. Empty when none matches.
    #[serde(rename_all = "camelCase")]
    Files {
        /// Each text, or why it could not be read.
        files: BTreeMap<String, FileText>,
    },
    /// Paths, in order. Empty when none matches.
    #[serde(rename_all = "camelCase")]
    Paths {
        /// Absolute.
        paths: Vec<String>,
    },
    /// A program ended.
    #[serde(rename_all = "camelCase")]
    Exited {
        /// The program and its arguments, as it was run.
        command: Vec<String>,
        /// Its exit status; `None` when a signal ended it.
        code: Option<i32>,
        /// What it printed, as far as it is UTF-8.
        stdout: String,
        /// Whether it printed more.
        truncated: bool,
        /// The beginning of what it complained about.
        stderr: String,
    },
    /// Netlink messages.
    #[serde(rename_all = "camelCase")]
    Netlink {
        /// In base64.
        base64: String,
    },
    /// What was read in network namespaces of pods. Pods that share that of the node are not among them.
    #[serde(rename_all = "camelCase")]
    PodNetworks {
        /// In the order of their uids.
        pods: Vec<PodReads>,
        /// Why some are missing, if they are: one line for people.
        cut_short: Option<String>,
    },
    /// The clock.
    #[serde(rename_all = "camelCase")]
    Clock {
        /// Milliseconds since 1970, UTC.
        unix_ms: u64,
    },
    /// Tracked connections were counted.
    #[serde(rename_all = "camelCase")]
    Connections {
        /// By protocol and, for TCP, state: `tcp TIME_WAIT`, `udp`.
        by_state: BTreeMap<String, u64>,
        /// Whether there are more than were counted.
        more: bool,
        /// The entries that were to be listed, among those counted, as `/proc/net/nf_conntrack` has them. At most
        /// [`MOST_LISTED`].
        lines: Vec<String>,
    },
    /// The table of tracked connections.
    #[serde(rename_all = "camelCase")]
    Tracking {
        /// `net.netfilter.nf_conntrack_count`.
        count: u64,
        /// `net.netfilter.nf_conntrack_max`.
        max: u64,
        /// `net.netfilter.nf_conntrack_buckets`, where it may be read.
        buckets: Option<u64>,
        /// By the names in `/proc/net/stat/nf_conntrack`, summed over the processors; empty where there is no such file.
        counters: BTreeMap<String, u64>,
    },
    /// A web server answered.
    #[serde(rename_all = "camelCase")]
    Http {
        /// As 200.
        status: u16,
        /// The beginning of what it said.
        body: String,
        /// From connecting to the end of the answer, in milliseconds.
        took_ms: u64,
    },
    /// A web server did not answer.
    #[serde(rename_all = "camelCase")]
    NoAnswer {
        /// Whether nothing listens there. Else it was silent, or said no HTTP.
        refused: bool,
        /// How long was waited, in milliseconds.
        after_ms: u64,
        /// One line for people.
        message: String,
    },
    /// Who fills in checksums.
    #[serde(rename_all = "camelCase")]
    SendChecksums {
        /// By device: true where the device does, or the one behind it is trusted to.
        by_device: BTreeMap<String, bool>,
    },
    /// There is no such thing: no program of these names, no such table of the kernel.
    Absent,
    /// It could not be read.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// One line for people.
        message: String,
    },
}

/// What was read in the network namespace of one pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodReads {
    /// The pod's uid as the kubelet names its control group: `metadata.uid`, or for a static pod the hash of its file.
    pub uid: String,
    /// A process in the namespace, by its id on the node.
    pub process: u32,
    /// What was read, or a line for people that says why the namespace could not be entered.
    pub answers: Result<Vec<ReadAnswer>, String>,
}

/// The text of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FileText {
    /// It was read.
    #[serde(rename_all = "camelCase")]
    Text {
        /// As far as it is UTF-8.
        text: String,
        /// Whether there is more.
        truncated: bool,
    },
    /// It could not be read.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// One line for people.
        message: String,
    },
}

/// A plan as the agent takes it: as [`crate::encode_plan`].
///
/// # Errors
/// When the plan is longer than [`crate::MAX_PLAN_BYTES`].
pub fn encode_read_plan(plan: &ReadPlan) -> Result<Vec<u8>, std::io::Error> {
    crate::wire::encode(plan)
}
