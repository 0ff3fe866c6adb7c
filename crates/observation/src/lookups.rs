//! What was asked of DNS servers from probe pods, and what they said.

mod reply;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use netprobe::{Kind, Sample};
use report::{Gap, Observed, Subject};
use serde::{Deserialize, Serialize};

use crate::{Source, SourceState};

pub use reply::{Record, RecordData, Reply};

/// What was asked of DNS servers, and all that is needed to judge the answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookups {
    /// The domain of the cluster's names, without a final dot: as `cluster.local`.
    pub domain: String,
    /// The Service of the cluster's DNS, where it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Subject>,
    /// What each source answered, or why not.
    pub sources: Vec<SourceState>,
    /// Everything that was to be asked, in the order in which it was asked.
    pub lookups: Vec<Lookup>,
    /// What of the API could not be read that says whom or what to ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Gap>,
    /// What could not be read that says to whom DNS servers pass names on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams_unread: Vec<Gap>,
    /// What was not asked on purpose, one sentence each without a full stop.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The resolv.conf of nodes, by their names: what pods with `dnsPolicy: Default` get, the DNS servers among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resolv_conf: BTreeMap<String, Observed<String>>,
    /// How series were asked for that measure how long answers take; `None` where nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// How long answers take that never leave the probe pod: what of all other times is the prober's own. Empty where nothing was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floor: Vec<ProberFloor>,
}

/// What a probe pod was asked by itself, over UDP and its own address, by the same clock and among the same lookups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProberFloor {
    /// The probe pod.
    pub source: Source,
    /// What was seen, in the order in which it was asked.
    pub samples: Vec<Sample>,
}

/// How fast and how long the same was asked again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    /// Questions a second, of each source.
    pub rate: u32,
    /// For how long, in milliseconds.
    pub duration_ms: u64,
}

/// One name, asked of one server from one place in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lookup {
    /// From where.
    pub source: Source,
    /// Who was asked.
    pub server: LookupServer,
    /// Where.
    pub address: SocketAddr,
    /// What kind of name it is.
    pub class: NameClass,
    /// What has the name, where it is an object of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The question: always [`Kind::Dns`].
    pub question: Kind,
    /// What is right.
    pub truth: Truth,
    /// Whether it was asked to measure how long answers take.
    #[serde(default, skip_serializing_if = "crate::backends::is_false")]
    pub measured: bool,
    /// All that was seen, first tries in the order in which they were made, then retries. Empty when no answer arrived: then
    /// [`Lookups::sources`] says why.
    pub samples: Vec<Sample>,
}

impl Lookup {
    /// The name, with its final dot.
    pub fn name(&self) -> &str {
        match &self.question {
            Kind::Dns { name, .. } => name,
            _ => "",
        }
    }

    /// The type of record: 1 for A, 28 for AAAA.
    pub fn qtype(&self) -> u16 {
        match &self.question {
            Kind::Dns { qtype, .. } => *qtype,
            _ => 0,
        }
    }

    /// Whether it was asked over TCP.
    pub fn is_tcp(&self) -> bool {
        matches!(self.question, Kind::Dns { tcp: true, .. })
    }
}

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum LookupServer {
    /// The DNS Service, by its ClusterIP: whichever pod it leads to.
    Service,
    /// One DNS pod, by its own address.
    #[serde(rename_all = "camelCase")]
    Pod {
        /// `metadata.namespace`.
        namespace: String,
        /// `metadata.name`.
        name: String,
        /// Its node, where that is known.
        node: Option<String>,
    },
    /// What kubelets give to pods and is no ClusterIP: the cache on the own node.
    NodeLocal,
    /// A server to which DNS pods pass questions on.
    #[serde(rename_all = "camelCase")]
    Upstream {
        /// The zone that it is asked about: `.` for all.
        zone: String,
        /// What says so: the ConfigMap, or the node whose resolv.conf names it.
        written: Subject,
    },
    /// A server that the user named.
    Given,
}

/// What kind of name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NameClass {
    /// That of the API: every cluster has it.
    Internal,
    /// A Service with an address of its own.
    Service,
    /// A headless Service: the addresses of its endpoints.
    Headless,
    /// A pod behind a headless Service, by its hostname.
    PodName,
    /// A named port of a Service: an SRV record.
    Port,
    /// An address: a PTR record.
    Reverse,
    /// A Service that stands for another name.
    ExternalName,
    /// A name outside of the cluster.
    External,
    /// A name of the cluster that nothing has.
    Missing,
    /// A name outside that nothing has, below a domain that pods or nodes search in.
    Searched,
    /// Names outside that nothing has and nobody asked for before, each only once: what every server has to ask others for.
    Uncached,
    /// A name that the user asked about.
    Asked,
}

impl NameClass {
    /// Whether the cluster's DNS knows by itself what such a name has, without asking others.
    pub fn is_own(self) -> bool {
        matches!(
            self,
            Self::Internal
                | Self::Service
                | Self::Headless
                | Self::PodName
                | Self::Port
                | Self::Reverse
                | Self::Missing
        )
    }

    /// As it stands in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Internal => "API",
            Self::Service => "Service",
            Self::Headless => "headless",
            Self::PodName => "pod",
            Self::Port => "port",
            Self::Reverse => "address",
            Self::ExternalName => "ExternalName",
            Self::External => "outside",
            Self::Missing => "missing",
            Self::Searched => "search",
            Self::Uncached => "outside, not cached",
            Self::Asked => "asked",
        }
    }
}

/// What is right for an answer, by what the API says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
pub enum Truth {
    /// Exactly these addresses, in any order; none for NOERROR without a record.
    #[serde(rename_all = "camelCase")]
    Addresses {
        /// As the API has them.
        addresses: Vec<IpAddr>,
    },
    /// One of these names, without their final dots.
    #[serde(rename_all = "camelCase")]
    OneOf {
        /// In lower case.
        names: Vec<String>,
    },
    /// At least so many records.
    #[serde(rename_all = "camelCase")]
    Records {
        /// How many.
        count: usize,
    },
    /// Something: NOERROR and at least one record.
    Something,
    /// NXDOMAIN.
    NoSuchName,
    /// Whatever the server says: any answer is right.
    Anything,
}
