use netmodel::policy::{Direction, DirectionVerdict, Outcome, suggest};
use report::{Evidence, Finding, Severity};

use crate::check::{Check, Judgement, Need};
use crate::scene::{Objects, Scene, judged_flows, lint, object};
use crate::suggestion;
use crate::view::View;

/// The least policy that would allow the flow that was asked about, where policies deny it. A note: whether it is to be allowed
/// is not ours to say.
pub(crate) static CHECK: Check = Check {
    id: "net-pol-suggest",
    claim: "what is missing for the flow can be said as a policy of its own",
    needs: &[Need::Policies],
    judge,
};

fn judge(view: &View<'_>) -> Judgement {
    match &view.scene {
        Some(scene) if scene.asked(&scene.world).is_some() => lint(view, &[Objects::Pods], find),
        Some(_) | None => Judgement::not_asked(),
    }
}

fn find(scene: &Scene<'_>) -> Vec<Finding> {
    let Some(asked) = scene.asked(&scene.world) else {
        return Vec::new();
    };
    let judged = judged_flows(&asked, &scene.world);
    let mut evidence = Vec::new();
    let mut subject = None;
    for (flow, verdict) in &judged {
        let sides = [
            (Direction::Egress, &verdict.egress),
            (Direction::Ingress, &verdict.ingress),
        ];
        for (direction, side) in sides {
            if side.outcome() != Outcome::Denied || !matches!(side, DirectionVerdict::Denied { .. }) {
                continue;
            }
            let Some(suggestion) = suggest("suggested", &flow.flow, direction) else {
                continue;
            };
            let namespace = suggestion.manifest["metadata"]["namespace"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            subject = subject.or_else(|| {
                flow.flow
                    .destination
                    .pod()
                    .map(|pod| object("pod", &pod.namespace, &pod.name))
            });
            let fact = format!(
                "an {direction} rule for {} in namespace {namespace} would be enough",
                flow.port()
            );
            evidence.push(Evidence::command(fact, suggestion::command(scene)));
        }
    }
    if evidence.is_empty() {
        return Vec::new();
    }
    vec![Finding {
        id: CHECK.id.to_owned(),
        severity: Severity::Note,
        subject: subject.unwrap_or(report::Subject::Cluster),
        summary: "the least that would allow it, as policies of its own beside those that are there"
            .to_owned(),
        evidence,
        hint: None,
        explains: Vec::new(),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::fixture::{Fixture, deny_all, without_pods};
    use crate::shown;

    fn ask(fixture: Fixture) -> observation::Observation {
        fixture.flow(("shop", "web-1"), ("shop", "db-1"), 5432).observe()
    }

    #[test]
    fn each_side_that_denies_gets_its_rule() {
        let observation = ask(Fixture::shop().with("shop", "deny", deny_all()));
        let findings = shown::finds(&CHECK, &observation);
        assert_eq!(findings[0].evidence.len(), 2);
        shown::passes(&CHECK, &observation);
    }

    #[test]
    fn what_is_allowed_needs_nothing() {
        shown::passes(&CHECK, &ask(Fixture::shop()));
    }

    #[test]
    fn without_pods_there_are_no_labels_to_write() {
        shown::cannot_tell(&CHECK, &without_pods(ask(Fixture::shop())));
    }
}
