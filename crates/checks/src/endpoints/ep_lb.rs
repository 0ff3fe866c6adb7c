use report::{Finding, Observed, Severity};

use super::case::Case;
use super::lint::each;
use super::scene::{Part, Scene};
use super::time::{seconds, words};
use super::words::{about, field};
use crate::check::{Check, Judgement, Need};
use crate::view::View;

/// Somebody is in charge of every load balancer: also of taking it away, which a finalizer waits for.
pub(crate) static CHECK: Check = Check {
    id: "ep-lb",
    claim: "somebody is in charge of every load balancer",
    needs: &[Need::Backends],
    judge,
};

/// By it a Service stays until its load balancer is gone.
const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

fn judge(view: &View<'_>) -> Judgement {
    // Who is in charge matters only where something waits for it.
    let waiting = view.backends.iter().flat_map(|scene| &scene.cases).any(waits);
    let needs = if waiting { &[Part::LoadBalancers][..] } else { &[] };
    each(view, needs, |scene, case| {
        finding(scene, case).into_iter().collect()
    })
}

/// Whether a Service was deleted and stays until its load balancer is gone.
fn waits(case: &Case<'_>) -> bool {
    let settings = &case.service.settings;
    settings.deleted.is_some() && settings.finalizers.iter().any(|it| it == FINALIZER)
}

fn finding(scene: &Scene<'_>, case: &Case<'_>) -> Option<Finding> {
    let service = case.service;
    let makers = scene.facts.load_balancers.as_ref().and_then(Observed::seen);
    let deleted = service.settings.deleted.as_deref();
    let age = seconds(deleted, &scene.facts.read_at)?;
    if !waits(case) || age < super::ep_lb_pending::PATIENCE || !makers.is_none_or(Vec::is_empty) {
        return None;
    }
    let age = words(age);
    let summary = format!(
        "{} was deleted {age} ago and stays: it waits for its load balancer to be taken away, and nobody does",
        service.subject()
    );
    let evidence = field(
        service,
        format!("the finalizer {FINALIZER} is still there, {age} after the deletion"),
    );
    let mut finding = about(CHECK.id, Severity::Error, service, summary, evidence);
    finding.hint = Some(
        "bring back what made the load balancer; without its finalizer the Service goes, and what the provider has stays".to_owned(),
    );
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::fixture::{Fixture, gap};
    use crate::shown;

    fn deleted() -> Fixture {
        let fixture = Fixture::shop().web(|service| {
            service.kind = "LoadBalancer".into();
            service.settings.deleted = Some("2026-03-01T08:30:00Z".into());
            service.settings.finalizers = vec![FINALIZER.into()];
        });
        fixture.with(|backends| backends.load_balancers = Some(Observed::Seen(Vec::new())))
    }

    #[test]
    fn a_service_that_waits_to_be_cleaned_up_by_nobody_is_found() {
        let findings = shown::finds(&CHECK, &deleted().observe());
        assert!(
            findings[0]
                .summary
                .starts_with("service/web -n shop was deleted 30 min ago and stays")
        );
    }

    #[test]
    fn somebody_who_is_in_charge_may_take_longer() {
        let busy = deleted().with(|backends| {
            backends.load_balancers =
                Some(Observed::Seen(vec!["daemonset/speaker -n metallb-system".into()]));
        });
        shown::passes(&CHECK, &busy.observe());
        let just = deleted().web(|service| service.settings.deleted = Some("2026-03-01T08:59:30Z".into()));
        shown::passes(&CHECK, &just.observe());
    }

    #[test]
    fn who_is_in_charge_may_not_be_seen() {
        let unseen =
            deleted().with(|backends| backends.load_balancers = Some(Observed::Unseen(gap("workloads"))));
        shown::cannot_tell(&CHECK, &unseen.observe());
    }
}
