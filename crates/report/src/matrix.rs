use std::fmt;

use serde::{Deserialize, Serialize};

/// What was probed between nodes, source by target, one matrix for each address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Matrix {
    /// Which pairs were planned.
    pub coverage: Coverage,
    /// How much [`Protocol::Bulk`] carries in each direction; `None` where it was not planned.
    pub bulk_bytes: Option<u64>,
    /// One for each family that was probed.
    pub families: Vec<FamilyMatrix>,
}

/// Which pairs of nodes were planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Coverage {
    /// Every ordered pair.
    Full,
    /// Each node to the next in a ring, and to a few more.
    #[serde(rename_all = "camelCase")]
    Ring {
        /// Next nodes in the ring.
        neighbours: u32,
        /// Further nodes, picked deterministically.
        sample: u32,
    },
}

/// The matrix of one address family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct FamilyMatrix {
    /// The family.
    pub family: Family,
    /// The nodes that were to probe, in the order of the rows.
    pub sources: Vec<String>,
    /// The nodes that were to be probed, in the order of the columns.
    pub targets: Vec<String>,
    /// The pairs that were planned. A pair that is not here was not planned.
    pub cells: Vec<MatrixCell>,
}

/// An address family. Never implicit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Family {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: std::net::IpAddr) -> Self {
        if address.is_ipv4() { Self::IPv4 } else { Self::IPv6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        })
    }
}

/// In which way a pair was probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Protocol {
    /// TCP: a connection, a small request and its answer.
    Tcp,
    /// UDP: a datagram and its answer.
    Udp,
    /// TCP: much data in both directions.
    Bulk,
    /// ICMP echo.
    Icmp,
}

impl Protocol {
    /// As it stands in a cell of the matrix.
    pub fn short(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Bulk => "large",
            Self::Icmp => "icmp",
        }
    }
}

/// One ordered pair of nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct MatrixCell {
    /// The node that probed.
    pub source: String,
    /// The node that was probed.
    pub target: String,
    /// What came of each way of probing that was planned, at least one, in the order of [`Protocol`].
    pub probes: Vec<ProbeState>,
    /// The longest packet that arrives, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_mtu: Option<PathMtu>,
    /// How many of many datagrams were lost, where that was measured: small ones, then such as fill a packet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loss: Vec<Loss>,
}

/// The longest packet that arrives unfragmented from one pod at another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PathMtu {
    /// The longest that arrived, in bytes with its IP header.
    pub passes: u32,
    /// The longest that the source's own interface sends.
    pub sends: u32,
    /// Who said that longer ones do not fit; `None` where nobody did, so that those between the two vanish in silence.
    pub told_by: Option<String>,
}

impl PathMtu {
    /// Whether packets that the source may send vanish without a word.
    pub fn has_hole(&self) -> bool {
        self.passes < self.sends && self.told_by.is_none()
    }
}

/// How many datagrams of a train were lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// How long each was, in bytes with its IP header. Their answers are small.
    pub bytes: u32,
    /// How many were sent.
    pub sent: u32,
    /// How many did not arrive; `None` where the far end could not be asked.
    pub lost_there: Option<u32>,
    /// How many arrived and whose answer did not; `None` as before.
    pub lost_back: Option<u32>,
    /// How many came to nothing, either way.
    pub lost: u32,
}

/// What came of one way of probing one pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProbeState {
    /// The way.
    pub protocol: Protocol,
    /// What came of it.
    pub result: CellState,
}

/// What came of probing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum CellState {
    /// Every sample was answered.
    #[serde(rename_all = "camelCase")]
    Ok {
        /// The median of the round trips, in microseconds.
        median_us: u64,
        /// The longest round trip, in microseconds.
        worst_us: u64,
    },
    /// Some samples were answered.
    #[serde(rename_all = "camelCase")]
    Flaky {
        /// How many were answered.
        answered: u32,
        /// How many were taken.
        samples: u32,
        /// The median of the round trips that ended well, in microseconds.
        median_us: u64,
        /// The longest of them, in microseconds.
        worst_us: u64,
        /// How the first that failed ended.
        failure: Failure,
    },
    /// No sample was answered.
    #[serde(rename_all = "camelCase")]
    Failed {
        /// How the last one ended, which was taken alone.
        failure: Failure,
    },
    /// It was planned, and it is not known what came of it.
    #[serde(rename_all = "camelCase")]
    Unknown {
        /// Why, as a clause.
        why: String,
    },
}

impl CellState {
    /// Whether every sample was answered.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Ok { .. })
    }

    /// Whether no sample was answered.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// How it failed, where it did, wholly or in part.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure } | Self::Flaky { failure, .. } => Some(failure),
            Self::Ok { .. } | Self::Unknown { .. } => None,
        }
    }
}

/// How a probe failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of failure.
    pub class: FailureClass,
    /// The same with its figures: `no answer in 4.0s`.
    pub detail: String,
}

/// Kinds of failure that mean different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum FailureClass {
    /// Nothing came back.
    Timeout,
    /// The connection was made, then data stopped.
    Stalled,
    /// Somebody said no.
    Refused,
    /// The connection was made, then reset.
    Reset,
    /// A neighbour did not resolve, or a rule says that the host is unreachable.
    HostUnreachable,
    /// No route.
    NetUnreachable,
    /// The source's own kernel refused to send.
    LocalError,
    /// Something else answered.
    WrongPeer,
    /// The right one answered, with an error: a DNS server that fails, a health check that is not well.
    BadAnswer,
}

impl FailureClass {
    /// As it stands in a cell of the matrix.
    pub fn short(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Stalled => "stalls",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::HostUnreachable => "no host",
            Self::NetUnreachable => "no route",
            Self::LocalError => "not sent",
            Self::WrongPeer => "wrong peer",
            Self::BadAnswer => "bad answer",
        }
    }
}
