//! Pods that ask for names, as far as their own settings are out of the ordinary.

use std::net::IpAddr;

use report::{Observed, Subject};
use serde::{Deserialize, Serialize};

use crate::backends::is_false;

/// How a pod resolves names, by its own settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsAsker {
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// What made it, as `daemonset/agent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// `spec.nodeName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `metadata.creationTimestamp`, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// `spec.dnsPolicy`.
    pub policy: String,
    /// `spec.hostNetwork`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub host_network: bool,
    /// `spec.dnsConfig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<DnsSettings>,
    /// `spec.hostAliases`, one line each as in `/etc/hosts`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_aliases: Vec<String>,
    /// Names of Services in the arguments and the environment of its containers, as `WEB=http://web.shop.svc`, as they are written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// Images of its containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// What its own files show; `None` where they were not to be read, which takes a privileged pod on its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Box<DnsAskerFiles>>,
}

/// What the files of a pod that runs show, as its processes see them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsAskerFiles {
    /// The text of `/etc/resolv.conf`.
    pub resolv_conf: Observed<String>,
    /// Dynamic loaders of C libraries, as `/lib/ld-musl-x86_64.so.1`; none where the image has only static programs.
    pub loaders: Observed<Vec<String>>,
}

impl DnsAsker {
    /// As kubectl prints it: `pod/web-1 -n shop`.
    pub fn subject(&self) -> Subject {
        Subject::Object {
            kind: "pod".to_owned(),
            name: self.name.clone(),
            namespace: Some(self.namespace.clone()),
        }
    }

    /// The policy that has effect: in the network of its node, `ClusterFirst` is `Default`.
    pub fn effective_policy(&self) -> &str {
        match self.policy.as_str() {
            "ClusterFirst" | "" if self.host_network => "Default",
            "ClusterFirstWithHostNet" | "" => "ClusterFirst",
            other => other,
        }
    }
}

/// A pod that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsAskedPod {
    /// As it was asked for: `web-1 -n shop`.
    pub name: String,
    /// Its settings; nothing where there is no such pod.
    pub asker: Observed<Option<DnsAsker>>,
    /// Names whose lookup was asked about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// What a pod adds to its resolv.conf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsSettings {
    /// `nameservers`.
    #[serde(default)]
    pub nameservers: Vec<IpAddr>,
    /// `searches`.
    #[serde(default)]
    pub searches: Vec<String>,
    /// `options`, as `ndots:2`.
    #[serde(default)]
    pub options: Vec<String>,
}
