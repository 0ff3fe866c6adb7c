use report::{Evidence, Finding, Severity, Subject};

use super::{NOT_READY, OUTSIDE, OWN_NAMES, Scene, gap, ids, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// A chain from kubelets to a configuration that ends somewhere on its way.
pub(crate) static CHECK: Check = Check {
    id: "dns-locate",
    claim: "the chain from what kubelets give to pods to the configuration of the DNS pods is whole",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| {
        let dns = scene.dns;
        let mut gaps = Scene::gaps([gap(&dns.services), gap(&dns.controllers), gap(&dns.pods)]);
        if dns.kubelets.is_empty() && dns.services.seen().is_some_and(Vec::is_empty) {
            gaps.extend(Scene::gaps([view.observation.nodes.gap()]));
        }
        let findings = if gaps.is_empty() {
            finding(scene).into_iter().collect()
        } else {
            Vec::new()
        };
        Judgement {
            findings,
            gaps,
            ..Judgement::default()
        }
    })
}

fn finding(scene: &Scene<'_>) -> Option<Finding> {
    let is_node_local = scene
        .controllers()
        .any(|it| it.role == observation::DnsRole::NodeLocal);
    let error = |subject: Subject, summary: String, evidence: Evidence| {
        let mut finding = Finding::new(CHECK.id, Severity::Error, subject, summary, evidence);
        finding.explains = ids(&[&NOT_READY, &OWN_NAMES, &OUTSIDE, &["dns-svc", "dns-kubelet"]]);
        finding
    };
    let Some(service) = scene.services().next() else {
        if is_node_local {
            return None;
        }
        let mut finding = error(
            Subject::Cluster,
            "the cluster has no DNS Service: no Service has an address that kubelets give to pods, or a name or label of one"
                .to_owned(),
            Evidence::command(
                "no Service is labelled k8s-app=kube-dns",
                "kubectl get services -A -l k8s-app=kube-dns",
            ),
        );
        finding.hint = Some(
            "install the DNS of the cluster's distribution, with the address of the kubelets' clusterDNS"
                .into(),
        );
        return Some(finding);
    };
    if scene.controllers().next().is_some() || scene.pods().next().is_some() {
        return None;
    }
    let mut finding = error(
        service.subject(),
        format!("nothing makes pods for {}", service.subject()),
        Evidence::command(
            format!(
                "no Deployment or DaemonSet of namespace {} makes pods that it selects",
                service.namespace
            ),
            format!(
                "kubectl get deployments,daemonsets -n {} -o wide",
                word(&service.namespace)
            ),
        ),
    );
    finding.hint = Some("install the DNS of the cluster's distribution again".into());
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    #[test]
    fn a_cluster_without_its_dns_is_said_to_have_none() {
        let none = Fixture::healthy().with(|dns| list(&mut dns.services).clear());
        assert_eq!(shown::finds(&CHECK, &none.observe())[0].subject, Subject::Cluster);
        let empty = Fixture::healthy().with(|dns| {
            list(&mut dns.controllers).clear();
            list(&mut dns.pods).clear();
        });
        assert!(
            shown::finds(&CHECK, &empty.observe())[0]
                .summary
                .starts_with("nothing makes pods")
        );
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn services_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy().with(|dns| dns.services = unseen()).observe(),
        );
    }
}
