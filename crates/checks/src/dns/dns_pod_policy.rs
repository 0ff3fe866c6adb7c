use observation::DnsAsker;
use report::{Evidence, Finding, Severity};

use super::{Scene, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A pod in the network of its node that looks up Services and was left at `ClusterFirst`, which there means the node's own resolver.
///
/// Most such pods look up no Service, and are right.
pub(crate) static CHECK: Check = Check {
    id: "dns-pod-policy",
    claim: "pods in the network of their node that look up Services ask the cluster's DNS",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let askers = scene.dns.askers.seen().into_iter().flatten();
        let mut findings: Vec<Finding> = Vec::new();
        let mut told: Vec<&str> = Vec::new();
        for asker in
            askers.filter(|asker| asker.effective_policy() == "Default" && !asker.mentions.is_empty())
        {
            // Of the pods of one DaemonSet one is enough.
            if let Some(controller) = asker.controller.as_deref() {
                if told.contains(&controller) {
                    continue;
                }
                told.push(controller);
            }
            findings.push(finding(asker));
        }
        Judgement {
            findings,
            gaps: Scene::gaps([gap(&scene.dns.askers)]),
            ..Judgement::default()
        }
    })
}

fn finding(asker: &DnsAsker) -> Finding {
    let subject = asker.subject();
    let of = asker
        .controller
        .as_deref()
        .map_or(String::new(), |controller| format!(" of {controller}"));
    let why = if asker.host_network {
        "is in the network of its node with dnsPolicy ClusterFirst, which there asks the node's resolver"
    } else {
        "has dnsPolicy Default, which asks the node's resolver"
    };
    let mentions = asker.mentions.join(", ");
    let (name, namespace) = (word(&asker.name), word(&asker.namespace));
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!("{subject}{of} {why}: names of Services fail, and its settings name some"),
        Evidence::command(
            format!("dnsPolicy {}, hostNetwork {}", asker.policy, asker.host_network),
            format!(
                "kubectl get pod {name} -n {namespace} -o {}",
                word("jsonpath={.spec.dnsPolicy} {.spec.hostNetwork}")
            ),
        ),
    );
    finding
        .evidence
        .push(Evidence::field(mentions, format!("{subject} .spec.containers")));
    finding.hint =
        Some("set `dnsPolicy: ClusterFirstWithHostNet` where the pod is made, and recreate it".to_owned());
    finding
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    fn host(policy: &str, mentions: &[&str]) -> Fixture {
        Fixture::healthy().with(|dns| {
            list(&mut dns.askers).push(DnsAsker {
                namespace: "shop".into(),
                name: "host".into(),
                policy: policy.into(),
                host_network: true,
                mentions: mentions.iter().map(|&it| it.to_owned()).collect(),
                ..DnsAsker::default()
            });
        })
    }

    #[test]
    fn only_those_that_name_services_are_wrong() {
        let wrong = host("ClusterFirst", &["WEB=http://web.shop.svc"]);
        assert_eq!(
            shown::finds(&CHECK, &wrong.observe())[0].subject.to_string(),
            "pod/host -n shop"
        );
        shown::passes(&CHECK, &host("ClusterFirst", &[]).observe());
        shown::passes(
            &CHECK,
            &host("ClusterFirstWithHostNet", &["WEB=http://web.shop.svc"]).observe(),
        );
    }

    #[test]
    fn pods_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.askers = unseen()).observe(),
        );
    }
}
