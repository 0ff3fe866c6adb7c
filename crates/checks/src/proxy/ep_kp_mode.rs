use std::collections::BTreeMap;

use netmodel::rules::{ProxyMode, proxy_modes};
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::ep_kp_metrics::hangs;
use super::{Proxy, config, gap, on_asked};
use crate::check::{Check, Judgement, Need};
use crate::firewall::joined;
use crate::shell::on_node;
use crate::view::View;

/// The mode that kube-proxy says it is in, the one that its configuration names, and the tables of the kernel that hold its rules.
/// A configuration that was changed takes effect when kube-proxy is started anew.
pub(crate) static CHECK: Check = Check {
    id: "ep-kp-mode",
    claim: "all that tells kube-proxy's mode tells the same",
    needs: &[Need::KubeProxy],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    on_asked(view, |proxies, judgement| {
        let wanted = match &proxies.facts.config {
            // Nobody runs in a mode that there is not: that is told with the configuration.
            Observed::Seen(config) => config::value(config.as_ref())
                .map(config::mode)
                .filter(|mode| config::MODES.contains(mode)),
            Observed::Unseen(gap) => {
                judgement.gaps.push(gap.clone());
                None
            }
        };
        let mut others: BTreeMap<&str, Vec<&Proxy<'_>>> = BTreeMap::new();
        let mut modes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for proxy in &proxies.nodes {
            if let Some(gap) = proxy.gap() {
                judgement.gaps.push(gap.clone());
                continue;
            }
            let Some((_, look)) = proxy.looks() else { continue };
            // That it hangs is told with what it says of itself, and concerns this too.
            if hangs(proxy) {
                continue;
            }
            let Some(mode) = proxy.mode() else {
                let what = format!("the mode of kube-proxy of {}", proxy.name());
                judgement
                    .gaps
                    .push(gap(what, format!("{} does not say it", look.metrics_address)));
                continue;
            };
            modes.entry(mode).or_default().push(proxy.name());
            if wanted.is_some_and(|wanted| wanted != mode) {
                others.entry(mode).or_default().push(proxy);
            }
            judgement.findings.extend(beside_kernel(view, proxy, mode));
        }
        for (mode, proxies) in &others {
            judgement
                .findings
                .extend(otherwise(wanted.unwrap_or_default(), mode, proxies));
        }
        if others.is_empty() && modes.len() > 1 {
            judgement.findings.extend(mixed(&modes));
        }
    })
}

fn asked(proxy: &Proxy<'_>, mode: &str) -> Evidence {
    let address = proxy
        .looks()
        .map_or("127.0.0.1:10249", |(_, look)| look.metrics_address.as_str());
    Evidence::command(
        format!("kube-proxy of {} says {mode}", proxy.name()),
        on_node(proxy.name(), &[&format!("curl -s http://{address}/proxyMode")]),
    )
}

fn otherwise(wanted: &str, mode: &str, proxies: &[&Proxy<'_>]) -> Option<Finding> {
    let first = proxies.first()?;
    let names: Vec<&str> = proxies.iter().map(|proxy| proxy.name()).collect();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        first.subject(),
        format!(
            "kube-proxy of {} runs in mode {mode}, and its configuration asks for {wanted}: it was not started anew since, or not \
             with it",
            joined(&names)
        ),
        asked(first, mode),
    );
    finding.evidence.push(Evidence::command(
        format!("config.conf has the mode {wanted}"),
        "kubectl -n kube-system get configmap kube-proxy -o yaml",
    ));
    finding.hint = Some(
        "where the change is meant, start one after the other anew: `kubectl -n kube-system rollout restart daemonset kube-proxy`"
            .to_owned(),
    );
    Some(finding)
}

/// Rules of another mode, and none of its own. Both at once are a matter of the rules: ep-rule-backends.
fn beside_kernel(view: &View<'_>, proxy: &Proxy<'_>, mode: &str) -> Option<Finding> {
    let firewall = view
        .firewalls
        .iter()
        .find(|firewall| firewall.name() == proxy.name())?;
    let found = proxy_modes(&firewall.rules.sets);
    let name = |mode: &ProxyMode| match mode {
        ProxyMode::Iptables(_) => "iptables",
        ProxyMode::Nftables => "nftables",
        ProxyMode::Ipvs(_) => "ipvs",
    };
    // Where IPVS leads packets, some chains of iptables help it.
    if mode == "ipvs" || found.is_empty() || found.iter().any(|found| name(found) == mode) {
        return None;
    }
    let other = name(found.first()?);
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        proxy.subject(),
        format!(
            "kube-proxy of {} says that it is in mode {mode}, and its node has rules of {other} only",
            proxy.name()
        ),
        asked(proxy, mode),
    );
    let look = if other == "iptables" {
        "iptables-save -t nat"
    } else {
        "nft list tables"
    };
    finding.evidence.push(Evidence::command(
        format!("the rules for Services are those of {other}"),
        on_node(proxy.name(), &[look]),
    ));
    finding.hint = proxy
        .restart()
        .map(|command| format!("it writes its rules when it starts: `{command}`"));
    Some(finding)
}

fn mixed(modes: &BTreeMap<&str, Vec<&str>>) -> Option<Finding> {
    let parts: Vec<String> = modes
        .iter()
        .map(|(mode, nodes)| format!("{mode} on {}", joined(nodes)))
        .collect();
    let (mode, nodes) = modes.iter().min_by_key(|(_, nodes)| nodes.len())?;
    let node = nodes.first()?;
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Warning,
        Subject::node(*node),
        format!(
            "kube-proxy is not in the same mode everywhere: {}",
            parts.join(", ")
        ),
        Evidence::command(
            format!("kube-proxy of {node} says {mode}"),
            on_node(node, &["curl -s http://127.0.0.1:10249/proxyMode"]),
        ),
    );
    finding.hint = Some("see what starts it: `kubectl -n kube-system get pods -o wide`".to_owned());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::Fixture;
    use super::*;
    use crate::shown;

    #[test]
    fn a_change_that_nobody_has_taken_up_is_found_once() {
        let changed = Fixture::healthy().config(json!({"mode": "nftables"}));
        let findings = shown::finds(&CHECK, &changed.observe());
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0]
                .summary
                .starts_with("kube-proxy of node1, node2 and node3 runs in mode iptables")
        );
    }

    #[test]
    fn one_node_that_differs_is_found_where_no_configuration_says_what_is_right() {
        let mixed = Fixture::healthy().without_config().mode("node2", "nftables");
        let findings = shown::finds(&CHECK, &mixed.observe());
        assert!(
            findings[0]
                .summary
                .ends_with("iptables on node1 and node3, nftables on node2")
        );
    }

    #[test]
    fn a_mode_that_there_is_not_is_no_other_mode() {
        shown::passes(
            &CHECK,
            &Fixture::healthy().config(json!({"mode": "userspace"})).observe(),
        );
    }

    #[test]
    fn no_mode_in_the_configuration_means_iptables() {
        shown::passes(&CHECK, &Fixture::healthy().config(json!({"mode": ""})).observe());
    }

    #[test]
    fn who_does_not_say_it_is_unknown() {
        assert_eq!(
            shown::cannot_tell(&CHECK, &Fixture::healthy().without_mode("node1").observe()).len(),
            1
        );
        shown::cannot_tell(&CHECK, &Fixture::healthy().unasked("node1").observe());
    }
}
