use ipnet::IpNet;
use observation::{ConfigDocument, ProxyConfig};
use report::{Evidence, Finding, Observed, Severity, Subject};
use serde_json::Value;

use super::{Proxies, config, on_running};
use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::nodes::pod_cidrs;
use crate::shell::word;
use crate::view::View;

/// kube-proxy ignores fields that it does not know, and says so in one line at its start. What it must know to tell pods from others has
/// to fit the ranges that nodes have.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-cfg",
    claim: "kube-proxy's configuration is understood and fits the cluster",
    needs: &[Need::KubeProxy],
    judge,
};

const DETECTS: [&str; 4] = [
    "ClusterCIDR",
    "NodeCIDR",
    "BridgeInterface",
    "InterfaceNamePrefix",
];

fn judge(view: &View<'_>) -> Judgement {
    on_running(view, |proxies, judgement| {
        let found = match &proxies.facts.config {
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap.clone());
                return;
            }
            Observed::Seen(None) => {
                judgement.skipped = Some(
                    "no ConfigMap that is known to configures kube-proxy: it has flags instead, or a file"
                        .to_owned(),
                );
                return;
            }
            Observed::Seen(Some(found)) => found,
        };
        match &found.document {
            ConfigDocument::Read { value } if value.is_object() => of_value(proxies, found, value, judgement),
            ConfigDocument::Read { .. } => judgement.findings.push(broken(found, "it is no mapping")),
            ConfigDocument::Broken { message } => judgement.findings.push(broken(found, message)),
        }
    })
}

fn subject(config: &ProxyConfig) -> Subject {
    Subject::Object {
        kind: "configmap".to_owned(),
        name: config.config_map.clone(),
        namespace: Some("kube-system".to_owned()),
    }
}

fn finding(config: &ProxyConfig, severity: Severity, summary: String, fact: String) -> Finding {
    let name = word(&config.config_map);
    let mut finding = Finding::new(
        CHECK.id,
        severity,
        subject(config),
        summary,
        Evidence::command(
            fact,
            format!("kubectl -n kube-system get configmap {name} -o yaml"),
        ),
    );
    finding.hint = Some(format!(
        "correct key {} alone, the others hold something else, and start one kube-proxy anew to see what it says: `kubectl -n kube-system edit configmap {name}`",
        config.key
    ));
    finding
}

fn broken(config: &ProxyConfig, message: &str) -> Finding {
    finding(
        config,
        Severity::Error,
        format!(
            "kube-proxy's configuration cannot be read: each kube-proxy that is started from now on ends at once, {message}"
        ),
        format!("{}: {message}", config.key),
    )
}

fn of_value(proxies: &Proxies<'_>, config: &ProxyConfig, value: &Value, judgement: &mut Judgement) {
    for unknown in config::unknown(value) {
        let why = match (unknown.was_removed, unknown.near) {
            (true, _) => "that there was once".to_owned(),
            (false, Some(near)) => format!("that it does not know; there is {near}"),
            (false, None) => "that it does not know".to_owned(),
        };
        judgement.findings.push(finding(
            config,
            Severity::Warning,
            format!(
                "kube-proxy ignores {} in its configuration, a field {why}",
                unknown.path
            ),
            format!("{} has {}", config.key, unknown.path),
        ));
    }
    let (mode, detects) = (config::mode(value), config::detects(value));
    for (name, found, known) in [
        ("mode", mode, &config::MODES[..]),
        ("detectLocalMode", detects, &DETECTS),
    ] {
        if !known.contains(&found) {
            judgement.findings.push(finding(
                config,
                Severity::Error,
                format!("kube-proxy's configuration has the {name} {found:?}, which there is not: each that is started from now on ends at once"),
                format!("it is none of {}", joined(known)),
            ));
        }
    }
    if detects == "ClusterCIDR" {
        ranges(proxies, config, value, judgement);
    }
}

/// Pods are told from others by the cluster's range, so that it has to hold those of all nodes.
fn ranges(proxies: &Proxies<'_>, config: &ProxyConfig, value: &Value, judgement: &mut Judgement) {
    let ranges = config::ranges(value);
    let has_masquerade = ["iptables", "nftables"].iter().any(|part| {
        let all = value.get(part).and_then(|part| part.get("masqueradeAll"));
        all == Some(&Value::Bool(true))
    });
    if has_masquerade {
        return;
    }
    if config::text(value, "clusterCIDR").is_empty() {
        judgement.findings.push(finding(
            config,
            Severity::Warning,
            "kube-proxy is to tell pods by the cluster's range and is not told it: what comes to ClusterIPs from outside of the \
             cluster is not translated back"
                .to_owned(),
            format!("{} has no clusterCIDR, and the detectLocalMode ClusterCIDR", config.key),
        ));
        return;
    }
    let is_within = |cidr: &IpNet| ranges.iter().any(|range| range.contains(cidr));
    let outside: Vec<(&str, IpNet)> = proxies
        .nodes
        .iter()
        .flat_map(|proxy| pod_cidrs(proxy.node).into_iter().map(|cidr| (proxy.name(), cidr)))
        .filter(|(_, cidr)| !is_within(cidr))
        .collect();
    if let Some((node, cidr)) = outside.first() {
        let mut names: Vec<&str> = outside.iter().map(|(node, _)| *node).collect();
        names.dedup();
        let mut finding = finding(
            config,
            Severity::Warning,
            format!(
                "pods of {} are outside of the range that kube-proxy takes for the cluster's: their connections to Services come from \
                 the address of the node",
                joined(&names)
            ),
            format!("clusterCIDR is {}", config::text(value, "clusterCIDR")),
        );
        finding.evidence.push(Evidence::field(
            format!("pods of {node} have {cidr}"),
            format!("node/{node} .spec.podCIDRs"),
        ));
        judgement.findings.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    const CIDR: &str = "10.244.0.0/16";

    #[test]
    fn a_field_that_is_ignored_is_a_warning_with_what_was_meant() {
        let wrong = Fixture::healthy().config(json!({"clusterCIDR": CIDR, "mdoe": "nftables"}));
        let findings = shown::finds(&CHECK, &wrong.observe());
        assert_eq!(
            findings[0].summary,
            "kube-proxy ignores mdoe in its configuration, a field that it does not know; there is mode"
        );
        assert_eq!(findings[0].severity, Severity::Warning);
    }

    #[test]
    fn a_mode_that_there_is_not_and_what_is_no_yaml_end_it() {
        let gone = Fixture::healthy().config(json!({"clusterCIDR": CIDR, "mode": "userspace"}));
        assert_eq!(shown::finds(&CHECK, &gone.observe())[0].severity, Severity::Error);
        let broken = Fixture::healthy().broken_config("line 1: unexpected end");
        assert_eq!(
            shown::finds(&CHECK, &broken.observe())[0].severity,
            Severity::Error
        );
    }

    #[test]
    fn the_range_has_to_hold_the_pods_of_every_node() {
        let narrow = Fixture::healthy().config(json!({"clusterCIDR": "10.244.1.0/24"}));
        let findings = shown::finds(&CHECK, &narrow.observe());
        assert!(
            findings[0]
                .summary
                .starts_with("pods of node2 and node3 are outside")
        );
        shown::finds(&CHECK, &Fixture::healthy().config(json!({})).observe());
        let by_bridge =
            json!({"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"}});
        shown::passes(&CHECK, &Fixture::healthy().config(by_bridge).observe());
    }

    #[test]
    fn a_configuration_that_fits_passes_and_an_unread_one_is_unknown() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::cannot_tell(&CHECK, &Fixture::healthy().config_unseen().observe());
    }
}
