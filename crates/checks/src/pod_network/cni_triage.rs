use report::{Evidence, Finding, Severity, Subject};

use super::triage::not_ready;
use super::{count, few, over, part};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// The pods that are not ready, by why. A list of phases would count pods that have ended and miss those whose containers end again and
/// again; what counts is the condition and what a container waits for. The table beside it is the page.
pub(crate) static CHECK: Check = Check {
    id: "cni-triage",
    claim: "all pods that are to be ready are",
    needs: &[Need::Cni],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    over(view, |scene, judgement| {
        if part(&scene.facts.cluster_pods, judgement).is_none() {
            return;
        }
        let mut reasons: Vec<_> = not_ready(scene).into_iter().collect();
        reasons.sort_by_key(|(_, pods)| std::cmp::Reverse(pods.len()));
        for (reason, pods) in reasons {
            let names: Vec<String> = pods.iter().map(|pod| pod.subject().to_string()).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let mut finding = Finding::new(
                CHECK.id,
                Severity::Warning,
                Subject::Cluster,
                format!(
                    "{} not ready: {reason}",
                    if pods.len() == 1 {
                        "1 pod is".to_owned()
                    } else {
                        format!("{} are", count(pods.len(), "pod"))
                    }
                ),
                Evidence::command(few(&names), "kubectl get pods -A -o wide"),
            );
            finding.hint = Some("`kubectl describe pod` of one of them says more".to_owned());
            judgement.findings.push(finding);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Fixture, no};
    use super::*;
    use crate::shown;

    #[test]
    fn pods_that_are_not_ready_are_counted_by_why() {
        let fixture = Fixture::healthy()
            .waits("web-1")
            .waits("web-2")
            .pod("web-3", |pod| {
                pod.ready = false;
                pod.reason = Some("CrashLoopBackOff".into());
            });
        let told: Vec<String> = shown::finds(&CHECK, &fixture.observe())
            .into_iter()
            .map(|it| it.summary)
            .collect();
        assert_eq!(
            told,
            [
                "2 pods are not ready: ContainerCreating",
                "1 pod is not ready: CrashLoopBackOff"
            ]
        );
    }

    #[test]
    fn pods_that_have_ended_are_not_counted() {
        let fixture = Fixture::healthy().pod("web-1", |pod| {
            pod.phase = "Succeeded".into();
            pod.ready = false;
        });
        shown::passes(&CHECK, &fixture.observe());
        shown::cannot_tell(
            &CHECK,
            &Fixture::healthy()
                .change(|cni| cni.cluster_pods = no("pods"))
                .observe(),
        );
    }
}
