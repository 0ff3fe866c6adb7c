use ipnet::IpNet;
use observation::{ConfigDocument, FlannelConfig, Node, RangeSign};
use report::{Evidence, Finding, Severity, Subject};
use serde_json::Value;

use super::{Cnis, NO_NETWORK, count, few, ids, over, part};
use crate::check::{Breaks, Check, Judgement, Need};
use crate::nodes::pod_cidrs;
use crate::shell::word;
use crate::view::View;

/// flannel makes a tunnel for the range of a node only where its own network contains that range. What the `ConfigMap` says comes into force
/// when a pod of flannel starts: a change may lie there for months, until a node reboots.
pub(crate) static CHECK: Check = Check {
    id: "cni-flannel-net",
    claim: "flannel's network contains the range of every node",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        let Some(config) = part(&scene.facts.flannel, judgement) else {
            return;
        };
        let Some(config) = config else {
            judgement.skipped = Some("no flannel with a ConfigMap is here".to_owned());
            return;
        };
        match &config.net_conf {
            ConfigDocument::Broken { message } => {
                let why = format!("flannel's net-conf.json is no JSON: {message}");
                judgement.cause(finding(scene, config, why, message.clone()), Breaks::Nothing);
            }
            ConfigDocument::Read { value } => of_document(scene, view, config, value, judgement),
        }
    })
}

/// A family's part of the configuration.
struct Network {
    key: &'static str,
    text: Option<String>,
    is_v4: bool,
}

fn networks(value: &Value) -> Vec<Network> {
    let is_on = |key: &str, usual: bool| value[key].as_bool().unwrap_or(usual);
    let of = |key: &'static str, is_v4| Network {
        key,
        text: value[key].as_str().map(str::to_owned),
        is_v4,
    };
    let mut all = Vec::new();
    if is_on("EnableIPv4", true) {
        all.push(of("Network", true));
    }
    if is_on("EnableIPv6", false) {
        all.push(of("IPv6Network", false));
    }
    all
}

fn of_document(
    scene: &Cnis<'_>,
    view: &View<'_>,
    config: &FlannelConfig,
    value: &Value,
    judgement: &mut Judgement,
) {
    for network in networks(value) {
        let shown = network.text.clone().unwrap_or_else(|| "absent".to_owned());
        let parsed = network
            .text
            .as_deref()
            .and_then(|text| text.parse::<IpNet>().ok());
        let Some(parsed) = parsed.filter(|it| it.addr().is_ipv4() == network.is_v4) else {
            let why = format!("flannel's {} is no network: {shown}", network.key);
            judgement.cause(finding(scene, config, why, shown), Breaks::Nothing);
            continue;
        };
        let is_outside = |node: &&&Node| {
            let cidrs = pod_cidrs(node);
            let mut of_family = cidrs.iter().filter(|cidr| cidr.addr().is_ipv4() == network.is_v4);
            of_family.any(|cidr| !parsed.contains(cidr))
        };
        let outside: Vec<&str> = scene
            .nodes
            .iter()
            .filter(is_outside)
            .map(|node| node.name.as_str())
            .collect();
        if !outside.is_empty() {
            judgement.cause(excluding(scene, view, config, parsed, &outside), Breaks::Nothing);
        } else if let Some(sign) = beyond(scene, parsed) {
            judgement.findings.push(narrower(config, parsed, sign));
        }
    }
}

/// A range of the cluster that flannel's network does not contain as a whole.
fn beyond<'a>(scene: &Cnis<'a>, network: IpNet) -> Option<&'a RangeSign> {
    let signs = scene.facts.ranges.pods.seen()?;
    signs.iter().find(|sign| {
        let range = sign.cidr.parse::<IpNet>();
        range.is_ok_and(|range| {
            range.addr().is_ipv4() == network.addr().is_ipv4() && !network.contains(&range)
        })
    })
}

fn subject(config: &FlannelConfig) -> Subject {
    Subject::Object {
        kind: "configmap".to_owned(),
        name: config.name.clone(),
        namespace: Some(config.namespace.clone()),
    }
}

fn show(config: &FlannelConfig) -> String {
    format!(
        "kubectl -n {} get configmap {} -o yaml",
        word(&config.namespace),
        word(&config.name)
    )
}

fn finding(scene: &Cnis<'_>, config: &FlannelConfig, summary: String, fact: String) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject(config),
        summary,
        Evidence::command(fact, show(config)),
    );
    finding.explains = ids(&[
        "cni-ds-ready",
        "cni-log",
        "cni-subnetenv",
        "cni-flannel",
        "cni-vxlan-if",
        "cni-route",
        "cni-cidr-overlap",
        "net-egr-masq",
        "net-mesh",
        "cni-overlay",
    ]);
    finding.explains.extend(ids(&NO_NETWORK));
    let namespace = word(&config.namespace);
    let set = scene.controllers().find(|it| it.namespace == config.namespace);
    let set = set.map_or("kube-flannel-ds", |it| it.name.as_str());
    finding.hint = Some(format!(
        "correct net-conf.json, then have flannel read it: `kubectl -n {namespace} edit configmap {}`; `kubectl -n {namespace} rollout restart \
         daemonset {}`",
        word(&config.name),
        word(set)
    ));
    finding
}

fn excluding(
    scene: &Cnis<'_>,
    view: &View<'_>,
    config: &FlannelConfig,
    network: IpNet,
    outside: &[&str],
) -> Finding {
    let whose = if outside.len() == scene.nodes.len() {
        "of any node".to_owned()
    } else {
        format!("of {}", few(outside))
    };
    let what = format!("flannel's network {network} does not contain the range {whose}");
    let mut finding = finding(scene, config, what, format!("net-conf.json says {network}"));
    // One among many was given another range: it is the one that is odd.
    if let ([node], 3..) = (outside, scene.nodes.len()) {
        finding.subject = Subject::node(*node);
        finding.hint = Some(format!(
            "have the node given a range of the cluster's: drain it, delete its object and restart its kubelet: `kubectl drain {name} \
             --ignore-daemonsets && kubectl delete node {name}`",
            name = word(node)
        ));
    }
    let ranges: Vec<String> = scene
        .nodes
        .iter()
        .filter(|node| outside.contains(&node.name.as_str()))
        .map(|node| format!("{} {}", node.name, node.pod_cidrs.join(" ")))
        .collect();
    let ranges: Vec<&str> = ranges.iter().map(String::as_str).collect();
    finding.evidence.push(Evidence::command(
        few(&ranges),
        "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODCIDRS:.spec.podCIDRs",
    ));
    let old = in_force_elsewhere(scene, view, config, network);
    finding.evidence.extend(old);
    finding
}

/// Where flannel still runs with what was configured before.
fn in_force_elsewhere(
    scene: &Cnis<'_>,
    view: &View<'_>,
    config: &FlannelConfig,
    network: IpNet,
) -> Option<Evidence> {
    let read = view.observation.node_evidence.iter();
    let mut other = read.filter_map(|(node, evidence)| {
        let env = evidence
            .seen()?
            .before
            .files
            .get("/run/flannel/subnet.env")?
            .seen()?;
        let line = env
            .lines()
            .find_map(|line| line.strip_prefix("FLANNEL_NETWORK="))?;
        (line.parse::<IpNet>().ok()? != network).then_some((node.as_str(), line))
    });
    if let Some((node, still)) = other.next() {
        let rest = other.count();
        let others = if rest == 0 {
            String::new()
        } else {
            format!(" and {}", count(rest, "other node"))
        };
        return Some(Evidence::command(
            format!(
                "flannel of {node}{others} still has {still}: the change comes into force when its pod starts"
            ),
            crate::shell::on_node(node, &["cat /run/flannel/subnet.env"]),
        ));
    }
    let changed = config.changed.as_deref()?;
    let pods = scene.facts.pods.seen()?;
    let is_before = |started: &Option<String>| started.as_deref().is_some_and(|started| started < changed);
    let old = pods
        .iter()
        .filter(|pod| {
            pod.namespace == config.namespace
                && pod.containers.iter().any(|it| !it.init && is_before(&it.started))
        })
        .count();
    (old > 0).then(|| {
        Evidence::field(
            format!(
                "it was changed {changed}, after {} of flannel had started: it comes into force when they start again",
                count(old, "pod")
            ),
            format!("{} .metadata.managedFields[].time", subject(config)),
        )
    })
}

fn narrower(config: &FlannelConfig, network: IpNet, sign: &RangeSign) -> Finding {
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        subject(config),
        format!(
            "flannel's network {network} does not contain all of the cluster's range {}: a node may be given a range outside of it",
            sign.cidr
        ),
        Evidence::command(format!("net-conf.json says {network}"), show(config)),
    );
    finding.evidence.push(Evidence::command(
        format!("{} says {}", sign.from, sign.cidr),
        sign.command.clone(),
    ));
    finding.hint = Some("make both the same, and restart flannel's pods one after the other".to_owned());
    finding
}

#[cfg(test)]
mod tests {
    use report::Observed;
    use serde_json::json;

    use super::super::fixture::{Fixture, flannel, no, seen, sign};
    use super::*;
    use crate::shown;

    fn with(net_conf: &Value) -> Fixture {
        Fixture::healthy().change(|cni| cni.flannel = Observed::Seen(Some(flannel(net_conf))))
    }

    #[test]
    fn a_network_that_contains_no_range_of_a_node_is_found_with_what_is_still_in_force() {
        let fixture = with(&json!({"Network": "10.99.0.0/16"})).change(|cni| {
            let Observed::Seen(Some(config)) = &mut cni.flannel else {
                panic!()
            };
            config.changed = Some("2026-03-01T08:55:00Z".into());
        });
        let findings = shown::finds(&CHECK, &fixture.observe());
        assert_eq!(
            findings[0].summary,
            "flannel's network 10.99.0.0/16 does not contain the range of any node"
        );
        assert!(
            findings[0].evidence[2]
                .fact
                .contains("after 3 pods of flannel had started")
        );
        let one = Fixture::healthy().node("node3", |node| node.pod_cidrs = vec!["10.245.3.0/24".into()]);
        assert_eq!(
            shown::finds(&CHECK, &one.observe())[0].subject,
            Subject::node("node3")
        );
        assert!(
            shown::finds(&CHECK, &one.observe())[0]
                .summary
                .ends_with("the range of node3")
        );
    }

    #[test]
    fn what_is_no_configuration_is_found() {
        for value in [
            json!({}),
            json!({"Network": "ten"}),
            json!({"Network": 10}),
            json!([]),
        ] {
            shown::finds(&CHECK, &with(&value).observe());
        }
        let broken = Fixture::healthy().change(|cni| {
            let Observed::Seen(Some(config)) = &mut cni.flannel else {
                panic!()
            };
            config.net_conf = ConfigDocument::Broken {
                message: "EOF while parsing".into(),
            };
        });
        assert!(
            shown::finds(&CHECK, &broken.observe())[0]
                .summary
                .contains("no JSON")
        );
    }

    #[test]
    fn a_network_narrower_than_the_clusters_range_is_a_warning_and_a_wider_one_is_none() {
        let narrow = Fixture::healthy().change(|cni| seen(&mut cni.ranges.pods)[0] = sign("10.244.0.0/14"));
        assert_eq!(
            shown::finds(&CHECK, &narrow.observe())[0].severity,
            Severity::Warning
        );
        shown::passes(
            &CHECK,
            &with(&json!({"Network": "10.0.0.0/8", "Backend": {"Type": "vxlan", "Port": 4790}})).observe(),
        );
        shown::passes(
            &CHECK,
            &with(&json!({"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd00:1::/48"}))
                .observe(),
        );
    }

    #[test]
    fn a_configuration_that_may_not_be_read_is_unknown() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.flannel = no("configmap/kube-flannel-cfg"))
                .observe(),
        );
    }
}
