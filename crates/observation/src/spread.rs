//! To whom connections to Services went.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use report::Observed;
use serde::{Deserialize, Serialize};

/// To whom connections to Services went, by what nodes tracked of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// How many connections were made from each node to each address.
    pub count: u32,
    /// Each port of each Service over TCP and UDP, at each of its ClusterIPs.
    pub ports: Vec<SpreadPort>,
}

/// One address of a Service that was connected to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadPort {
    /// The namespace of the Service.
    pub namespace: String,
    /// Its name.
    pub service: String,
    /// The name of the port; empty where it has none.
    pub port: String,
    /// The ClusterIP and the port.
    pub address: SocketAddr,
    /// From the probe pod of each node.
    pub from: BTreeMap<String, Observed<SpreadFrom>>,
}

/// Connections from one probe pod to one address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadFrom {
    /// So many were made and answered; over UDP so many datagrams were sent, each from a socket of its own.
    pub made: u32,
    /// Where the node sent those that it still tracked afterwards. The address of the Service itself stands for connections that the
    /// node did not translate.
    pub to: Vec<SpreadTo>,
}

/// Connections that came to one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpreadTo {
    /// Who answered.
    pub endpoint: SocketAddr,
    /// How often.
    pub connections: u32,
}
