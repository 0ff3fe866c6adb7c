//! Tracked connections to Services, as nodes list them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use report::Observed;
use serde::{Deserialize, Serialize};

/// Which connections nodes track to Services.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tracked {
    /// Whether connections of all protocols were asked for, and not only those over UDP.
    pub all_protocols: bool,
    /// By the node's name.
    pub nodes: BTreeMap<String, Observed<TrackedNode>>,
}

/// What one node tracks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackedNode {
    /// The memory of the node, in KiB.
    pub memory_kib: Observed<u64>,
    /// At first.
    pub first: TrackedLook,
    /// Seconds later, where it was listed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<TrackedLook>,
}

/// What was listed at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackedLook {
    /// The entries that were asked for, or why they are not known.
    pub flows: Observed<Vec<TrackedFlow>>,
    /// Whether there may be more of them than were listed.
    pub more: bool,
}

/// An entry of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrackedFlow {
    /// As `udp`.
    pub protocol: String,
    /// As `ESTABLISHED`; only TCP has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// After so many seconds without a packet it is forgotten.
    pub left_s: u64,
    /// Who began.
    pub source: SocketAddr,
    /// Whom it meant: a Service's address, where it is of a Service.
    pub destination: SocketAddr,
    /// Who answers: the endpoint, where the address of a Service was translated.
    pub reply_source: SocketAddr,
    /// Whom that one answers.
    pub reply_destination: SocketAddr,
    /// Whether an answer was seen.
    pub replied: bool,
    /// Whether packets went to and fro for some time (`ASSURED`).
    pub assured: bool,
}
