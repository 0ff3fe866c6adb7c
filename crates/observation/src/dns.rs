//! The cluster's DNS, as the API shows it: from what kubelets give to pods, to the Service, the pods behind it and what configures them.

mod asker;
mod server;

use std::collections::BTreeMap;
use std::net::IpAddr;

use report::{Gap, Observed};
use serde::{Deserialize, Serialize};

pub use asker::*;
pub use server::*;

use crate::{BackendEvent, EndpointSlice, Service};

/// What was seen of the cluster's DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dns {
    /// When it was read, RFC 3339, UTC: how long ago something was is counted from here.
    pub read_at: String,
    /// What the kubelet of each node gives to pods, by the node's name.
    pub kubelets: BTreeMap<String, Observed<KubeletDns>>,
    /// How many nodes were not asked for it, because there are many.
    #[serde(default)]
    pub kubelets_left_out: usize,
    /// Services of the cluster's DNS: those that have an address which kubelets give out, and those that are known by label or name.
    pub services: Observed<Vec<Service>>,
    /// Their EndpointSlices.
    pub slices: Observed<Vec<EndpointSlice>>,
    /// What starts DNS servers: of the cluster, and of each node where it has its own.
    pub controllers: Observed<Vec<DnsController>>,
    /// Their pods, and others that stand behind the Services.
    pub pods: Observed<Vec<DnsPod>>,
    /// What configures the servers; nothing where none has a Corefile.
    pub corefiles: Observed<Vec<DnsCorefile>>,
    /// What the servers may read of the API; nothing where no controller was found.
    pub rights: Observed<Vec<DnsRights>>,
    /// Workloads that choose the number of DNS pods, as `deployment/dns-autoscaler -n kube-system`.
    pub autoscalers: Observed<Vec<String>>,
    /// PodDisruptionBudgets that select DNS pods, by name.
    pub budgets: Observed<Vec<String>>,
    /// Pods whose names are resolved in an unusual way.
    pub askers: Observed<Vec<DnsAsker>>,
    /// The pod that was asked about; `None` where none was. Then `askers` holds no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<DnsAskedPod>,
    /// Warnings about the resolv.conf of pods: `DNSConfigForming`.
    pub events: Observed<Vec<BackendEvent>>,
}

impl Dns {
    /// Nothing of it, for one reason.
    pub fn unseen(read_at: String, gap: &Gap) -> Self {
        fn part<T>(gap: &Gap) -> Observed<T> {
            Observed::Unseen(gap.clone())
        }
        Self {
            read_at,
            kubelets: BTreeMap::new(),
            kubelets_left_out: 0,
            services: part(gap),
            slices: part(gap),
            controllers: part(gap),
            pods: part(gap),
            corefiles: part(gap),
            rights: part(gap),
            autoscalers: part(gap),
            budgets: part(gap),
            askers: part(gap),
            pod: None,
            events: part(gap),
        }
    }
}

/// What a kubelet says of DNS in its effective configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KubeletDns {
    /// `clusterDNS`.
    pub addresses: Vec<IpAddr>,
    /// `clusterDomain`, as it is written.
    pub domain: String,
    /// `resolvConf`: the file of the node that pods with `dnsPolicy: Default` get; empty where they get none.
    pub resolv_conf: String,
}
