//! The CNI of a cluster as the API shows it: which there is, what runs it, what configures it, and what it handed out.

mod agent;
mod calico;
mod cilium;
mod terway;

use std::fmt;
use std::net::IpAddr;

use report::{Observed, Subject};
use serde::{Deserialize, Serialize};

use crate::{Condition, ConfigDocument, Ended, LogTail, Waiting};

pub use agent::*;
pub use calico::*;
pub use cilium::*;
pub use terway::*;

/// What was seen of the CNI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cni {
    /// When it was read, RFC 3339, UTC: how long ago something was is counted from here.
    pub read_at: String,
    /// The DaemonSets that bring a network to nodes, of all namespaces, by namespace and name.
    pub controllers: Observed<Vec<CniController>>,
    /// Their pods, by namespace and name.
    pub pods: Observed<Vec<CniPod>>,
    /// API groups that are served and belong to a CNI, as `crd.projectcalico.org`.
    pub groups: Observed<Vec<String>>,
    /// flannel's configuration; `None` where no DaemonSet of flannel is there, or no ConfigMap that is known to hold it.
    pub flannel: Observed<Option<FlannelConfig>>,
    /// Events that say that the network of a pod could not be made or taken away, of each pod and reason the last.
    pub events: Observed<Vec<CniEvent>>,
    /// All pods of the cluster, with the addresses that they were given.
    pub cluster_pods: Observed<Vec<PodAddresses>>,
    /// What nodes say of their network, by their names.
    pub nodes: Observed<Vec<CniNode>>,
    /// The ranges from which pods and Services are given addresses.
    pub ranges: ClusterRanges,
    /// How many `NetworkPolicies` there are.
    pub policies: Observed<u32>,
    /// Calico; `None` where the API server has no API of it and no pod of it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calico: Option<Box<Calico>>,
    /// Cilium; `None` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cilium: Option<Box<Cilium>>,
    /// Terway; `None` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terway: Option<Box<Terway>>,
}

/// A CNI, or what stands between one and the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CniProduct {
    /// Flannel.
    Flannel,
    /// Calico.
    Calico,
    /// Flannel for the network, Calico for its policies.
    Canal,
    /// Cilium, also as the data plane of GKE.
    Cilium,
    /// Weave Net.
    Weave,
    /// Terway, of Alibaba Cloud.
    Terway,
    /// The VPC CNI of AWS.
    AwsVpc,
    /// Azure CNI.
    Azure,
    /// Antrea.
    Antrea,
    /// OVN-Kubernetes.
    OvnKubernetes,
    /// Kube-OVN.
    KubeOvn,
    /// kindnet.
    Kindnet,
    /// kube-router.
    KubeRouter,
    /// Multus, which calls others.
    Multus,
}

impl CniProduct {
    /// Whether it gives pods no network of its own, but has another one do it.
    pub fn is_meta(self) -> bool {
        self == Self::Multus
    }
}

impl fmt::Display for CniProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flannel => "flannel",
            Self::Calico => "Calico",
            Self::Canal => "Canal",
            Self::Cilium => "Cilium",
            Self::Weave => "Weave Net",
            Self::Terway => "Terway",
            Self::AwsVpc => "AWS VPC CNI",
            Self::Azure => "Azure CNI",
            Self::Antrea => "Antrea",
            Self::OvnKubernetes => "OVN-Kubernetes",
            Self::KubeOvn => "Kube-OVN",
            Self::Kindnet => "kindnet",
            Self::KubeRouter => "kube-router",
            Self::Multus => "Multus",
        })
    }
}

/// A DaemonSet that brings a network to nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniController {
    /// What it runs.
    pub product: CniProduct,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.selector.matchLabels`, as kubectl takes them: `app=flannel,tier=node`.
    pub selector: String,
    /// `spec.template.spec.nodeSelector`, as `key=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_selector: Vec<String>,
    /// The images of its containers, those of init containers last.
    pub images: Vec<String>,
    /// `status.desiredNumberScheduled`.
    pub desired: u32,
    /// `status.updatedNumberScheduled`.
    pub updated: u32,
    /// `status.numberReady`.
    pub ready: u32,
}

impl CniController {
    /// As kubectl prints it: `daemonset/kube-flannel-ds -n kube-flannel`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "daemonset".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }
}

/// A pod of such a DaemonSet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniPod {
    /// What it runs.
    pub product: CniProduct,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeName`, or the node that it has to go to; `None` where neither is said.
    pub node: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// Whether the condition `Ready` is `True`.
    pub ready: bool,
    /// Why it is on no node, or was refused by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Waiting>,
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `metadata.deletionTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// Its containers, init containers first, as far as they have come into being.
    pub containers: Vec<CniContainer>,
}

/// A container of such a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniContainer {
    /// Its name.
    pub name: String,
    /// Its image.
    pub image: String,
    /// Whether it runs before the others and ends.
    #[serde(default)]
    pub init: bool,
    /// `restartCount`.
    pub restarts: u32,
    /// When it was started, where it runs. RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// Why it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// How it ended last, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The end of its log; `None` where it was not read, because there are so many pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Observed<LogTail>>,
    /// The end of the log before its last start, where it was started again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Observed<LogTail>>,
}

/// What configures flannel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlannelConfig {
    /// Of the ConfigMap.
    pub namespace: String,
    /// Of the ConfigMap.
    pub name: String,
    /// Its key `net-conf.json`.
    pub net_conf: ConfigDocument,
    /// When the ConfigMap was last changed, RFC 3339; `None` where the API does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

/// An event about the network of a pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniEvent {
    /// Of the pod.
    pub namespace: String,
    /// Of the pod.
    pub pod: String,
    /// The node whose kubelet wrote it.
    pub node: Option<String>,
    /// As `FailedCreatePodSandBox`.
    pub reason: String,
    /// As it was written.
    pub message: String,
    /// When it was last seen, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

/// A pod, and the addresses that it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodAddresses {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `spec.nodeName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `status.phase`.
    pub phase: String,
    /// Whether it is in the network of its node (`spec.hostNetwork`).
    #[serde(default, skip_serializing_if = "crate::backends::is_false")]
    pub host_network: bool,
    /// `status.podIPs`.
    pub addresses: Vec<IpAddr>,
    /// Whether the condition `Ready` is `True`.
    pub ready: bool,
    /// Why it is not, in one word: what a container waits for, or why no node takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `metadata.deletionTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
    /// What makes it anew when it is deleted, as `replicaset/web-6d4f`; `None` when nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The addresses that its CNI says it gave the pod, by the annotation `cni.projectcalico.org/podIPs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<IpAddr>,
}

impl PodAddresses {
    /// As kubectl prints it: `pod/web-1 -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "pod".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }

    /// Whether it has ended, and will not run again: it has no network any more, whatever address its status keeps.
    pub fn has_ended(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// What a node says of its network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CniNode {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The condition `NetworkUnavailable`; `None` when the node has none, as with most CNIs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_unavailable: Option<Condition>,
    /// `status.allocatable.pods`: how many pods the kubelet takes. It says nothing of addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_pods: Option<u32>,
}

/// The ranges from which a cluster gives addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterRanges {
    /// Those of pods, by whatever says so. Empty where nothing that may be read says so.
    pub pods: Observed<Vec<RangeSign>>,
    /// Those of Services.
    pub services: Observed<Vec<RangeSign>>,
}

/// Something that says which range is given out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RangeSign {
    /// As it is written there, as `10.244.0.0/16`.
    pub cidr: String,
    /// What says so, as `kube-controller-manager --cluster-cidr`.
    pub from: String,
    /// A command that shows it.
    pub command: String,
}
