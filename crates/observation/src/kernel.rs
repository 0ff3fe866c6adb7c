//! What a node's kernel and the components on it say of themselves.

use std::collections::{BTreeMap, BTreeSet};

use report::{Gap, GapReason, Observed};
use serde::{Deserialize, Serialize};

/// The connection tracking table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Conntrack {
    /// Entries of this network namespace.
    pub count: u64,
    /// `net.netfilter.nf_conntrack_max`.
    pub max: u64,
    /// `net.netfilter.nf_conntrack_buckets`, where it may be read.
    pub buckets: Option<u64>,
    /// Counters of `/proc/net/stat/nf_conntrack` by the names there, summed over the processors: `drop`, `early_drop`,
    /// `insert_failed`, `invalid`, … Only differences mean something. One that the kernel does not have is absent.
    pub counters: BTreeMap<String, u64>,
}

/// What is in the connection tracking table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// By protocol and, for TCP, state: `tcp TIME_WAIT`, `udp`.
    pub by_state: BTreeMap<String, u64>,
    /// Whether the table has more than were counted. Those that were are a fair sample then.
    pub more: bool,
}

impl Connections {
    /// How many were counted.
    pub fn counted(&self) -> u64 {
        self.by_state.values().sum()
    }
}

/// What a kernel and what runs on it say of themselves, beside what its network looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KernelReads {
    /// As `6.1.0-18-amd64`.
    pub release: Observed<String>,
    /// Modules that are loaded; `None` when the kernel loads none. What is missing may be built in.
    pub modules: Observed<Option<BTreeSet<String>>>,
    /// What is tracked. It takes a privileged pod.
    pub connections: Observed<Connections>,
    /// Of each device whether it fills in the checksums of what is sent (`ethtool -k`: tx-checksumming). A device that
    /// cannot be asked is absent.
    pub send_checksums: Observed<BTreeMap<String, bool>>,
    /// The speed of each device that says so, in Mbit/s.
    pub speeds: Observed<BTreeMap<String, u64>>,
    /// `/proc/net/ip_vs`; `None` where the kernel has no IPVS in use.
    pub ipvs: Observed<Option<String>>,
    /// What components of the node say when they are asked from the node itself, by [`Question::url`].
    pub answers: BTreeMap<String, HttpAnswer>,
}

impl KernelReads {
    /// Nothing of it was read, for this reason.
    pub fn unread(gap: &Gap) -> Self {
        Self {
            release: Observed::Unseen(gap.clone()),
            modules: Observed::Unseen(gap.clone()),
            connections: Observed::Unseen(gap.clone()),
            send_checksums: Observed::Unseen(gap.clone()),
            speeds: Observed::Unseen(gap.clone()),
            ipvs: Observed::Unseen(gap.clone()),
            answers: BTreeMap::new(),
        }
    }
}

/// A bundle of a version that did not read it.
impl Default for KernelReads {
    fn default() -> Self {
        Self::unread(&Gap {
            what: "kernels and components of nodes".to_owned(),
            why: GapReason::Failed,
            message: "the bundle was written by a version that did not read them".to_owned(),
            hint: None,
        })
    }
}

/// What is asked of components on the node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// Whether kube-proxy has written its rules lately, and the node is not on its way out.
    KubeProxyHealth,
    /// Whether kube-proxy has written its rules lately.
    KubeProxyLives,
    /// As `iptables`; kube-proxy's metrics address, which is on loopback.
    KubeProxyMode,
    /// Whether the kubelet's own loop turns.
    KubeletHealth,
}

impl Question {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::KubeProxyHealth,
        Self::KubeProxyLives,
        Self::KubeProxyMode,
        Self::KubeletHealth,
    ];

    /// The port of the default configuration, on loopback.
    pub fn port(self) -> u16 {
        match self {
            Self::KubeProxyHealth | Self::KubeProxyLives => 10256,
            Self::KubeProxyMode => 10249,
            Self::KubeletHealth => 10248,
        }
    }

    /// As `/healthz`.
    pub fn path(self) -> &'static str {
        match self {
            Self::KubeProxyHealth | Self::KubeletHealth => "/healthz",
            Self::KubeProxyLives => "/livez",
            Self::KubeProxyMode => "/proxyMode",
        }
    }

    /// As `http://127.0.0.1:10256/healthz`.
    pub fn url(self) -> String {
        format!("http://127.0.0.1:{}{}", self.port(), self.path())
    }
}

/// What became of a question to a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum HttpAnswer {
    /// It answered.
    #[serde(rename_all = "camelCase")]
    Answered {
        /// As 200.
        status: u16,
        /// The beginning of what it said.
        body: String,
        /// In milliseconds.
        took_ms: u64,
    },
    /// Nothing listens there: the component is not running, or is configured to listen elsewhere.
    Refused,
    /// It was connected to, or should have been, and said nothing, or nothing that is HTTP.
    #[serde(rename_all = "camelCase")]
    Silent {
        /// How long was waited, in milliseconds.
        after_ms: u64,
        /// One line for people.
        message: String,
    },
    /// It could not be asked.
    Unasked(Gap),
}
