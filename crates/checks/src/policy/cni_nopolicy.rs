use observation::PolicyWorkload;
use report::{Evidence, Finding, Observed, Severity, Subject};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Engine, Objects, Scene, count, engine, lint, object};
use crate::shell::word;
use crate::view::View;

/// Policies, and nobody who enforces them: they are then ignored in silence.
pub(crate) static CHECK: Check = Check {
    id: "cni-nopolicy",
    claim: "somebody enforces the policies that there are",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    let Some(scene) = &view.scene else {
        return Judgement::not_asked();
    };
    if !scene.is_lint() {
        return Judgement::not_asked();
    }
    let engine = engine(scene, view.observation);
    let is_known = scene.facts.policies.gap().is_none() && scene.facts.workloads.gap().is_none();
    let number = scene.world.policies().count();
    if is_known && engine == Engine::Unrecognised && number > 0 {
        return Judgement::skipped(
            "nothing that enforces policies was recognised, nor a CNI that leaves it to others; `kubectl netcheck policy --live` \
             tries it",
        );
    }
    lint(view, &[Objects::Workloads], |scene| {
        finding(scene, &engine, number).into_iter().collect()
    })
}

fn finding(scene: &Scene<'_>, engine: &Engine<'_>, number: usize) -> Option<Finding> {
    // What was tried says more than what was recognised, and is told by its own check.
    let is_tried = scene
        .facts
        .enforcement
        .as_ref()
        .and_then(Observed::seen)
        .is_some_and(|tried| tried.before);
    if number == 0 || is_tried {
        return None;
    }
    let policies = if number == 1 {
        "1 NetworkPolicy is".to_owned()
    } else {
        format!("{} are", count(number, "NetworkPolicy"))
    };
    let (workload, subject, summary, fact, hint) = match engine {
        // Nothing is wrong with this CNI: what the cluster lacks is something beside it.
        Engine::Nobody { cni } => (
            *cni,
            Subject::Cluster,
            format!(
                "{policies} there, and nothing that enforces them: the CNI is {}, which does not",
                cni.name
            ),
            "this CNI does not enforce policies, and no DaemonSet that does was recognised".to_owned(),
            "see whether a policy that denies is enforced with `kubectl netcheck policy --live`".to_owned(),
        ),
        Engine::Known {
            name,
            workload: Some(workload),
        } if workload.ready == Some(0) && scene.facts.workloads.gap().is_none() => (
            *workload,
            object("daemonset", &workload.namespace, &workload.name),
            format!("{policies} there, and {name}, which enforces them, has no ready pod"),
            "0 pods of it are ready".to_owned(),
            format!(
                "`kubectl describe daemonset {} -n {}`",
                word(&workload.name),
                word(&workload.namespace)
            ),
        ),
        Engine::Known { .. } | Engine::Unrecognised => return None,
    };
    let mut finding = warning(workload, subject, summary, fact);
    finding.hint = Some(hint);
    Some(finding)
}

fn warning(workload: &PolicyWorkload, subject: Subject, summary: String, fact: String) -> Finding {
    let command = format!(
        "kubectl get daemonset {} -n {} -o wide",
        word(&workload.name),
        word(&workload.namespace)
    );
    Finding::new(
        CHECK.id,
        Severity::Warning,
        subject,
        summary,
        Evidence::command(fact, command),
    )
}

#[cfg(test)]
mod tests {
    use report::{Gap, GapReason};

    use super::*;
    use crate::scene::fixture::{Fixture, deny_all};
    use crate::shown;

    fn with_policy() -> Fixture {
        Fixture::shop().with("shop", "deny", deny_all())
    }

    #[test]
    fn flannel_alone_enforces_nothing() {
        let observation = with_policy()
            .daemon(
                "kube-flannel",
                "kube-flannel-ds",
                "ghcr.io/flannel-io/flannel:v0.27.0",
            )
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].severity, Severity::Warning);
        assert!(
            findings[0]
                .summary
                .contains("the CNI is kube-flannel-ds, which does not")
        );
    }

    #[test]
    fn beside_flannel_a_policy_engine_does() {
        let flannel = with_policy().daemon("kube-flannel", "kube-flannel-ds", "flannel/flannel:v0.27.0");
        let observation = flannel
            .daemon("kube-system", "kube-network-policies", "kube-network-policies:v1")
            .observe();
        shown::passes(&CHECK, &observation);
        let canal = with_policy().daemon("kube-system", "canal", "docker.io/calico/node:v3.30.0");
        shown::passes(&CHECK, &canal.observe());
    }

    #[test]
    fn an_engine_of_another_name_is_recognised_by_what_it_is_for() {
        let flannel = with_policy().daemon("kube-flannel", "kube-flannel-ds", "flannel/flannel:v0.27.0");
        shown::passes(
            &CHECK,
            &flannel
                .daemon("kube-system", "own-netpol", "registry.example/own:1")
                .observe(),
        );
    }

    #[test]
    fn without_policies_nobody_needs_to() {
        let flannel = Fixture::shop().daemon("kube-flannel", "kube-flannel-ds", "flannel/flannel:v0.27.0");
        shown::passes(&CHECK, &flannel.observe());
    }

    #[test]
    fn what_nobody_recognises_is_skipped_and_said() {
        let observation = with_policy()
            .daemon("kube-system", "own-cni", "registry.example/own-cni:1")
            .observe();
        let judgement = judge(&View::new(&observation));
        assert!(judgement.skipped.is_some_and(|why| why.contains("--live")));
    }

    #[test]
    fn without_workloads_nobody_is_known_to_be_absent() {
        let mut observation = with_policy().observe();
        observation.policy.as_mut().unwrap().workloads = Observed::Unseen(Gap {
            what: "DaemonSets".into(),
            why: GapReason::Failed,
            message: "no".into(),
            hint: None,
        });
        shown::cannot_tell(&CHECK, &observation);
    }
}
