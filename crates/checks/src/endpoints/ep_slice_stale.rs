use observation::SecondLook;
use report::{Evidence, Finding, Gap, GapReason, Observed, Severity};

use super::case::Case;
use super::lack::Lack;
use super::lint::over;
use super::scene::{Part, Scene};
use super::stale::{Stable, first, stable};
use super::time::{seconds, words};
use super::words::{about, show_pods, show_slices};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// EndpointSlices that do not follow the pods: whoever writes them does not work.
pub(crate) static CHECK: Check = Check {
    id: "ep-slice-stale",
    claim: "EndpointSlices say what the pods say",
    needs: &[Need::Backends],
    judge,
};

/// A leader that has not renewed its Lease for so long, in seconds, does not work. It renews every 2 s, and others take over after 15 s.
const LEADER_GONE: i64 = 60;
const LEASE: &str = "kubectl get lease kube-controller-manager -n kube-system -o yaml";

fn judge(view: &View<'_>) -> Judgement {
    let mut unsure = Vec::new();
    let mut judgement = over(view, &[Part::Slices, Part::Pods], |scene| {
        let mut findings = Vec::new();
        for case in &scene.cases {
            if first(case).is_empty() {
                continue;
            }
            match &scene.facts.second_look {
                None => unsure.push(case.service.subject()),
                Some(second) => findings.extend(finding(scene, case, second)),
            }
        }
        findings
    });
    if let Some(service) = unsure.first() {
        judgement.gaps.push(Gap {
            what: format!("whether EndpointSlices follow the pods of {service}"),
            why: GapReason::NotStarted,
            message: "they differ, and were looked at once only".to_owned(),
            hint: Some("look again after some seconds".to_owned()),
        });
    }
    if let Some(second) = view
        .backends
        .as_ref()
        .and_then(|scene| scene.facts.second_look.as_ref())
    {
        let gaps = [second.slices.gap(), second.pods.gap()];
        judgement.gaps.extend(gaps.into_iter().flatten().cloned());
    }
    judgement
}

fn finding(scene: &Scene<'_>, case: &Case<'_>, second: &SecondLook) -> Option<Finding> {
    if second.slices.seen().is_none() || second.pods.seen().is_none() {
        return None;
    }
    let service = case.service;
    let stable: Vec<Stable> = stable(scene, case, second)
        .into_iter()
        .filter(|it| it.is_old)
        .collect();
    let (one, more) = stable.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        number => format!("; and {number} differences more"),
    };
    let summary = format!(
        "the EndpointSlices of {} do not follow its pods: {}{more}",
        service.subject(),
        one.difference
    );
    let apart = seconds(Some(&scene.facts.read_at), &second.read_at).unwrap_or(0);
    let evidence = Evidence::command(
        format!("the same in two looks, {} apart", words(apart)),
        show_slices(service),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding.evidence.push(Evidence::command(
        format!("{} pods are selected", case.candidates.len()),
        show_pods(&service.namespace, &service.selector),
    ));
    finding.evidence.extend(leader(scene));
    finding.hint = Some(format!(
        "kube-controller-manager writes them: see whether it runs and who leads, and restart it where its log says no more: `{LEASE}`"
    ));
    if matches!(case.lack, Some(Lack::Stale)) {
        finding.explains.push(super::ep_empty::CHECK.id.to_owned());
    }
    Some(finding)
}

/// What is known of who writes slices.
fn leader(scene: &Scene<'_>) -> Option<Evidence> {
    let Observed::Seen(lease) = &scene.facts.controller_manager else {
        return None;
    };
    let Some(lease) = lease else {
        return Some(Evidence::command(
            "no kube-controller-manager has ever led, or it is not seen from here",
            LEASE,
        ));
    };
    let age = seconds(lease.renewed.as_deref(), &scene.facts.read_at)?;
    let holder = lease.holder.as_deref().unwrap_or("nobody");
    let fact = if age > LEADER_GONE {
        format!(
            "kube-controller-manager's Lease, of {holder}, was last renewed {} ago: it does not run",
            words(age)
        )
    } else {
        format!(
            "kube-controller-manager's Lease, of {holder}, was renewed {} ago",
            words(age)
        )
    };
    Some(Evidence::command(fact, LEASE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, list, pod, without_pods};
    use crate::shown;

    /// The second look shows what the first showed, so many seconds later.
    fn again(fixture: Fixture, read_at: &str) -> Fixture {
        fixture.with(|backends| {
            backends.second_look = Some(SecondLook {
                read_at: read_at.into(),
                slices: backends.slices.clone(),
                pods: backends.pods.clone(),
            });
        })
    }

    fn a_pod_more() -> Fixture {
        Fixture::shop().stuck().pods(|pods| pods.push(pod("web", 4)))
    }

    #[test]
    fn a_pod_that_is_missing_in_two_looks_is_found() {
        let findings = shown::finds(&CHECK, &again(a_pod_more(), "2026-03-01T09:00:05Z").observe());
        assert_eq!(
            findings[0].summary,
            "the EndpointSlices of service/web -n shop do not follow its pods: 10.244.4.5 of pod/web-4 is not listed"
        );
        assert_eq!(findings[0].explains, Vec::<String>::new());
    }

    #[test]
    fn a_leader_that_is_gone_is_named() {
        let gone = a_pod_more().with(|backends| {
            if let Observed::Seen(Some(lease)) = &mut backends.controller_manager {
                lease.renewed = Some("2026-03-01T08:30:00Z".into());
            }
        });
        let findings = shown::finds(&CHECK, &again(gone, "2026-03-01T09:00:05Z").observe());
        assert!(
            findings[0].evidence[2]
                .fact
                .ends_with("was last renewed 30 min ago: it does not run")
        );
    }

    #[test]
    fn a_pod_that_came_just_now_is_on_its_way() {
        let new = a_pod_more().each_pod(|pod| pod.ready_since = Some("2026-03-01T08:59:50Z".into()));
        let soon = again(new, "2026-03-01T09:00:05Z");
        shown::passes(&CHECK, &soon.observe());
    }

    #[test]
    fn an_address_of_a_pod_that_is_gone_counts_after_half_a_minute() {
        let gone = || Fixture::shop().stuck().pods(|pods| drop(pods.pop()));
        shown::passes(&CHECK, &again(gone(), "2026-03-01T09:00:05Z").observe());
        let findings = shown::finds(&CHECK, &again(gone(), "2026-03-01T09:00:31Z").observe());
        assert!(
            findings[0]
                .summary
                .ends_with("10.244.3.5 of pod/web-3 is listed, and that pod is not there")
        );
    }

    #[test]
    fn a_pod_that_was_replaced_under_the_same_name_and_address_is_another() {
        let replaced = Fixture::shop().stuck().each_pod(|pod| pod.uid = "new".into());
        shown::finds(&CHECK, &again(replaced, "2026-03-01T09:00:40Z").observe());
    }

    #[test]
    fn slices_that_say_nothing_of_ready_pods_account_for_the_empty_service() {
        let none = Fixture::shop()
            .stuck()
            .with(|backends| list(&mut backends.slices).clear());
        let findings = shown::finds(&CHECK, &again(none, "2026-03-01T09:00:40Z").observe());
        assert_eq!(findings[0].explains, ["ep-empty"]);
    }

    #[test]
    fn one_look_does_not_tell_late_from_stuck() {
        shown::cannot_tell(&CHECK, &a_pod_more().observe());
        shown::cannot_tell(&CHECK, &without_pods(Fixture::shop()));
        let asked = super::super::wanted_second_look(&a_pod_more().observe());
        assert_eq!(
            asked.into_iter().collect::<Vec<_>>(),
            [("shop".to_owned(), "web".to_owned())]
        );
    }

    #[test]
    fn slices_that_follow_need_no_second_look() {
        shown::passes(&CHECK, &Fixture::shop().observe());
        assert!(super::super::wanted_second_look(&Fixture::shop().observe()).is_empty());
    }
}
