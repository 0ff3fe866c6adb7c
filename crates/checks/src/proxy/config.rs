//! What a `KubeProxyConfiguration` may have: `kubeproxy.config.k8s.io/v1alpha1` as of Kubernetes 1.34.

use ipnet::IpNet;
use observation::{ConfigDocument, ProxyConfig};
use serde_json::Value;

/// Fields with their parts, each below the one that it belongs to. `*` takes any.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "apiVersion",
            "kind",
            "featureGates",
            "clientConnection",
            "logging",
            "hostnameOverride",
            "bindAddress",
            "healthzBindAddress",
            "metricsBindAddress",
            "bindAddressHardFail",
            "enableProfiling",
            "showHiddenMetricsForVersion",
            "mode",
            "iptables",
            "ipvs",
            "nftables",
            "winkernel",
            "detectLocalMode",
            "detectLocal",
            "clusterCIDR",
            "nodePortAddresses",
            "oomScoreAdj",
            "conntrack",
            "configSyncPeriod",
            "portRange",
            "windowsRunAsService",
        ],
    ),
    (
        "clientConnection",
        &["kubeconfig", "acceptContentTypes", "contentType", "qps", "burst"],
    ),
    (
        "logging",
        &["format", "flushFrequency", "verbosity", "vmodule", "options"],
    ),
    (
        "iptables",
        &[
            "masqueradeBit",
            "masqueradeAll",
            "localhostNodePorts",
            "syncPeriod",
            "minSyncPeriod",
        ],
    ),
    (
        "ipvs",
        &[
            "syncPeriod",
            "minSyncPeriod",
            "scheduler",
            "excludeCIDRs",
            "strictARP",
            "tcpTimeout",
            "tcpFinTimeout",
            "udpTimeout",
        ],
    ),
    (
        "nftables",
        &["masqueradeBit", "masqueradeAll", "syncPeriod", "minSyncPeriod"],
    ),
    (
        "winkernel",
        &[
            "networkName",
            "sourceVip",
            "enableDSR",
            "rootHnsEndpointName",
            "forwardHealthCheckVip",
        ],
    ),
    ("detectLocal", &["bridgeInterface", "interfaceNamePrefix"]),
    (
        "conntrack",
        &[
            "maxPerCore",
            "min",
            "tcpEstablishedTimeout",
            "tcpCloseWaitTimeout",
            "tcpBeLiberal",
            "udpTimeout",
            "udpStreamTimeout",
        ],
    ),
];

/// Modes on Linux. `userspace` is gone since 1.26.
pub(super) const MODES: [&str; 3] = ["iptables", "ipvs", "nftables"];

/// Fields that there were once.
const REMOVED: &[&str] = &["resourceContainer", "udpIdleTimeout"];

/// What an unknown field may have been meant to be is at most so many characters away.
const NEAR: usize = 2;

/// A field that kube-proxy does not know, and ignores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// As `conntrack.maxPerCores`.
    pub(super) path: String,
    /// Whether there was such a field once.
    pub(super) was_removed: bool,
    /// The field that it may have been meant to be.
    pub(super) near: Option<&'static str>,
}

/// The configuration as it was written, where it can be read.
pub(super) fn value(config: Option<&ProxyConfig>) -> Option<&Value> {
    match &config?.document {
        ConfigDocument::Read { value } => Some(value),
        ConfigDocument::Broken { .. } => None,
    }
}

/// A field that is a text, without space around it; empty where it is absent.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
}

/// The mode that it asks for, as `/proxyMode` says it.
pub(super) fn mode(value: &Value) -> &str {
    match text(value, "mode") {
        "" => "iptables",
        mode => mode,
    }
}

/// How it tells pods of the cluster from others.
pub(super) fn detects(value: &Value) -> &str {
    match text(value, "detectLocalMode") {
        "" => "ClusterCIDR",
        mode => mode,
    }
}

/// The ranges of the cluster's pods, as it has them.
pub(super) fn ranges(value: &Value) -> Vec<IpNet> {
    let all = text(value, "clusterCIDR").split(',');
    all.filter_map(|cidr| cidr.trim().parse().ok()).collect()
}

/// Fields that kube-proxy does not know.
pub(super) fn unknown(value: &Value) -> Vec<Unknown> {
    let mut found = Vec::new();
    for (below, known) in FIELDS {
        let part = if below.is_empty() {
            Some(value)
        } else {
            value.get(below)
        };
        let Some(Value::Object(fields)) = part else {
            continue;
        };
        for name in fields.keys().filter(|name| !known.contains(&name.as_str())) {
            let path = if below.is_empty() {
                name.clone()
            } else {
                format!("{below}.{name}")
            };
            let nearest = known
                .iter()
                .copied()
                .map(|field| (strsim::levenshtein(field, name), field));
            found.push(Unknown {
                path,
                was_removed: REMOVED.contains(&name.as_str()),
                near: nearest
                    .min()
                    .filter(|(far, _)| *far <= NEAR)
                    .map(|(_, field)| field),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_of_the_usual_configuration_is_known() {
        let usual = json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration", "mode": "",
            "clientConnection": {"kubeconfig": "x", "qps": 0}, "conntrack": {"maxPerCore": null, "min": null},
            "logging": {"options": {"json": {"infoBufferSize": "0"}}}, "featureGates": {"Anything": true},
        });
        assert_eq!(unknown(&usual), []);
        assert_eq!((mode(&usual), detects(&usual)), ("iptables", "ClusterCIDR"));
    }

    #[test]
    fn an_unknown_field_is_named_with_what_it_may_have_been_meant_to_be() {
        let wrong =
            json!({"udpIdleTimeout": "250ms", "conntrack": {"maxPerCores": 1}, "iptables": "no mapping"});
        let found = unknown(&wrong);
        assert_eq!(found.len(), 2);
        assert!(found[0].was_removed && found[0].near.is_none());
        assert_eq!(
            (found[1].path.as_str(), found[1].near),
            ("conntrack.maxPerCores", Some("maxPerCore"))
        );
    }

    #[test]
    fn ranges_are_those_that_can_be_read() {
        let both = json!({"clusterCIDR": "10.244.0.0/16, fd00:244::/56,x"});
        assert_eq!(ranges(&both).len(), 2);
        assert!(ranges(&json!({})).is_empty());
    }
}
