use std::collections::BTreeSet;

use netprobe::Outcome;
use observation::{Expected, Purpose, Reach, Service, Source, Topic};
use report::{Evidence, Finding, Gap, GapReason, Severity};

use super::{all_gaps, label, manner, names};
use crate::check::{Check, Judgement, Need};
use crate::shell::word;
use crate::tries::{Row, about, all_rows, by_service, is_right};
use crate::view::View;

/// A Service from pods of other namespaces. Nothing has to be opened for them: only a policy tells namespaces apart.
pub(crate) static CHECK: Check = Check {
    id: "net-svc-xns",
    claim: "Services answer pods of other namespaces as they answer those of their own",
    needs: &[Need::Services],
    judge,
};

const TOPICS: &[Topic] = &[Topic::Service, Topic::Path];

fn judge(view: &View<'_>) -> Judgement {
    let Some(reach) = about(view, TOPICS) else {
        return Judgement::not_asked();
    };
    let all = all_rows(reach);
    let mut judgement = Judgement {
        gaps: all_gaps(view, reach),
        ..Judgement::default()
    };
    let (mut reached, mut untold) = (false, Vec::new());
    for service in by_service(reach, &all) {
        if !reach.asked.contains(&service.service.subject()) {
            continue;
        }
        for row in service.cluster_ips() {
            let across = sources(view, row, |namespace| namespace != service.service.namespace);
            if across.is_empty() {
                continue;
            }
            if across.iter().any(|source| arrives(row, source)) {
                reached = true;
                continue;
            }
            let within = sources(view, row, |namespace| namespace == service.service.namespace);
            let nearest = within.iter().find(|source| arrives(row, source));
            match nearest {
                Some(nearest) => judgement
                    .findings
                    .extend(finding(service.service, row, &across, nearest)),
                None if within.is_empty() => untold.push(service.service),
                // From its own namespace it does not answer either: namespaces make no difference.
                None => reached = true,
            }
        }
    }
    let is_empty = !reached && judgement.findings.is_empty() && judgement.gaps.is_empty();
    match (is_empty, untold.first()) {
        // It answers nobody who was asked: that is told elsewhere, and there is nothing to compare it with.
        (true, Some(first)) => {
            return Judgement::skipped(format!(
                "{} answers none of the probe pods, and nothing was tried from its own namespace, which --probe-namespace {} does",
                first.subject(),
                word(&first.namespace)
            ));
        }
        (true, None) => return Judgement::skipped(reason(reach, view)),
        (false, _) => judgement.gaps.extend(untried(&untold)),
    }
    judgement
}

/// The sources that are to be answered, of which the namespace is known and such.
fn sources<'a>(view: &View<'_>, row: &Row<'a>, is_such: impl Fn(&str) -> bool) -> Vec<&'a Source> {
    let placement = view.observation.placement.as_ref();
    let namespace = |source: &'a Source| match source {
        Source::Pod { .. } => placement.map(|placement| placement.namespace.as_str()),
        Source::Inside { namespace, .. } => Some(namespace.as_str()),
        Source::Host { .. } | Source::Outside => None,
    };
    let is_wanted = |source: &&'a Source| {
        let cell = row.from.get(source);
        let is_known = cell.is_some_and(|cell| {
            cell.attempt.expected == Expected::Answer && is_right(cell.attempt, &cell.state).is_some()
        });
        is_known && namespace(source).is_some_and(&is_such)
    };
    row.from.keys().copied().filter(is_wanted).collect()
}

/// Whether what is sent comes to a pod behind the Service: it answers, or its own kernel says that nobody listens.
fn arrives(row: &Row<'_>, source: &Source) -> bool {
    let Some(cell) = row.from.get(source) else {
        return false;
    };
    let of_the_pod = |outcome: &Outcome| {
        outcome.is_ok()
            || matches!(
                outcome,
                Outcome::Refused { offender: None, .. } | Outcome::Reset { .. } | Outcome::Stalled { .. }
            )
    };
    let mut outcomes = cell.attempt.samples.iter().map(|sample| &sample.outcome);
    is_right(cell.attempt, &cell.state) == Some(true) || outcomes.any(of_the_pod)
}

fn finding(service: &Service, row: &Row<'_>, across: &[&Source], nearest: &Source) -> Option<Finding> {
    let subject = service.subject();
    let namespace = word(&service.namespace);
    let failing = across.first()?;
    let detail = row.from.get(failing)?.state.failure()?.detail.clone();
    let mut finding = Finding::new(
        CHECK.id,
        Severity::Error,
        subject.clone(),
        format!(
            "{subject} answers pods of its own namespace only: for those of others it {}",
            manner(row.telling())
        ),
        Evidence::probe(format!("{detail}, from {}", names(across)), label(row, failing)),
    );
    finding
        .evidence
        .push(Evidence::probe("it answers", label(row, nearest)));
    finding.hint = Some(format!(
        "only a policy tells namespaces apart; see which one selects its pods and which labels it asks of namespaces, of which \
         kubernetes.io/metadata.name alone is automatic: `kubectl describe networkpolicies -n {namespace}`"
    ));
    Some(finding)
}

/// Services that answer no other namespace, where nothing was tried from their own.
fn untried(services: &[&Service]) -> Option<Gap> {
    let first = services.first()?;
    let names: BTreeSet<String> = services.iter().map(|it| it.subject().to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Some(Gap {
        what: format!("whether {} answers its own namespace", crate::firewall::joined(&names)),
        why: GapReason::NotStarted,
        message: "it answers none of the probe pods, which are in another namespace, and nothing was tried from its own"
            .to_owned(),
        hint: Some(format!(
            "try from there: `kubectl netcheck service {} -n {} --probe-namespace {}`",
            word(&first.name),
            word(&first.namespace),
            word(&first.namespace)
        )),
    })
}

fn reason(reach: &Reach, view: &View<'_>) -> String {
    let is_way_in = |purpose: &Purpose| *purpose == Purpose::ClusterIp;
    let tried = reach
        .attempts
        .iter()
        .any(|it| is_way_in(&it.purpose) && reach.asked.contains(&it.subject));
    match view.observation.placement.as_ref() {
        Some(placement) if tried => format!(
            "every Service that was tried and is to answer is in {}, the namespace of the probe pods; --probe-namespace names another",
            placement.namespace
        ),
        _ => "no Service with a ClusterIP was tried".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use observation::{Attempt, Observation};

    use super::*;
    use crate::shown;
    use crate::tries::scene::{Scene, forbidden, reset, silence};

    fn is_web(attempt: &Attempt) -> bool {
        attempt.subject.to_string() == "service/web -n shop" && attempt.purpose == Purpose::ClusterIp
    }

    /// The same, with what came of `web` from a pod of its own namespace.
    fn inside(mut observation: Observation, outcome: &Outcome) -> Observation {
        let reach = observation.reach.as_mut().expect("something was tried");
        let mut own = reach
            .attempts
            .iter()
            .find(|it| is_web(it))
            .expect("it was tried")
            .clone();
        own.source = Source::Inside {
            node: "node1".to_owned(),
            namespace: "shop".to_owned(),
            pod: "client".to_owned(),
        };
        for sample in &mut own.samples {
            sample.outcome = outcome.clone();
        }
        reach.attempts.push(own);
        observation
    }

    fn answer() -> Outcome {
        Outcome::Ok {
            rtt_us: 300,
            peer: None,
        }
    }

    #[test]
    fn probe_pods_of_a_namespace_of_their_own_cross_to_every_service() {
        shown::passes(&CHECK, &Scene::new().observe(|_, _| None));
    }

    #[test]
    fn services_that_may_not_be_read_are_unknown() {
        shown::cannot_tell(&CHECK, &forbidden(Scene::new().observe(|_, _| None)));
    }

    #[test]
    fn a_service_that_answers_its_own_namespace_only_is_found() {
        let seen = Scene::new().observe(|it, _| is_web(it).then(silence));
        let findings = shown::finds(&CHECK, &inside(seen, &answer()));
        assert_eq!(
            findings[0].summary,
            "service/web -n shop answers pods of its own namespace only: for those of others it does not answer"
        );
        assert_eq!(findings.len(), 1);
    }

    #[test]
    fn one_that_answers_nobody_is_no_matter_of_namespaces() {
        let seen = Scene::new().observe(|it, _| is_web(it).then(silence));
        shown::passes(&CHECK, &inside(seen.clone(), &silence()));
        let gaps = shown::cannot_tell(&CHECK, &seen);
        assert!(
            gaps[0]
                .hint
                .as_ref()
                .is_some_and(|hint| hint.contains("--probe-namespace shop")),
            "{gaps:?}"
        );
    }

    #[test]
    fn the_only_one_that_was_asked_about_and_answers_nobody_has_nothing_to_be_compared_with() {
        let mut seen = Scene::new().observe(|it, _| is_web(it).then(silence));
        if let Some(reach) = &mut seen.reach {
            reach
                .asked
                .retain(|asked| asked.to_string() == "service/web -n shop");
        }
        let judgement = judge(&View::new(&seen));
        assert!(
            judgement
                .skipped
                .is_some_and(|why| why.contains("--probe-namespace shop"))
        );
    }

    #[test]
    fn one_where_nobody_listens_is_reached_across_namespaces() {
        shown::passes(&CHECK, &Scene::new().observe(|it, _| is_web(it).then(reset)));
    }

    #[test]
    fn probe_pods_in_the_namespace_of_the_service_cross_nothing() {
        let mut scene = Scene::new();
        scene.services.retain(|service| service.namespace == "shop");
        let mut seen = scene.observe(|_, _| None);
        if let Some(placement) = &mut seen.placement {
            placement.namespace = "shop".to_owned();
        }
        let judgement = judge(&View::new(&seen));
        assert!(judgement.skipped.is_some_and(|why| why.contains("is in shop")));
    }
}
