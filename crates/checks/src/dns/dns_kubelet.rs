use std::collections::BTreeSet;
use std::net::IpAddr;

use observation::KubeletDns;
use report::{Evidence, Finding, Observed, Severity, Subject};

use super::{OWN_NAMES, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A kubelet that gives pods another DNS server or another domain than the cluster's.
///
/// Its own configuration as it runs is read: a file on the node may have been changed since.
pub(crate) static CHECK: Check = Check {
    id: "dns-kubelet",
    claim: "kubelets give pods the address of the DNS Service and the domain of the cluster",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let mut gaps = Scene::gaps([gap(&dns.services), view.observation.nodes.gap()]);
        gaps.extend(dns.kubelets.values().filter_map(Observed::gap).cloned());
        let addresses = scene.addresses();
        let domain = scene.domain();
        let seen = dns
            .kubelets
            .iter()
            .filter_map(|(node, said)| Some((node, said.seen()?)));
        let findings = seen.filter_map(|(node, kubelet)| {
            let address = dns
                .services
                .seen()
                .and_then(|_| of_address(node, kubelet, &addresses, scene));
            address.or_else(|| of_domain(node, kubelet, domain))
        });
        Judgement {
            findings: findings.collect(),
            gaps,
            ..Judgement::default()
        }
    })
}

/// Node-local caches listen on addresses that no Service has.
fn is_node_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local() || address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback() || (address.segments()[0] & 0xffc0) == 0xfe80,
    }
}

fn of_address(
    node: &str,
    kubelet: &KubeletDns,
    addresses: &BTreeSet<IpAddr>,
    scene: &Scene<'_>,
) -> Option<Finding> {
    let given = &kubelet.addresses;
    let texts: Vec<String> = given.iter().map(ToString::to_string).collect();
    if given.is_empty() {
        return Some(finding(
            node,
            format!("the kubelet of {node} gives pods no DNS server: they ask the node's"),
            "its configuration has no clusterDNS".to_owned(),
        ));
    }
    let is_known = |address: &IpAddr| addresses.contains(address) || is_node_local(*address);
    if given.iter().any(is_known) || addresses.is_empty() {
        return None;
    }
    // A cluster of clusters, or a DNS that is no Service: where all kubelets agree on it, it is meant.
    let kubelets = scene.dns.kubelets.values().filter_map(Observed::seen);
    let are_all_so = kubelets.clone().count() > 1 && kubelets.clone().all(|it| it.addresses == *given);
    let mut finding = finding(
        node,
        format!(
            "the kubelet of {node} gives pods {} as DNS server, which no DNS Service has",
            texts.join(", ")
        ),
        format!("its configuration has clusterDNS {}", texts.join(", ")),
    );
    if are_all_so {
        finding.severity = Severity::Warning;
    }
    Some(finding)
}

fn of_domain(node: &str, kubelet: &KubeletDns, domain: Option<&str>) -> Option<Finding> {
    let own = kubelet.domain.trim_end_matches('.');
    let domain = domain?;
    (own != domain).then(|| {
        finding(
            node,
            format!(
                "the kubelet of {node} lets pods search {}, and others {domain}: short names fail there",
                if own.is_empty() {
                    "no domain of the cluster"
                } else {
                    own
                }
            ),
            format!("its configuration has clusterDomain {own:?}"),
        )
    })
}

fn finding(node: &str, summary: String, fact: String) -> Finding {
    let subject = Subject::Object {
        kind: "node".to_owned(),
        name: node.to_owned(),
        namespace: None,
    };
    let show = format!(
        "kubectl get --raw {}",
        word(&format!("/api/v1/nodes/{node}/proxy/configz"))
    );
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject,
        summary,
        Evidence::command(fact, show),
    );
    finding.hint = Some(
        "correct clusterDNS and clusterDomain of its kubelet, restart it, and recreate the pods there: a running pod keeps what it got"
            .to_owned(),
    );
    finding.explains = ids(&[&OWN_NAMES, &["dns-pod-ns", "dns-pod-resolv"]]);
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, unseen};
    use crate::shown;

    fn node3(change: impl FnOnce(&mut KubeletDns)) -> Fixture {
        Fixture::healthy().with(|dns| {
            if let Some(Observed::Seen(kubelet)) = dns.kubelets.get_mut("node3") {
                change(kubelet);
            }
        })
    }

    #[test]
    fn a_kubelet_that_differs_is_named() {
        let address = node3(|kubelet| kubelet.addresses = vec!["10.96.0.11".parse().expect("an address")]);
        let findings = shown::finds(&CHECK, &address.observe());
        assert_eq!(
            (findings.len(), findings[0].subject.to_string().as_str()),
            (1, "node/node3")
        );
        let domain = node3(|kubelet| kubelet.domain = "cluster.lan".into());
        assert!(
            shown::finds(&CHECK, &domain.observe())[0]
                .summary
                .contains("lets pods search cluster.lan")
        );
        let none = node3(|kubelet| kubelet.addresses.clear());
        assert!(
            shown::finds(&CHECK, &none.observe())[0]
                .summary
                .contains("no DNS server")
        );
    }

    #[test]
    fn a_node_local_cache_has_an_address_of_its_own() {
        shown::passes(&CHECK, &Fixture::healthy().observe());
        shown::passes(
            &CHECK,
            &node3(|kubelet| kubelet.addresses = vec!["169.254.20.10".parse().expect("an address")])
                .observe(),
        );
    }

    #[test]
    fn a_kubelet_that_was_not_asked_is_a_gap() {
        let unread = Fixture::healthy().with(|dns| {
            dns.kubelets.insert("node2".into(), unseen());
        });
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
