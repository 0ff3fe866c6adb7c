use netmodel::policy::{Direction, Pod, stable_labels};
use report::{Evidence, Finding, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, lint, object, pod_name, some};
use crate::shell::word;
use crate::view::View;

/// Which policies select the pods that were asked about, for each direction. Notes only.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-cover",
    claim: "the policies that select the pod are known for each direction",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    match &view.scene {
        Some(scene) if !scene.is_lint() => lint(view, &[Objects::Pods], find),
        Some(_) | None => Judgement::not_asked(),
    }
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let mut pods = scene.named_pods();
    // A Service's pods are many; those of one kind that the same policies select are told once.
    pods.dedup_by_key(|pod| {
        (
            stable_labels(pod),
            cover(scene, pod, Direction::Ingress),
            cover(scene, pod, Direction::Egress),
        )
    });
    pods.into_iter().map(|pod| of_pod(scene, pod)).collect()
}

fn cover(scene: &Scene<'_>, pod: &Pod, direction: Direction) -> Vec<String> {
    let isolating = scene.world.isolating(pod, direction);
    isolating.map(|policy| policy.name.name.clone()).collect()
}

fn of_pod(scene: &Scene<'_>, pod: &Pod) -> Finding {
    let list = format!("kubectl get networkpolicies -n {}", word(&pod.namespace));
    let side = |direction: Direction| {
        let fact = match cover(scene, pod, direction) {
            names if names.is_empty() => {
                format!("no policy selects it for {direction}: all {direction} is allowed")
            }
            names => format!("{direction} is isolated by networkpolicy/{}", some(names)),
        };
        Evidence::command(fact, list.clone())
    };
    let mut evidence = vec![side(Direction::Ingress), side(Direction::Egress)];
    if pod.host_network {
        let fact = "it uses its node's network, where policies do not apply";
        evidence.push(Evidence::field(
            fact,
            format!("{} .spec.hostNetwork", pod_name(pod)),
        ));
    }
    Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: object("pod", &pod.namespace, &pod.name),
        summary: format!("which policies select {}", pod_name(pod)),
        evidence,
        hint: None,
        explains: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    #[test]
    fn both_directions_of_the_pod_are_told() {
        let observation = Fixture::shop()
            .with("shop", "deny", deny_all())
            .about("shop", "web-1")
            .observe();
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(
            findings[0].evidence[0].fact,
            "ingress is isolated by networkpolicy/deny"
        );
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn without_pods_nothing_is_known_of_one() {
        let observation = without_pods(Fixture::shop().about("shop", "web-1").observe());
        shown::cannot_tell(&CHECK, &observation);
    }
}
