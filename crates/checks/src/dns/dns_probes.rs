use observation::DnsRole;
use report::{Evidence, Finding, Severity};

use super::{Scene, gap, over};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::view::View;

/// DNS servers whose readiness nobody asks, or that are ended for a moment of load.
pub(crate) static CHECK: Check = Check {
    id: "dns-probes",
    claim: "the kubelet asks DNS pods whether they are ready, and is patient when it asks whether they live",
    needs: &[Need::Dns],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene| Judgement {
        findings: findings(scene),
        gaps: Scene::gaps([gap(&scene.dns.controllers)]),
        ..Judgement::default()
    })
}

fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A node-local cache is asked by address: nothing routes around one that is not ready.
    for controller in scene.controllers().filter(|it| it.role == DnsRole::Cluster) {
        let subject = controller.subject();
        let show = format!(
            "kubectl get {} {} -n {} -o yaml",
            controller.kind,
            word(&controller.name),
            word(&controller.namespace)
        );
        let mut add = |summary: String, fact: &str, hint: &str| {
            let evidence = Evidence::command(fact, show.clone());
            let mut finding = Finding::new(CHECK.id, Severity::Warning, subject.clone(), summary, evidence);
            finding.hint = Some(hint.to_owned());
            findings.push(finding);
        };
        let container = &controller.container;
        if container.readiness.is_none() {
            add(
                format!(
                    "{subject} has no readiness probe over HTTP: queries go to pods that cannot answer yet"
                ),
                "its container has no readinessProbe with httpGet",
                "add a readinessProbe that asks `/ready` at port 8181, and `ready` to the Corefile",
            );
        }
        if container
            .liveness
            .as_ref()
            .is_some_and(|probe| probe.timeout_seconds < 2)
        {
            add(
                format!(
                    "{subject} is ended where it does not answer its liveness probe within a second: load is enough for that"
                ),
                "timeoutSeconds of its livenessProbe is 1",
                "set timeoutSeconds of the livenessProbe to 5",
            );
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::fixture::{Fixture, list, unseen};
    use crate::shown;

    #[test]
    fn probes_that_are_missing_or_hasty_are_told() {
        let hasty = Fixture::healthy().with(|dns| {
            let container = &mut list(&mut dns.controllers)[0].container;
            container.readiness = None;
            if let Some(probe) = &mut container.liveness {
                probe.timeout_seconds = 1;
            }
        });
        assert_eq!(shown::finds(&CHECK, &hasty.observe()).len(), 2);
        shown::passes(&CHECK, &Fixture::healthy().observe());
    }

    #[test]
    fn workloads_that_were_not_read_are_a_gap() {
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .with(|dns| dns.controllers = unseen())
                .observe(),
        );
    }
}
