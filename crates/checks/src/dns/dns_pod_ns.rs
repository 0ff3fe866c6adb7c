use std::collections::BTreeSet;
use std::net::IpAddr;

use netmodel::resolv;
use report::{Evidence, Finding, Severity};

use super::resolv::{ResolvConf, asked};
use super::{OWN_NAMES, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::{resolv_conf_of, word};
use crate::view::View;

/// The pod that was asked about has `ClusterFirst` and asks somebody else.
///
/// By its resolv.conf where that was read, else by what its kubelet would write. Pods with `Default` and `None`, and most in the network of
/// their node, ask others on purpose.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-ns",
    claim: "the pod asks the cluster's DNS first where its policy says so",
    needs: &[Need::Dns],
    judge,
};

/// Addresses of a cache on the node: that of NodeLocal DNSCache, and that of kubespray.
const NODE_LOCAL: [[u8; 4]; 2] = [[169, 254, 20, 10], [169, 254, 25, 10]];

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let (asker, kubelet) = match asked(view, scene) {
            Ok(asked) => asked,
            Err(judgement) => return judgement,
        };
        if asker.effective_policy() != "ClusterFirst" {
            return Judgement::default();
        }
        let files = asker.files.as_deref().and_then(|files| files.resolv_conf.seen());
        let nameservers = match files {
            Some(text) => resolv::ResolvConf::parse(text).nameservers,
            None => ResolvConf::of(asker, kubelet).nameservers,
        };
        let own: BTreeSet<IpAddr> = scene
            .addresses()
            .into_iter()
            .chain(NODE_LOCAL.map(IpAddr::from))
            .collect();
        let first = nameservers.first();
        let gaps = Scene::gaps([gap(&scene.dns.services)]);
        if first.is_some_and(|first| own.contains(first)) || !gaps.is_empty() {
            return Judgement {
                gaps,
                ..Judgement::default()
            };
        }
        let subject = asker.subject();
        let whom = first.map_or("nobody".to_owned(), ToString::to_string);
        let known: Vec<String> = scene.addresses().iter().map(ToString::to_string).collect();
        let by = if files.is_some() {
            "its resolv.conf names"
        } else {
            "the kubelet of its node gives out"
        };
        let mut finding = Finding::new(
            CHECK.id,
            Severity::Error,
            subject.clone(),
            format!(
                "{subject} asks {whom} for names, and not the cluster's DNS, though its dnsPolicy says so"
            ),
            Evidence::command(
                format!("{by} {whom}; the DNS Service has {}", known.join(", ")),
                if files.is_some() {
                    resolv_conf_of(&asker.namespace, &asker.name)
                } else {
                    format!(
                        "kubectl get --raw /api/v1/nodes/{}/proxy/configz",
                        word(asker.node.as_deref().unwrap_or_default())
                    )
                },
            ),
        );
        finding.hint = Some(
            "set clusterDNS of the kubelet to the address of the DNS Service, restart the kubelet, and recreate the pod".to_owned(),
        );
        finding.explains = ids(&[&OWN_NAMES, &["dns-pod-resolv"]]);
        Judgement {
            findings: vec![finding],
            ..Judgement::default()
        }
    })
}

#[cfg(test)]
mod tests {
    use report::Observed;

    use super::*;
    use crate::dns::fixture::{Fixture, asked_pod, unseen};
    use crate::shown;

    #[test]
    fn a_server_that_is_not_the_clusters_is_told_and_where_it_is_written() {
        let wrong = asked_pod("ClusterFirst", Some("nameserver 8.8.8.8\n"));
        let findings = shown::finds(&CHECK, &wrong.observe());
        assert!(
            findings[0]
                .summary
                .starts_with("pod/web-1 -n shop asks 8.8.8.8 for names"),
            "{}",
            findings[0].summary
        );
        let kubelet = asked_pod("ClusterFirst", None).with(|dns| {
            for kubelet in dns.kubelets.values_mut() {
                if let Observed::Seen(kubelet) = kubelet {
                    kubelet.addresses = vec![[10, 96, 0, 99].into()];
                }
            }
        });
        let findings = shown::finds(&CHECK, &kubelet.observe());
        assert!(
            findings[0].evidence[0]
                .fact
                .contains("the kubelet of its node gives out 10.96.0.99")
        );
    }

    #[test]
    fn the_clusters_own_and_the_nodes_cache_are_right_and_other_policies_are_meant() {
        shown::passes(&CHECK, &asked_pod("ClusterFirst", None).observe());
        shown::passes(
            &CHECK,
            &asked_pod("ClusterFirst", Some("nameserver 169.254.20.10\n")).observe(),
        );
        shown::passes(&CHECK, &asked_pod("None", Some("nameserver 8.8.8.8\n")).observe());
    }

    #[test]
    fn without_the_services_it_cannot_be_told() {
        let unread: Fixture = asked_pod("ClusterFirst", None).with(|dns| dns.services = unseen());
        shown::cannot_tell(&CHECK, &unread.observe());
    }
}
