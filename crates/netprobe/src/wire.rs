use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::ReadAnswer;

/// The version of plan and answer. The agent refuses a plan of another version.
pub const WIRE_VERSION: u32 = 1;

/// What one agent is asked to do, in one go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Always [`WIRE_VERSION`].
    pub version: u32,
    /// Sent along with every probe; a server that belongs to another run does not answer as a peer.
    pub run: String,
    /// How many probes may be under way at once; at least 1.
    pub concurrency: u32,
    /// When the agent stops whatever is left and answers, in milliseconds from the start. Probes that were not
    /// finished by then are absent from the answers; one that had failed and was still to be tried again, or was just
    /// being tried, is answered with the samples that it has.
    pub deadline_ms: u64,
    /// The least time between the starts of two first tries, in milliseconds: 0 for none. It bounds the rate at which a
    /// server is asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub gap_ms: u64,
    /// What is done about probes that fail, or `None` for nothing.
    pub retry: Option<Retry>,
    /// The probes, in any order. Ids are unique.
    pub probes: Vec<Probe>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_no_size(number: &u16) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Failed probes are tried once more after all others have ended, alone: kernels limit the rate of ICMP errors, and
/// many probes at once turn a refusal into silence (`net.ipv4.icmp_ratelimit`, one per second and destination).
///
/// Alone means that only one starts in each gap; one that waits in silence does not hold up the next. A probe whose
/// retry is answered takes further samples until it has `count` of them, through failures, each followed by the gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// The least time between the starts of two retries, in milliseconds.
    pub gap_ms: u64,
    /// How many probes are tried again at the most, chosen so as to cover every target and kind first; the rest keep
    /// their first outcome. What was not permitted is never tried again, nor is a [`Kind::Connect`] that was refused.
    pub most: u32,
}

/// One thing to try from where the agent runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    /// Chosen by the planner; comes back in the answer.
    pub id: u32,
    /// Address and port. The port is unused for [`Kind::Icmp`]. The unspecified address of a family stands for the
    /// gateway of the agent's own default route of that family ([`Hello::gateways`]).
    pub target: SocketAddr,
    /// How it is tried.
    pub kind: Kind,
    /// How many samples are taken, one after the other, at least 1; the first failure ends the series. Each has a
    /// socket, and so a source port or an ICMP id, of its own.
    pub count: u32,
    /// How long one sample may take to connect or to be answered, in milliseconds. Once connected, a sample of TCP or
    /// bulk lasts for as long as data moves, and ends when nothing has moved for this long, or for 4 s if that is
    /// more: earlier, a lost packet that is sent again looks like a stall. It ends as [`Outcome::Stalled`] too when it
    /// is not done after twice that time, though data still trickles: a path that is
    /// too slow for its bytes is not told from one that loses most of them. Below 4000 an unresolved neighbour, which the kernel reports after about 3 s, looks like silence.
    pub timeout_ms: u64,
}

/// How a probe is made. The first four, [`Kind::Train`] and [`Kind::Size`] expect an agent of the same run at the far
/// end, the others anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Kind {
    /// TCP: connect, send a small request, read the small answer of the agent at the other end.
    Tcp,
    /// UDP: one small datagram, and the answer of the agent at the other end.
    Udp,
    /// ICMP echo over an unprivileged socket, or a raw one where that is refused.
    Icmp,
    /// TCP: send this many bytes to the target, then read as many from it. Finds paths that lose only large packets,
    /// which a handshake never meets.
    Bulk {
        /// Bytes in each direction; more than 65536 to outgrow the first window.
        bytes: u64,
    },
    /// TCP to whatever listens there: connect, send nothing, and wait a moment for a reset. [`Outcome::Ok`] without a
    /// peer when the connection was made and not reset, its round trip that of the handshake alone.
    #[serde(rename_all = "camelCase")]
    Connect {
        /// How long to wait for a reset once connected, in milliseconds; 0 to be content with the handshake. A proxy
        /// that has nobody behind it accepts first and resets then.
        linger_ms: u64,
    },
    /// One DNS query to the target. [`Outcome::Dns`] when a DNS message came back, whatever it says.
    #[serde(rename_all = "camelCase")]
    Dns {
        /// The name that is asked for, taken as it is: no search domain is added. With or without a final dot.
        name: String,
        /// The type of record: 1 for A, 28 for AAAA.
        qtype: u16,
        /// Over TCP instead of UDP.
        tcp: bool,
        /// Whether the answer comes back as it is ([`Outcome::Dns::message`]).
        #[serde(default, skip_serializing_if = "is_false")]
        whole: bool,
        /// Ask with EDNS (RFC 6891), and for answers over UDP of up to so many bytes; 0 to ask without, as the resolvers of
        /// glibc and musl do.
        #[serde(default, skip_serializing_if = "is_no_size")]
        edns: u16,
    },
    /// One HTTP/1.1 GET without TLS. [`Outcome::Http`] when a status line came back, whatever it says.
    #[serde(rename_all = "camelCase")]
    Http {
        /// What is asked for, as `/healthz`.
        path: String,
        /// The header `Host`.
        host: String,
    },
    /// UDP: many datagrams from one socket, each answered with a small one that says how many have arrived by then. So
    /// what is lost on the way there is told from what is lost on the way back. [`Outcome::Train`] when any was answered.
    #[serde(rename_all = "camelCase")]
    Train {
        /// How many.
        count: u32,
        /// From one to the next, in milliseconds.
        gap_ms: u32,
        /// As long as the own link carries, instead of a few dozen bytes; never fragmented.
        large: bool,
    },
    /// UDP: the longest packet that arrives unfragmented at the target, found by trying. The answers are small, so that
    /// only the way there counts. [`Outcome::Size`] when a small one was answered.
    Size,
}

/// What one probe came to. A series of one or more samples, in the order in which they were taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The id of the probe.
    pub id: u32,
    /// At least one.
    pub samples: Vec<Sample>,
}

/// One attempt of one probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// When it began, in microseconds since the agent took the plan.
    pub at_us: u64,
    /// Whether it was made alone, after a first failure ([`Retry`]).
    pub retry: bool,
    /// How it ended.
    pub outcome: Outcome,
}

/// How one attempt ended. Every attempt ends in exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Outcome {
    /// The answer came back.
    #[serde(rename_all = "camelCase")]
    Ok {
        /// From the first packet to the answer, in microseconds: connect for TCP, all bytes both ways for bulk.
        rtt_us: u64,
        /// What the far end said of itself and of us. `None` for ICMP, where nobody says anything.
        peer: Option<Peer>,
    },
    /// A DNS server answered.
    #[serde(rename_all = "camelCase")]
    Dns {
        /// From the query to the whole answer, in microseconds.
        rtt_us: u64,
        /// The response code: 0 no error, 2 server failure, 3 no such name, 5 refused.
        rcode: u8,
        /// The addresses of the answer, at most 16, in its order.
        addresses: Vec<IpAddr>,
        /// Whether the server cut the answer (the flag TC).
        truncated: bool,
        /// The answer as it came, in base64, where [`Kind::Dns::whole`] asked for it; else empty. Over TCP without its
        /// length.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        message: String,
    },
    /// An HTTP server answered.
    #[serde(rename_all = "camelCase")]
    Http {
        /// From the first packet to the status line, in microseconds.
        rtt_us: u64,
        /// As 200 or 503.
        status: u16,
        /// The first 64 bytes of the answer, escaped.
        head: String,
    },
    /// Some datagrams of a train were answered.
    #[serde(rename_all = "camelCase")]
    Train {
        /// The median of the round trips, in microseconds.
        rtt_us: u64,
        /// How many were sent.
        sent: u32,
        /// How many of them the far end has seen; `None` when it could not be asked any more in the end.
        arrived: Option<u32>,
        /// How many answers came back.
        answered: u32,
        /// How long each was, in bytes with its IP header.
        bytes: u32,
    },
    /// Packets of some sizes arrived.
    #[serde(rename_all = "camelCase")]
    Size {
        /// The round trip of the small one, in microseconds.
        rtt_us: u64,
        /// The longest that arrived, in bytes with its IP header.
        passes: u32,
        /// The longest that the own kernel sends on that link: [`Outcome::Size::passes`] where nothing on the way is
        /// narrower.
        sends: u32,
        /// Who said that longer ones do not fit; `None` when nobody did. Then those between the two vanish in silence.
        told: Option<TooLong>,
    },
    /// Somebody said no: nothing listens there, or a rule refuses it.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Who sent the ICMP error; `None` for a TCP reset or when the kernel did not say (over TCP, before Linux 5.9).
        offender: Option<IpAddr>,
        /// How long it took, in microseconds.
        after_us: u64,
    },
    /// The host, or a router on the way, said that it cannot be reached (`EHOSTUNREACH`).
    #[serde(rename_all = "camelCase")]
    HostUnreachable {
        /// Who sent the ICMP error; `None` when the own kernel gave up by itself, because of a route or a neighbour.
        /// A rule of one's own that rejects has an own address here.
        offender: Option<IpAddr>,
        /// The ICMP code, where there was a packet: 1 host unreachable, 10 host prohibited, 13 administratively prohibited.
        /// For a target of IPv6 the codes are those of ICMPv6: 1 administratively prohibited, 3 address unreachable,
        /// 5 source address failed policy, 6 route rejected. `None` with an offender: the packet ran in circles until
        /// its time was exceeded.
        code: Option<u8>,
        /// Under half a second a rule refused it; at about three seconds a neighbour did not resolve.
        after_us: u64,
    },
    /// No route (`ENETUNREACH`): locally when there is no offender, else at that router.
    #[serde(rename_all = "camelCase")]
    NetUnreachable {
        /// Who sent the ICMP error.
        offender: Option<IpAddr>,
        /// The ICMP code, where there was a packet.
        code: Option<u8>,
        /// How long it took, in microseconds.
        after_us: u64,
    },
    /// The own kernel refused to send: `EPERM` (a local rule; TCP is not told and times out), `EINVAL` (a blackhole
    /// route), `EACCES` (a prohibiting route), `EMSGSIZE`, …
    #[serde(rename_all = "camelCase")]
    LocalError {
        /// The error's number.
        errno: i32,
        /// The error's name, as `EPERM`.
        name: String,
    },
    /// Nothing came back.
    #[serde(rename_all = "camelCase")]
    TimedOut {
        /// How long was waited, in microseconds.
        after_us: u64,
    },
    /// The connection was made, and then data stopped, or moved so slowly that the sample was not done in time
    /// ([`Probe::timeout_ms`]). Large packets that vanish look like this.
    #[serde(rename_all = "camelCase")]
    Stalled {
        /// Which way nothing moved any more.
        direction: Direction,
        /// Bytes known to have arrived in that direction before it stopped, with the few of question and answer.
        bytes: u64,
        /// How long nothing moved, in microseconds. Less than the sample waits for a stall where data still trickled.
        after_us: u64,
    },
    /// The connection was made and then reset.
    #[serde(rename_all = "camelCase")]
    Reset {
        /// Bytes that had arrived by then, of both directions together.
        bytes: u64,
    },
    /// Something answered that is not an agent of this run.
    #[serde(rename_all = "camelCase")]
    WrongPeer {
        /// What it said, at most 64 bytes, escaped; empty when it closed the connection without a word, as proxies do
        /// that have nobody behind them. An agent of another run is named as such.
        answer: String,
    },
    /// The probe was not allowed where the agent runs, so the target was never tried: ICMP sockets without a group in
    /// `net.ipv4.ping_group_range` and without `CAP_NET_RAW`.
    #[serde(rename_all = "camelCase")]
    NotPermitted {
        /// What was refused, with the error's name.
        what: String,
    },
}

impl Outcome {
    /// Whether an answer came back. What a DNS or HTTP server says in it is another question.
    pub fn is_ok(&self) -> bool {
        self.rtt_us().is_some()
    }

    /// How long the answer took, in microseconds, where one came back.
    pub fn rtt_us(&self) -> Option<u64> {
        match self {
            Self::Ok { rtt_us, .. }
            | Self::Dns { rtt_us, .. }
            | Self::Http { rtt_us, .. }
            | Self::Train { rtt_us, .. }
            | Self::Size { rtt_us, .. } => Some(*rtt_us),
            Self::Refused { .. }
            | Self::HostUnreachable { .. }
            | Self::NetUnreachable { .. }
            | Self::LocalError { .. }
            | Self::TimedOut { .. }
            | Self::Stalled { .. }
            | Self::Reset { .. }
            | Self::WrongPeer { .. }
            | Self::NotPermitted { .. } => None,
        }
    }
}

/// An ICMP error about a packet that did not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TooLong {
    /// Who sent it, where the kernel said so.
    pub by: Option<IpAddr>,
    /// What fits there, in bytes.
    pub mtu: u32,
}

/// Which way data went, seen from the agent that ran the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From the agent to the target.
    ToTarget,
    /// From the target to the agent.
    FromTarget,
}

/// What the far end says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// The name it was started with: the name of its node.
    pub name: String,
    /// The address from which it saw us come; another than our own means that something translated it on the way.
    pub saw: IpAddr,
}

/// One line of the agent's standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "line")]
pub enum Line {
    /// First: who answers.
    Hello(Hello),
    /// Then one for each probe that ended.
    Answer(Answer),
    /// Or one for each thing that was read.
    Read(ReadAnswer),
    /// Last, unless the answers were cut off.
    End(End),
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// The wire version of the agent.
    pub version: u32,
    /// The name it was started with: the name of its node.
    pub name: String,
    /// The addresses of its own interfaces, without loopback and link-local ones, and without the ClusterIPs that
    /// kube-proxy in ipvs mode keeps on a node.
    pub addresses: Vec<IpAddr>,
    /// The next hop of its default route of each family that has one, IPv4 first.
    #[serde(default)]
    pub gateways: Vec<IpAddr>,
}

/// The end of the answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// How many answers were written.
    pub answers: u32,
    /// How long the plan took, in microseconds.
    pub took_us: u64,
    /// Why the agent stopped before the plan was done, if it did.
    pub cut_short: Option<String>,
}

/// The most that a plan may take, in bytes of JSON.
pub const MAX_PLAN_BYTES: u32 = 16 * 1024 * 1024;

/// The plan as the agent reads it: the length of the JSON text as four bytes, big endian, then the text.
///
/// # Errors
/// When the plan is longer than [`MAX_PLAN_BYTES`].
pub fn encode_plan(plan: &Plan) -> Result<Vec<u8>, std::io::Error> {
    encode(plan)
}

pub(crate) fn encode(plan: &impl Serialize) -> Result<Vec<u8>, std::io::Error> {
    let text = serde_json::to_vec(plan)?;
    let length = u32::try_from(text.len())
        .ok()
        .filter(|length| *length <= MAX_PLAN_BYTES);
    let length =
        length.ok_or_else(|| std::io::Error::other(format!("plan of {} bytes is too long", text.len())))?;
    Ok([&length.to_be_bytes()[..], &text].concat())
}

#[cfg(test)]
mod tests;
